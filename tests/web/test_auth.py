import pytest
from httpx2 import Response

from tests.support.app import PASSWORD, AppClient, app_client
from tests.web.asgi import ask

pytestmark = pytest.mark.asyncio(loop_scope="session")

DOORS = ["/api/token", "/auth/token", "/api/v1/auth/login"]
REFRESH = "/api/v1/auth/refresh"


def refused(answer: Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert set(answer.json()) == {"detail", "code"}
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("door", [*DOORS, *(f"{door}/" for door in DOORS)])
@pytest.mark.parametrize("how", ["data", "json", "files"])
async def test_every_door_takes_a_form_or_json_and_its_token_opens_everything(
    anyone: AppClient, alice: AppClient, door: str, how: str
) -> None:
    given = {"username": "alice", "password": PASSWORD}
    # A multipart form: `files` without file names.
    body = {how: {k: (None, v) for k, v in given.items()} if how == "files" else given}
    answer = await AppClient(anyone.app).post(door, **body)  # type: ignore[arg-type]
    tokens = answer.json()
    assert answer.status_code == 200
    assert set(tokens) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 1800)
    assert answer.headers["cache-control"] == "no-store"
    opened = AppClient(anyone.app, tokens["access_token"])
    for path in ("/api/users/me", "/conversations", "/api/v1/me"):
        assert (await opened.get(path)).status_code == 200


@pytest.mark.parametrize("door", DOORS)
async def test_a_wrong_password_and_an_unknown_name_are_refused_alike(
    anyone: AppClient, alice: AppClient, door: str
) -> None:
    wrong = await anyone.post(door, data={"username": "alice", "password": "not the password"})
    unknown = await anyone.post(door, data={"username": "nobody", "password": PASSWORD})
    refused(wrong, 401, "bad_credentials")
    assert (unknown.status_code, unknown.text) == (wrong.status_code, wrong.text)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{", 400),
        ("application/json", b"[]", 422),
        ("application/json", b'{"username": "alice"}', 422),
        ("application/json", b'{"username": 1, "password": 2}', 422),
        ("application/json", rb'{"username": "\u0000", "password": ""}', 422),
        ("application/json", rb'{"username": "\ud800", "password": ""}', 422),
        ("application/x-www-form-urlencoded", b"username=alice", 422),
        ("application/x-www-form-urlencoded", b"username=a%00b&password=x", 422),
        ("application/x-www-form-urlencoded", b"", 422),
        ("application/x-www-form-urlencoded", b"&".join([b"a=b"] * 1000), 400),
        ("application/x-www-form-urlencoded", b"username=" + b"a" * 100_000, 400),
        ("multipart/form-data", b"--x", 400),
        ("multipart/form-data; boundary=x", b"--y\r\n\r\n", 400),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; '
         b'name="username"; filename="f"\r\n\r\nalice\r\n--x--\r\n', 400),
        ("text/plain", b'{"username": "alice", "password": "x"}', 400),
        ("", b'{"username": "alice", "password": "x"}', 400),
    ],
)  # fmt: skip
async def test_what_is_no_login_form_is_refused_in_words(
    anyone: AppClient, door: str, content_type: str, body: bytes, status: int
) -> None:
    answer = await anyone.post(door, content=body, headers={"Content-Type": content_type})
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"detail", "code"}


async def test_a_body_that_breaks_off_is_unreadable(anyone: AppClient) -> None:
    for kind in ("application/json", "application/x-www-form-urlencoded"):
        answer = await ask(anyone.app, "POST", "/api/token", [("content-type", kind)], body=[])
        assert (answer.status, answer.code) == (400, "unreadable")


async def test_failures_run_out_and_the_right_password_does_not_help_then() -> None:
    async with app_client(login_failures=1) as anyone:
        await anyone.register("dora")
        for password in ("not the password", PASSWORD):
            answer = await anyone.post(
                "/auth/token", data={"username": "dora", "password": password}
            )
        refused(answer, 429, "rate_limited")
        assert 0 < int(answer.headers["retry-after"]) <= 1800


async def test_the_refresh_token_is_also_a_cookie_for_its_own_routes(anyone: AppClient) -> None:
    await anyone.register("erin")
    body = {"username": "erin", "password": PASSWORD}
    answer = await AppClient(anyone.app).post("/auth/token", data=body)
    value, *attributes = answer.headers["set-cookie"].split("; ")
    assert value == f"hubbub_refresh={answer.json()['refresh_token']}"
    expires = [a for a in attributes if a.startswith("expires=")]
    assert len(expires) == 1
    assert set(attributes) - set(expires) == {
        "HttpOnly",
        "Path=/api/v1/auth",
        "SameSite=strict",
    }


async def test_the_cookie_is_secure_under_https(anyone: AppClient) -> None:
    await anyone.register("fay")
    login = f"username=fay&password={PASSWORD}".encode()
    form = [("content-type", "application/x-www-form-urlencoded")]
    answer = await ask(anyone.app, "POST", "/api/token", form, login, scheme="https")
    assert "; Secure" in str(answer.header("set-cookie"))
    answer = await ask(anyone.app, "POST", "/api/token", form, login, scheme="http")
    assert "; Secure" not in str(answer.header("set-cookie"))


async def test_a_refresh_token_is_good_once_and_using_it_twice_ends_the_login(
    anyone: AppClient,
) -> None:
    user = await anyone.register("gwen")
    first = {"refresh_token": user.tokens["refresh_token"]}
    answer = await AppClient(anyone.app).post(REFRESH, json=first)
    assert answer.status_code == 200
    second = {"refresh_token": answer.json()["refresh_token"]}
    newer = AppClient(anyone.app, answer.json()["access_token"])
    assert (await newer.get("/api/v1/me")).json()["username"] == "gwen"
    refused(await AppClient(anyone.app).post(REFRESH, json=first), 401, "refresh_reused")
    assert (await AppClient(anyone.app).post(REFRESH, json=second)).status_code == 401
    refused(await newer.get("/api/v1/me"), 401, "session_revoked")


async def test_a_browser_refreshes_with_its_cookie(anyone: AppClient) -> None:
    browser = AppClient(anyone.app)
    await anyone.register("hana")
    await browser.post("/auth/token", data={"username": "hana", "password": PASSWORD})
    answer = await browser.post(REFRESH)
    assert answer.status_code == 200
    assert browser.cookies["hubbub_refresh"] == answer.json()["refresh_token"]


async def test_refreshing_needs_a_refresh_token(anyone: AppClient, alice: AppClient) -> None:
    refused(await AppClient(anyone.app).post(REFRESH), 401, "token_missing")
    bad = {"refresh_token": alice.tokens["access_token"]}
    assert (await AppClient(anyone.app).post(REFRESH, json=bad)).status_code == 401


async def test_no_cookie_authenticates_anything_else(anyone: AppClient, alice: AppClient) -> None:
    for value in (alice.tokens["refresh_token"], alice.tokens["access_token"]):
        cookies = [("cookie", f"hubbub_refresh={value}; access_token={value}; token={value}")]
        for path in ("/api/v1/me", "/api/rooms", f"/api/rooms?token={value}"):
            assert (await ask(anyone.app, "GET", path, cookies)).code == "token_missing"


async def test_logging_out_ends_the_login_and_takes_the_cookie_back(anyone: AppClient) -> None:
    await anyone.register("ines")
    first, second = await anyone.log_in("ines"), await anyone.log_in("ines")
    answer = await first.post("/api/v1/auth/logout")
    assert (answer.status_code, answer.content) == (204, b"")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith('hubbub_refresh=""; ')
    assert "Max-Age=0" in cookie
    assert "Path=/api/v1/auth" in cookie
    refused(await first.get("/api/v1/me"), 401, "session_revoked")
    old = {"refresh_token": first.tokens["refresh_token"]}
    assert (await AppClient(anyone.app).post(REFRESH, json=old)).status_code == 401
    assert (await second.get("/api/v1/me")).status_code == 200


async def test_a_new_password_needs_the_old_one_and_ends_the_other_logins(
    anyone: AppClient,
) -> None:
    await anyone.register("jana")
    here, there = await anyone.log_in("jana"), await anyone.log_in("jana")
    change = {"current_password": "not the password", "new_password": "another password"}
    refused(await here.put("/api/v1/auth/password", json=change), 401, "bad_credentials")
    change["current_password"] = PASSWORD
    weak = {**change, "new_password": "short"}
    refused(await here.put("/api/v1/auth/password", json=weak), 422, "weak_password")
    assert (await here.put("/api/v1/auth/password", json=change)).status_code == 204
    assert (await here.get("/api/v1/me")).status_code == 200
    refused(await there.get("/api/v1/me"), 401, "session_revoked")
    await anyone.log_in("jana", "another password")


async def test_logins_are_listed_and_ended_one_by_one(anyone: AppClient, bob: AppClient) -> None:
    await anyone.register("kira")
    here, there = await anyone.log_in("kira"), await anyone.log_in("kira")
    sessions = (await here.get("/api/v1/sessions")).json()
    assert len(sessions) == 3
    assert [s["current"] for s in sessions].count(True) == 1
    [other] = [s["id"] for s in (await there.get("/api/v1/sessions")).json() if s["current"]]
    refused(await bob.delete(f"/api/v1/sessions/{other}"), 404, "unknown_session")
    assert (await here.delete(f"/api/v1/sessions/{other}")).status_code == 204
    refused(await here.delete(f"/api/v1/sessions/{other}"), 404, "unknown_session")
    refused(await there.get("/api/v1/me"), 401, "session_revoked")
    assert (await here.get("/api/v1/me")).status_code == 200


async def test_a_ticket_stands_for_its_owner_once(alice: AppClient) -> None:
    answer = await alice.post("/api/v1/tickets")
    assert answer.status_code == 201
    assert answer.json()["expires_in"] == 30
    identity = await alice.services.accounts.redeem(answer.json()["ticket"])
    assert identity.who.name == "alice"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "token_missing"),
        ("Bearer", "token_missing"),
        ("Bearer ", "token_missing"),
        ("Basic YWxpY2U6eA==", "token_missing"),
        ("Bearer nonsense", "token_invalid"),
        ("Bearer a.b.c", "token_invalid"),
        ("Bearer \xff\xfe", "token_invalid"),
        ("Bearer " + "a" * 100_000, "token_invalid"),
    ],
)
async def test_a_bad_token_is_refused(anyone: AppClient, header: str, code: str) -> None:
    answer = await ask(anyone.app, "GET", "/api/v1/me", [("authorization", header)])
    assert (answer.status, answer.code) == (401, code)
    assert answer.header("www-authenticate") == "Bearer"


async def test_the_scheme_may_be_spelled_in_any_case(alice: AppClient) -> None:
    token = alice.tokens["access_token"]
    answer = await ask(alice.app, "GET", "/api/v1/me", [("authorization", f"bEARER {token}")])
    assert answer.status == 200
