"""The load generator counts exactly: against the floor, and against a server with faults."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from bench import peer
from bench.comparisons import Comparison, comparisons, evaluate
from bench.fixture import prepare
from bench.loader import Answer, Load, loading
from bench.measure import Kind, Sample, Subject, Workload
from bench.programs import Programs, build
from bench.servers import floor, hubbub, process_cpu, running
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

CORE = min(os.sched_getaffinity(0))
PLAN = [(room, "token") for room in ("1", "2") for _ in range(3)]


@pytest.fixture(scope="module")
def programs() -> Programs:
    return build()


@dataclass
class Native:
    """A server of the native protocol, in memory. `spoil` may change what a member is sent."""

    spoil: Callable[[int, list[str]], list[str]] = lambda _member, lines: lines
    refused: str = ""
    rooms: dict[int, list[ServerConnection]] = field(default_factory=dict)

    async def serve(self, socket: ServerConnection) -> None:
        """Speaks with one client, each message in fragments of seven bytes."""
        connect = json.loads(await socket.recv())
        channel = connect["channels"][0]["channel"]
        await socket.send(json.dumps({"id": connect["id"], "result": {"channels": [{}]}}))
        self.rooms.setdefault(channel, []).append(socket)
        with suppress(ConnectionClosed):  # the generator leaves without a word
            while True:
                await self._post(channel, socket, json.loads(await socket.recv()))

    async def _post(self, channel: int, sender: ServerConnection, command: dict[str, Any]) -> None:
        if command["content"].startswith(self.refused or "never"):
            error = {"code": "rate_limited", "message": "too fast", "temporary": True}
            await sender.send(json.dumps({"id": command["id"], "error": error}))
            return
        event = {"type": "message", "id": 9, "sender": {"type": "x"}, "content": command["content"]}
        for number, member in enumerate(self.rooms[channel]):
            lines = [json.dumps(event)]
            if member is sender:
                lines.append(json.dumps({"result": {"type": "message"}, "id": command["id"]}))
            text = "\n".join(self.spoil(number, lines))
            if text:
                await member.send(text[at : at + 7] for at in range(0, len(text), 7))


@asynccontextmanager
async def serving(native: Native) -> AsyncIterator[int]:
    async with serve(native.serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def exchange(programs: Programs, load: Load, port: int, folder: Path, count: int) -> Answer:
    """Everybody of the plan comes in, each room's sender sends `count`; what was counted."""
    with loading(programs.load, load, port, folder, CORE) as loader:
        opened = loader.open()
        assert not opened.faulty
        loader.send(count=count)
        return loader.end()


async def converse(programs: Programs, native: Native, folder: Path) -> Answer:
    """Ten messages in each of the two rooms, four in flight."""
    async with serving(native) as port:
        load = Load("native", PLAN, in_flight=4)
        return await asyncio.to_thread(exchange, programs, load, port, folder, 10)


@pytest.mark.parametrize("mode", ["turn", "message"])
def test_each_message_of_two_rooms_reaches_each_member_once(
    programs: Programs, tmp_path: Path, mode: str
) -> None:
    with running(floor(programs.floor, mode), tmp_path, CORE) as server:
        load = Load("floor", PLAN, in_flight=4)
        counted = exchange(programs, load, server.port, tmp_path, 10)
    assert (counted.messages, counted.acks, counted.deliveries) == (20, 20, 60)
    assert not counted.faulty


async def test_joined_and_fragmented_objects_are_counted_one_by_one(
    programs: Programs, tmp_path: Path
) -> None:
    counted = await converse(programs, Native(), tmp_path)
    assert (counted.messages, counted.acks, counted.deliveries) == (20, 20, 60)
    assert not counted.faulty


def once(member: int, text: str, change: list[str]) -> Callable[[int, list[str]], list[str]]:
    """Gives one member `change` in place of the first thing sent to it that holds `text`."""
    done: list[bool] = []

    def spoil(number: int, lines: list[str]) -> list[str]:
        if done or number != member or text not in lines[0]:
            return lines
        done.append(True)
        return [line for word in change for line in lines[: 1 if word == "one" else 2]]

    return spoil


async def test_a_message_that_never_comes_is_lost(programs: Programs, tmp_path: Path) -> None:
    native = Native(once(1, "m00000004", []))
    counted = await converse(programs, native, tmp_path)
    assert (counted.deliveries, counted.lost, counted.doubled) == (59, 1, 0)


async def test_a_message_that_comes_twice_is_doubled(programs: Programs, tmp_path: Path) -> None:
    native = Native(once(2, "m00000004", ["one", "one"]))
    counted = await converse(programs, native, tmp_path)
    assert (counted.deliveries, counted.lost, counted.doubled) == (60, 0, 1)


async def test_an_ack_that_comes_twice_is_doubled(programs: Programs, tmp_path: Path) -> None:
    native = Native(once(0, "m00000004", ["all", "all"]))
    counted = await converse(programs, native, tmp_path)
    assert (counted.acks, counted.lost, counted.doubled) == (20, 0, 2)


async def test_an_error_ends_the_sending_and_is_refused(programs: Programs, tmp_path: Path) -> None:
    counted = await converse(programs, Native(refused="m00000004"), tmp_path)
    assert counted.refused > 0
    assert counted.acks < counted.messages


@pytest.mark.system
def test_the_fixture_lets_everybody_into_their_room(programs: Programs, tmp_path: Path) -> None:
    made = prepare(tmp_path / "data", rooms=2, members_per_room=3)
    rooms = zip(made.channels, made.tokens, strict=True)
    plan = [(str(channel), token) for channel, tokens in rooms for token in tokens]
    with running(hubbub(tmp_path / "data", made.secret), tmp_path, CORE) as server:
        load = Load("native", plan, in_flight=4)
        counted = exchange(programs, load, server.port, tmp_path, 10)
    assert (counted.messages, counted.acks, counted.deliveries) == (20, 20, 60)
    assert not counted.faulty


def test_a_ratio_is_of_one_round_and_the_median_of_the_rounds() -> None:
    comparison = Comparison(
        "label",
        Workload(Kind.CONNECT, (Subject.HUBBUB, Subject.BARE)),
        "s",
        lambda sample: sample.cpu,
        Subject.BARE,
        lambda sample: sample.cpu,
        limit=3.0,
    )
    figures = [(2.0, 1.0), (30.0, 10.0), (4.0, 1.0)]
    rounds = [
        {
            subject: Sample(comparison.workload, subject, 1, 0, 0, 1.0, cpu, 0.0, 0, "")
            for subject, cpu in zip(comparison.workload.subjects, pair, strict=True)
        }
        for pair in figures
    ]
    result = evaluate(comparison, rounds)
    assert (result.value, result.other, result.ratio) == (4.0, 1.0, 3.0)
    assert (result.low, result.high, result.met) == (2.0, 4.0, True)
    assert replace(result, limit=2.9).met is False
    assert replace(result, limit=2.9, at_least=True).met is True


def test_what_cannot_be_measured_is_compared_with_nothing() -> None:
    subjects = {subject for each in comparisons(peer=False) for subject in each.workload.subjects}
    assert subjects == set(Subject) - {Subject.PEER}
    assert {each.against for each in comparisons(peer=False)} <= {*subjects, None}
    assert Subject.PEER in {each.against for each in comparisons()}


def test_without_node_the_server_from_npm_is_missed_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert peer.install(tmp_path / "peer") == "node is not here"
    node = tmp_path / "node"
    node.touch(mode=0o755)
    assert peer.install(tmp_path / "peer") == "npm is not here"


def test_the_cpu_clock_of_a_process_is_the_one_the_kernel_reports() -> None:
    before = process_cpu(os.getpid())
    taken = os.times()
    after = process_cpu(os.getpid())
    ticks = 2 / os.sysconf("SC_CLK_TCK")  # user and system are rounded to one each
    assert before - ticks <= taken.user + taken.system <= after + ticks
