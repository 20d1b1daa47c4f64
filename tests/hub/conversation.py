"""A client of the real protocols, on a session whose wire and services are fakes."""

import asyncio
import json
from collections.abc import Iterator, MutableMapping
from typing import Any

from hubbub.core.commands import Enter, MoveCursor, SendMessage
from hubbub.core.ids import ChannelRef, Who
from hubbub.dialects.base import Dialect, Link
from hubbub.dialects.conversations import Conversations
from hubbub.dialects.native import Native
from hubbub.dialects.rooms import Rooms
from hubbub.hub.connection import Connection
from hubbub.hub.session import Session, SocketLimits
from tests.hub.fakes import DEADLINE, FakeSink, Stage, until
from tests.support.samples import ALICE

NATIVE, ROOMS, TALK = Native(), Rooms(), Conversations()
NO_LIMITS = SocketLimits(0, 0, 0)
NOW = 5_000.0
"""The time of day, in seconds since 1970."""


class Client:
    """Runs a session, says things to it, and reads what comes back. As a server does, its wire
    tells the session of a close, and where the server `hears` gives it texts that it waits for."""

    hears = True

    def __init__(
        self,
        stage: Stage,
        who: Who | None,
        dialect: Dialect = NATIVE,
        *,
        limits: SocketLimits = NO_LIMITS,
        path: ChannelRef | None = None,
        fallback: ChannelRef | None = None,
        expires_at: float | None = None,
    ) -> None:
        self.stage = stage
        self.incoming: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self.sink = FakeSink()
        self.sink.on_close = lambda code: self.leave(code)
        self.now = NOW
        link = Link(f"c{stage.number()}", who, path, fallback)
        self.connection = Connection(link, dialect, self.sink, "10.0.0.1", stage.hub.dirty)
        session = Session(stage.hub, self.connection, limits, expires_at, lambda: self.now)
        self.task = asyncio.create_task(session.run(self.incoming.get))

    def say(self, *commands: dict[str, Any]) -> None:
        """Sends commands in one frame."""
        self.say_text("\n".join(json.dumps(command) for command in commands))

    def say_text(self, text: str) -> None:
        """Sends a text frame."""
        take = self.sink.on_text if self.hears and self.incoming.empty() else None
        if take is not None and take(text):
            return
        self.incoming.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self, code: int = 1000) -> None:
        """The connection is closed."""
        self.sink.lose()
        self.incoming.put_nowait({"type": "websocket.disconnect", "code": code})

    async def ended(self) -> None:
        """Waits for the session to be over."""
        async with asyncio.timeout(DEADLINE):
            await self.task

    @property
    def frames(self) -> list[dict[str, Any]]:
        """Everything received, object by object."""
        return [json.loads(line) for line in self.sink.got]

    @property
    def ids(self) -> list[int]:
        """The ids of the commands answered so far, but not of `connect`."""
        return [f["id"] for f in self.frames if "type" not in f and f["id"] != 1000]

    async def reply(self, id: int) -> dict[str, Any]:
        """Waits for the answer to a command."""
        found: list[dict[str, Any]] = []

        def arrived() -> bool:
            found.extend(self._replies(id))
            return bool(found)

        await until(arrived)
        return found[0]

    def _replies(self, id: int) -> Iterator[dict[str, Any]]:
        return (f for f in self.frames if "type" not in f and f.get("id") == id)


def send(id: int, content: str = "hi", channel: int | str = 1) -> dict[str, Any]:
    """A command that posts."""
    return {"id": id, "type": "send", "channel": channel, "content": content}


def subscribe(id: int, channel: int | str = 1, **more: Any) -> dict[str, Any]:
    """A command that enters."""
    return {"id": id, "type": "subscribe", "channel": channel, **more}


async def connected(stage: Stage, **options: Any) -> Client:
    """Alice on a native socket that has connected."""
    client = Client(stage, ALICE, **options)
    client.say({"id": 1000, "type": "connect"})
    await client.reply(1000)
    return client


def started(stage: Stage) -> list[str]:
    """The commands that reached the services, in order."""
    words = []
    for _, command in stage.services.calls:
        match command:
            case SendMessage(content=content):
                words.append(content)
            case MoveCursor(read=read):
                words.append(f"read {read}")
            case Enter(channel=channel):
                words.append(f"enter {channel}")
    return words
