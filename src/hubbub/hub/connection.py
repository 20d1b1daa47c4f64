"""One socket as the hub sees it: where it is, and what waits to be written to it."""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from enum import IntEnum

from hubbub.core.ids import ChannelId
from hubbub.core.signals import Peer
from hubbub.dialects.base import Dialect, Link
from hubbub.hub.base import Sink

MOST_WAITING = 1024 * 1024
"""Bytes that may wait for a slow reader, behind what the transport and the kernel hold."""

MOST_STALLED = 15.0

_AT_ONCE = 64 * 1024

SLOW_CONSUMER = 4200


class Class(IntEnum):
    """How a frame fares when the reader is slow."""

    KEPT = 0
    """Replies and durable events: never dropped."""

    LATEST = 1
    """Receipts: only the newest of each key is kept."""

    FLEETING = 2
    """Presence and typing: dropped first."""


class Subscription:
    """A socket's place in a channel. `member` and `may_post` follow the channel's events after
    `since`; `pinged` is the top `seq` the last ping told; `peer` is who the socket is in the
    channel's call."""

    __slots__ = ("may_post", "member", "peer", "pinged", "presence", "since")

    def __init__(
        self, member: bool, may_post: bool, presence: bool, pinged: int, since: int
    ) -> None:
        self.member = member
        self.may_post = may_post
        self.presence = presence
        self.pinged = pinged
        self.since = since
        self.peer: Peer | None = None


class Connection:
    """A socket with its bounded outbox.

    What is queued in one turn of the loop leaves in one write, or in few. While the wire is not
    writable, frames wait here, at most `MOST_WAITING` bytes of them and never longer than the hub
    allows; past either the socket is closed with a code that says to resume.
    """

    __slots__ = (
        "__weakref__",
        "address",
        "addresses",
        "backlog",
        "closing",
        "corked",
        "deadline",
        "dialect",
        "free",
        "latest",
        "link",
        "on_dirty",
        "out",
        "sink",
        "slot",
        "subscriptions",
        "unread",
        "waiting",
        "waiting_since",
    )

    def __init__(
        self,
        link: Link,
        dialect: Dialect,
        sink: Sink,
        address: str,
        on_dirty: Callable[["Connection"], None],
    ) -> None:
        self.link = link
        self.dialect = dialect
        self.sink = sink
        self.address = address
        self.addresses: set[str] | None = None
        self.on_dirty = on_dirty
        self.subscriptions: dict[ChannelId, Subscription] = {}
        self.out: list[bytes] = []
        self.backlog: deque[tuple[bytes, Class]] | None = None
        self.latest: dict[Hashable, bytes] | None = None
        self.waiting = 0
        self.waiting_since: float | None = None
        self.unread = 0
        self.deadline: float | None = None
        self.slot = 0
        self.closing = False
        self.corked = False
        self.free: asyncio.Event | None = None

    def queue(self, frames: bytes) -> None:
        """Queues frames that must arrive. They leave at the end of the turn at the latest."""
        if not self.out:
            self.on_dirty(self)
        self.out.append(frames)

    def offer(self, frames: bytes, kind: Class, key: Hashable = None) -> None:
        """Queues frames that may be dropped (`FLEETING`) or replaced by newer ones of the same
        `key` (`LATEST`) when the reader is slow."""
        if self.backlog is None:
            self.queue(frames)
        elif kind is Class.LATEST:
            if self.latest is None:
                self.latest = {}
            self.waiting += len(frames) - len(self.latest.pop(key, b""))
            self.latest[key] = frames
            self._keep_bound()
        elif self.waiting < MOST_WAITING // 2:
            self.backlog.append((frames, kind))
            self.waiting += len(frames)

    def uncork(self, first: bytes) -> None:
        """Ends a time in which `corked` kept everything queued from leaving: `first` goes before
        it. Whoever set `corked` owes this."""
        self.corked = False
        self.out.insert(0, first)
        self.on_dirty(self)

    def flush(self, now: float) -> None:
        """Writes what was queued. Called by the hub."""
        if self.corked:
            return
        out = self.out
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        if self.backlog is None and self.sink.write(data):
            return
        self._hold(data, now)

    async def taken(self) -> None:
        """Waits until all that was queued is on the wire and the wire takes more, or the socket is
        at its end."""
        sink = self.sink
        while not (self.closing or sink.closed):
            if self.backlog is None and sink.writable:
                if not self.out:
                    return
                await asyncio.sleep(0)  # what was queued in this turn leaves when it is over
                continue
            self.free = asyncio.Event()
            self.waiting_since = None
            sink.on_writable = self._drain
            await self.free.wait()

    def close(self, code: int, reason: str) -> None:
        """Closes the socket, writing what was queued before, unless a first word is still missing.
        Closing again does nothing."""
        if self.closing:
            return
        self.closing = True
        if self.out and self.backlog is None and not self.corked:
            self.sink.write(b"".join(self.out))
        self.out.clear()
        self._drop()
        self.sink.close(code, reason)

    def stalled(self, now: float) -> bool:
        """Whether the reader has taken nothing for `MOST_STALLED` seconds while something waits, or
        more than may wait has come while it was corked. Asked once a second."""
        if self.corked:
            return sum(map(len, self.out)) > MOST_WAITING
        if self.free is not None and self.sink.closed:
            self.free.set()
        if self.backlog is None and self.free is None:
            return False
        unread = self.sink.unread()
        if self.waiting_since is None or unread < self.unread:
            self.waiting_since = now
        self.unread = unread
        return now - self.waiting_since > MOST_STALLED

    def give_up(self) -> None:
        """Closes a socket that reads too slowly, with a code that says to resume."""
        self.close(SLOW_CONSUMER, "too slow: reconnect and resume")

    def _hold(self, data: bytes, now: float) -> None:
        if self.closing or self.sink.closed:
            return
        if self.backlog is None:
            self.backlog = deque()
            self.waiting_since = now
            self.sink.on_writable = self._drain
        self.backlog.append((data, Class.KEPT))
        self.waiting += len(data)
        self._keep_bound()

    def _keep_bound(self) -> None:
        if self.waiting > MOST_WAITING:
            self._shed()
        if self.waiting > MOST_WAITING:
            self.give_up()

    def _shed(self) -> None:
        """Gives up what may be given up, to keep what may not."""
        assert self.backlog is not None
        self.backlog = deque(entry for entry in self.backlog if entry[1] is Class.KEPT)
        self.waiting = sum(len(data) for data, _ in self.backlog)
        self.waiting += sum(len(data) for data in (self.latest or {}).values())

    def _drain(self) -> None:
        """The wire takes more: writes on, in order, until it does not or nothing waits."""
        while self.backlog and self.sink.writable:
            chunk = [self.backlog.popleft()[0]]
            size = len(chunk[0])
            while self.backlog and size + len(self.backlog[0][0]) <= _AT_ONCE:
                chunk.append(self.backlog.popleft()[0])
                size += len(chunk[-1])
            self.waiting -= size
            self.waiting_since = None
            self.sink.write(b"".join(chunk))
        if self.backlog or not self.sink.writable:
            return
        latest = b"".join((self.latest or {}).values())
        self._drop()
        if latest:
            self.queue(latest)

    def _drop(self) -> None:
        self.backlog = self.latest = None
        self.waiting = 0
        self.sink.on_writable = None
        if self.free is not None:
            self.free.set()
            self.free = None
