"""A WebSocket to an application in this process."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import ASGIApp, Message

from tests.web.asgi import http_scope

PATIENCE = 10
"""Seconds after which what has not come will not come."""


class Wire:
    """What a client has been told: `frames`, and `code` once the server has closed."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.code: int | None = None
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.listeners: list[asyncio.Event] = []

    def say(self, frame: dict[str, Any]) -> None:
        """Sends a frame."""
        self.incoming.put_nowait({"type": "websocket.receive", "text": json.dumps(frame)})

    async def hear(self, message: Message) -> None:
        """Takes what the application sends."""
        match message["type"]:
            case "websocket.send":
                text = message.get("text") or message["bytes"].decode()
                self.frames += [json.loads(line) for line in text.split("\n")]
            case "websocket.close":
                self.code = message["code"]
                self.incoming.put_nowait({"type": "websocket.disconnect", "code": self.code})
        for event in self.listeners:
            event.set()

    def has(self, **fields: Any) -> bool:
        """Whether a frame with these fields has come."""
        return any(fields.items() <= frame.items() for frame in self.frames)


async def until(found: Callable[[], bool], *wires: Wire) -> None:
    """Waits for something that one of these sockets will be told."""
    event = asyncio.Event()
    for wire in wires:
        wire.listeners.append(event)
    try:
        async with asyncio.timeout(PATIENCE):
            while not found():
                event.clear()
                await event.wait()
    finally:
        for wire in wires:
            wire.listeners.remove(event)


@asynccontextmanager
async def wired(app: ASGIApp, target: str) -> AsyncIterator[Wire]:
    """A socket at this path, closed in the end."""
    wire = Wire()
    scope = http_scope("GET", target, [("host", "127.0.0.1:8000")], scheme="ws")
    scope |= {"type": "websocket", "subprotocols": [], "extensions": {}}
    wire.incoming.put_nowait({"type": "websocket.connect"})
    serving = asyncio.create_task(app(scope, wire.incoming.get, wire.hear))
    try:
        yield wire
    finally:
        wire.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        async with asyncio.timeout(PATIENCE):
            await serving
