"""One channel on the real server with somebody of every protocol in it, who all listen.

    async with gathering(server) as stage:
        async with stage.coming("rooms") as speaker:
            await speaker.say(type="typing")
            heard = await stage.heard()

`heard` is everything each of them was told since it was last asked, and proves that there is no
more: it ends with a message and a signal that come after.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.support.server import Account, Server
from tests.support.sockets import person

PROTOCOLS = ("rooms", "conversations", "native", "relay-video", "conference", "signaling")
WITH_MESSAGES = frozenset({"rooms", "conversations", "native"})
WITH_CALLS = frozenset({"native", "relay-video", "conference", "signaling"})

Frame = dict[str, Any]


class Actor:
    """Somebody with one socket. `peer` is what a call knows them by."""

    def __init__(self, protocol: str, account: Account, socket: ClientConnection) -> None:
        self.protocol = protocol
        self.account = account
        self.peer = account.name
        self.socket = socket
        self._unread: deque[Frame] = deque()

    async def say(self, **frame: Any) -> None:
        """Sends a frame."""
        await self.socket.send(json.dumps(frame))

    async def hear(self) -> Frame:
        """The next frame. Of the native protocol one message may hold several, and its pings come
        when they come: they are no answer to anything, and left out."""
        while not self._unread:
            async with asyncio.timeout(10):
                text = await self.socket.recv(decode=True)
            frames = [json.loads(line) for line in text.split("\n")]
            self._unread.extend(frame for frame in frames if frame.get("type") != "ping")
        return self._unread.popleft()

    async def hear_until(self, words: str) -> list[Frame]:
        """All frames before the next one with these words in it."""
        frames: list[Frame] = []
        while words not in json.dumps(frame := await self.hear()):
            frames.append(frame)
        return frames

    async def ask(self, **frame: Any) -> Frame:
        """Sends a native command; its result comes back."""
        await self.say(id=1, **frame)
        while (answer := await self.hear()).get("id") != 1:
            pass
        result: Frame = answer["result"]
        return result

    async def is_read(self) -> None:
        """Waits until the server has read what was said, by an error, which comes behind it."""
        await self.socket.send("?")
        while (await self.hear())["type"] != "error":
            pass

    def cut(self) -> None:
        """Ends the connection without a closing handshake."""
        self.socket.transport.abort()


class Gathering:
    """The channel, by its `id` and its `key`, and who is in it."""

    def __init__(self, server: Server, id: int, key: str, host: Account) -> None:
        self.id = id
        self.key = key
        self.listeners: dict[str, Actor] = {}
        self._server = server
        self._host = host
        self._caller: Actor | None = None
        self._number = 0

    @asynccontextmanager
    async def coming(self, protocol: str, name: str | None = None) -> AsyncIterator[Actor]:
        """Somebody comes, and has been let in. Afterwards they are gone, and everybody was told."""
        account = await person(self._server, name or f"{protocol}-speaks")
        path, headers = self._path(protocol, account), {}
        if protocol == "signaling":
            headers = account.headers
        elif protocol != "native":
            path += f"?token={account.token}"
        async with connect(
            self._server.ws + path, proxy=None, additional_headers=headers
        ) as socket:
            actor = Actor(protocol, account, socket)
            await self._enter(actor)
            yield actor
        await self._gone(account)

    async def heard(self) -> dict[str, list[Frame]]:
        """What everybody was told since they were last asked."""
        self._number += 1
        words = f"that was number {self._number}"
        answer = await self._server.http.post(
            f"/api/v1/channels/{self.id}/messages",
            json={"content": words},
            headers=self._host.headers,
        )
        answer.raise_for_status()
        told = {
            protocol: await listener.hear_until(words) if protocol in WITH_MESSAGES else []
            for protocol, listener in self.listeners.items()
        }
        assert self._caller is not None
        await self._caller.say(type="offer", data={"sdp": words})
        for protocol in WITH_CALLS:
            told[protocol] += await self.listeners[protocol].hear_until(words)
        return told

    async def messages(self) -> list[Frame]:
        """The latest messages, as they are stored."""
        path = f"/api/v1/channels/{self.id}/messages"
        answer = await self._server.http.get(path, headers=self._host.headers)
        stored: list[Frame] = answer.json()
        return stored

    async def assemble(self, stack: AsyncExitStack) -> None:
        """Lets everybody come who listens, and whoever says that this was all."""
        for protocol in PROTOCOLS:
            listener = await stack.enter_async_context(self.coming(protocol, f"{protocol}-listens"))
            if protocol == "native":
                await listener.ask(type="call_join", channel=self.id)
            self.listeners[protocol] = listener
        self._caller = await stack.enter_async_context(self.coming("relay-video", self._host.name))
        await self.heard()

    async def _gone(self, account: Account) -> None:
        """Waits until the server has no socket of theirs any more."""
        async with asyncio.timeout(10):
            while True:
                answer = await self._server.http.get("/api/connections", headers=account.headers)
                if not answer.json():
                    return

    def _path(self, protocol: str, account: Account) -> str:
        return {
            "rooms": f"/ws/room/{self.id}",
            "conversations": f"/conversations/{self.id}/ws",
            "native": "/ws/v1",
            "relay-video": f"/ws/video/{self.key}/{account.name}/",
            "conference": f"/ws/{self.key}",
            "signaling": f"/ws/signaling/{self.key}",
        }[protocol]

    async def _enter(self, actor: Actor) -> None:
        match actor.protocol:
            case "rooms":
                await actor.hear_until('"message_history"')
            case "conversations":
                await actor.hear_until('"connection"')
            case "native":
                wanted = [{"channel": self.id, "presence": True}]
                await actor.ask(type="connect", token=actor.account.token, channels=wanted)
            case "conference":
                actor.peer = (await actor.hear())["user_id"]
            case _:
                await actor.is_read()


@asynccontextmanager
async def gathering(server: Server) -> AsyncIterator[Gathering]:
    """A public room where everybody listens."""
    host = await person(server, "host")
    body = {
        "kind": "room",
        "name": "A gathering",
        "members": [
            (await person(server, f"{protocol}-{does}")).name
            for protocol in PROTOCOLS
            for does in ("listens", "speaks")
        ],
    }
    answer = await server.http.post("/api/v1/channels", json=body, headers=host.headers)
    answer.raise_for_status()
    made = answer.json()
    async with AsyncExitStack() as stack:
        stage = Gathering(server, made["id"], made["key"], host)
        await stage.assemble(stack)
        yield stage
