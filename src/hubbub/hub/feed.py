"""A channel as this server's sockets follow it."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from hubbub.core.answers import Entered, Recovery
from hubbub.core.channels import Channel
from hubbub.core.commands import Enter
from hubbub.core.errors import NotAMember
from hubbub.core.events import (
    ChannelChanged,
    Envelope,
    MemberJoined,
    MemberLeft,
    MessagePosted,
)
from hubbub.core.ids import ChannelId, UserId
from hubbub.dialects.base import Dialect
from hubbub.hub.connection import Connection, Subscription

RING_EVENTS = 256
RING_BYTES = 128 * 1024
ENTERING_FACTOR = 32
"""How much more the ring holds while sockets are entering."""


class Feed:
    """The sockets in one channel, its newest events, and where its sequence stands.

    `last` is the `seq` of the newest durable event delivered here, None until that is known:
    whoever enters is told events up to `last` by what entering reads, and those after it live.
    """

    __slots__ = (
        "_fetching",
        "_newest",
        "_ring",
        "_ring_bytes",
        "_stash",
        "channel",
        "entering",
        "id",
        "last",
        "subscribers",
    )

    def __init__(self, id: ChannelId) -> None:
        self.id = id
        self.channel: Channel | None = None
        self.last: int | None = None
        self.subscribers: dict[str, tuple[Dialect, dict[Connection, Subscription]]] = {}
        self.entering = 0
        self._ring: deque[Envelope] | None = None
        self._ring_bytes = 0
        self._stash: dict[int, Envelope] | None = None
        self._newest = 0
        """The highest `seq` that came early."""
        self._fetching: int | None = None
        """Where the gap begins for which a fetch is under way."""

    @property
    def idle(self) -> bool:
        """Whether nobody is here and nobody is coming."""
        return not self.entering and not self.subscribers

    def add(self, connection: Connection, subscription: Subscription) -> None:
        """Brings a socket in."""
        dialect = connection.dialect
        entry = self.subscribers.get(dialect.name)
        if entry is None:
            entry = self.subscribers[dialect.name] = (dialect, {})
        entry[1][connection] = subscription

    def remove(self, connection: Connection) -> None:
        """Takes a socket out."""
        entry = self.subscribers.get(connection.dialect.name)
        if entry is not None and entry[1].pop(connection, None) is not None and not entry[1]:
            del self.subscribers[connection.dialect.name]

    def of(self, user: UserId) -> Sequence[Connection]:
        """The sockets of one user."""
        return [c for c, _ in self.each() if c.link.who is not None and c.link.who.id == user]

    def each(self) -> Sequence[tuple[Connection, Subscription]]:
        """Every socket and its subscription, as of now."""
        return [entry for _, group in self.subscribers.values() for entry in group.items()]

    def change(self, event: ChannelChanged, seq: int) -> None:
        """The channel's settings are these, unless storage said later ones already."""
        if self.channel is not None and self.channel.seq < seq:
            self.channel = replace(
                self.channel,
                name=event.name,
                description=event.description,
                private=event.private,
                guests=event.guests,
            )

    def take(self, envelope: Envelope, fetch: Callable[[int, int], None]) -> Sequence[Envelope]:
        """Puts a durable event in its place; what can be told now comes back, in order.

        Across nodes events may arrive out of order, twice or never. One that is early waits, and
        `fetch(after, upto)` is called for what is missing before it; what that brings is handed
        to `take` like any other.
        """
        last, seq = self.last, envelope.seq
        if last is None:
            self.last = seq
            self._remember(envelope)
            return (envelope,)
        if seq == last + 1:
            self.last = seq
            self._remember(envelope)
            if self._stash:
                return [envelope, *self._unstash()]
            return (envelope,)
        if seq > last:
            if self._stash is None:
                self._stash = {}
            if len(self._stash) < RING_EVENTS:  # what finds no room is fetched as well
                self._stash[seq] = envelope
            self._newest = max(self._newest, seq)
            gap = self.gap()
            if gap is not None:
                fetch(*gap)
        return ()

    def gap(self) -> tuple[int, int] | None:
        """The next events that are missing, after one `seq` and up to another, for the caller to
        fetch; None when there are none, or when a fetch is under way."""
        if self._fetching is not None or self.last is None or self._newest <= self.last:
            return None
        self._fetching = self.last
        upto = min(self._stash) - 1 if self._stash else self._newest
        return self.last, min(upto, self.last + RING_EVENTS)

    def fetched(self) -> tuple[int, int] | None:
        """A fetch has come to its end, and what it brought was taken. The next gap comes back for
        the caller to fetch; one that did not shrink waits until an event, or `gap`, asks for it."""
        began, self._fetching = self._fetching, None
        return None if self.last == began else self.gap()

    def since(self, seq: int) -> Sequence[Envelope] | None:
        """The events after `seq` up to `last`; None when the ring does not reach back that far."""
        if self.last is None or seq > self.last:
            return None
        if seq == self.last:
            return ()
        if not self._ring or self._ring[0].seq > seq + 1:
            return None
        return [envelope for envelope in self._ring if envelope.seq > seq]

    def _unstash(self) -> Sequence[Envelope]:
        assert self._stash is not None
        assert self.last is not None
        ready = []
        while (envelope := self._stash.pop(self.last + 1, None)) is not None:
            self.last += 1
            self._remember(envelope)
            ready.append(envelope)
        self._stash = {s: e for s, e in self._stash.items() if s > self.last} or None
        return ready

    def _remember(self, envelope: Envelope) -> None:
        ring = self._ring
        if ring is None:
            ring = self._ring = deque()
        ring.append(envelope)
        self._ring_bytes += size(envelope)
        # What somebody who is entering has just read must still meet the ring when it is there.
        more = ENTERING_FACTOR if self.entering else 1
        while len(ring) > more * RING_EVENTS or self._ring_bytes > more * RING_BYTES:
            self._ring_bytes -= size(ring.popleft())


def catch_up(
    feed: Feed, user: UserId, command: Enter, asked: Enter, entered: Entered
) -> Entered | None:
    """Brings what storage read to where the feed stands; None when it has to be read again.

    Storage may be behind the feed (then the ring has the rest) or ahead of it (then what is ahead
    comes live).

    Raises:
        NotAMember: the user's membership has ended since.
    """
    cursor = command.cursor
    if feed.last is None:
        if cursor is not None and asked.cursor is None:
            return None
        feed.last = entered.seq
    upto = feed.last
    newer = feed.since(min(entered.seq, upto))
    if newer is None or _out_of_date(newer, user):
        return None
    history = [e for e in entered.history if e.seq <= upto]
    if command.history:
        history += [e for e in newer if isinstance(e.event, MessagePosted)]
        history = history[-command.history :]
    if cursor is None:
        return replace(entered, seq=upto, history=history)
    if asked.cursor is None:
        if cursor.epoch != entered.channel.epoch:
            return replace(entered, seq=upto, history=history, recovery=Recovery.RESET)
        missed = feed.since(cursor.seq)
        if missed is None:
            return None
        recovery = Recovery.RECOVERED
    else:
        recovery = entered.recovery or Recovery.RECOVERED
        missed = [e for e in entered.events if e.seq <= upto]
        if recovery is not Recovery.RESET:
            missed += newer
    return replace(entered, seq=upto, history=history, recovery=recovery, events=missed)


def _out_of_date(newer: Sequence[Envelope], user: UserId) -> bool:
    """Whether these events change what somebody who enters may do, or what the channel is."""
    changed = gone = False
    for envelope in newer:
        match envelope.event:
            case MemberLeft(user=who) if who.id == user:
                gone = True
            case MemberJoined(user=who) if who.id == user:
                changed, gone = True, False
            case ChannelChanged():
                changed = True
    if gone:
        raise NotAMember("you are no longer a member of this channel")
    return changed


def size(envelope: Envelope) -> int:
    """About how many characters an event takes when it is told."""
    event = envelope.event
    return 200 + len(event.content) if isinstance(event, MessagePosted) else 200
