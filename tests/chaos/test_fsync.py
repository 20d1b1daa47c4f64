"""R2: what is acknowledged, or shown to anybody, is on the disk: seen from outside, by strace."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos import strace
from tests.chaos.client import Client
from tests.chaos.record import Acked, Record
from tests.support.server import NO_LIMITS, running_server

ONE_BY_ONE = 300
AT_ONCE = 200
CLIENTS = 5

STORE = '7 pwrite64(14</data/hubbub.db-wal>, "\\r\\0<mark 1>", 4096, 0) = 4096'
SYNC = "7 fdatasync(14</data/hubbub.db-wal>) = 0"
ANSWER = r'5 write(23<socket:[9]>, "{\"id\":3,\"result\":{\"id\":71,\"seq\":3}}", 80) = 80'
EVENT = r'5 write(24<socket:[8]>, "{\"type\":\"message\",\"content\":\"<mark 1>\"}", 80) = 80'
SYNC_BEGINS = "7 fdatasync(14</data/hubbub.db-wal> <unfinished ...>"
SYNC_ENDS = "7 <... fdatasync resumed>) = 0"
STORE_BEGINS = STORE.replace(", 4096, 0) = 4096", ", 4096, 0 <unfinished ...>")
STORE_ENDS = "7 <... pwrite64 resumed>) = 4096"
OTHER_SYNC = "7 fdatasync(13</data/hubbub.db>) = 0"
FAILED_SYNC = "7 fdatasync(14</data/hubbub.db-wal>) = -1 EIO (Input/output error)"


def _judge(*lines: str) -> strace.Verdict:
    return strace.judge(strace.parse(lines), {"<mark 1>": Acked("alice", 1, "c", 71, 3)})


@pytest.mark.parametrize(
    "lines",
    [
        (STORE, SYNC, ANSWER, EVENT),
        (STORE_BEGINS, STORE_ENDS, SYNC_BEGINS, "5 write(2, ...) = 1", SYNC_ENDS, EVENT, ANSWER),
        (SYNC, STORE, SYNC, STORE, ANSWER, SYNC),
    ],
)
def test_an_ack_after_its_sync_is_found_in_order(lines: tuple[str, ...]) -> None:
    assert _judge(*lines) == strace.Verdict(1, [])


@pytest.mark.parametrize(
    "lines",
    [
        (STORE, ANSWER),
        (STORE, ANSWER, SYNC),
        (SYNC, STORE, ANSWER),
        (STORE, EVENT, SYNC, ANSWER),
        (STORE, SYNC_BEGINS, ANSWER, SYNC_ENDS),
        (STORE, SYNC_BEGINS, ANSWER),
        (STORE_BEGINS, SYNC, STORE_ENDS, ANSWER),
        (STORE, OTHER_SYNC, ANSWER),
        (STORE, FAILED_SYNC, ANSWER),
        (SYNC, ANSWER),
    ],
)
def test_an_ack_before_its_sync_is_found_early(lines: tuple[str, ...]) -> None:
    assert _judge(*lines) == strace.Verdict(1, ["<mark 1>"])


def test_a_trace_without_the_ack_proves_nothing() -> None:
    with pytest.raises(LookupError):
        _judge(STORE, SYNC, EVENT)


async def _publish(folder: Path, synchronous: str, one_by_one: int, at_once: int) -> strace.Verdict:
    """What strace says about a server to which so many messages were sent."""
    trace = folder / "trace"
    env = {**NO_LIMITS, "HUBBUB_SQLITE_SYNCHRONOUS": synchronous}
    acks: dict[str, Acked] = {}
    wrap = strace.command(trace)
    async with running_server(data=folder / "data", env=env, wrap=wrap) as server:
        alice = await server.account("alice")
        channel = await server.channel(alice, "general")
        clients = [
            Client(f"alice/{n}", alice, server.ws, [channel], Record()) for n in range(CLIENTS)
        ]

        async def send(client: Client, number: int) -> None:
            acked = await client.send(channel, strace.mark(number), f"cid {number}")
            assert acked is not None
            acks[strace.mark(number)] = acked

        async with clients[0].session():
            for number in range(one_by_one):
                await send(clients[0], number)
        async with asyncio.TaskGroup() as background:
            connections = [background.create_task(client.run()) for client in clients]
            for client in clients:
                await client.connected.wait()
            async with asyncio.TaskGroup() as sends:
                for number in range(at_once):
                    sends.create_task(send(clients[number % CLIENTS], one_by_one + number))
            for connection in connections:
                connection.cancel()
    return strace.judge(strace.parse(trace.read_text(errors="replace").splitlines()), acks)


@pytest.mark.system
async def test_R2a_every_ack_follows_its_fsync(tmp_path: Path) -> None:
    verdict = await _publish(tmp_path, "FULL", ONE_BY_ONE, AT_ONCE)
    assert verdict == strace.Verdict(ONE_BY_ONE + AT_ONCE, [])


@pytest.mark.system
async def test_R2a_without_full_sync_the_same_trace_shows_acks_too_early(tmp_path: Path) -> None:
    verdict = await _publish(tmp_path, "NORMAL", 50, 50)
    assert verdict.shown == 100
    assert len(verdict.early) >= 50
