"""R1: no acknowledged message is lost when the server dies, nor doubled, nor reordered."""

import asyncio
import itertools
import random
from pathlib import Path

import pytest

from tests.chaos.checker import Access
from tests.chaos.client import Client
from tests.chaos.record import Acked, Received, Record, Unknown
from tests.chaos.verdict import assert_faultless, drained, final_histories
from tests.support.server import NO_LIMITS, Account, Server, running_server

KILLS = 20
ACKED = 5000
CLIENTS = 10
CHANNELS = 5
IN_FLIGHT = 4


class Load:
    """Clients that publish without a pause, each `IN_FLIGHT` messages at a time, until stopped."""

    def __init__(self, clients: list[Client], rng: random.Random) -> None:
        self.clients = clients
        self.acked = 0
        self.stopped = False
        self._rng = rng
        self._number = itertools.count(1)

    async def publish(self, client: Client) -> None:
        while not self.stopped:
            number = next(self._number)
            channel = self._rng.choice(list(client.cursors))
            await client.publish(channel, f"{client.p} says {number}", f"{client.p}-{number}")
            self.acked += 1

    async def progress(self, more: int) -> None:
        """Waits until so many more have been acknowledged."""
        goal = self.acked + more
        while self.acked < goal:
            await asyncio.sleep(0.002)


async def _channels(server: Server, accounts: list[Account]) -> dict[int, list[Account]]:
    """Rooms with their members: everybody, and half of them in a private one."""
    owner, half = accounts[0], accounts[: CLIENTS // 2]
    rooms = {}
    for n in range(CHANNELS - 1):
        rooms[await server.channel(owner, f"room {n}", accounts[1:])] = accounts
    rooms[await server.channel(owner, "private", half[1:], private=True)] = half
    return rooms


async def _kill_again_and_again(server: Server, load: Load, rng: random.Random) -> None:
    for _ in range(KILLS):
        await load.progress(rng.randrange(1, 2 * ACKED // KILLS))
        await server.kill9()
        await server.restart()
        reader = rng.choice(load.clients)
        channel = rng.choice(list(reader.cursors))
        await reader.read_history(server, channel, max(0, reader.position(channel) - 100))
    await load.progress(max(1, ACKED - load.acked))


def _kept_unanswered(record: Record) -> int:
    """Sends whose answer was lost and which their sender saw again before it tried them again:
    those the server has to know by their client id."""
    unanswered: set[tuple[str, str | None]] = set()
    kept = set()
    for operation in record.operations:
        match operation:
            case Unknown(p=p, cid=cid):
                unanswered.add((p, cid))
            case Received(p=p, via="resume", item=item) if (p, item.cid) in unanswered:
                kept.add(item.cid)
    return len(kept)


@pytest.mark.system
@pytest.mark.timeout(180)
async def test_R1_kill_9_under_load_loses_nothing_acknowledged(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    record = Record()
    async with running_server(data=tmp_path / "data", env=NO_LIMITS) as server:
        accounts = [await server.account(f"user{n}") for n in range(CLIENTS)]
        channels = await _channels(server, accounts)
        clients = [
            Client(
                who.name, who, server.ws, [ch for ch, of in channels.items() if who in of], record
            )
            for who in accounts
        ]
        load = Load(clients, rng)
        async with asyncio.TaskGroup() as background:
            connections = [background.create_task(client.run()) for client in clients]
            async with asyncio.TaskGroup() as publishing:
                for client in clients * IN_FLIGHT:
                    publishing.create_task(load.publish(client))
                await _kill_again_and_again(server, load, rng)
                load.stopped = True
            histories = await final_histories(server, dict.fromkeys(channels, accounts[0]))
            await drained(clients, histories)
            access = [Access(who.name, channel) for channel, of in channels.items() for who in of]
            assert_faultless(record, histories, access, tmp_path)
            for connection in connections:
                connection.cancel()
    unanswered = record.count(Unknown)
    reconnects = sum(client.connects for client in clients) - CLIENTS
    print(f"{KILLS} kills, {load.acked} acked, {unanswered} unanswered, {reconnects} reconnects")
    print(f"{_kept_unanswered(record)} of the unanswered had been stored")
    assert load.acked == record.count(Acked) >= ACKED
    assert unanswered >= KILLS
    assert reconnects >= KILLS * CLIENTS // 2
    assert 0 < _kept_unanswered(record) < unanswered
