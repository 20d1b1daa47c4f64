"""A chat server that cannot fail, played in memory: records the checker has to find faultless."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, assert_never

from tests.chaos.checker import Access
from tests.chaos.record import (
    Acked,
    Closed,
    Invoked,
    Item,
    ReadBegun,
    ReadDone,
    Received,
    Record,
    Refused,
    Subscribed,
    Unknown,
    Via,
)

Verb = Literal[
    "send", "lose the ack", "lose the ack and retry", "lose the request", "be refused",
    "deliver", "disconnect", "connect", "read",
]  # fmt: skip
Action = tuple[Verb, str, int]

CLIENTS = ("alice", "bob", "carol")
OUTSIDER = "eve"
CHANNELS = (1, 2)
MOST_RECOVERED = 4


@dataclass(slots=True)
class Run:
    """What `checker.check` takes."""

    record: Record
    histories: dict[int, list[Item]]
    access: list[Access]


class Simulation:
    """Every client is a member of every channel from the start; messages are delivered late."""

    def __init__(self) -> None:
        self.record = Record()
        self.log: dict[int, list[Item]] = {ch: [] for ch in CHANNELS}
        self.cursors: dict[tuple[str, int], int] = {}
        self.streams: dict[tuple[str, int], int] = {}
        self._sends = 0
        self._messages = 0
        for ch in CHANNELS:
            for _ in CLIENTS:
                self.log[ch].append(Item(seq=len(self.log[ch]) + 1, kind="member_joined"))

    def take(self, action: Action) -> None:
        """One step of one client; connecting and delivering concern all of its channels."""
        verb, p, ch = action
        match verb:
            case "deliver":
                for each in CHANNELS:
                    self._show(p, each, "live")
            case "connect":
                self._connect(p)
            case "disconnect":
                for each in CHANNELS:
                    if stream := self.streams.pop((p, each), None):
                        self.record.add(Closed(p, each, stream))
            case "read":
                self._read(p, ch)
            case "send" | "lose the ack" | "lose the ack and retry":
                self._send(p, ch, verb)
            case "lose the request" | "be refused":
                cid, refused = self._cid(), verb == "be refused"
                self.record.add(Invoked(p, ch, cid, f"body of {cid}"))
                self.record.add(Refused(p, ch, cid) if refused else Unknown(p, ch, cid))
            case _:
                assert_never(verb)

    def finish(self) -> Run:
        """Everybody connects and is shown everything: the run has been drained."""
        for p in CLIENTS:
            self.take(("connect", p, 1))
            self.take(("deliver", p, 1))
        access = [Access(p, ch) for p in CLIENTS for ch in CHANNELS]
        return Run(self.record, self.log, access)

    def _cid(self) -> str:
        self._sends += 1
        return f"c{self._sends}"

    def _send(self, p: str, ch: int, verb: Verb) -> None:
        cid = self._cid()
        invoked = Invoked(p, ch, cid, f"body of {cid}")
        self._messages += 1
        item = Item(len(self.log[ch]) + 1, "message", self._messages, p, cid, invoked.body)
        self.record.add(invoked)
        self.log[ch].append(item)
        if verb != "send":
            self.record.add(Unknown(p, ch, cid))
        if verb == "lose the ack and retry":
            self.record.add(invoked)
        if verb != "lose the ack":
            self.record.add(Acked(p, ch, cid, self._messages, item.seq))

    def _connect(self, p: str) -> None:
        for ch in CHANNELS:
            if (p, ch) in self.streams:
                continue
            top = len(self.log[ch])
            cursor = self.cursors.get((p, ch))
            if cursor is None:
                start, recovery = top, None
            elif top - cursor > MOST_RECOVERED:
                start, recovery = top - MOST_RECOVERED, "truncated"
            else:
                start, recovery = cursor, "recovered"
            stream = self.streams[p, ch] = self.record.new_stream()
            self.record.add(Subscribed(p, ch, stream, start, top, recovery))
            self.cursors[p, ch] = start
            self._show(p, ch, "resume")

    def _show(self, p: str, ch: int, via: Via) -> None:
        if stream := self.streams.get((p, ch)):
            for item in self.log[ch][self.cursors[p, ch] :]:
                self.record.add(Received(p, ch, stream, via, item))
            self.cursors[p, ch] = len(self.log[ch])

    def _read(self, p: str, ch: int) -> None:
        stream = self.record.new_stream()
        self.record.add(ReadBegun(p, ch, stream, 0))
        for item in self.log[ch]:
            self.record.add(Received(p, ch, stream, "rest", item))
        self.record.add(ReadDone(p, ch, stream))


def play(actions: Iterable[Action]) -> Run:
    """Everybody connects, the actions happen, and the run is drained."""
    simulation = Simulation()
    for p in CLIENTS:
        simulation.take(("connect", p, 1))
    for action in actions:
        simulation.take(action)
    return simulation.finish()
