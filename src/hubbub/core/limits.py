"""Limits over an injected clock: the bucket of a socket, and the window of failed logins."""

from collections import Counter, deque
from collections.abc import Hashable
from dataclasses import dataclass
from math import ceil

from hubbub.core.shares import count_down


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast something may be done, per second in the long run and at once; a rate of 0 is no
    limit."""

    rate: float
    burst: float


class TokenBucket:
    """Allows bursts of `burst` and `rate` a second in the long run; 0 for either is no limit.

    The caller passes a monotonic clock's seconds.
    """

    __slots__ = ("burst", "level", "rate", "updated")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate if burst > 0 else 0
        self.burst = burst
        self.level = burst
        self.updated = now

    def take(self, now: float, number: int = 1) -> bool:
        """Whether so many more are allowed now; if so, they are counted."""
        if self.rate <= 0:
            return True
        if not self.has(now, number):
            return False
        self.level -= number
        return True

    def has(self, now: float, number: int = 1) -> bool:
        """Whether so many more are allowed now; none is counted."""
        if self.rate <= 0:
            return True
        self.level = min(self.burst, self.level + (now - self.updated) * self.rate)
        self.updated = now
        return self.level >= number

    def full(self, now: float) -> bool:
        """Whether a whole burst is allowed again, as of a bucket never used."""
        return self.level + (now - self.updated) * self.rate >= self.burst

    def wait(self, number: int = 1) -> int:
        """Whole seconds until so many are allowed, if ever so many are."""
        return max(1, ceil((number - self.level) / self.rate)) if self.rate > 0 else 0


class Buckets:
    """A bucket for each of many, such as users; those never used are not kept."""

    def __init__(self, rates: Rates, most: int = 10_000) -> None:
        self._rates = rates
        self._most = most
        self._buckets: dict[Hashable, TokenBucket] = {}

    def take(self, key: Hashable, now: float) -> int:
        """Counts one more of `key` and returns 0, or the whole seconds until it is allowed."""
        if self._rates.rate <= 0:
            return 0
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= self._most:
                self._buckets = {k: b for k, b in self._buckets.items() if not b.full(now)}
            bucket = self._buckets[key] = TokenBucket(self._rates.rate, self._rates.burst, now)
        return 0 if bucket.take(now) else bucket.wait()


class FailureWindow:
    """Counts failures per key in a sliding window, so that guesses run out.

    An attempt is reserved before it is checked, and then has failed (`fail`) or not (`refund`):
    many attempts at once cannot slip past the limit while the first is still being checked.
    """

    def __init__(self, limit: int, window: float) -> None:
        """`limit` failures in `window` seconds; 0 means no limit."""
        self.limit = limit
        self.window = window
        self._failed: dict[str, deque[float]] = {}
        self._pending: Counter[str] = Counter()
        self._sweep_at = 10_000

    def reserve(self, key: str, now: float) -> float | None:
        """Reserves an attempt and returns None; the caller owes one `fail` or `refund`. Otherwise
        returns the seconds to wait: 0 when it is only that too many are under way."""
        if self.limit <= 0:
            return None
        failed = self._failed.get(key)
        while failed and failed[0] <= now - self.window:
            failed.popleft()
        if failed and len(failed) >= self.limit:
            return failed[0] + self.window - now
        if len(failed or ()) + self._pending[key] >= self.limit:
            return 0.0
        self._pending[key] += 1
        return None

    def fail(self, key: str, now: float) -> None:
        """A reserved attempt has failed."""
        if self.limit <= 0:
            return
        self.refund(key)
        self._failed.setdefault(key, deque()).append(now)
        if len(self._failed) > self._sweep_at:
            self._forget(now)
            self._sweep_at = max(10_000, 2 * len(self._failed))

    def refund(self, key: str) -> None:
        """A reserved attempt did not fail."""
        count_down(self._pending, key)

    def _forget(self, now: float) -> None:
        for key in [k for k, f in self._failed.items() if not f or f[-1] <= now - self.window]:
            del self._failed[key]
