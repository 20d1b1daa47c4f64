"""Times as protocols print them. A time is milliseconds since 1970, UTC."""

from datetime import datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1)

# Most of what is sent at one time falls into the same few seconds: those are formatted once, and
# the thousand possible ends as well.
_FRACTIONS = tuple(f".{millisecond:03d}Z" for millisecond in range(1000))


def rfc3339(at: int) -> str:
    """`2026-11-21T10:30:00.123Z` (RFC 3339, 5.6)."""
    return _second(at // 1000) + _FRACTIONS[at % 1000]


def plain(at: int) -> str:
    """`2025-11-22 10:30:00`, without a zone or a fraction."""
    return _plain_second(at // 1000)


def naive(at: int) -> str:
    """`2024-01-15T10:30:00`, without a zone or a fraction."""
    return _second(at // 1000)


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    return (EPOCH + timedelta(seconds=seconds)).isoformat()


@lru_cache(maxsize=256)
def _plain_second(seconds: int) -> str:
    return (EPOCH + timedelta(seconds=seconds)).isoformat(" ")
