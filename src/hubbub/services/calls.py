"""Calls: who is in them, and what peers say to one another."""

from collections.abc import Callable, Sequence

from hubbub.bus.base import Bus
from hubbub.core.calls import Call, Seat
from hubbub.core.channels import Channel
from hubbub.core.commands import Signal
from hubbub.core.errors import Invalid, NotFound, TooMany
from hubbub.core.events import Envelope, PeerJoined, PeerLeft, Signalled, call_of, place_of
from hubbub.core.ids import ChannelId
from hubbub.core.limits import Rates, TokenBucket
from hubbub.core.signals import Peer

ROOM_FACTOR = 20
"""How many pairs' rates the whole of a call may use."""


class Calls:
    """Keeps this server's calls and passes signals on.

    A signal goes to one addressee by the time it is an event, in the order its sender sent them,
    and is kept nowhere. Whoever calls `join`, and is not refused, owes one `leave` for the same
    connection.
    """

    def __init__(self, bus: Bus, rates: Rates, clock: Callable[[], float]) -> None:
        """`rates` are those of each pair. `clock` is monotonic seconds."""
        self._bus = bus
        self._rates = rates
        self._clock = clock
        self._calls: dict[ChannelId, Call] = {}

    def join(self, channel: Channel, peer: Peer, connection: str) -> None:
        """A socket is in the channel's call as `peer`; the others hear of a peer's first one.

        Raises:
            Forbidden: `peer_name_taken`: another peer is called so. The socket is not in the call,
                and nobody heard of it.
        """
        call = self._calls.get(channel.id)
        if call is None:
            call = Call(channel.id, channel.key, self._bucket(ROOM_FACTOR))
            self._calls[channel.id] = call
        joined = call.join(peer, connection)
        if joined is not None:
            self._tell_others(joined)

    def leave(self, channel: ChannelId, peer: Peer, connection: str) -> None:
        """A socket is out of the call; the others hear when it was a peer's last one."""
        call = self._calls.get(channel)
        left = None if call is None else call.leave(peer.key, connection)
        if call is None or left is None:
            return
        if not call.peers:
            del self._calls[channel]
        self._tell_others(left)

    def peers(self, channel: ChannelId, but: Peer | None = None) -> Sequence[Peer]:
        """The peers of a call in order of arrival."""
        call = self._calls.get(channel)
        if call is None:
            return ()
        return [seat.peer for seat in call.everybody(None if but is None else but.key)]

    def signal(self, channel: ChannelId, sender: Peer, command: Signal) -> None:
        """Passes a signal on, to one peer or to every other.

        Raises:
            NotFound: `peer_not_connected`.
            Invalid: `own_peer`.
            TooMany: the pair, or the call, signals too fast. Nobody was told.
        """
        call = self._calls[channel]
        called = command.to
        if called is None:
            seats = call.everybody(sender.key)
        else:
            seat = call.find(called, command.by_name)
            if seat is None:
                raise NotFound("that peer is not connected", "peer_not_connected")
            if seat.peer.key == sender.key:
                raise Invalid("a signal is for somebody else", "own_peer")
            seats = (seat,)
        if self._rates.rate > 0:
            self._check_rates(call, sender, seats)
        envelopes = []
        for seat in seats:
            event = Signalled(channel, call.room, sender, seat.peer, command.body, command.verbatim)
            envelopes.append(Envelope(channel, event, 0, "", None, seat.address))
        self._bus.publish(envelopes)

    def _check_rates(self, call: Call, sender: Peer, seats: Sequence[Seat]) -> None:
        now = self._clock()
        buckets = []
        for seat in seats:
            pair = (sender.key, seat.peer.key)
            bucket = call.pairs.get(pair)
            if bucket is None:
                bucket = call.pairs[pair] = self._bucket(1)
            buckets.append(bucket)
        for limit, number in (*((bucket, 1) for bucket in buckets), (call.bucket, len(buckets))):
            if not limit.has(now, number):
                raise TooMany("you are signalling too fast", retry_after=limit.wait(number))
        for bucket in buckets:
            bucket.take(now)
        call.bucket.take(now, len(buckets))

    def _bucket(self, factor: int) -> TokenBucket:
        rates = self._rates
        return TokenBucket(rates.rate * factor, rates.burst * factor, self._clock())

    def _tell_others(self, told: PeerJoined | PeerLeft) -> None:
        channel = told.channel
        skip = place_of(channel, told.peer)
        self._bus.publish([Envelope(channel, told, to=call_of(channel), skip=skip)])
