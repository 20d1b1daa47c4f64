"""The front door of WebSockets under any ASGI server: what is refused, and how that is said."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from starlette.types import Message

from hubbub.hub.closing import MAX_MESSAGE
from tests.support.app import AppClient, app_client
from tests.web.asgi import converse, http_scope

pytestmark = pytest.mark.asyncio(loop_scope="session")

DENIAL = ["websocket.http.response"]


def refused_with(sent: Sequence[Message]) -> str:
    """The slug of a handshake that was refused with 403."""
    start, body = sent
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
    assert (b"content-type", b"application/json") in start["headers"]
    answer = json.loads(body["body"])
    assert set(answer) == {"detail", "code"}
    return str(answer["code"])


def text(content: str) -> Message:
    return {"type": "websocket.receive", "text": content}


def codes(sent: Sequence[Message]) -> list[int]:
    return [message["code"] for message in sent if message["type"] == "websocket.close"]


async def test_a_foreign_page_is_told_why() -> None:
    async with app_client() as anyone:
        evil = [("origin", "https://evil.example")]
        sent = await converse(anyone.app, "/ws/echo", headers=evil, extensions=DENIAL)
        assert refused_with(sent) == "foreign_origin"
        sent = await converse(anyone.app, "/ws/echo", headers=evil)
        assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_another_machine_is_told_why() -> None:
    async with app_client(dev=True) as anyone:
        proxied = [("x-forwarded-for", "127.0.0.1")]
        sent = await converse(anyone.app, "/ws", headers=proxied, extensions=DENIAL)
        assert refused_with(sent) == "loopback_only"
        sent = await converse(anyone.app, "/ws", client=("10.0.0.1", 1))
        assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("path", ["/ws", "/ws/v1", "/ws/auth"])
async def test_a_token_in_a_query_that_is_not_read_is_refused_and_not_overlooked(path: str) -> None:
    async with app_client(dev=True) as anyone:
        alice = await anyone.log_in("alice")
        token = alice.tokens["access_token"]

        async def opened(fields: int) -> list[int]:
            query = "&".join(f"a{number}=1" for number in range(fields))
            return codes(await converse(anyone.app, f"{path}?{query}&token={token}"))

        assert await opened(31) == []
        assert await opened(32) == [4001]


@pytest.mark.parametrize(
    "message",
    [
        text("x" * (MAX_MESSAGE + 1)),
        text("\u6f22" * (MAX_MESSAGE // 3 + 1)),
        {"type": "websocket.receive", "bytes": bytes(MAX_MESSAGE + 1)},
    ],
    ids=["ascii", "three bytes a character", "binary"],
)
async def test_the_echo_of_a_message_that_is_too_large_is_1009(
    anyone: AppClient, message: Message
) -> None:
    sent = await converse(anyone.app, "/ws/echo", text("before"), message, text("after"))
    assert codes(sent) == [1009]
    assert [m["text"] for m in sent if m["type"] == "websocket.send"] == ["before"]


async def test_the_largest_message_comes_back(anyone: AppClient) -> None:
    largest = ["x" * MAX_MESSAGE, "\u6f22" * (MAX_MESSAGE // 3), "\U0001f600" * (MAX_MESSAGE // 4)]
    sent = await converse(anyone.app, "/ws/echo", *map(text, largest))
    assert [m["text"] for m in sent if m["type"] == "websocket.send"] == largest
    assert codes(sent) == []


async def test_an_open_echo_is_closed_with_the_server() -> None:
    sent: list[Message] = []
    incoming: asyncio.Queue[Message] = asyncio.Queue()
    incoming.put_nowait({"type": "websocket.connect"})
    incoming.put_nowait(text("hello"))
    answered = asyncio.Event()

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "websocket.send":
            answered.set()
        elif message["type"] == "websocket.close":
            incoming.put_nowait({"type": "websocket.disconnect", "code": message["code"]})

    scope = http_scope("GET", "/ws/echo", [("host", "127.0.0.1:8000")], scheme="ws")
    scope |= {"type": "websocket", "subprotocols": []}
    async with asyncio.timeout(10):
        async with app_client() as anyone:
            echo = asyncio.create_task(anyone.app(scope, incoming.get, send))
            await answered.wait()
        await echo
    assert codes(sent) == [1012]
