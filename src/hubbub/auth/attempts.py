"""Failed logins: so many per account and per address, then none for a while."""

import ipaddress
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from hubbub.auth.usernames import username_key
from hubbub.core.errors import TooMany, Unauthenticated
from hubbub.core.limits import FailureWindow

WINDOW = 30 * 60.0
PER_ADDRESS = 10

Count = tuple[FailureWindow, str]
"""A window, and the key under which it counts."""


class Attempts:
    """Lets `limit` logins fail per account in 30 minutes, and ten times that per address. The
    account need not exist: the limit tells nobody whether it does."""

    def __init__(self, limit: int, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._names = FailureWindow(limit, WINDOW)
        self._addresses = FailureWindow(limit * PER_ADDRESS, WINDOW)

    @contextmanager
    def one(self, username: str | None, address: str | None) -> Iterator[None]:
        """An attempt is made in the block; without a `username` it counts for the address alone. It
        has failed when `Unauthenticated` leaves the block, or when it was given up: then nobody has
        seen that it would have succeeded.

        Raises:
            TooMany: this one is not allowed.
        """
        counts: list[Count] = []
        if username is not None:
            counts.append((self._names, username_key(username)))
        if address is not None:
            counts.append((self._addresses, network(address)))
        reserve(counts, self._monotonic(), "too many failed logins; try again later")
        failed = False
        try:
            yield
        except Exception as error:
            failed = isinstance(error, Unauthenticated)
            raise
        except BaseException:
            failed = True
            raise
        finally:
            if failed:
                fail(counts, self._monotonic())
            else:
                refund(counts)


def reserve(counts: Sequence[Count], now: float, refusal: str) -> None:
    """Reserves an attempt in every window, or in none. The caller owes one `fail` or `refund`.

    Raises:
        TooMany: `refusal`, when one of them is full; with other words when it is only full of
            attempts under way, any of which may yet succeed.
    """
    for position, (window, key) in enumerate(counts):
        wait = window.reserve(key, now)
        if wait is not None:
            refund(counts[:position])
            if not wait:
                raise TooMany("too many attempts at once; try again in a moment", retry_after=1)
            raise TooMany(refusal, retry_after=math.ceil(wait))


def fail(counts: Sequence[Count], now: float) -> None:
    """A reserved attempt counts as failed in every window."""
    for window, key in counts:
        window.fail(key, now)


def refund(counts: Sequence[Count]) -> None:
    """Gives a reserved attempt back to every window."""
    for window, key in counts:
        window.refund(key)


def network(address: str) -> str:
    """One key for all addresses of one subscriber: in IPv6 that is a /64 (RFC 6177)."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((found, 64), strict=False))
