"""R7: somebody who stops reading harms nobody else, is cut off, and can come back."""

import asyncio
import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.chaos.checker import Access
from tests.chaos.client import Client
from tests.chaos.record import Received, Record
from tests.chaos.verdict import assert_faultless, drained, final_histories
from tests.support.server import NO_LIMITS, Account, Server, running_server

READERS = 20
BATCH = 16
CONTENT = "\N{SNOWMAN WITHOUT SNOW}" * 3_900
"""About 12 KB: a batch is far below an outbox, so whoever reads at all keeps up."""
MOST_BATCHES = 200
MOST_GROWTH_KB = 16 * 1024
TOO_SLOW = 4200


def _peak_kb(pid: int) -> int:
    """The highest resident size the process has had since `_forget_peak`."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1])


def _forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


class Room:
    """A writer and its readers, who get every batch before the next one is sent."""

    def __init__(self, server: Server, room: int, writer: Client, readers: list[Client]) -> None:
        self.server = server
        self.room = room
        self.writer = writer
        self.readers = readers
        self.batches = 0

    async def batch(self) -> None:
        """Sends a batch, and waits until every reader has it."""
        self.batches += 1
        cids = [f"{self.batches}-{number}" for number in range(BATCH)]
        sends = [self.writer.publish(self.room, f"{cid} {CONTENT}", cid) for cid in cids]
        top = max(ack.seq for ack in await asyncio.gather(*sends))
        for reader in self.readers:
            await reader.reach(self.room, top)

    async def present(self, who: Account) -> bool:
        """Whether the server counts somebody as having a socket in the room."""
        answer = await self.server.http.get(
            f"/api/v1/channels/{self.room}/presence", headers=self.writer.account.headers
        )
        answer.raise_for_status()
        return who.id in [user["id"] for user in answer.json()]


@pytest.mark.system
async def test_R7_a_frozen_reader_harms_nobody_and_recovers(tmp_path: Path) -> None:
    record = Record()
    async with (
        running_server(data=tmp_path / "data", env=NO_LIMITS) as server,
        AsyncExitStack() as up,
    ):
        alice, bob, frozen_one = [await server.account(n) for n in ("alice", "bob", "frozen")]
        room = await server.channel(alice, "general", [bob, frozen_one])
        writer = Client("alice", alice, server.ws, [room], record)
        readers = [Client(f"bob/{n}", bob, server.ws, [room], record) for n in range(READERS - 1)]
        frozen = Client("frozen", frozen_one, server.ws, [room], record, receive_buffer=4096)
        for client in (writer, *readers):
            await up.enter_async_context(client.session())
        stage = Room(server, room, writer, readers)
        async with frozen.session() as ended:
            await stage.batch()
            await frozen.reach(room, BATCH)
            _forget_peak(server.pid)
            before = _peak_kb(server.pid)
            assert frozen.socket is not None
            frozen.socket.transport.pause_reading()
            while await stage.present(frozen_one):
                assert stage.batches < MOST_BATCHES
                await stage.batch()
            growth = _peak_kb(server.pid) - before
            frozen.socket.transport.resume_reading()
            assert ended is not None
            await ended
        print(f"cut after {stage.batches} batches, with {frozen.close_code}; {growth} KiB more")
        assert growth < MOST_GROWTH_KB
        assert frozen.close_code in (TOO_SLOW, 1006)
        missed_from = frozen.position(room)
        await up.enter_async_context(frozen.session())
        assert frozen.recoveries in (["recovered"], ["truncated"])
        await stage.batch()
        histories = await final_histories(server, {room: alice})
        await drained([writer, frozen, *readers], histories)
        await frozen.read_history(server, room, missed_from)
        access = [Access(name, room) for name in ("alice", "bob", "frozen")]
        assert_faultless(record, histories, access, tmp_path)
    shown = {
        operation.item.seq
        for operation in record.operations
        if isinstance(operation, Received) and operation.p == "frozen"
    }
    assert {item.seq for item in histories[room] if item.id is not None} <= shown
    assert all(reader.connects == 1 for reader in readers)
