"""Shares of something bounded: how nobody takes all of it."""

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import TypeVar

K = TypeVar("K", bound=Hashable)

Shares = Mapping[Hashable, int]
"""In whose names something is taken, and how much may be out in each of them."""


class Pool:
    """How much is out, in whose name."""

    def __init__(self) -> None:
        self._out: Counter[Hashable] = Counter()

    def take(self, shares: Shares, size: int = 1) -> bool:
        """Whether so much more may be out in every one of the names; if so, it is counted, and the
        caller owes a `give` of the same."""
        if any(self._out[name] + size > most for name, most in shares.items()):
            return False
        for name in shares:
            self._out[name] += size
        return True

    def give(self, shares: Shares, size: int = 1) -> None:
        """Counts something that was taken as no longer out."""
        for name in shares:
            count_down(self._out, name, size)


def count_down(counts: Counter[K], name: K, size: int = 1) -> None:
    """Counts less of something; what none is left of is not kept."""
    counts[name] -= size
    if counts[name] <= 0:
        del counts[name]
