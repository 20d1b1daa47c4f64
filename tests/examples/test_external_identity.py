"""docs/external-identity.md: its two backends, its settings, and what its pages do."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from tests.examples.backends import (
    BLOCKS,
    CHAT,
    Backend,
    block,
    make_key,
    running_django,
    running_fastapi,
    serving_fastapi,
    trusting,
    who,
)
from tests.examples.conftest import OpenConsole
from tests.examples.printed import filled
from tests.examples.told import check_message
from tests.support.server import PASSWORD, free_port
from tests.support.sockets import arrived, hear, native, opened, refused, say

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

ROTATION_SECONDS = 40
"""A deadline: the server asks for keys again after 10 s at the earliest."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def django(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    async with running_django(tmp_path_factory.mktemp("django")) as backend:
        yield backend


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fastapi(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    async with running_fastapi(tmp_path_factory.mktemp("fastapi")) as backend:
        yield backend


async def log_in(django: Backend, name: str) -> dict[str, str]:
    """What Django gives to somebody who logs in."""
    answer = await django.http.post("/api/token/", json={"username": name, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def chat_token(http: httpx2.AsyncClient, name: str) -> str:
    """What FastAPI gives to somebody it knows."""
    answer = await http.post("/chat-token", headers={"Cookie": f"session={name}"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


async def test_no_block_of_the_page_is_left_out() -> None:
    languages = " ".join(language for language, _ in BLOCKS)
    assert languages == "python python sh js python sh js"


async def test_people_of_django_talk_to_one_another_at_first_sight(django: Backend) -> None:
    alice, bob = [(await log_in(django, name))["access"] for name in ("alice", "bob")]
    async with (
        opened(django.server, "/ws/chat/7/", **django.of_a_page(alice)) as first,
        opened(django.server, "/ws/chat/8/", **django.of_a_page(bob)) as second,
    ):
        assert first.subprotocol == second.subprotocol == "bearer"
        await arrived(first)
        await arrived(second)
        await say(first, to_user_id="8", content="Hello!")
        check_message(await hear(second), "7", "8", "Hello!")
        await say(second, to_user_id=7, content="Hello yourself!")
        check_message(await hear(first), "8", "7", "Hello yourself!")


@pytest.mark.parametrize(("name", "staff"), [("alice", True), ("bob", False)])
async def test_django_says_what_people_are_called_and_who_is_staff(
    django: Backend, name: str, staff: bool
) -> None:
    me = (await who(django.server, (await log_in(django, name))["access"])).json()
    assert (me["username"], me["admin"]) == (name, staff)


async def test_a_refresh_token_of_simple_jwt_opens_nothing(django: Backend) -> None:
    tokens = await log_in(django, "alice")
    assert (await who(django.server, tokens["access"])).status_code == 200
    answer = await who(django.server, tokens["refresh"])
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    for path in ("/ws/chat/7/", "/ws/video/a-room/7/", "/ws/v1", "/ws/auth"):
        assert await refused(django.server, path, **django.of_a_page(tokens["refresh"])) == 4001


async def test_a_page_of_django_logs_in_and_says_hello(
    django: Backend, open_console: OpenConsole
) -> None:
    bob = (await log_in(django, "bob"))["access"]
    async with opened(django.server, "/ws/chat/8/", **django.of_a_page(bob)) as other:
        await arrived(other)
        console = await open_console(django.url)
        await console.run(f'const username = "alice", password = "{PASSWORD}";')
        await console.run(filled(block("js", "/api/token/"), {CHAT: django.server.ws}))
        check_message(await hear(other), "7", "8", "Hello!")
        await say(other, to_user_id="7", content="Hello page!")
        (heard,) = await console.logged()
        check_message(heard, "8", "7", "Hello page!")


@pytest.mark.parametrize(("name", "admin"), [("alice", True), ("bob", False)])
async def test_a_token_of_fastapi_opens_a_native_socket_at_first_sight(
    fastapi: Backend, name: str, admin: bool
) -> None:
    token = await chat_token(fastapi.http, name)
    async with opened(fastapi.server, "/ws/v1", **fastapi.of_a_page(token)) as socket:
        assert socket.subprotocol == "bearer"
        user = (await native(socket))["result"]["user"]
    me = (await who(fastapi.server, token)).json()
    assert (me["id"], me["username"], me["admin"]) == (user["id"], name, admin)
    assert user["name"] == name


async def test_a_page_of_fastapi_opens_a_native_socket(
    fastapi: Backend, open_console: OpenConsole
) -> None:
    console = await open_console(fastapi.url)
    await console.run('document.cookie = "session=bob"')
    await console.run(filled(block("js", "/chat-token"), {CHAT: fastapi.server.ws}))
    await console.run("""
        await new Promise((done, fail) => {
            socket.onopen = done;
            socket.onclose = () => fail("closed");
            if (socket.readyState === WebSocket.OPEN) done();
            if (socket.readyState > WebSocket.OPEN) fail("closed");
        });
        const connected = new Promise((done) => { socket.onmessage = done; });
        socket.send('{"id": 1, "type": "connect"}');
        const { result } = JSON.parse((await connected).data);
        if (result.user.name !== "bob") throw new Error(result.user.name);
    """)


async def test_a_new_key_counts_beside_the_old_one(tmp_path: Path) -> None:
    port = free_port()
    make_key(tmp_path)
    async with trusting(port, tmp_path, "HUBBUB_JWT_JWKS_URL") as server:
        async with serving_fastapi(tmp_path, port) as http:
            before = await chat_token(http, "alice")
            me = (await who(server, before)).json()
            (old,) = (await http.get("/.well-known/jwks.json")).json()["keys"]
        make_key(tmp_path)
        changes = {'"2026-11"': '"2026-12"', '"alg": "EdDSA"}]': f'"alg": "EdDSA"}}, {old}]'}
        async with serving_fastapi(tmp_path, port, changes) as http:
            after = await chat_token(http, "alice")
            new, still = (await http.get("/.well-known/jwks.json")).json()["keys"]
            assert (new["kid"], still) == ("2026-12", old)
            assert new["x"] != old["x"]
            async with asyncio.timeout(ROTATION_SECONDS):
                while (answer := await who(server, after)).status_code != 200:
                    assert answer.json()["code"] == "token_invalid"
                    await asyncio.sleep(0.05)
            assert answer.json() == (await who(server, before)).json() == me
            async with opened(server, "/ws/v1", subprotocols=["bearer", after]) as socket:
                assert (await native(socket))["result"]["user"]["id"] == me["id"]
