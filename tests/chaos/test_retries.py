"""R3: a retry is the same message, whichever way it comes and whenever."""

import asyncio
import random
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.checker import Access
from tests.chaos.client import Client
from tests.chaos.record import Acked, Record
from tests.chaos.verdict import assert_faultless, drained, final_histories
from tests.support.server import NO_LIMITS, Server, running_server

MESSAGES = 40
SOCKETS = 3


class Sender:
    """One person on several sockets and REST."""

    def __init__(self, server: Server, clients: list[Client], rng: random.Random) -> None:
        self.server = server
        self.clients = clients
        self._rng = rng

    async def attempt(self, channel: int, number: int) -> set[tuple[int, int]]:
        """Sends a message 2 to 5 times at once, in different ways; the (id, seq) it was given."""
        content, cid = f"message {number}", f"cid {number}"
        ways: list[Awaitable[Acked | None]] = []
        for _ in range(self._rng.randrange(2, 6)):
            client = self._rng.choice(self.clients)
            if self._rng.random() < 0.4:
                ways.append(client.post(self.server, channel, content, cid))
            else:
                ways.append(client.send(channel, content, cid))
        answers = await asyncio.gather(*ways)
        return {(answer.id, answer.seq) for answer in answers if answer is not None}


@pytest.mark.system
async def test_R3_a_retry_is_the_same_message_on_any_socket_and_after_a_restart(
    tmp_path: Path,
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    record = Record()
    async with running_server(data=tmp_path / "data", env=NO_LIMITS) as server:
        alice, bob = await server.account("alice"), await server.account("bob")
        channels = [await server.channel(alice, name, [bob]) for name in ("one", "two")]
        sockets = [Client(f"alice/{n}", alice, server.ws, channels, record) for n in range(SOCKETS)]
        other = Client("bob", bob, server.ws, channels, record)
        sender = Sender(server, sockets, random.Random(seed))
        given = {}
        async with AsyncExitStack() as sessions:
            for client in (*sockets, other):
                await sessions.enter_async_context(client.session())
            for number in range(MESSAGES):
                (given[number],) = await sender.attempt(channels[0], number)
            await server.kill9()
        await server.restart()
        # A new login, too: the key is the person's, not the token's.
        renewed = await server.account("alice")
        async with AsyncExitStack() as sessions:
            for client in (*sockets, other):
                client.account = bob if client is other else replace(alice, token=renewed.token)
                await sessions.enter_async_context(client.session())
            for number in range(MESSAGES):
                assert await sender.attempt(channels[0], number) == {given[number]}
            elsewhere = await sockets[0].send(channels[1], "message 0", "cid 0")
            of_bob = await other.send(channels[0], "message 0", "cid 0")
            assert elsewhere
            assert of_bob
            assert len({given[0][0], elsewhere.id, of_bob.id}) == 3
            histories = await final_histories(server, dict.fromkeys(channels, bob))
            await drained([*sockets, other], histories)
            access = [Access(who, channel) for who in ("alice", "bob") for channel in channels]
            assert_faultless(record, histories, access, tmp_path)
    stored = [item.cid for item in histories[channels[0]] if item.sender == "alice"]
    assert sorted(filter(None, stored)) == sorted(f"cid {number}" for number in range(MESSAGES))
