"""Clients of the real server's sockets, in the few words that tests need."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.server import Account, Server


@asynccontextmanager
async def opened(server: Server, path: str, **options: Any) -> AsyncIterator[ClientConnection]:
    async with connect(server.ws + path, proxy=None, **options) as socket:
        yield socket


_people: dict[tuple[str, str], Account] = {}


async def person(server: Server, name: str) -> Account:
    """Somebody with a login; hashing a password for every test would take most of their time."""
    key = (str(server.data), name)
    if key not in _people:
        _people[key] = await server.account(name)
    return _people[key]


async def hear(socket: ClientConnection) -> dict[str, Any]:
    """The next frame."""
    async with asyncio.timeout(10):
        frame = json.loads(await socket.recv())
    assert isinstance(frame, dict)
    return frame


async def hear_type(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """The next frame of a type, whatever comes before it."""
    while (frame := await hear(socket)).get("type") != kind:
        pass
    return frame


async def closed(socket: ClientConnection) -> int:
    """The close code, after whatever still comes."""
    async with asyncio.timeout(10):
        with suppress(ConnectionClosed):
            while True:
                await socket.recv()
    assert socket.close_code is not None
    return socket.close_code


async def refused(server: Server, path: str, **options: Any) -> int:
    """The code with which a socket is refused, as its very first frame."""
    async with opened(server, path, **options) as socket, asyncio.timeout(10):
        with pytest.raises(ConnectionClosed) as end:
            await socket.recv()
    assert end.value.rcvd is not None
    return end.value.rcvd.code


async def arrived(socket: ClientConnection) -> None:
    """Waits until a socket that nothing greets is where it wants to be: what it says is read only
    then. Errors have an answer in every protocol."""
    await socket.send("?")
    assert (await hear(socket))["type"] == "error"


async def say(socket: ClientConnection, **frame: Any) -> None:
    await socket.send(json.dumps(frame))


async def native(socket: ClientConnection, *channels: int, **more: Any) -> dict[str, Any]:
    """Connects a native socket to channels."""
    wanted = [{"channel": channel, "presence": True} for channel in channels]
    await say(socket, id=1, type="connect", channels=wanted, **more)
    answer = await hear(socket)
    assert "result" in answer, answer
    return answer
