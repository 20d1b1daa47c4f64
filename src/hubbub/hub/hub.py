"""All sockets of this server, and how events reach them.

Everything here happens on one event loop; there are no locks and, in what tells events, no waits.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from hubbub.core.answers import Entered, Exited, InCall
from hubbub.core.channels import Channel
from hubbub.core.commands import Enter, PeerKind
from hubbub.core.errors import DomainError, NotAMember, NotConnected, NotFound, TooMany
from hubbub.core.events import (
    ChannelChanged,
    Departure,
    Envelope,
    MemberJoined,
    MemberLeft,
    MessagePosted,
    Notice,
    call_of,
    inbox_of,
    place_of,
)
from hubbub.core.ids import ChannelId, ChannelRef, Who
from hubbub.core.policy import may_post, unwelcome
from hubbub.core.shares import count_down
from hubbub.core.signals import Peer
from hubbub.hub.addresses import Addresses
from hubbub.hub.base import Services
from hubbub.hub.connection import Connection, Subscription
from hubbub.hub.fanout import tell_everybody, tell_fleeting
from hubbub.hub.feed import Feed, catch_up
from hubbub.hub.frames import frame
from hubbub.hub.owners import Owners

log = logging.getLogger(__name__)

PING_SECONDS = 25

FEW = 8
"""Sockets that are written to as soon as something was queued for them."""


@dataclass(frozen=True, slots=True)
class HubLimits:
    """How many sockets one user and one address may have; 0 is no limit."""

    per_user: int = 0
    per_address: int = 0


class Hub:
    """Holds the sockets and tells them what the bus brings.

    Somebody calls `tick` once a second.
    """

    def __init__(self, services: Services, limits: HubLimits, clock: Callable[[], float]) -> None:
        """`clock` is monotonic seconds."""
        self.services = services
        self.clock = clock
        self.connections: set[Connection] = set()
        self.addresses = Addresses()
        self._limits = limits
        self._owners = Owners()
        self._per_address: Counter[str] = Counter()
        self._ticks = 0
        self._added = 0
        self._feeds: dict[ChannelId, Feed] = {}
        self._dirty: list[Connection] = []
        self._gathering = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._behind: set[Feed] = set()

    # Sockets

    def add(self, connection: Connection) -> None:
        """Takes a socket up. The caller owes one `remove`.

        Raises:
            TooMany: its address or its user has as many as allowed; it was not taken up.
        """
        most = self._limits.per_address
        if most and self._per_address[connection.address] >= most:
            raise TooMany("too many connections from this address", "too_many_connections", 30)
        if connection.link.who is not None:
            self.adopt(connection, connection.link.who)
        self._per_address[connection.address] += 1
        self._added += 1
        # Pings are spread over their seconds, so that thousands do not leave at once.
        connection.slot = self._added % PING_SECONDS
        self.connections.add(connection)

    def adopt(self, connection: Connection, who: Who) -> None:
        """The socket is this person's.

        Raises:
            TooMany: they have as many as allowed; the socket is still nobody's.
        """
        most = self._limits.per_user
        if most and len(self._owners.sockets(who.id)) >= most:
            raise TooMany("you have too many connections", "too_many_connections", 30)
        self._owners.add(connection, who)
        link = connection.link
        link.who = who
        path = "" if link.channel is None else str(link.channel)
        self.services.opened(
            who, link.connection, connection.dialect.name, path, connection.address
        )

    def renew(self, connection: Connection, who: Who) -> None:
        """The socket is still this person's, who may have come by another login."""
        before = connection.link.who
        assert before is not None
        self._owners.discard(connection, before)
        connection.link.who = who
        self._owners.add(connection, who)

    def remove(self, connection: Connection, why: Departure = Departure.DISCONNECTED) -> None:
        """The socket is gone: takes it out of every channel. Removing again does nothing."""
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        for channel in list(connection.subscriptions):
            self.leave(connection, channel, why)
        self.addresses.detach_all(connection)
        count_down(self._per_address, connection.address)
        who = connection.link.who
        if who is not None:
            self._owners.discard(connection, who)
            self.services.closed(connection.link.connection, why)

    def tick(self) -> None:
        """Pings whose turn it is, closes whose time is up (not connected, expired, stalled), and
        asks once more for events that could not be read."""
        now = self.clock()
        self._ticks += 1
        turn = self._ticks % PING_SECONDS
        for connection in list(self.connections):
            try:
                self._tend(connection, now, turn)
            except Exception:
                log.exception("! a socket could not be tended")
                connection.close(1011, "internal error")
        behind, self._behind = self._behind, set()
        for feed in behind:
            gap = feed.gap() if self._feeds.get(feed.id) is feed else None
            if gap is not None:
                self._fetch(feed, *gap)

    def _tend(self, connection: Connection, now: float, turn: int) -> None:
        if connection.deadline is not None and now >= connection.deadline:
            connection.close(4001, "no valid token")
        elif connection.stalled(now):
            connection.give_up()
        elif connection.dialect.pings and connection.slot == turn and connection.link.who:
            words = connection.dialect.ping(self.moved(connection))
            if words is not None:
                connection.queue(frame(words))

    def close_all(self, code: int, reason: str) -> None:
        """Closes every socket."""
        for connection in list(self.connections):
            connection.close(code, reason)

    def dirty(self, connection: Connection) -> None:
        """Something was queued; it is written when this turn of the loop is over, or earlier."""
        if not self._dirty and not self._gathering:
            asyncio.get_running_loop().call_soon(self.flush)
        self._dirty.append(connection)

    def gather(self) -> None:
        """What is queued from here on may be written before the turn is over. The caller owes a
        `release` before it waits for anything."""
        self._gathering = True

    def release(self) -> None:
        """Writes what was queued if that is for few: a signal, or an answer, need not wait for
        another turn of the loop. What is for many is better written with what follows."""
        self._gathering = False
        if not self._dirty:
            return
        if len(self._dirty) <= FEW:
            self.flush()
        else:
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Writes everything that was queued."""
        waiting, self._dirty = self._dirty, []
        now = self.clock()
        for connection in waiting:
            if connection.out:
                connection.flush(now)

    # Channels

    async def enter(self, connection: Connection, command: Enter) -> Entered:
        """Brings a socket into a channel: reading what it missed and going live are one step.

        When this returns the socket is in, and the answer must be queued to it before the caller
        waits for anything: live events go on at `seq` + 1.

        Raises:
            DomainError: it may not enter; then it is not in, even if it was before.
        """
        who = connection.link.who
        assert who is not None
        channel = await self.services.locate(who, command, connection.address)
        feed = self._feed(channel)
        feed.entering += 1
        if command.cursor is not None:
            # Entering again: what is live from here on is part of the answer. Without a cursor the
            # answer tells no events, and whoever is in goes on hearing them.
            feed.remove(connection)
        try:
            while True:
                asked = replace(command, channel=channel)
                cursor = command.cursor
                if cursor is not None and feed.since(cursor.seq) is not None:
                    asked = replace(asked, cursor=None)
                entered = await self.services.enter(who, asked)
                caught_up = catch_up(feed, who.id, command, asked, entered)
                if connection not in self.connections:
                    raise NotConnected("the socket is gone")
                if caught_up is not None:
                    break
            self._admit(connection, feed, caught_up, command.presence)
            if command.call is not None:
                self.join_call(connection, feed.id, command.call)
            return caught_up
        except DomainError:
            if channel in connection.subscriptions:
                self.leave(connection, channel, Departure.LEFT)
            raise
        finally:
            feed.entering -= 1
            self._drop_if_idle(feed)

    def exit(self, connection: Connection, channel: ChannelId) -> Exited | None:
        """Takes a socket out of a channel; None when it was not in it."""
        feed = self._feeds.get(channel)
        if feed is None or channel not in connection.subscriptions or feed.channel is None:
            return None
        name = feed.channel.name
        self.leave(connection, channel, Departure.LEFT)
        return Exited(channel, name)

    def join_call(self, connection: Connection, channel: ChannelId, kind: PeerKind) -> InCall:
        """Puts a socket, which is in the channel, into its call. The others hear of a new peer.

        What others signal comes behind this: the answer must be queued before the caller waits.

        Raises:
            Forbidden: `peer_name_taken`; the socket is in no call.
        """
        subscription, place = connection.subscriptions[channel], self._feeds[channel].channel
        who = connection.link.who
        assert place is not None
        assert who is not None
        peer = subscription.peer
        if peer is None:
            own = connection.link.connection if kind is PeerKind.CONNECTION else None
            person = who.person
            peer = Peer(own or person.handle, own or person.name, person, own)
            self.services.join_call(place, peer, connection.link.connection)
            subscription.peer = peer
            self.addresses.attach(connection, call_of(channel))
            self.addresses.attach(connection, place_of(channel, peer))
        return InCall(peer, self.services.peers(channel, peer))

    def leave_call(self, connection: Connection, channel: ChannelId) -> None:
        """Takes a socket out of a channel's call; nothing happens when it is not in it."""
        subscription = connection.subscriptions[channel]
        peer, subscription.peer = subscription.peer, None
        if peer is None:
            return
        self.addresses.detach(connection, call_of(channel))
        self.addresses.detach(connection, place_of(channel, peer))
        self.services.leave_call(channel, peer, connection.link.connection)

    def find(self, connection: Connection, ref: ChannelRef) -> ChannelId:
        """The channel that a frame of this socket names, which the socket has to be in.

        Raises:
            NotFound: `not_in_channel`.
        """
        for channel in connection.subscriptions:
            if ref == channel:
                return channel
            known = self._feeds[channel].channel
            if known is not None and known.key == ref:
                return channel
        raise NotFound("this socket is not in that channel", "not_in_channel")

    def occupied(self, channel: ChannelId) -> bool:
        """Whether somebody is in the channel, or about to be."""
        return channel in self._feeds

    def channel(self, id: ChannelId) -> Channel | None:
        """A channel that somebody is in."""
        feed = self._feeds.get(id)
        return None if feed is None else feed.channel

    def moved(self, connection: Connection) -> dict[ChannelId, int]:
        """The top `seq` of the socket's channels that moved since it was last asked."""
        moved = {}
        for channel, subscription in connection.subscriptions.items():
            last = self._feeds[channel].last or 0
            if last != subscription.pinged:
                subscription.pinged = moved[channel] = last
        return moved

    def _feed(self, id: ChannelId) -> Feed:
        feed = self._feeds.get(id)
        if feed is None:
            feed = self._feeds[id] = Feed(id)
        return feed

    def _drop_if_idle(self, feed: Feed) -> None:
        if feed.idle:
            self._feeds.pop(feed.id, None)

    def _admit(self, connection: Connection, feed: Feed, entered: Entered, presence: bool) -> None:
        who = connection.link.who
        assert who is not None
        feed.channel = entered.channel
        subscription = Subscription(
            member=entered.role is not None,
            may_post=may_post(entered.channel, entered.role),
            presence=presence,
            pinged=entered.seq,
            since=entered.channel.seq,
        )
        before = connection.subscriptions.get(feed.id)
        if before is not None:
            subscription.peer = before.peer
        feed.add(connection, subscription)
        connection.subscriptions[feed.id] = subscription
        self.services.come(feed.id, who, connection.link.connection)

    def leave(self, connection: Connection, channel: ChannelId, why: Departure) -> None:
        """Takes a socket out of a channel it is in."""
        self.leave_call(connection, channel)
        del connection.subscriptions[channel]
        feed = self._feed(channel)
        feed.remove(connection)
        self._drop_if_idle(feed)
        who = connection.link.who
        assert who is not None
        self.services.go(channel, who.id, connection.link.connection, why)

    # Events

    def on_events(self, envelopes: Sequence[Envelope]) -> None:
        """Tells the sockets what the bus brought. All of one channel leaves together."""
        if len(envelopes) == 1:
            envelope = envelopes[0]
            if envelope.to:
                self.addresses.tell(envelope.to, envelope, self._gathering)
                return
        ready: dict[Feed, list[Envelope]] = {}
        for envelope in envelopes:
            if envelope.to:
                self.addresses.tell(envelope.to, envelope)
                continue
            event = envelope.event
            if type(event) is MessagePosted and event.to is not None:
                self.addresses.tell(inbox_of(event.to.id), envelope)
            feed = self._feeds.get(envelope.channel)
            if feed is None:
                continue
            if not envelope.seq:
                ready.setdefault(feed, []).append(envelope)
                continue
            told = feed.take(envelope, partial(self._fetch, feed))
            if told:
                ready.setdefault(feed, []).extend(told)
        alone = len(ready) == 1
        for feed, batch in ready.items():
            try:
                self._tell(feed, batch, alone)
            except Exception:
                log.exception("! channel %d: events could not be told", feed.id)
                for connection, _ in feed.each():
                    connection.close(1011, "internal error")

    def on_notice(self, notice: Notice) -> None:
        """Closes the sockets of a login that ended, an account that is gone or a name that is
        somebody else's now."""
        connections, code, reason = self._owners.concerned(notice)
        for connection in connections:
            connection.close(code, reason)

    def _tell(self, feed: Feed, batch: Sequence[Envelope], alone: bool) -> None:
        """Whoever an event takes out of the channel hears of it, and of nothing after it."""
        durable: list[Envelope] = []
        for envelope in batch:
            if not envelope.seq:
                continue
            durable.append(envelope)
            if isinstance(envelope.event, MessagePosted):
                continue
            if isinstance(envelope.event, MemberLeft | ChannelChanged):
                tell_everybody(feed, durable, alone=False)
                durable = []
            self._follow(feed, envelope)
        if durable:
            tell_everybody(feed, durable, alone=alone)
        for envelope in batch:
            if not envelope.seq:
                tell_fleeting(feed, envelope)

    def _follow(self, feed: Feed, envelope: Envelope) -> None:
        """What an event changes for the sockets that are in the channel. What storage read when a
        socket entered may be ahead of the event: then it counts, and not what was before it."""
        seq = envelope.seq
        match envelope.event:
            case MemberJoined(user=user):
                for connection in feed.of(user.id):
                    subscription = connection.subscriptions[feed.id]
                    if subscription.since < seq:
                        subscription.member = subscription.may_post = True
            case MemberLeft(user=user):
                gone = NotAMember("you are no longer a member of this channel")
                for connection in feed.of(user.id):
                    if connection.subscriptions[feed.id].since < seq:
                        self._take_out(connection, feed, gone)
            case ChannelChanged(private=private, guests=guests) as event:
                feed.change(event, seq)
                for connection, subscription in feed.each():
                    if subscription.member or subscription.since >= seq:
                        continue
                    assert connection.link.who is not None
                    subscription.may_post = guests
                    refusal = unwelcome(connection.link.who, private=private, guests=guests)
                    if refusal is not None:
                        self._take_out(connection, feed, refusal)

    def _take_out(self, connection: Connection, feed: Feed, error: DomainError) -> None:
        name = feed.channel.name if feed.channel is not None else ""
        words = connection.dialect.oust(connection.link, feed.id, name, error)
        self.leave(connection, feed.id, Departure.LEFT)
        if words is None:
            connection.close(4003, str(error))
        else:
            connection.queue(frame(words))

    def _fetch(self, feed: Feed, after: int, upto: int) -> None:
        task = asyncio.get_running_loop().create_task(self._fill(feed, after, upto))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fill(self, feed: Feed, after: int, upto: int) -> None:
        log.warning("x channel %d: events %d to %d did not arrive", feed.id, after + 1, upto)
        found: Sequence[Envelope] = ()
        try:
            found = await self.services.backfill(feed.id, after, upto)
        except Exception as error:
            log.error("! channel %d: the gap could not be filled: %r", feed.id, error)
        if self._feeds.get(feed.id) is not feed:
            return
        self.on_events(found)
        gap = feed.fetched()
        if gap is not None:
            self._fetch(feed, *gap)
        else:
            self._behind.add(feed)
