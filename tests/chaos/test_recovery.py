"""R5: a reconnect brings exactly what was missed, or says that it does not."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from hubbub.services.chat import MOST_EVENTS
from tests.chaos.checker import Access
from tests.chaos.client import Client, Cursor
from tests.chaos.record import Acked, Received, Record
from tests.chaos.verdict import assert_faultless, drained, final_histories
from tests.support import proxy as faults
from tests.support.proxy import FaultProxy, Transform, fault_proxy
from tests.support.server import NO_LIMITS, Account, Server, running_server

BACKLOG = 3
LIVE = 4
BYTE_STEP = 7
CATCH_UP_SECONDS = 30


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
                arrived = asyncio.create_task(reader.until(lambda: reader.has(self.room, top)))
                await asyncio.wait((ended, arrived), return_when=asyncio.FIRST_COMPLETED)
                arrived.cancel()
            self.interrupted += ended is None or ended.done()
        await writing
        async with reader.session(), asyncio.timeout(CATCH_UP_SECONDS):
            await reader.until(lambda: reader.has(self.room, top))
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
                seen = writer.cursors[room]
                assert seen is not None
                await reader.until(lambda: reader.has(room, seen.seq))
            missed = [
                writer.publish(room, f"missed {number}", f"cid {number}")
                for number in range(MOST_EVENTS + 20)
            ]
            before = reader.cursors[room]
            assert before is not None
            await asyncio.gather(*missed)
            async with reader.session():
                await writer.publish(room, "live", "live")
                assert reader.recoveries == ["truncated"]
                histories = await final_histories(server, {room: bob})
                await drained([writer, reader], histories)
                # Without this the items before `oldest` would have been skipped, as told.
                await reader.read_history(server, room, before.seq)
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
    assert read == list(range(before.seq + 1, top + 1))


@pytest.mark.system
async def test_R5_another_epoch_is_called_reset(tmp_path: Path) -> None:
    record = Record()
    async with (
        running_server(data=tmp_path / "data", env=NO_LIMITS) as server,
        AsyncExitStack() as up,
    ):
        alice = await server.account("alice")
        restored = await server.channel(alice, "restored")
        untouched = await server.channel(alice, "untouched")
        client = Client("alice", alice, server.ws, [restored, untouched], record)
        async with client.session():
            for channel in (restored, untouched):
                await client.publish(channel, "before", f"before {channel}")
        await server.stop()
        database = sqlite3.connect(server.data / "hubbub.db")
        with database:
            database.execute("update channels set epoch = 'other' where id = ?", (restored,))
        database.close()
        await server.restart()
        await up.enter_async_context(client.session())
        assert client.recoveries == ["reset", "recovered"]
        cursor = client.cursors[restored]
        assert cursor == Cursor("other", 2)
        acked = await client.publish(restored, "after", "after")
        assert acked.seq == 3
        histories = await final_histories(server, dict.fromkeys((restored, untouched), alice))
        await drained([client], histories)
        access = [Access("alice", channel) for channel in (restored, untouched)]
        assert_faultless(record, histories, access, tmp_path)
