"""Jepsen for chat: judges what clients did and saw against what the server keeps.

`check` takes a record (`tests.chaos.record`), the final history of every channel, read after all
faults had stopped and everything had been delivered, and who may see what. It returns the
anomalies, and nothing else decides whether a run was good:

| kind    | what was broken                                                                      |
|---------|--------------------------------------------------------------------------------------|
| LOST    | an acknowledged send is not in the final history                                     |
| DUP     | one client id became two messages, or an item was shown twice                        |
| PHANTOM | something is visible that was refused, was never sent, or is not in the history      |
| DIVERGE | one (channel, seq) was two things to two observers, or a message had two places      |
| HOLE    | an observer never saw n but saw something later, and had not been told of a gap      |
| INVERT  | an observer, or the history, has items whose seq or message id does not rise         |
| CAUSAL  | a client had the ack of A before it sent B on the channel, yet B comes before A      |
| STALE   | a reading begun after an ack does not hold the message                               |
| LEAK    | somebody saw an item of a channel, or of a part of it, that was not for them         |
| UNSEEN  | a stream that is still open never showed the newest items                            |

The names and rules follow Jepsen's checkers (total-queue, set-full, kafka). A socket of a user is
named like the user, or `user/anything` when the user has several.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, assert_never

from tests.chaos.record import (
    Acked,
    Closed,
    Invoked,
    Item,
    Operation,
    ReadBegun,
    ReadDone,
    Received,
    Refused,
    Subscribed,
    Unknown,
)

Kind = Literal[
    "LOST", "DUP", "PHANTOM", "DIVERGE", "HOLE", "INVERT", "CAUSAL", "STALE", "LEAK", "UNSEEN"
]
SendKey: TypeAlias = tuple[str, int, str]
"""(user, channel, client id): what a send is, however often it is tried."""

HISTORY = "the history"


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One broken promise: of which kind, in which channel, who noticed, and what exactly."""

    kind: Kind
    ch: int
    who: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind} in channel {self.ch}, {self.who}: {self.what}"


@dataclass(frozen=True, slots=True)
class Access:
    """Somebody may see a channel's items from seq `first` to `last`, both included."""

    p: str
    ch: int
    first: int = 1
    last: int | None = None


@dataclass(slots=True)
class _Send:
    bodies: set[str] = field(default_factory=set)
    acks: list[Acked] = field(default_factory=list)
    invoked: int = 0
    refused: int = 0
    floor: int = 0
    """The highest seq its client had been given in the channel before the first try."""


@dataclass(slots=True)
class _Stream:
    p: str
    ch: int
    start: int
    promised: int
    """Everything from `start` to here has been promised by the answer itself."""
    is_read: bool = False
    open: bool = True
    items: list[Item] = field(default_factory=list)
    owed: Mapping[int, int] = field(default_factory=dict)
    """For a reading that ended: the ids and seqs acknowledged before it began."""
    seen_before: frozenset[int] = frozenset()


class _World:
    """The record, indexed once for all rules."""

    def __init__(
        self,
        operations: Iterable[Operation],
        histories: Mapping[int, Sequence[Item]],
        access: Iterable[Access],
    ) -> None:
        self.histories = histories
        self.access: dict[tuple[str, int], list[Access]] = defaultdict(list)
        for grant in access:
            self.access[grant.p, grant.ch].append(grant)
        self.sends: dict[SendKey, _Send] = defaultdict(_Send)
        self.streams: dict[int, _Stream] = {}
        self.receipts: list[Received] = []
        self.seen: dict[tuple[str, int], set[int]] = defaultdict(set)
        self._acked: dict[int, dict[int, int]] = defaultdict(dict)
        self._top: dict[tuple[str, int], int] = defaultdict(int)
        self._reading: dict[int, dict[int, int]] = {}
        for operation in operations:
            self._take(operation)

    def _take(self, operation: Operation) -> None:
        match operation:
            case Invoked(p, ch, cid, body):
                send = self.sends[user(p), ch, cid]
                if not send.invoked:
                    send.floor = self._top[p, ch]
                send.invoked += 1
                send.bodies.add(body)
            case Acked(p, ch, cid, id_, seq):
                self.sends[user(p), ch, cid].acks.append(operation)
                self._top[p, ch] = max(self._top[p, ch], seq)
                self._acked[ch][id_] = seq
            case Refused(p, ch, cid):
                self.sends[user(p), ch, cid].refused += 1
            case Unknown():
                pass
            case Subscribed(p, ch, stream, start, seq, recovery):
                promised = seq if recovery in ("recovered", "truncated") else start
                self._open(stream, _Stream(p, ch, start, promised))
            case ReadBegun(p, ch, stream, start):
                self._open(stream, _Stream(p, ch, start, start, is_read=True))
                self._reading[stream] = dict(self._acked[ch])
            case ReadDone(stream=number):
                self.streams[number].open = False
                self.streams[number].owed = self._reading[number]
            case Received(p, ch, number, _, item):
                self.receipts.append(operation)
                if number in self.streams:
                    self.streams[number].items.append(item)
                self.seen[p, ch].add(item.seq)
            case Closed(stream=number):
                self.streams[number].open = False
            case _:
                assert_never(operation)

    def _open(self, number: int, stream: _Stream) -> None:
        stream.seen_before = frozenset(self.seen[stream.p, stream.ch])
        self.streams[number] = stream

    def may_see(self, p: str, ch: int, seq: int) -> bool:
        return any(
            grant.first <= seq and (grant.last is None or seq <= grant.last)
            for grant in self.access[p, ch] or self.access[user(p), ch]
        )

    def everything_shown(self) -> Iterator[tuple[str, int, Item]]:
        """All observers' items, the histories first."""
        for ch, history in self.histories.items():
            for item in history:
                yield HISTORY, ch, item
        for receipt in self.receipts:
            yield receipt.p, receipt.ch, receipt.item


def user(p: str) -> str:
    """The user a client name belongs to."""
    return p.partition("/")[0]


def check(
    operations: Iterable[Operation],
    histories: Mapping[int, Sequence[Item]],
    access: Iterable[Access],
) -> list[Anomaly]:
    """All anomalies of a run.

    `histories` holds every durable event of every channel of the record, in the server's order;
    `access` who may see which part of a channel, nobody else being a member.
    """
    world = _World(operations, histories, access)
    rules = (_lost, _doubled, _phantom, _diverge, _gaps, _invert, _causal, _stale, _leak)
    return [anomaly for rule in rules for anomaly in rule(world)]


def _lost(world: _World) -> Iterator[Anomaly]:
    kept = {ch: {item.id for item in history} for ch, history in world.histories.items()}
    for (p, ch, cid), send in world.sends.items():
        for ack in send.acks[:1]:
            if ack.id not in kept.get(ch, ()):
                yield Anomaly("LOST", ch, p, f"{cid} was acknowledged as {ack.id}, {ack.seq}")


def _doubled(world: _World) -> Iterator[Anomaly]:
    ids: dict[SendKey, set[int | None]] = defaultdict(set)
    for (p, ch, cid), send in world.sends.items():
        ids[p, ch, cid].update(ack.id for ack in send.acks)
    for _, ch, item in world.everything_shown():
        if item.cid is not None and item.sender is not None:
            ids[item.sender, ch, item.cid].add(item.id)
    for (p, ch, cid), known in ids.items():
        if len(known) > 1:
            yield Anomaly("DUP", ch, p, f"{cid} is {sorted(map(str, known))}")
    for ch, history in world.histories.items():
        for seq in _repeated(item.seq for item in history):
            yield Anomaly("DUP", ch, HISTORY, f"seq {seq} is there twice")
        for id_ in _repeated(item.id for item in history if item.id is not None):
            yield Anomaly("DUP", ch, HISTORY, f"message {id_} is there twice")
    for stream in world.streams.values():
        for seq in _repeated(item.seq for item in stream.items):
            yield Anomaly("DUP", stream.ch, stream.p, f"seq {seq} was shown twice in a stream")
        for seq in {item.seq for item in stream.items if item.seq <= stream.start}:
            if seq in stream.seen_before:
                yield Anomaly(
                    "DUP", stream.ch, stream.p, f"{seq} again after cursor {stream.start}"
                )


def _repeated(values: Iterable[int]) -> list[int]:
    return [value for value, times in Counter(values).items() if times > 1]


def _phantom(world: _World) -> Iterator[Anomaly]:
    first: dict[tuple[int, int, str | None], tuple[str, Item]] = {}
    for who, ch, item in world.everything_shown():
        first.setdefault((ch, item.seq, item.cid), (who, item))
    kept = {(ch, item.seq) for ch, history in world.histories.items() for item in history}
    ids = {(ch, item.id) for ch, history in world.histories.items() for item in history if item.id}
    for (ch, seq, cid), (who, item) in first.items():
        send = world.sends.get((item.sender or "", ch, cid or ""))
        if cid is not None and (send is None or not send.invoked):
            yield Anomaly("PHANTOM", ch, who, f"{item} was never sent")
        elif send and send.refused == send.invoked:
            yield Anomaly("PHANTOM", ch, who, f"{item} was refused")
        elif not (send and send.acks) and (ch, seq) not in kept and (ch, item.id) not in ids:
            yield Anomaly("PHANTOM", ch, who, f"{item} is not in the history")


def _diverge(world: _World) -> Iterator[Anomaly]:
    at: dict[tuple[int, int], Item] = {}
    place: dict[tuple[int, int], int] = {}
    told: set[tuple[int, int]] = set()
    for who, ch, item in world.everything_shown():
        key = (ch, item.seq)
        first = at.setdefault(key, item)
        if first != item and key not in told:
            told.add(key)
            yield Anomaly("DIVERGE", ch, who, f"{first} is {item} here")
        if item.id is not None and place.setdefault((ch, item.id), item.seq) != item.seq:
            yield Anomaly("DIVERGE", ch, who, f"message {item.id} is at {item.seq} here")
        send = world.sends.get((item.sender or "", ch, item.cid or ""))
        if send and send.bodies and item.body not in send.bodies and key not in told:
            told.add(key)
            yield Anomaly("DIVERGE", ch, who, f"{item} was sent as {sorted(send.bodies)}")
    for (p, ch, cid), send in world.sends.items():
        for ack in send.acks:
            here = at.get((ch, ack.seq))
            if (here and here.id != ack.id) or place.get((ch, ack.id), ack.seq) != ack.seq:
                yield Anomaly("DIVERGE", ch, p, f"the ack of {cid} says {ack.id} at {ack.seq}")


def _gaps(world: _World) -> Iterator[Anomaly]:
    """HOLE and UNSEEN: what was owed to an observer and never came, before and after the last
    item that did come."""
    for ch, history in world.histories.items():
        seqs = {item.seq for item in history}
        for seq in range(1, max(seqs, default=0)):
            if seq not in seqs:
                yield Anomaly("HOLE", ch, HISTORY, f"there is no seq {seq}")
    told: set[tuple[str, int, int]] = set()
    for stream in world.streams.values():
        history = world.histories.get(stream.ch, ())
        top = max((item.seq for item in history), default=0)
        last = max((item.seq for item in stream.items), default=stream.start)
        still_open = stream.open and not stream.is_read
        end = max(last, stream.promised, top if still_open else 0)
        seen = world.seen[stream.p, stream.ch]
        newest = max(seen, default=0)
        for seq in range(stream.start + 1, end + 1):
            key = (stream.p, stream.ch, seq)
            if seq in seen or key in told or not world.may_see(*key):
                continue
            told.add(key)
            kind: Kind = "HOLE" if seq < newest or not still_open else "UNSEEN"
            yield Anomaly(kind, stream.ch, stream.p, f"seq {seq} never came")


def _invert(world: _World) -> Iterator[Anomaly]:
    for ch, history in world.histories.items():
        yield from _falling(ch, HISTORY, 0, history)
        top = 0
        for item in sorted(history, key=lambda item: item.seq):
            if item.id is not None:
                if item.id < top:
                    yield Anomaly("INVERT", ch, HISTORY, f"id {item.id} comes after id {top}")
                top = max(top, item.id)
    for stream in world.streams.values():
        known = stream.seen_before
        fresh = [item for item in stream.items if item.seq > stream.start or item.seq not in known]
        yield from _falling(stream.ch, stream.p, stream.start, fresh)


def _falling(ch: int, who: str, start: int, items: Iterable[Item]) -> Iterator[Anomaly]:
    top, shown = start, set[int]()
    for item in items:
        if item.seq <= top and item.seq not in shown:
            yield Anomaly("INVERT", ch, who, f"seq {item.seq} came after seq {top}")
        shown.add(item.seq)
        top = max(top, item.seq)


def _causal(world: _World) -> Iterator[Anomaly]:
    kept = {
        (item.sender, ch, item.cid): item.seq
        for ch, history in world.histories.items()
        for item in history
    }
    for (p, ch, cid), send in world.sends.items():
        seq = kept.get((p, ch, cid), send.acks[0].seq if send.acks else None)
        if seq is not None and seq < send.floor:
            yield Anomaly("CAUSAL", ch, p, f"{cid} is at {seq}, sent after the ack of {send.floor}")


def _stale(world: _World) -> Iterator[Anomaly]:
    kept = {ch: {item.id for item in history} for ch, history in world.histories.items()}
    for stream in world.streams.values():
        shown = {item.id for item in stream.items}
        for id_, seq in stream.owed.items():
            if seq > stream.start and id_ not in shown and id_ in kept.get(stream.ch, ()):
                yield Anomaly("STALE", stream.ch, stream.p, f"read without {id_}, seq {seq}")


def _leak(world: _World) -> Iterator[Anomaly]:
    for receipt in world.receipts:
        if not world.may_see(receipt.p, receipt.ch, receipt.item.seq):
            yield Anomaly("LEAK", receipt.ch, receipt.p, f"was shown {receipt.item}")
