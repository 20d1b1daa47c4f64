"""The load generator for signals counts exactly: against a relay with faults, and against each
server it can speak to."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bench.fixture import prepare
from bench.loader import Answer, Loader, SignalLoad, Voice, loading
from bench.programs import Programs, build
from bench.servers import hubbub, relay, running
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.system

CORE = min(os.sched_getaffinity(0))
RATE = 2000
COUNT = 100
PLAN = [(room, "token") for room in ("1", "2") for _ in range(4)]


@pytest.fixture(scope="module")
def programs() -> Programs:
    return build()


def as_they_come(to: str, frame: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(to, frame)]


@dataclass
class Relay:
    """A relay in memory. `spoil` may change what is sent, and to whom."""

    spoil: Callable[[str, dict[str, Any]], list[tuple[str, dict[str, Any]]]] = as_they_come
    rooms: dict[str, dict[str, ServerConnection]] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)

    async def serve(self, socket: ServerConnection) -> None:
        """Speaks with one client."""
        assert socket.request is not None
        _, _, _, room, user, _ = socket.request.path.split("/")
        sockets = self.rooms.setdefault(room, {})
        for other in sockets.values():
            joined = {"type": "user-joined", "room_id": room, "user_id": user}
            await other.send(json.dumps(joined, separators=(",", ":")))
        sockets[user] = socket
        with suppress(ConnectionClosed):  # the generator leaves without a word
            while True:
                text = await socket.recv()
                self.sizes.append(len(text))
                frame = json.loads(text)
                for to, said in self.spoil(frame["to_user_id"], frame):
                    await sockets[to].send(json.dumps(said))


@asynccontextmanager
async def serving(fake: Relay) -> AsyncIterator[int]:
    async with serve(fake.serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def exchange(programs: Programs, load: SignalLoad, port: int, folder: Path) -> tuple[Answer, ...]:
    """Everybody of the plan comes in and signals; what was counted while sending, and in all."""
    with loading(programs.signals, load, port, folder, CORE) as loader:
        assert not loader.open().faulty
        return loader.send(count=COUNT), loader.end()


async def converse(programs: Programs, fake: Relay, folder: Path) -> Answer:
    async with serving(fake) as port:
        load = SignalLoad("relay", PLAN, RATE)
        _, end = await asyncio.to_thread(exchange, programs, load, port, folder)
        return end


def once(
    change: Callable[[str, dict[str, Any]], list[tuple[str, dict[str, Any]]]],
) -> Callable[[str, dict[str, Any]], list[tuple[str, dict[str, Any]]]]:
    """Changes the fifth of the signals."""
    seen: list[str] = []

    def spoil(to: str, frame: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        seen.append(to)
        return change(to, frame) if len(seen) == 5 else [(to, frame)]

    return spoil


async def test_each_signal_reaches_its_addressee_once(programs: Programs, tmp_path: Path) -> None:
    fake = Relay()
    counted = await converse(programs, fake, tmp_path)
    assert (counted.messages, counted.deliveries, counted.faulty) == (COUNT, COUNT, False)
    offers = [size for size in fake.sizes if size > 3000]
    assert len(offers) == len(range(0, COUNT, 16))
    assert all(200 < size < 350 for size in fake.sizes if size not in offers)


async def test_a_signal_that_comes_twice_is_doubled(programs: Programs, tmp_path: Path) -> None:
    fake = Relay(once(lambda to, frame: [(to, frame), (to, frame)]))
    counted = await converse(programs, fake, tmp_path)
    assert (counted.deliveries, counted.lost, counted.doubled) == (COUNT, 0, 1)


async def test_a_signal_that_somebody_else_gets_is_doubled_and_lost(
    programs: Programs, tmp_path: Path
) -> None:
    def astray(to: str, frame: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        other = {1: 3, 2: 4, 3: 1, 4: 2, 5: 7, 6: 8, 7: 5, 8: 6}[int(to.removeprefix("user-"))]
        return [(f"user-{other}", frame)]

    counted = await converse(programs, Relay(once(astray)), tmp_path)
    assert (counted.deliveries, counted.lost, counted.doubled) == (COUNT - 1, 1, 1)


async def test_a_signal_that_never_comes_is_lost(programs: Programs, tmp_path: Path) -> None:
    counted = await converse(programs, Relay(once(lambda _to, _frame: [])), tmp_path)
    assert (counted.deliveries, counted.lost, counted.doubled) == (COUNT - 1, 1, 0)


async def test_anything_else_is_refused(programs: Programs, tmp_path: Path) -> None:
    error = {"type": "error", "message": "that peer is not connected"}
    fake = Relay(once(lambda to, _frame: [(to, error)]))
    assert (await converse(programs, fake, tmp_path)).refused == 1


@dataclass
class Hesitant:
    """Keeps everything back until `COUNT` signals have come, and again."""

    kept: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    held: list[float] = field(default_factory=list)

    def spoil(self, to: str, frame: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """What is to be sent now."""
        self.kept.append((time.monotonic(), to, frame))
        if len(self.kept) < COUNT:
            return []
        kept, self.kept = self.kept, []
        self.held += [time.monotonic() - since for since, _, _ in kept]
        return [(to, frame) for _, to, frame in kept]


async def test_latency_is_from_the_sending_to_the_hearing(
    programs: Programs, tmp_path: Path
) -> None:
    hesitant = Hesitant()
    async with serving(Relay(hesitant.spoil)) as port:
        sent, timed, end = await asyncio.to_thread(measure, programs, port, tmp_path)
    held = sorted(hesitant.held[:COUNT])
    assert held[COUNT // 2 - 1] < sent.median < sent.p99 < sent.seconds
    assert held[-2] < sent.p99
    assert 0 < timed.median <= timed.p99 < timed.seconds
    assert (sent.stalled, end.stalled) == (0, 0)
    assert -1 <= timed.stalled <= COUNT
    assert (sent.messages, timed.messages, end.messages) == (COUNT, COUNT, 2 * COUNT)
    assert not end.faulty


def measure(programs: Programs, port: int, folder: Path) -> tuple[Answer, ...]:
    """As `exchange` in one room, and then once more with the machine watched."""
    load = SignalLoad("relay", PLAN[:4], RATE)
    with loading(programs.signals, load, port, folder, CORE) as loader:
        assert not loader.open().faulty
        return loader.send(count=COUNT), loader.time(CORE, count=COUNT), loader.end()


async def test_signals_sent_when_the_machine_stood_still_do_not_count(
    programs: Programs, tmp_path: Path
) -> None:
    loaders: list[Loader] = []
    seen: list[str] = []

    def hold(to: str, frame: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        seen.append(to)
        if len(seen) == COUNT // 2:
            stand_still(loaders[0].pid)
        return [(to, frame)]

    def stopped(port: int) -> Answer:
        load = SignalLoad("relay", PLAN, RATE)
        with loading(programs.signals, load, port, tmp_path, CORE) as loader:
            loaders.append(loader)
            assert not loader.open().faulty
            return loader.time(CORE, count=COUNT)

    async with serving(Relay(hold)) as port:
        timed = await asyncio.to_thread(stopped, port)
    assert timed.stalled != 0  # -1 where nobody may watch
    assert (timed.messages, timed.deliveries, timed.faulty) == (COUNT, COUNT, False)


def stand_still(pid: int) -> None:
    """Takes the cores from a process for as long as some forty signals take."""
    os.kill(pid, signal.SIGSTOP)
    until = time.monotonic() + 40 / RATE
    while time.monotonic() < until:
        pass
    os.kill(pid, signal.SIGCONT)


def test_the_tutorials_server_passes_everything_on(programs: Programs, tmp_path: Path) -> None:
    with running(relay(), tmp_path, CORE) as server:
        load = SignalLoad("relay", PLAN, RATE)
        _, counted = exchange(programs, load, server.port, tmp_path)
    assert (counted.messages, counted.deliveries, counted.faulty) == (COUNT, COUNT, False)


@pytest.mark.parametrize("voice", ["conference", "relay", "native", "peer"])
def test_the_product_passes_everything_on_in_each_protocol(
    programs: Programs, tmp_path: Path, voice: Voice
) -> None:
    made = prepare(tmp_path / "data", rooms=2, members_per_room=4)
    plan = [(f"bench-{room}", token) for room in (1, 2) for token in made.tokens[room - 1]]
    with running(hubbub(tmp_path / "data", made.secret), tmp_path, CORE) as server:
        load = SignalLoad(voice, plan, RATE)
        _, counted = exchange(programs, load, server.port, tmp_path)
    assert (counted.messages, counted.deliveries, counted.faulty) == (COUNT, COUNT, False)
