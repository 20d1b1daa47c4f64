"""Whose a socket is by the token it brings in a frame, and until when."""

from collections.abc import Callable
from dataclasses import replace

from hubbub.core.answers import Connected, Entered, Recovery, Refreshed
from hubbub.core.commands import Connect
from hubbub.core.errors import DomainError, Forbidden, Unauthenticated
from hubbub.core.ids import ChannelRef, Who
from hubbub.hub.connection import Connection
from hubbub.hub.feed import size
from hubbub.hub.hub import PING_SECONDS, Hub

MOST_RECOVERED = 512 * 1024
"""About how many characters of missed events the answer to `connect` carries in all."""
EXPIRY_GRACE = 25
"""Seconds past its token's end after which a native socket is closed."""


class Login:
    """One socket's, of the protocol that has a `connect`."""

    __slots__ = ("_connection", "_expires", "_hub", "_now")

    def __init__(
        self,
        hub: Hub,
        connection: Connection,
        expires_at: float | None,
        now: Callable[[], float],
    ) -> None:
        """`expires_at` is when the token of the handshake ends, in seconds since 1970 as `now`
        gives them."""
        self._hub = hub
        self._connection = connection
        self._expires = expires_at
        self._now = now

    async def connect(self, command: Connect) -> Connected:
        """Carries out `connect`. The answer is to be queued, uncorking the socket, before the
        caller waits for anything.

        Raises:
            Unauthenticated, TooMany: the token is not good, or none; they have too many sockets.
            Forbidden: `other_user`: the socket is somebody else's already.
        """
        connection = self._connection
        link = connection.link
        if command.token is not None:
            identity = await self._hub.services.identify(command.token)
            if link.who is None:
                self._hub.adopt(connection, identity.who)
            elif link.who.id != identity.who.id:
                raise Forbidden("this is somebody else's token", "other_user")
            else:
                self._hub.renew(connection, identity.who)
            self._expires = identity.expires_at
        if link.who is None:
            raise Unauthenticated("connect with a token")
        who = link.who
        # Until the answer is there, what the first channels tell has to wait for the last ones.
        connection.corked = True
        entries: list[tuple[ChannelRef, Entered | DomainError]] = []
        room = MOST_RECOVERED
        for wanted in command.channels:
            try:
                entered = await self._hub.enter(connection, wanted)
            except DomainError as error:
                entries.append((wanted.channel, error))
                continue
            room -= sum(map(size, entered.events))
            if room < 0 and entered.events:
                entered = replace(entered, recovery=Recovery.TRUNCATED, events=())
            entries.append((wanted.channel, entered))
        return Connected(link.connection, who, self._arm(), PING_SECONDS, entries)

    async def refresh(self, who: Who, token: str) -> Refreshed:
        """The login of `who`, whose socket it is, goes on with this token.

        Raises:
            Unauthenticated: it is not good.
            Forbidden: `other_user`: it is somebody else's.
        """
        identity = await self._hub.services.identify(token)
        if identity.who.id != who.id:
            raise Forbidden("this is somebody else's token", "other_user")
        self._hub.renew(self._connection, identity.who)
        self._expires = identity.expires_at
        return Refreshed(self._arm() or 0)

    def _arm(self) -> int | None:
        """Notes when the token's end closes the socket; the seconds it still lives come back."""
        if self._expires is None:
            self._connection.deadline = None
            return None
        ttl = max(0, int(self._expires - self._now()))
        self._connection.deadline = self._hub.clock() + ttl + EXPIRY_GRACE
        return ttl
