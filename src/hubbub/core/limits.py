"""Limits over an injected clock: the bucket of a socket, and the window of failed logins."""

from collections import deque


class TokenBucket:
    """Allows bursts of `burst` and `rate` a second in the long run; a rate of 0 allows everything.

    The caller passes a monotonic clock's seconds.
    """

    __slots__ = ("burst", "level", "rate", "updated")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self.level = burst
        self.updated = now

    def take(self, now: float) -> bool:
        """Whether one more is allowed now; if so, it is counted."""
        if self.rate <= 0:
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
        return max(1, round((1 - self.level) / self.rate)) if self.rate > 0 else 0


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
        if len(self._attempts) > 10_000:
            self._forget(now)
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
