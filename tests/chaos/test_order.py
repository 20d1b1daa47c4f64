"""R4: everybody sees one order, whatever they speak and however the messages came in."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.chaos.checker import Access
from tests.chaos.client import Client
from tests.chaos.record import Invoked, Item, Record
from tests.chaos.verdict import assert_faultless, drained, final_histories
from tests.support.server import NO_LIMITS, Account, Server, running_server

EACH = 25
DIALECTS = {
    "rooms": ("/ws/room/{}", "message_history", {"type": "message"}),
    "conversations": ("/conversations/{}/ws", "connection", {}),
}
POSTS = ("/api/v1/channels/{}/messages", "/api/rooms/{}/messages", "/conversations/{}/messages")


class Socket:
    """A socket of another dialect than native. `shown` has (id, content) as they came."""

    def __init__(self, server: Server, dialect: str, who: Account, channel: int) -> None:
        path, self._last_greeting, self._frame = DIALECTS[dialect]
        self._url = f"{server.ws}{path.format(channel)}?token={who.token}"
        self.shown: list[tuple[int, str]] = []
        self.entered = asyncio.Event()

    async def run(self) -> None:
        """Listens until cancelled."""
        options: dict[str, Any] = {"compression": None, "ping_interval": None, "proxy": None}
        async with connect(self._url, **options) as self._socket:
            async for text in self._socket:
                frame = json.loads(text)
                if frame["type"] == self._last_greeting:
                    self.entered.set()
                if frame["type"] == "message":
                    self.shown.append((frame["id"], frame["content"]))

    async def say(self, content: str) -> None:
        """Sends a message, in this dialect's words."""
        await self._socket.send(json.dumps({**self._frame, "content": content}))

    async def heard(self, count: int) -> None:
        """Waits for that many messages."""
        while len(self.shown) < count:
            await asyncio.sleep(0.01)


def _poster(server: Server, path: str, who: Account) -> Callable[[str], Awaitable[None]]:
    async def post(content: str) -> None:
        answer = await server.http.post(path, json={"content": content}, headers=who.headers)
        answer.raise_for_status()

    return post


class Conversation:
    """Everybody talks at once, in every way there is."""

    def __init__(self, server: Server, room: int, record: Record) -> None:
        self.room = room
        self.record = record
        self.total = 0
        self._server = server

    async def speak(self, who: str, way: str, send: Callable[[str], Awaitable[None]]) -> None:
        """`EACH` messages without a client id: the content, found nowhere else, stands for it."""
        self.total += EACH
        for number in range(EACH):
            content = f"{who} {way} {number}"
            self.record.add(Invoked(who, self.room, content, content))
            await send(content)

    async def publish(self, client: Client) -> None:
        """`EACH` messages at once."""
        self.total += EACH
        cids = [f"{client.p} {number}" for number in range(EACH)]
        await asyncio.gather(*[client.publish(self.room, f"native {cid}", cid) for cid in cids])

    async def run(self, native: list[Client], others: dict[str, Socket], poster: Account) -> None:
        """Until everything has been said and heard."""
        async with asyncio.timeout(60), asyncio.TaskGroup() as talking:
            for client in native:
                talking.create_task(self.publish(client))
            for name, socket in others.items():
                talking.create_task(self.speak(name, "socket", socket.say))
            for path in POSTS:
                post = _poster(self._server, path.format(self.room), poster)
                talking.create_task(self.speak(poster.name, path, post))
        async with asyncio.timeout(60):
            for socket in others.values():
                await socket.heard(self.total)


def _messages(history: list[Item]) -> list[tuple[int | None, str]]:
    return [(item.id, item.body) for item in history if item.kind == "message"]


@pytest.mark.system
async def test_R4_everybody_sees_one_order_in_every_dialect(tmp_path: Path) -> None:
    record = Record()
    async with running_server(data=tmp_path / "data", env=NO_LIMITS) as server:
        names = ("alice", "bob", "carol", "dave", "erin")
        alice, bob, carol, dave, erin = [await server.account(name) for name in names]
        room = await server.channel(alice, "general", [bob, carol, dave, erin])
        people = {"alice/phone": alice, "alice/desk": alice, "bob": bob}
        native = [Client(p, who, server.ws, [room], record) for p, who in people.items()]
        others = {
            "carol": Socket(server, "rooms", carol, room),
            "dave": Socket(server, "conversations", dave, room),
        }
        conversation = Conversation(server, room, record)
        async with AsyncExitStack() as sessions, asyncio.TaskGroup() as listening:
            for client in native:
                await sessions.enter_async_context(client.session())
            ears = [listening.create_task(socket.run()) for socket in others.values()]
            for socket in others.values():
                await socket.entered.wait()
            await conversation.run(native, others, erin)
            histories = await final_histories(server, {room: bob})
            await drained(native, histories)
            access = [Access(name, room) for name in ("alice", "bob")]
            assert_faultless(record, histories, access, tmp_path)
            for ear in ears:
                ear.cancel()
    messages = _messages(histories[room])
    assert len(messages) == conversation.total == EACH * 8
    for socket in others.values():
        assert socket.shown == messages
