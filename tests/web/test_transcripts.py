"""Every transcript, against the whole server and over real sockets."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.server import Account, Server, running_server
from tests.transcripts.replay import TRANSCRIPTS, replay, title

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

PEOPLE = ("testuser", "alice", "mallory", "owner")
PATIENCE = 20
"""Seconds after which a frame that has not come will not come."""

CLOSED = [path for path in TRANSCRIPTS if path.parent.name == "closed"]
OPEN = [path for path in TRANSCRIPTS if path not in CLOSED]


class Theatre:
    """A `Stage` that is a running server, with a room and a conversation for one transcript."""

    def __init__(
        self, server: Server, people: Mapping[str, Account], stack: AsyncExitStack
    ) -> None:
        self._server = server
        self._people = people
        self._stack = stack
        self._sockets: dict[str, ClientConnection] = {}
        self._unread: dict[str, deque[str]] = {}

    async def variables(self) -> dict[str, Any]:
        """Makes the channels; what the transcripts' variables are here."""
        owner = self._people["owner"]
        room = await self._make(owner, "/api/rooms", {"name": "General"})
        title = {"title": "General", "participants": ["alice"]}
        conversation = await self._make(self._people["testuser"], "/conversations", title)
        answer = await self._server.http.get("/api/rooms/lobby", headers=owner.headers)
        variables = {
            "<room>": room["id"],
            "<room key>": room["room_id"],
            "<conversation>": conversation["id"],
        }
        if answer.status_code == 200:
            variables["<lobby>"] = answer.json()["id"]
        for name, account in self._people.items():
            variables |= {f"<{name}>": account.id, f"<{name} token>": account.token}
        return variables

    async def open(self, actor: str, path: str) -> None:
        account = self._people.get(actor.partition("/")[0])
        token = "" if account is None else f"?token={account.token}"
        socket = connect(self._server.ws + path + token, proxy=None)
        self._sockets[actor] = await self._stack.enter_async_context(socket)
        self._unread[actor] = deque()

    async def send(self, actor: str, text: str) -> None:
        await self._sockets[actor].send(text)

    async def receive(self, actor: str) -> object:
        unread = self._unread[actor]
        if not unread:
            async with asyncio.timeout(PATIENCE):
                text = await self._sockets[actor].recv(decode=True)
            unread.extend(text.split("\n"))
        return json.loads(unread.popleft())

    async def request(self, actor: str, method: str, path: str, body: object) -> None:
        headers = self._people[actor].headers
        answer = await self._server.http.request(method, path, json=body, headers=headers)
        answer.raise_for_status()

    async def close(self, actor: str) -> None:
        await self._sockets[actor].close()

    async def close_code(self, actor: str) -> int:
        assert not self._unread[actor]
        socket = self._sockets[actor]
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(PATIENCE):
                pytest.fail(f"{actor} got {await socket.recv()!r} instead of a close")
        assert socket.close_code is not None
        return socket.close_code

    async def _make(self, owner: Account, path: str, body: object) -> dict[str, Any]:
        answer = await self._server.http.post(path, json=body, headers=owner.headers)
        answer.raise_for_status()
        made: dict[str, Any] = answer.json()
        return made


@dataclass(frozen=True)
class House:
    """A running server and who has an account there."""

    server: Server
    people: Mapping[str, Account]

    async def play(self, path: Path) -> None:
        """Plays one transcript."""
        async with AsyncExitStack() as stack:
            theatre = Theatre(self.server, self.people, stack)
            await replay(path, theatre, await theatre.variables())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def open_house() -> AsyncIterator[House]:
    async with running_server(dev=True) as server:
        yield House(server, {name: await server.account(name) for name in PEOPLE})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def closed_house() -> AsyncIterator[House]:
    async with running_server() as server:
        yield House(server, {name: await server.account(name) for name in PEOPLE})


@pytest.mark.parametrize("path", OPEN, ids=title)
async def test_an_open_server_says_what_the_transcript_says(path: Path, open_house: House) -> None:
    await open_house.play(path)


@pytest.mark.parametrize("path", CLOSED, ids=title)
async def test_a_closed_server_says_what_the_transcript_says(
    path: Path, closed_house: House
) -> None:
    await closed_house.play(path)
