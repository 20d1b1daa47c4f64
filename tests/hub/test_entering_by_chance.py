"""Several people come and go, are put out and let in again, while everything is late."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from hubbub.core.errors import NotAMember
from hubbub.core.ids import ChannelId, Cursor, UserId, Who
from hubbub.hub.frames import frame
from tests.hub.fakes import Gate, Socket, Stage, turns
from tests.support.samples import ALICE, BOB, CAROL, EPOCH, came_in, changed, said, went_out

ID = ChannelId(1)


@dataclass
class Visitor:
    """Somebody who comes and goes, and a record of what they should be able to rely on."""

    socket: Socket
    who: Who
    entering: asyncio.Task[None] | None = None
    cursor: int | None = None
    read: int = 0
    top: int = 0
    answers: list[int] = field(default_factory=list)
    """How much had been committed when each answer came."""

    def check(self, allowed: Sequence[set[UserId]]) -> None:
        """Goes through all that came since the last time. `allowed` says who might be in the
        channel after so many events."""
        for line in self.socket.got[self.read :]:
            self.read += 1
            if line.startswith("in "):
                self.cursor, self.top = int(line.split()[-1]), self.answers.pop(0)
            elif line.startswith("out "):
                self.cursor = None
            elif line[0].isdigit():
                assert self.cursor is not None, f"{line} while outside"
                seq = int(line.split()[0])
                assert seq == self.cursor + 1, f"{line} after {self.cursor}"
                # Whoever was let in by what storage knew already hears what led to it.
                since = allowed[seq - 1 : max(seq, self.top + 1)]
                assert any(self.who.id in now for now in since), f"{line} is none of their business"
                self.cursor = seq


class Fair:
    """Three visitors, one channel, chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.stage = Stage()
        self.place = self.stage.services.add(1, ALICE, BOB, private=bool(seed % 2))
        self.allowed = [self._allowed()]
        self.published = 0
        self.gates: list[Gate] = []
        self.visitors = [Visitor(self.stage.connect(w), w) for w in (ALICE, BOB, CAROL)]

    def _allowed(self) -> set[UserId]:
        everybody = {ALICE.id, BOB.id, CAROL.id}
        return set(self.place.members) if self.place.channel.private else everybody

    def commit(self) -> None:
        who = self.chance.choice([BOB, CAROL])
        change = went_out(who) if who.id in self.place.members else came_in(who)
        private = changed(private=not self.place.channel.private)
        self.place.commit(self.chance.choice([said(), said(), said(), change, private]))
        self.allowed.append(self._allowed())

    def publish(self) -> None:
        upto = self.chance.randint(self.published, len(self.place.log))
        self.stage.publish(*self.place.log[self.published : upto])
        self.published = upto

    def enter(self, visitor: Visitor) -> None:
        seq = self.chance.choice([None, visitor.cursor, 0])
        cursor = None if seq is None else Cursor(EPOCH, seq)
        for call in ("enter", "entered"):
            if self.chance.random() < 0.7:
                self.gates.append(self.stage.services.hold(call))
        visitor.entering = asyncio.create_task(self._enter(visitor, cursor))

    async def _enter(self, visitor: Visitor, cursor: Cursor | None) -> None:
        socket = visitor.socket
        began = len(self.place.log)
        try:
            entered = await socket.enter(1, cursor=cursor)
        except NotAMember:
            socket.connection.queue(frame(b"out of 1"))
            return
        finally:
            visitor.entering = None
        visitor.answers.append(len(self.place.log))
        since = range(min(entered.seq, began), len(self.allowed))
        assert any(visitor.who.id in self.allowed[seq] for seq in since)
        if cursor is not None:
            seqs = [e.seq for e in entered.events]
            assert seqs == list(range(cursor.seq + 1, entered.seq + 1))

    async def run(self, steps: int) -> None:
        for _ in range(steps):
            visitor = self.chance.choice(self.visitors)
            match self.chance.randrange(6):
                case 0 | 1:
                    self.commit()
                case 2:
                    self.publish()
                case 3 if visitor.entering is None:
                    self.enter(visitor)
                case 4 if self.gates:
                    self.gates.pop(self.chance.randrange(len(self.gates))).opened.set()
                case 5 if visitor.entering is None:
                    if self.stage.hub.exit(visitor.socket.connection, ID) is not None:
                        visitor.socket.connection.queue(frame(b"out of 1"))
            if self.chance.random() < 0.5:
                await turns()
                self.check()
        self.stage.services._gates.clear()
        for gate in self.gates:
            gate.opened.set()
        self.stage.publish(*self.place.log[self.published :])
        await turns(20)
        self.check()

    def check(self) -> None:
        for visitor in self.visitors:
            visitor.check(self.allowed)


@pytest.mark.parametrize("block", range(4))
async def test_whatever_happens_everybody_inside_misses_nothing_and_nobody_outside_hears(
    block: int,
) -> None:
    for seed in range(100 * block, 100 * block + 100):
        fair = Fair(seed)
        await fair.run(60)
        for visitor in fair.visitors:
            inside = ID in visitor.socket.connection.subscriptions
            assert inside == (visitor.cursor is not None), seed
            if inside:
                assert visitor.cursor == len(fair.place.log), seed
                assert visitor.who.id in fair.allowed[-1], seed
