"""Who is there: sockets come and go, the others are told."""

from hubbub.bus.base import Bus
from hubbub.core.answers import Present
from hubbub.core.events import Departure, Envelope, TypingChanged
from hubbub.core.ids import ChannelId, Person, UserId, Who
from hubbub.core.presence import Roster


class Presence:
    """Keeps this server's roster and publishes what changes in it.

    Whoever calls `come` owes one `go` for the same connection and channel.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._roster = Roster()

    def come(self, channel: ChannelId, who: Who, connection: str) -> None:
        """A socket of `who` is in the channel."""
        came = self._roster.come(channel, Person(who.id, who.name), connection)
        if came is not None:
            self._bus.publish([Envelope(channel, came, but=who.id)])

    def go(self, channel: ChannelId, user: UserId, connection: str, why: Departure) -> None:
        """A socket of `user` is no longer in the channel."""
        went = self._roster.go(channel, user, connection, why)
        if went is not None:
            self._bus.publish([Envelope(channel, went, but=user)])

    def typing(self, channel: ChannelId, who: Who, typing: bool) -> None:
        """Tells the others. The caller has checked that `who` may post there."""
        changed = TypingChanged(channel, Person(who.id, who.name), typing)
        self._bus.publish([Envelope(channel, changed, but=who.id)])

    def present(self, channel: ChannelId) -> Present:
        """Everybody with a socket in the channel."""
        return Present(channel, list(self._roster.present(channel)))
