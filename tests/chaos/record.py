"""What clients did and saw, one operation a line, in the order it happened.

The record is what a proof keeps of a run: the checker judges it, and a failing run is written out
as JSON lines. The place of an operation in the record is its time: no clock is read. A client
records an invocation before its bytes leave and an outcome after its bytes came, so an outcome
recorded before an invocation happened before it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

Via = Literal["live", "resume", "rest"]


@dataclass(frozen=True, slots=True)
class Item:
    """What somebody was shown at one place of a channel's sequence.

    A message has an `id`; `cid` is its `client_id`, or its content where the dialect has none.
    Other durable events have a `kind` and a `seq` alone.
    """

    seq: int
    kind: str = "message"
    id: int | None = None
    sender: str | None = None
    cid: str | None = None
    body: str = ""


@dataclass(frozen=True, slots=True)
class Invoked:
    """A send, or a retry of it, is about to leave."""

    p: str
    ch: int
    cid: str
    body: str


@dataclass(frozen=True, slots=True)
class Acked:
    """The server answered a send with the message's id and seq."""

    p: str
    ch: int
    cid: str
    id: int
    seq: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The server answered a send with an error that is final."""

    p: str
    ch: int
    cid: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer came: the message may or may not be there."""

    p: str
    ch: int
    cid: str


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A stream of a channel begins with the item after `start`.

    `start` is the cursor when everything missed was promised (`recovered`), `oldest` - 1 when the
    server said that it left some out (`truncated`), and `seq` in every other case. `seq` is the
    top that the server named.
    """

    p: str
    ch: int
    stream: int
    start: int
    seq: int
    recovery: str | None = None


@dataclass(frozen=True, slots=True)
class ReadBegun:
    """A reading of everything after `start` over REST begins; its items come in a stream too."""

    p: str
    ch: int
    stream: int
    start: int


@dataclass(frozen=True, slots=True)
class ReadDone:
    """The reading came to the channel's end."""

    p: str
    ch: int
    stream: int


@dataclass(frozen=True, slots=True)
class Received:
    """A client was shown an item. Stream 0 is a channel it had not asked for."""

    p: str
    ch: int
    stream: int
    via: Via
    item: Item


@dataclass(frozen=True, slots=True)
class Closed:
    """A stream ended: its socket broke, or it was replaced."""

    p: str
    ch: int
    stream: int


Operation = (
    Invoked | Acked | Refused | Unknown | Subscribed | ReadBegun | ReadDone | Received | Closed
)

_KINDS: Mapping[str, type[Any]] = {
    "invoke": Invoked,
    "ok": Acked,
    "fail": Refused,
    "info": Unknown,
    "subscribe": Subscribed,
    "read": ReadBegun,
    "read-ok": ReadDone,
    "recv": Received,
    "close": Closed,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


class Record:
    """The operations of all clients of a run, in order."""

    def __init__(self, operations: Iterable[Operation] = ()) -> None:
        self.operations: list[Operation] = list(operations)
        self._streams = 0

    def add(self, operation: Operation) -> None:
        """Appends what has just happened."""
        self.operations.append(operation)

    def new_stream(self) -> int:
        """A number for the next subscription or reading, unique in the record."""
        self._streams += 1
        return self._streams

    def count(self, kind: type[Operation]) -> int:
        """How many operations of a kind there are: a run that injected nothing proves nothing."""
        return sum(isinstance(operation, kind) for operation in self.operations)

    def dump(self, path: Path) -> Path:
        """Writes one JSON object a line, `t` being the place; returns the path."""
        with path.open("w") as lines:
            for t, operation in enumerate(self.operations):
                line = {"t": t, "op": _NAMES[type(operation)], **asdict(operation)}
                lines.write(json.dumps(line) + "\n")
        return path


def load(lines: Iterable[str]) -> list[Operation]:
    """The operations of JSON lines, those of several files too, ordered by `t`."""
    found = [json.loads(line) for line in lines]
    found.sort(key=lambda line: line.pop("t"))
    return [_operation(line) for line in found]


def _operation(line: dict[str, Any]) -> Operation:
    kind = _KINDS[line.pop("op")]
    if kind is Received:
        line["item"] = Item(**line["item"])
    operation: Operation = kind(**line)
    return operation


def digest(content: str) -> str:
    """What a record keeps of a content: itself while it is short."""
    return content if len(content) <= 64 else sha256(content.encode()).hexdigest()


def item_of(event: Mapping[str, Any]) -> Item:
    """The item a durable event of the native protocol shows, or a row of REST."""
    if event.get("type", "message") != "message":
        return Item(seq=event["seq"], kind=event["type"])
    body = digest(event["content"])
    return Item(
        seq=event["seq"],
        id=event["id"],
        sender=event["sender"]["name"],
        cid=event.get("client_id") or body,
        body=body,
    )


def items_of(events: Iterable[Mapping[str, Any]]) -> Sequence[Item]:
    """`item_of` each."""
    return [item_of(event) for event in events]
