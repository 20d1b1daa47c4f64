"""PeerJS: ids that sockets claim, what is said from one to another, and what waits for an id."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from hubbub.bus.base import Bus
from hubbub.core.answers import Claimed
from hubbub.core.claims import PassKind
from hubbub.core.commands import Claim, GiveUpClaim, KeepClaim, Pass
from hubbub.core.errors import Forbidden
from hubbub.core.events import Envelope, Passed, claim_of
from hubbub.core.ids import ChannelId, UserId, Who
from hubbub.core.limits import Rates, TokenBucket

ALIVE_SECONDS = 60.0
"""How long a socket may be silent."""

EXPIRE_SECONDS = 5.0
"""How long what is said to an absent id waits for it, counted from the first of it."""

MOST_FOR_ONE = 256
MOST_FROM_ONE = 256
MOST_BYTES = 16 * 1024 * 1024
"""What may wait: for one id, from one id, and altogether."""

OVERHEAD = 512
"""What a waiting message counts besides its payload."""

SENDER_FACTOR = 20
"""How many pairs' rates one id may use."""

_MANY_PAIRS = 64
_UNANSWERED = (PassKind.LEAVE, PassKind.EXPIRE)


@dataclass(slots=True)
class _Holder:
    """Who has an id, on which socket, and how fast they speak."""

    owner: UserId
    connection: str
    heard: float
    bucket: TokenBucket
    pairs: dict[str, TokenBucket] = field(default_factory=dict)


@dataclass(slots=True)
class _Queue:
    """What waits for an absent id, until `expires`."""

    expires: float
    passed: list[Passed] = field(default_factory=list)


class PeerJs:
    """Knows which socket has which id, and passes on what they say. Somebody calls `tick` once a
    second.

    What is said to an absent id waits a few seconds for it; when it does not come, or nothing more
    may wait, each sender is told that it expired. Ids belong to people: to have the same id on
    another socket is for its owner alone, and the older socket is closed.
    """

    def __init__(
        self,
        bus: Bus,
        evict: Callable[[str, str], None],
        rates: Rates,
        clock: Callable[[], float],
    ) -> None:
        """`evict` closes the sockets at an address, for a reason. `rates` are those of each pair of
        ids. `clock` is monotonic seconds."""
        self._bus = bus
        self._evict = evict
        self._rates = rates
        self._clock = clock
        self._holders: dict[str, _Holder] = {}
        self._ids: dict[str, str] = {}
        self._queues: dict[str, _Queue] = {}
        self._waiting_from: Counter[str] = Counter()
        self._waiting_bytes = 0

    def claim(self, who: Who, connection: str, command: Claim) -> Claimed:
        """The socket has the id from here on. The caller puts it at the id's address before
        anything else is passed on, and owes one `closed`.

        Raises:
            Forbidden: `id_taken`.
        """
        id, now = command.id, self._clock()
        holder = self._holders.get(id)
        if holder is not None and holder.owner != who.id:
            raise Forbidden("ID is taken", "id_taken")
        if holder is not None:
            self._end(id, "this id is on another socket now")
        self._holders[id] = _Holder(who.id, connection, now, self._bucket(SENDER_FACTOR, now))
        self._ids[connection] = id
        return Claimed(id, self._take(id))

    def closed(self, connection: str) -> None:
        """The socket is gone, and its id free. Nobody is told: what peers have between them goes
        on. Does nothing where the socket has no id."""
        id = self._ids.pop(connection, None)
        if id is not None:
            del self._holders[id]

    def carry_out(self, connection: str, command: Pass | KeepClaim | GiveUpClaim) -> None:
        """Does what a socket asks for. Never refuses: whoever cannot be told something has it
        expire. Of a socket that has lost its id nothing is taken."""
        id = self._ids.get(connection)
        if id is None:
            return
        match command:
            case Pass():
                self._pass(id, command)
            case KeepClaim():
                self._holders[id].heard = self._clock()
            case GiveUpClaim():
                self._end(id, "the id was given up")
            case _:
                assert_never(command)

    def tick(self) -> None:
        """Lets expire what has waited too long, and closes sockets that have been silent."""
        now = self._clock()
        for id, queue in list(self._queues.items()):
            if now >= queue.expires:
                for sender in dict.fromkeys(passed.src for passed in self._take(id)):
                    self._expire(sender, id)
        for id, holder in list(self._holders.items()):
            if now - holder.heard >= ALIVE_SECONDS:
                self._end(id, "no heartbeat")

    def _pass(self, id: str, command: Pass) -> None:
        passed = Passed(command.kind, id, command.to, command.payload)
        told = False
        if self._may_speak(self._holders[id], command.to):
            if command.to in self._holders:
                self._tell(passed)
                told = True
            elif command.kind not in _UNANSWERED:
                told = self._keep(passed)
        if not told and command.kind not in _UNANSWERED:
            self._expire(id, command.to)

    def _may_speak(self, holder: _Holder, to: str) -> bool:
        now = self._clock()
        if not holder.bucket.take(now):
            return False
        bucket = holder.pairs.get(to)
        if bucket is None:
            if len(holder.pairs) >= _MANY_PAIRS:
                holder.pairs = {k: b for k, b in holder.pairs.items() if not b.full(now)}
            bucket = holder.pairs[to] = self._bucket(1, now)
        return bucket.take(now)

    def _keep(self, passed: Passed) -> bool:
        """Whether what is said to an absent id may wait; if so, it does."""
        size = _size(passed)
        queue = self._queues.get(passed.dst)
        if (
            (queue is not None and len(queue.passed) >= MOST_FOR_ONE)
            or self._waiting_from[passed.src] >= MOST_FROM_ONE
            or self._waiting_bytes + size > MOST_BYTES
        ):
            return False
        if queue is None:
            queue = self._queues[passed.dst] = _Queue(self._clock() + EXPIRE_SECONDS)
        queue.passed.append(passed)
        self._waiting_from[passed.src] += 1
        self._waiting_bytes += size
        return True

    def _take(self, id: str) -> list[Passed]:
        """What waits for an id, which does not any longer."""
        queue = self._queues.pop(id, None)
        if queue is None:
            return []
        for passed in queue.passed:
            self._waiting_from[passed.src] -= 1
            if not self._waiting_from[passed.src]:
                del self._waiting_from[passed.src]
            self._waiting_bytes -= _size(passed)
        return queue.passed

    def _end(self, id: str, why: str) -> None:
        self.closed(self._holders[id].connection)
        self._evict(claim_of(id), why)

    def _expire(self, sender: str, absent: str) -> None:
        self._tell(Passed(PassKind.EXPIRE, absent, sender))

    def _tell(self, passed: Passed) -> None:
        self._bus.publish([Envelope(ChannelId(0), passed, to=claim_of(passed.dst))])

    def _bucket(self, factor: int, now: float) -> TokenBucket:
        return TokenBucket(self._rates.rate * factor, self._rates.burst * factor, now)


def _size(passed: Passed) -> int:
    return len(passed.payload or b"") + OVERHEAD
