"""Tickets: what a browser puts into the URL of a WebSocket in place of a token.

A URL ends up in histories and logs of others. A ticket that is found there is worthless: it works
once, for 30 seconds.
"""

import hashlib
import secrets
from collections import Counter, OrderedDict

from hubbub.auth.tokens import Identity
from hubbub.core.errors import TooMany, Unauthenticated
from hubbub.core.ids import UserId
from hubbub.core.shares import count_down

LIFETIME = 30
MOST = 10_000
MOST_EACH = 50
PREFIX = "hbt_"
MAX_TICKET = 128


class Tickets:
    """The tickets of this process, in memory, only their hashes, and only so many."""

    def __init__(self, most: int = MOST, most_each: int = MOST_EACH) -> None:
        """At most `most` tickets are open at a time, and `most_each` of one person."""
        self._most = most
        self._most_each = most_each
        self._open: OrderedDict[bytes, tuple[Identity, float]] = OrderedDict()
        self._held: Counter[UserId] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def issue(self, identity: Identity, now: float) -> str:
        """A ticket of 256 random bits. `now` is the monotonic clock's, in seconds.

        Raises:
            TooMany: this person, or everybody together, has too many that are unused.
        """
        while self._open and next(iter(self._open.values()))[1] <= now:
            self._take(next(iter(self._open)))
        if len(self._open) >= self._most or self._held[identity.who.id] >= self._most_each:
            raise TooMany("too many tickets are unused; try again", retry_after=LIFETIME)
        ticket = PREFIX + secrets.token_urlsafe(32)
        self._open[_digest(ticket)] = (identity, now + LIFETIME)
        self._held[identity.who.id] += 1
        return ticket

    def redeem(self, ticket: str, now: float) -> Identity:
        """Whose ticket it is; nobody's from then on.

        Raises:
            Unauthenticated: `ticket_invalid`: unknown, used, or 30 seconds old.
        """
        entry = None
        if len(ticket) <= MAX_TICKET and ticket.isascii():
            entry = self._take(_digest(ticket))
        if entry is None or entry[1] <= now:
            raise Unauthenticated("the ticket is not valid, or not any more", "ticket_invalid")
        return entry[0]

    def _take(self, digest: bytes) -> tuple[Identity, float] | None:
        entry = self._open.pop(digest, None)
        if entry is not None:
            count_down(self._held, entry[0].who.id)
        return entry


def _digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode()).digest()
