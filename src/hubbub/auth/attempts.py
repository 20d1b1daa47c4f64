"""Failed logins: so many per account and per address, then none for a while."""

import ipaddress
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hubbub.auth.usernames import username_key
from hubbub.core.errors import TooMany, Unauthenticated
from hubbub.core.limits import FailureWindow

WINDOW = 30 * 60.0
PER_ADDRESS = 10


class Attempts:
    """Lets `limit` logins fail per account in 30 minutes, and ten times that per address. The
    account need not exist: the limit tells nobody whether it does."""

    def __init__(self, limit: int, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._names = FailureWindow(limit, WINDOW)
        self._addresses = FailureWindow(limit * PER_ADDRESS, WINDOW)

    @contextmanager
    def one(self, username: str, address: str | None) -> Iterator[None]:
        """An attempt is made in the block. It has failed when `Unauthenticated` leaves the block,
        or when it was given up: then nobody has seen that it would have succeeded.

        Raises:
            TooMany: this one is not allowed.
        """
        now = self._monotonic()
        name = username_key(username)
        network = None if address is None else _network(address)
        _allow(self._names.reserve(name, now))
        try:
            if network is not None:
                _allow(self._addresses.reserve(network, now))
        except TooMany:
            self._names.refund(name)
            raise
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
            if not failed:
                self._names.refund(name)
                if network is not None:
                    self._addresses.refund(network)


def _allow(wait: float | None) -> None:
    if wait is not None:
        raise TooMany("too many failed logins; try again later", retry_after=math.ceil(wait))


def _network(address: str) -> str:
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
