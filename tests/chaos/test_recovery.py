"""R5: a reconnect brings exactly what was missed, or says that it does not."""

import asyncio
import itertools
import random
import sqlite3
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from hubbub.services.chat import MOST_EVENTS
from tests.chaos.checker import Access
from tests.chaos.client import Client, Cursor
from tests.chaos.record import Acked, Received, Record, Subscribed
from tests.chaos.verdict import assert_faultless, drained, final_histories
from tests.support import proxy as faults
from tests.support.proxy import FaultProxy, Transform, fault_proxy
from tests.support.server import NO_LIMITS, Account, Server, running_server

BACKLOG = 3
LIVE = 4
BYTE_STEP = 7
CATCH_UP_SECONDS = 30
ENTRIES = 40
IN_FLIGHT = 8


class Script:
    """One session after another, each cut somewhere else: a reader with a cursor connects through
    the proxy while somebody writes, loses the connection, and comes back."""

    def __init__(
        self, server: Server, proxy: FaultProxy, room: int, people: Sequence[Account]
    ) -> None:
        self.server = server
        self.proxy = proxy
        self.room = room
        self.record = Record()
        self.alice, self.bob = people
        self.writer = Client("alice", self.alice, server.ws, [room], self.record)
        self.interrupted = 0
        self._sessions = 0
        self._sent = 0

    async def write(self, count: int) -> Acked:
        """Sends so many messages, one by one; the last one's ack comes back."""
        for _ in range(count):
            self._sent += 1
            ack = await self.writer.publish(self.room, f"message {self._sent}", f"c{self._sent}")
        return ack

    async def cut(self, where: Transform) -> int:
        """Plays the script with one cut; the bytes that passed before it come back."""
        start = self.writer.cursors[self.room]
        assert start is not None
        start = replace(start)
        self._sessions += 1
        reader = Client(f"bob/{self._sessions}", self.bob, self._through, [self.room], self.record)
        reader.cursors[self.room] = replace(start)
        top = (await self.write(BACKLOG)).seq + LIVE
        self.proxy.next(down=where)
        writing = asyncio.create_task(self.write(LIVE))
        async with reader.session() as ended:
            if ended is not None:
                arrived = asyncio.create_task(reader.reach(self.room, top))
                await asyncio.wait((ended, arrived), return_when=asyncio.FIRST_COMPLETED)
                arrived.cancel()
            self.interrupted += ended is None or ended.done()
        await writing
        async with reader.session(), asyncio.timeout(CATCH_UP_SECONDS):
            await reader.reach(self.room, top)
        assert self._shown(reader) == list(range(start.seq + 1, top + 1))
        assert set(reader.recoveries) == {"recovered"}
        return self.proxy.links[-2].sent

    @property
    def _through(self) -> str:
        return f"ws://127.0.0.1:{self.proxy.port}"

    def _shown(self, reader: Client) -> list[int]:
        return [
            operation.item.seq
            for operation in self.record.operations
            if isinstance(operation, Received) and operation.p == reader.p
        ]


async def _cut_everywhere(script: Script) -> int:
    """How many cuts there were."""
    size = await script.cut(faults.unchanged)
    assert script.interrupted == 0
    frames = [faults.text_frames(faults.on_nth(nth, faults.cut)) for nth in range(1 + LIVE)]
    places = range(1, size - BYTE_STEP, BYTE_STEP)
    cuts = [faults.cut_after_bytes(n, reset=n % 2 == 0) for n in places]
    for transform in (*frames, *cuts):
        await script.cut(transform)
    await script.cut(faults.split(1))
    return len(frames) + len(cuts)


@pytest.mark.system
async def test_R5_recovery_at_every_cut_point(tmp_path: Path) -> None:
    async with (
        running_server(data=tmp_path / "data", env=NO_LIMITS) as server,
        fault_proxy(server.port) as proxy,
    ):
        people = [await server.account(name) for name in ("alice", "bob")]
        room = await server.channel(people[0], "general", people[1:])
        script = Script(server, proxy, room, people)
        async with script.writer.session():
            cuts = await _cut_everywhere(script)
            histories = await final_histories(server, {room: people[1]})
            await drained([script.writer], histories)
            access = [Access(name, room) for name in ("alice", "bob")]
            assert_faultless(script.record, histories, access, tmp_path)
    print(f"{cuts} cut points, {script.interrupted} of them before the end")
    assert script.interrupted >= cuts * 0.9 >= 50


@pytest.mark.system
async def test_R5_too_much_missed_is_called_truncated_and_the_rest_is_there_to_be_read(
    tmp_path: Path,
) -> None:
    record = Record()
    async with running_server(data=tmp_path / "data", env=NO_LIMITS) as server:
        alice, bob = await server.account("alice"), await server.account("bob")
        room = await server.channel(alice, "general", [bob])
        writer = Client("alice", alice, server.ws, [room], record)
        reader = Client("bob", bob, server.ws, [room], record)
        async with writer.session():
            async with reader.session():
                await writer.publish(room, "seen", "seen")
                await reader.reach(room, writer.position(room))
            missed = [
                writer.publish(room, f"missed {number}", f"cid {number}")
                for number in range(MOST_EVENTS + 20)
            ]
            before = reader.position(room)
            await asyncio.gather(*missed)
            async with reader.session():
                await writer.publish(room, "live", "live")
                assert reader.recoveries == ["truncated"]
                histories = await final_histories(server, {room: bob})
                await drained([writer, reader], histories)
                # Without this the items before `oldest` would have been skipped, as told.
                await reader.read_history(server, room, before)
                access = [Access(name, room) for name in ("alice", "bob")]
                assert_faultless(record, histories, access, tmp_path)
    shown = [
        (operation.via, operation.item.seq)
        for operation in record.operations
        if isinstance(operation, Received) and operation.p == "bob"
    ]
    resumed = [seq for via, seq in shown if via == "resume"]
    read = [seq for via, seq in shown if via == "rest"]
    top = histories[room][-1].seq
    assert resumed == list(range(top - MOST_EVENTS, top))
    assert read == list(range(before + 1, top + 1))


async def _pour(writer: Client, room: int, acked: list[int], part: int) -> None:
    """Publishes without a pause, until cancelled."""
    for number in itertools.count():
        cid = f"{part}-{number}"
        acked.append((await writer.publish(room, f"message {cid}", cid)).seq)


@pytest.mark.system
async def test_R5_recovery_while_messages_pour_in(tmp_path: Path) -> None:
    """Nobody else is in the room: every reader's backlog is read while it grows."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    record = Record()
    async with running_server(data=tmp_path / "data", env=NO_LIMITS) as server:
        alice, bob = await server.account("alice"), await server.account("bob")
        room = await server.channel(alice, "general", [bob])
        epoch = await _epoch(server, bob, room)
        writer = Client("alice", alice, server.ws, [], record)
        acked: list[int] = []
        async with writer.session(), asyncio.TaskGroup() as pouring:
            old = [writer.publish(room, f"old {n}", f"old {n}") for n in range(MOST_EVENTS)]
            acked += [ack.seq for ack in await asyncio.gather(*old)]
            pours = [pouring.create_task(_pour(writer, room, acked, n)) for n in range(IN_FLIGHT)]
            for n in range(ENTRIES):
                reader = Client(f"bob/{n}", bob, server.ws, [room], record)
                start = max(acked) - rng.randrange(MOST_EVENTS)
                reader.cursors[room] = Cursor(epoch, start)
                async with reader.session(), asyncio.timeout(CATCH_UP_SECONDS):
                    await reader.reach(room, reader.position(room) + IN_FLIGHT)
            for pour in pours:
                pour.cancel()
        histories = await final_histories(server, {room: bob})
        access = [Access(name, room) for name in ("alice", "bob")]
        assert_faultless(record, histories, access, tmp_path)
    begun = [op for op in record.operations if isinstance(op, Subscribed)]
    missed = sum(subscribed.seq - subscribed.start for subscribed in begun)
    print(f"{len(begun)} entries, {missed} messages missed, {len(acked)} acked")
    assert len(begun) == ENTRIES
    assert missed > 50 * ENTRIES
    assert len(acked) > MOST_EVENTS + ENTRIES


async def _epoch(server: Server, who: Account, channel: int) -> str:
    answer = await server.http.get(f"/api/v1/channels/{channel}", headers=who.headers)
    answer.raise_for_status()
    return str(answer.json()["epoch"])


@pytest.mark.system
async def test_R5_another_epoch_is_called_reset(tmp_path: Path) -> None:
    record = Record()
    async with (
        running_server(data=tmp_path / "data", env=NO_LIMITS) as server,
        AsyncExitStack() as sessions,
    ):
        alice = await server.account("alice")
        rooms = [await server.channel(alice, name) for name in ("restored", "untouched")]
        # The first one back finds the room empty, the second one finds it in use.
        clients = [Client(f"alice/{n}", alice, server.ws, rooms, record) for n in range(2)]
        for room in rooms:
            await clients[0].post(server, room, "before", f"before {room}")
        for client in clients:
            async with client.session():
                assert client.recoveries == []
        await server.stop()
        _set_epoch(server.data / "hubbub.db", rooms[0], "other")
        await server.restart()
        for client in clients:
            await sessions.enter_async_context(client.session())
            assert client.recoveries == ["reset", "recovered"]
            assert client.cursors[rooms[0]] == Cursor("other", 2)
        acked = await clients[0].publish(rooms[0], "after", "after")
        assert acked.seq == 3
        histories = await final_histories(server, dict.fromkeys(rooms, alice))
        await drained(clients, histories)
        access = [Access("alice", room) for room in rooms]
        assert_faultless(record, histories, access, tmp_path)


@pytest.mark.system
async def test_R5_a_cursor_past_the_end_is_called_reset() -> None:
    async with running_server(env=NO_LIMITS) as server, AsyncExitStack() as sessions:
        alice = await server.account("alice")
        room = await server.channel(alice, "general")
        epoch = await _epoch(server, alice, room)
        for n in range(2):
            client = Client(f"alice/{n}", alice, server.ws, [room], Record())
            client.cursors[room] = Cursor(epoch, 1000)
            await sessions.enter_async_context(client.session())
            assert client.recoveries == ["reset"]
            assert client.cursors[room] == Cursor(epoch, 1)


def _set_epoch(database: Path, channel: int, epoch: str) -> None:
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("update channels set epoch = ? where id = ?", (epoch, channel))
    connection.close()
