"""Limits over an injected clock: the bucket of a socket, and the window of failed logins."""

from collections import deque
from math import ceil


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

    def take(self, now: float) -> bool:
        """Whether one more is allowed now; if so, it is counted."""
        if self.rate <= 0 or self.burst <= 0:
            return True
        level = min(self.burst, self.level + (now - self.updated) * self.rate)
        self.updated = now
        if level < 1:
            self.level = level
            return False
        self.level = level - 1
        return True

    def full(self, now: float) -> bool:
        """Whether a whole burst is allowed again, as of a bucket never used."""
        return self.level + (now - self.updated) * self.rate >= self.burst

    def wait(self) -> int:
        """Whole seconds until the next one is allowed."""
        return max(1, ceil((1 - self.level) / self.rate)) if self.rate > 0 else 0


class FailureWindow:
    """Counts failures per key in a sliding window, so that guesses run out.

    An attempt is reserved before it is checked and given back when it succeeds: many attempts at
    once cannot slip past the limit while the first is still being checked.
    """

    def __init__(self, limit: int, window: float) -> None:
        """`limit` failures in `window` seconds; 0 means no limit."""
        self.limit = limit
        self.window = window
        self._attempts: dict[str, deque[float]] = {}
        self._sweep_at = 10_000

    def reserve(self, key: str, now: float) -> float | None:
        """Counts an attempt and returns None, or returns the seconds to wait and counts nothing."""
        if self.limit <= 0:
            return None
        attempts = self._attempts.setdefault(key, deque())
        while attempts and attempts[0] <= now - self.window:
            attempts.popleft()
        if len(attempts) >= self.limit:
            return attempts[0] + self.window - now
        attempts.append(now)
        if len(self._attempts) > self._sweep_at:
            self._forget(now)
            self._sweep_at = max(10_000, 2 * len(self._attempts))
        return None

    def refund(self, key: str) -> None:
        """Gives the newest reserved attempt back: it did not fail."""
        attempts = self._attempts.get(key)
        if attempts:
            attempts.pop()
            if not attempts:
                del self._attempts[key]

    def _forget(self, now: float) -> None:
        for key in [k for k, a in self._attempts.items() if not a or a[-1] <= now - self.window]:
            del self._attempts[key]
