"""People of an external issuer on a real server: every surface, and how it ends."""

import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.issuer import (
    ED25519,
    OTHER_RSA,
    RSA,
    SECRET,
    Publisher,
    key_set,
    public,
    simple_jwt,
    token,
)
from tests.support.server import Server, running_server
from tests.support.sockets import arrived, closed, hear, hear_type, native, opened, refused, say

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.system]

DJANGO = {
    "HUBBUB_JWT_SECRET": SECRET,
    "HUBBUB_JWT_SUBJECT_CLAIM": "user_id",
    "HUBBUB_JWT_ROLE_CLAIM": "is_staff",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    """A server that trusts a backend with SimpleJWT."""
    async with running_server(env=DJANGO) as running:
        yield running


def django(user_id: int, **claims: object) -> str:
    """A token as the backend makes it now."""
    return token(simple_jwt(str(user_id), int(time.time()), **claims))


def bearing(made: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {made}"}


async def me(server: Server, made: str) -> Mapping[str, Any]:
    answer = await server.http.get("/api/v1/me", headers=bearing(made))
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert isinstance(found, dict)
    return found


async def test_a_token_opens_rest_and_every_socket(server: Server) -> None:
    made = django(1, username="alice")
    for path in ("/api/users/me", "/api/users/me/"):
        answer = await server.http.get(path, headers=bearing(made))
        assert (answer.status_code, answer.json()["username"]) == (200, "alice")
    room = (
        await server.http.post(
            "/api/v1/channels", json={"kind": "room", "name": "General"}, headers=bearing(made)
        )
    ).json()["id"]
    async with opened(server, "/ws/v1", subprotocols=["bearer", made]) as socket:
        answer = await native(socket, room)
        assert answer["result"]["user"]["name"] == "alice"
    async with opened(server, "/ws/v1") as socket:
        assert (await native(socket, token=made))["result"]["user"]["name"] == "alice"
    async with opened(server, f"/ws/room/{room}?token={made}") as socket:
        assert (await hear_type(socket, "connection_established"))["username"] == "alice"
    async with opened(server, "/ws/auth", additional_headers=bearing(made)) as socket:
        assert (await hear(socket))["username"] == "alice"
    answer = await server.http.post("/api/v1/tickets", headers=bearing(made))
    path = f"/conversations/{room}/ws?ticket={answer.json()['ticket']}"
    async with opened(server, path) as socket:
        await hear_type(socket, "connection")
        assert await refused(server, path) == 4001


async def test_what_one_says_the_others_hear_under_their_name(server: Server) -> None:
    alice, bob = django(1, username="alice"), django(2, username="bob")
    made = await server.http.post(
        "/api/v1/channels", json={"kind": "room", "name": "Talk"}, headers=bearing(alice)
    )
    path = f"/ws/room/{made.json()['id']}?token="
    async with opened(server, path + alice) as talking, opened(server, path + bob) as listening:
        await hear_type(listening, "message_history")
        await hear_type(talking, "message_history")
        await say(talking, type="message", content="hello")
        assert (await hear_type(listening, "message"))["username"] == "alice"


async def test_a_native_socket_goes_on_with_a_new_token(server: Server) -> None:
    async with opened(server, "/ws/v1") as socket:
        await native(socket, token=django(3, exp=int(time.time()) + 60))
        await say(socket, id=2, type="refresh", token=django(3, exp=int(time.time()) + 6000))
        assert (await hear(socket))["result"]["ttl"] > 5000
        await say(socket, id=3, type="refresh", token=django(4))
        assert (await hear(socket))["error"]["code"] == "other_user"


async def test_a_subject_with_a_slash_is_one_segment_of_a_path(server: Server) -> None:
    made = token(simple_jwt("idp/7", int(time.time()), username="slash"))
    await me(server, made)
    for path in ("/ws/chat/idp%2F7", "/ws/chat/idp%2F7/", "/ws/video/talk/idp%2F7/"):
        async with opened(server, f"{path}?token={made}") as socket:
            await arrived(socket)
    assert await refused(server, f"/ws/chat/idp/7?token={made}") == 4004
    assert await refused(server, f"/ws/chat/idp%2F8?token={made}") == 4003


@pytest.mark.parametrize(
    "claims",
    [{"token_type": "refresh"}, {"exp": 1}, {"user_id": None}, {"iss": "hubbub"}, {"aud": "x"}],
)
async def test_a_token_that_does_not_count_is_4001_and_401(
    server: Server, claims: dict[str, object]
) -> None:
    made = token({**simple_jwt(1, int(time.time())), **claims})
    assert await refused(server, f"/ws/auth?token={made}") == 4001
    answer = await server.http.get("/api/users/me", headers=bearing(made))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_who_has_no_login_here_is_told_so_in_words(server: Server) -> None:
    made = bearing(django(5))
    http = server.http
    assert (await http.post("/api/v1/auth/logout", headers=made)).status_code == 204
    answer = await http.get("/api/v1/sessions", headers=made)
    assert (answer.status_code, answer.json()) == (200, [])
    assert (await http.delete("/api/v1/sessions/5", headers=made)).status_code == 404
    body = {"current_password": "x" * 12, "new_password": "another password"}
    answer = await http.put("/api/v1/auth/password", json=body, headers=made)
    assert (answer.status_code, answer.json()["code"]) == (409, "no_password")
    assert (await http.post("/api/v1/auth/refresh", headers=made)).status_code == 401


async def test_an_administrators_token_disables_and_the_sockets_close(server: Server) -> None:
    dan, root = django(6, username="dan"), django(7, is_staff=True)
    number = (await me(server, dan))["id"]
    assert (await me(server, root))["admin"]
    assert not (await me(server, django(7, is_staff=False)))["admin"]
    path = f"/api/v1/admin/users/{number}"
    body = {"disabled": True}
    assert (await server.http.patch(path, json=body, headers=bearing(dan))).status_code == 403
    async with opened(server, f"/ws/auth?token={dan}") as socket, opened(server, "/ws/v1") as late:
        await hear(socket)
        await native(late, token=dan)
        answer = await server.http.patch(path, json=body, headers=bearing(root))
        assert answer.status_code == 200
        assert (await closed(socket), await closed(late)) == (4000, 4000)
    assert await refused(server, f"/ws/auth?token={dan}") == 4000
    assert (await server.http.get("/api/users/me", headers=bearing(dan))).status_code == 401
    await server.http.patch(path, json={"disabled": False}, headers=bearing(root))
    assert (await me(server, dan))["id"] == number


async def test_our_own_accounts_are_none_of_theirs(server: Server) -> None:
    erin = await server.account("erin")
    for user_id in (erin.id, 100):
        found = await me(server, django(user_id, username="erin"))
        assert found["id"] != erin.id
        assert found["username"].startswith("erin-")
    assert (await me(server, erin.token))["id"] == erin.id


async def test_no_token_of_theirs_reaches_a_log_line(server: Server) -> None:
    made = django(8)
    async with opened(server, f"/ws/auth?token={made}") as socket:
        await hear(socket)
    broken = made[:-4]
    await refused(server, f"/ws/auth?token={broken}")
    printed = server.printed()
    assert made.split(".")[1] not in printed
    assert SECRET not in printed


async def test_published_keys_change_and_the_issuer_may_be_down(tmp_path: Path) -> None:
    now = int(time.time())
    claims = {"sub": "auth0|42", "iss": "https://issuer.example", "aud": "chat", "exp": now + 600}

    def signed(algorithm: str, kid: str, key: Any = None) -> str:
        return token({**claims, "nickname": "zoe"}, algorithm, key, {"kid": kid})

    async with Publisher(key_set(public(RSA, "one"), public(ED25519, "ed"))).serving() as issuer:
        env = {
            "HUBBUB_JWT_JWKS_URL": issuer.url,
            "HUBBUB_JWT_ISSUER": "https://issuer.example",
            "HUBBUB_JWT_AUDIENCE": "chat",
        }
        async with running_server(data=tmp_path, env=env) as server:
            assert issuer.requests == [], "nobody has asked for anything"
            issuer.hold()
            async with opened(server, f"/ws/auth?token={signed('RS256', 'one')}") as socket:
                await issuer.asked.wait()
                assert (await server.http.get("/healthz")).status_code == 200
                issuer.release()
                assert (await hear(socket))["username"] == "zoe"
            assert (await me(server, signed("EdDSA", "ed")))["username"] == "zoe"
            stranger = signed("RS256", "one", OTHER_RSA)
            assert await refused(server, f"/ws/auth?token={stranger}") == 4001
            for number in range(30):
                bad = signed("RS256", f"made up {number}")
                assert await refused(server, f"/ws/auth?token={bad}") == 4001
            assert len(issuer.requests) < 5
            issuer.raw = b"HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\n"
            assert (await me(server, signed("RS256", "one")))["username"] == "zoe"
            await server.restart()
            answer = await server.http.get("/api/users/me", headers=bearing(signed("RS256", "one")))
            assert (answer.status_code, answer.json()["code"]) == (503, "issuer_unavailable")
            issuer.raw, issuer.body = None, key_set(public(OTHER_RSA, "two"))
            await server.restart()
            found = await me(server, signed("RS256", "two", OTHER_RSA))
            assert found["username"] == "zoe"
            assert await refused(server, f"/ws/auth?token={signed('RS256', 'one')}") == 4001


@pytest.mark.parametrize("kept", [False, True])
async def test_one_key_for_us_and_somebody_else_ends_the_start_in_a_sentence(
    tmp_path: Path, kept: bool
) -> None:
    secret = "one secret for us and for somebody else"
    env = {"HUBBUB_JWT_SECRET": secret}
    if kept:
        (tmp_path / "secret.key").write_text(secret)
    else:
        env["HUBBUB_SECRET_KEY"] = secret
    with pytest.raises(RuntimeError, match="HUBBUB_JWT_SECRET must not be the secret") as ended:
        async with running_server(data=tmp_path, env=env):
            pass
    assert "Traceback" not in str(ended.value)
