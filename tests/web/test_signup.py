"""The door of document 003 over REST, in every mode."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from httpx2 import Response

from tests.support.app import PASSWORD, AppClient, app_client
from tests.support.mail import code_in
from tests.support.smtp import PostOffice, post_office
from tests.web.asgi import ask

A = "user@example.com"
B = "other@example.com"
SHUT = [{}, {"open": "force"}]
SHUT_NAMES = ["closed", "forced"]


def refused(answer: Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert set(answer.json()) == {"detail", "code"}


class Caller:
    """Somebody at the door, with the cookies of a browser."""

    def __init__(self, client: AppClient, office: PostOffice | None = None) -> None:
        self.client = client
        self.office = office
        self.letters = 0

    async def post(self, name: str, **body: object) -> Response:
        return await self.client.post(f"/api/auth/{name}", json=body)

    async def code(self, email: str = A) -> str:
        """A code, as it was mailed."""
        assert (await self.post("signup", email=email)).status_code == 200
        return await self.next_code()

    async def next_code(self) -> str:
        """The code of the next letter."""
        assert self.office is not None
        self.letters += 1
        return code_in(await self.office.text(self.letters))

    async def verified(self, email: str = A) -> str:
        answer = await self.post("verify-otp", email=email, otp=await self.code(email))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["verification_token"])

    async def named(self, email: str = A, username: str = "uniqueusername") -> str:
        """Makes the account of an address; the verification, unused for logins, comes back."""
        token = await self.verified(email)
        answer = await self.post("set-username", email=email, username=username)
        assert answer.status_code == 200, answer.text
        assert self.office is not None
        self.letters += 1
        assert f"Username: {username}" in await self.office.text(self.letters)
        return token

    def forget_cookies(self) -> None:
        self.client.cookies.clear()


@asynccontextmanager
async def door(**settings: Any) -> AsyncIterator[Caller]:
    """A server that sends mail, and somebody at its door."""
    async with post_office() as office:
        options = {"smtp_server": "127.0.0.1", "smtp_port": office.port, **settings}
        async with app_client(**options) as client:
            yield Caller(client, office)


@pytest.fixture(params=SHUT, ids=SHUT_NAMES)
async def shut(request: pytest.FixtureRequest) -> AsyncIterator[Caller]:
    """The door in the modes in which an address alone proves nothing."""
    async with door(**request.param) as caller:
        yield caller


async def test_in_development_the_requests_of_the_document_are_enough() -> None:
    async with app_client(dev=True) as client:
        caller = Caller(client)
        answer = await caller.post("signup", email=A)
        assert (answer.status_code, answer.json()) == (200, {"message": "OTP sent to your email"})
        [letter] = (await client.get("/dev/mail")).json()
        otp = code_in(letter["text"])
        answer = await caller.post("verify-otp", email=A, otp=otp)
        assert answer.status_code == 200
        assert answer.json()["message"] == "OTP verified successfully"
        caller.forget_cookies()
        refused(await caller.post("login", email=A), 409, "no_username")
        answer = await caller.post("set-username", email=A, username="uniqueusername")
        said = {"message": "Username set successfully"}
        assert (answer.status_code, answer.json()) == (200, said)
        for _ in range(2):
            answer = await caller.post("login", email=A)
            assert answer.status_code == 200
            assert answer.json()["token_type"] == "bearer"
        me = await AppClient(client.app, answer.json()["access_token"]).get("/api/users/me")
        assert (me.json()["username"], me.json()["email"]) == ("uniqueusername", A)


async def test_in_development_an_address_nobody_has_verified_logs_nobody_in() -> None:
    async with app_client(dev=True) as client:
        caller = Caller(client)
        body = {"username": "claims", "password": PASSWORD, "email": A}
        assert (await client.post("/api/users", json=body)).status_code == 201
        refused(await caller.post("login", email=A), 401, "code_needed")
        refused(await caller.post("set-username", email=A, username="x"), 401, "not_verified")


async def test_a_browser_signs_up_with_the_requests_of_the_document(shut: Caller) -> None:
    await shut.named()
    answer = await shut.post("login", email=A)
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert answer.headers["cache-control"] == "no-store"
    assert "hubbub_verification" not in shut.client.cookies
    somebody = AppClient(shut.client.app, answer.json()["access_token"])
    assert (await somebody.get("/api/rooms")).status_code == 200
    answer = await somebody.post("/api/v1/auth/refresh", json=answer.json())
    assert answer.status_code == 200


async def test_a_program_carries_the_verification_in_the_body(shut: Caller) -> None:
    token = await shut.verified()
    shut.forget_cookies()
    given = {"email": A, "verification_token": token}
    bare = await shut.post("set-username", email=A, username="uniqueusername")
    refused(bare, 401, "not_verified")
    refused(await shut.post("login", **given), 409, "no_username")
    answer = await shut.post("set-username", **given, username="uniqueusername")
    assert answer.status_code == 200
    again = await shut.post("set-username", **given, username="another")
    refused(again, 409, "username_set")
    assert (await shut.post("login", **given)).status_code == 200
    refused(await shut.post("login", **given), 401, "code_needed")


async def test_an_address_is_no_proof(shut: Caller) -> None:
    await shut.named()
    shut.forget_cookies()
    answer = await shut.post("login", email=A)
    refused(answer, 401, "code_needed")
    assert answer.headers["www-authenticate"] == "Bearer"
    code = await shut.next_code()
    wrong = "000000" if code != "000000" else "111111"
    refused(await shut.post("login", email=A, otp=wrong), 401, "bad_code")
    assert (await shut.post("login", email=A, otp=code)).status_code == 200
    refused(await shut.post("login", email=A, otp=code), 401, "bad_code")


async def test_known_and_unknown_addresses_get_the_same_answers(shut: Caller) -> None:
    await shut.named()
    shut.forget_cookies()
    for name, more in (
        ("login", {}),
        ("login", {"verification_token": "hbv_x"}),
        ("login", {"otp": "x"}),
        ("verify-otp", {"otp": "x"}),
        ("set-username", {"username": "uniqueusername"}),
        ("set-username", {"username": "somebody", "verification_token": "hbv_x"}),
        ("signup", {}),
    ):
        known = await shut.post(name, email=A, **more)
        unknown = await shut.post(name, email=B, **more)
        assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
        strip = {"date"}
        assert {k: v for k, v in known.headers.items() if k not in strip} == {
            k: v for k, v in unknown.headers.items() if k not in strip
        }


async def test_too_many_codes_are_refused_with_the_time_to_wait(shut: Caller) -> None:
    for email in (A, B):
        for _ in range(5):
            assert (await shut.post("signup", email=email)).status_code == 200
        for name in ("signup", "login"):
            answer = await shut.post(name, email=email.upper())
            refused(answer, 429, "rate_limited")
            assert 3500 < int(answer.headers["retry-after"]) <= 3600


async def test_nobody_gets_past_five_guesses(shut: Caller) -> None:
    code = await shut.code()
    wrong = "000000" if code != "000000" else "111111"
    for _ in range(5):
        refused(await shut.post("verify-otp", email=A, otp=wrong), 401, "bad_code")
    refused(await shut.post("verify-otp", email=A, otp=code), 401, "bad_code")


async def test_the_verification_is_a_cookie_for_its_own_routes(shut: Caller) -> None:
    for scheme in ("http", "https"):
        body = f'{{"email": "{A}", "otp": "{await shut.code()}"}}'.encode()
        kind = [("content-type", "application/json")]
        path = "/api/auth/verify-otp/"
        answer = await ask(shut.client.app, "POST", path, kind, body, scheme=scheme)
        value, *attributes = str(answer.header("set-cookie")).split("; ")
        assert value == f"hubbub_verification={answer.json['verification_token']}"
        secure = {"Secure"} if scheme == "https" else set()
        assert set(attributes) == secure | {
            "HttpOnly",
            "Max-Age=600",
            "Path=/api/auth",
            "SameSite=lax",
        }


async def test_what_is_no_address_or_no_code_is_refused(shut: Caller) -> None:
    refused(await shut.post("signup", email="a@b.c, d@e.f"), 422, "invalid_email")
    refused(await shut.post("signup"), 422, "invalid")
    refused(await shut.post("verify-otp", email=A, otp=123456), 422, "invalid")
    refused(await shut.post("verify-otp", email=A), 422, "invalid")
    refused(await shut.post("login", email=A, otp=""), 401, "bad_code")
    token = await shut.verified()
    digits = await shut.post("set-username", email=A, username="123", verification_token=token)
    refused(digits, 422, "invalid_username")


@pytest.mark.parametrize("mode", SHUT, ids=SHUT_NAMES)
async def test_without_mail_nobody_comes_in_by_it(mode: dict[str, Any]) -> None:
    async with app_client(**mode) as client:
        caller = Caller(client)
        refused(await caller.post("signup", email=A), 503, "mail_unavailable")
        for _ in range(30):
            refused(await caller.post("login", email=A), 401, "code_needed")


async def test_where_administrators_make_the_accounts_nobody_signs_up() -> None:
    async with door(registration="closed") as caller:
        refused(await caller.post("signup", email=A), 403, "registration_closed")
        named = await caller.post("set-username", email=A, username="x")
        refused(named, 403, "registration_closed")
        refused(await caller.post("login", email=A), 401, "code_needed")


async def test_an_account_with_a_password_gets_an_address_by_both_proofs(shut: Caller) -> None:
    alice = await shut.client.register("alice")
    answer = await alice.post("/api/v1/me/email", json={"email": A})
    assert answer.status_code == 202
    code = await shut.next_code()
    answer = await shut.client.post("/api/v1/me/email/verify", json={"email": A, "otp": code})
    refused(answer, 401, "token_missing")
    answer = await alice.post("/api/v1/me/email/verify", json={"email": A, "otp": code})
    assert answer.status_code == 200
    assert (answer.json()["username"], answer.json()["email"]) == ("alice", A)
    await shut.post("login", email=A)
    answer = await shut.post("login", email=A, otp=await shut.next_code())
    assert answer.status_code == 200
    somebody = AppClient(shut.client.app, answer.json()["access_token"])
    assert (await somebody.get("/api/v1/me")).json()["id"] == alice.id


async def test_an_address_of_another_account_is_not_given_away(shut: Caller) -> None:
    await shut.named()
    alice = await shut.client.register("alice")
    await alice.post("/api/v1/me/email", json={"email": A})
    body = {"email": A, "otp": await shut.next_code()}
    refused(await alice.post("/api/v1/me/email/verify", json=body), 409, "email_taken")


async def test_development_mail_can_be_looked_at() -> None:
    async with app_client(dev=True) as client:
        page = await client.get("/dev/mail/", headers={"Accept": "text/html"})
        assert "There is none yet" in page.text
        caller = Caller(client)
        for email in (A, "a&b@example.com"):
            await caller.post("signup", email=email)
        letters = (await client.get("/dev/mail")).json()
        assert [letter["to"] for letter in letters] == ["a&b@example.com", A]
        assert set(letters[0]) == {"to", "subject", "text", "sent_at"}
        page = await client.get("/dev/mail", headers={"Accept": "text/html"})
        assert page.headers["content-type"].startswith("text/html")
        assert "a&amp;b@example.com" in page.text
        assert code_in(letters[0]["text"]) in page.text
        assert "<script" not in page.text
        assert "style=" not in page.text
        assert "default-src 'self'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("mode", SHUT, ids=SHUT_NAMES)
async def test_only_development_has_mail_to_look_at(mode: dict[str, Any]) -> None:
    async with app_client(**mode) as client:
        assert (await client.get("/dev/mail")).status_code == 404


async def test_development_sends_mail_as_well_when_it_has_a_server() -> None:
    async with door(open="loopback") as caller:
        code = await caller.code()
        [letter] = (await caller.client.get("/dev/mail")).json()
        assert code_in(letter["text"]) == code
