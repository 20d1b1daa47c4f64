"""What is said to ids that are absent, for the few seconds that it waits for them."""

from dataclasses import dataclass, field

from hubbub.core.events import Passed
from hubbub.core.ids import UserId
from hubbub.core.shares import Pool, Shares

EXPIRE_SECONDS = 5.0
"""How long what is said to an absent id waits for it, counted from the first of it."""

OVERHEAD = 4096
"""Bytes that a waiting message counts for besides its payload, so that bytes bound numbers too."""

MOST = 16 * 1024 * 1024
MOST_OF_NETWORK = MOST // 4
MOST_OF_ONE = MOST // 8
MOST_FOR_ID = 1024 * 1024
MOST_FOR_ID_OF_NETWORK = MOST_FOR_ID // 2
MOST_FOR_ID_OF_ONE = 320 * 1024
"""Bytes that may wait: altogether, from one network, from one person; and of those for one id. That
is what an open socket may be behind with, and a person's part of it holds the largest message."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose an id is, and where they came from with it: guests are new people as often as they
    like, but not from elsewhere."""

    user: UserId
    network: str


@dataclass(slots=True)
class _Queue:
    expires: float
    entries: list[tuple[Passed, Owner]] = field(default_factory=list)


class Waiting:
    """What waits, by the id that it waits for. Nobody's messages can keep all others' from
    waiting, for one id or for any."""

    def __init__(self) -> None:
        self._queues: dict[str, _Queue] = {}
        self._pool = Pool()

    def keep(self, passed: Passed, sender: Owner, now: float) -> bool:
        """Whether what an id of `sender` says may wait; if so, it does."""
        if not self._pool.take(_shares(passed.dst, sender), _size(passed)):
            return False
        queue = self._queues.get(passed.dst)
        if queue is None:
            queue = self._queues[passed.dst] = _Queue(now + EXPIRE_SECONDS)
        queue.entries.append((passed, sender))
        return True

    def take(self, id: str) -> list[Passed]:
        """What waits for an id, in order, which does not any longer."""
        queue = self._queues.pop(id, None)
        if queue is None:
            return []
        for passed, sender in queue.entries:
            self._pool.give(_shares(id, sender), _size(passed))
        return [passed for passed, _ in queue.entries]

    def overdue(self, now: float) -> list[str]:
        """The ids for which something has waited too long."""
        return [id for id, queue in self._queues.items() if now >= queue.expires]


def _shares(id: str, sender: Owner) -> Shares:
    return {
        "all": MOST,
        ("network", sender.network): MOST_OF_NETWORK,
        ("user", sender.user): MOST_OF_ONE,
        ("id", id): MOST_FOR_ID,
        ("id", id, "network", sender.network): MOST_FOR_ID_OF_NETWORK,
        ("id", id, "user", sender.user): MOST_FOR_ID_OF_ONE,
    }


def _size(passed: Passed) -> int:
    return len(passed.payload or b"") + OVERHEAD
