"""PeerJS: ids that sockets claim, what is said from one to another, and what waits for an id."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import assert_never

from hubbub.auth.attempts import network
from hubbub.bus.base import Bus
from hubbub.core.answers import Claimed
from hubbub.core.claims import PassKind
from hubbub.core.commands import Claim, GiveUpClaim, KeepClaim, Pass
from hubbub.core.errors import Forbidden
from hubbub.core.events import Departure, Envelope, NameTaken, Notice, Passed, claim_of
from hubbub.core.ids import ChannelId, Who
from hubbub.core.limits import Rates, TokenBucket
from hubbub.core.names import fold
from hubbub.core.shares import Pool, Shares
from hubbub.services.waiting import Owner, Waiting
from hubbub.storage.base import Account

FindAccount = Callable[[str], Awaitable[Account | None]]

ALIVE_SECONDS = 60.0
"""How long a socket may be silent, and how long an id stays its owner's without one."""

MOST_KEPT = 16_384
MOST_KEPT_OF_NETWORK = 256
MOST_KEPT_OF_ONE = 64
"""Ids that may stay somebody's without a socket: altogether, from one network, one person's."""

SENDER_FACTOR = 20
"""How many pairs' rates one id may use."""

_MANY_PAIRS = 64
_NOWHERE = ChannelId(0)
_NAMED = "this id is an account's name now"
_UNANSWERED = (PassKind.LEAVE, PassKind.EXPIRE)


@dataclass(slots=True)
class _Holder:
    """Whose an id is, on which socket, and how fast they speak. `connection` is None since the
    socket was lost, which then was when it was last `heard`."""

    owner: Owner
    connection: str | None
    heard: float
    bucket: TokenBucket
    pairs: dict[str, TokenBucket] = field(default_factory=dict)


class PeerJs:
    """Knows which socket has which id, and passes on what they say. Somebody calls `tick` once a
    second.

    What is said to an absent id waits a few seconds for it; when it does not come, or nothing more
    may wait, each sender is told that it expired. Ids belong to people: to have the same id on
    another socket is for its owner alone, and the older socket is closed. When a socket is lost the
    id stays its owner's for a while, and what is said to it meanwhile is for nobody else.
    """

    def __init__(
        self,
        bus: Bus,
        evict: Callable[[str, str], None],
        find: FindAccount | None,
        rates: Rates,
        clock: Callable[[], float],
    ) -> None:
        """`evict` closes the sockets at an address, for a reason. `find` gets the account that an
        id is the handle of, which nobody else may claim; with None everybody may. `rates` are those
        of each pair of ids. `clock` is monotonic seconds."""
        self._bus = bus
        self._evict = evict
        self._find = find
        self._rates = rates
        self._clock = clock
        self._holders: dict[str, _Holder] = {}
        self._ids: dict[str, str] = {}
        self._waiting = Waiting()
        self._kept = Pool()

    async def claim(self, who: Who, connection: str, address: str, command: Claim) -> Claimed:
        """The socket, which comes from a network address, has the id from here on. The caller puts
        it at the id's address before waiting for anything else, and owes one `closed`.

        Raises:
            Forbidden: `id_taken`.
        """
        id = command.id
        account = None if self._find is None else await self._find(id)
        holder = self._holders.get(id)
        foreign = holder is not None and holder.owner.user != who.id
        if foreign if account is None else account.id != who.id:
            raise Forbidden("ID is taken", "id_taken")
        if foreign:
            # They had it before there was an account of that name.
            self._end(id, _NAMED)
        elif holder is not None:
            self._free(id, "this id is on another socket now")
        now = self._clock()
        owner = Owner(who.id, network(address))
        self._holders[id] = _Holder(owner, connection, now, self._bucket(SENDER_FACTOR, now))
        self._ids[connection] = id
        return Claimed(id, self._waiting.take(id))

    def closed(self, connection: str, why: Departure) -> None:
        """The socket is gone. Its id is free, unless it was lost: then its owner may come back.
        Nobody is told: what peers have between them goes on. Does nothing where the socket has no
        id."""
        id = self._ids.pop(connection, None)
        if id is None:
            return
        holder = self._holders[id]
        if why is Departure.LOST and self._kept.take(_kept_shares(holder.owner)):
            holder.connection, holder.heard, holder.pairs = None, self._clock(), {}
        else:
            del self._holders[id]

    def carry_out(self, connection: str, command: Pass | KeepClaim | GiveUpClaim) -> None:
        """Does what a socket asks for. Never refuses: whoever cannot be told something has it
        expire. Of a socket that has lost its id nothing is taken."""
        id = self._ids.get(connection)
        if id is None:
            return
        if isinstance(command, Pass):
            self._pass(id, command)
            return
        match command:
            case KeepClaim():
                self._holders[id].heard = self._clock()
            case GiveUpClaim():
                self._end(id, "the id was given up")
            case _:
                assert_never(command)

    def on_notice(self, notice: Notice) -> None:
        """Takes an id from whoever had it before it was a new account's name."""
        if self._find is None or not isinstance(notice, NameTaken):
            return
        name = fold(notice.username)
        for id in [id for id in self._holders if id == notice.subject or fold(id) == name]:
            self._end(id, _NAMED)

    def tick(self) -> None:
        """Lets expire what has waited too long, closes sockets that have been silent, and frees the
        ids whose owners have not come back."""
        now = self._clock()
        for id in self._waiting.overdue(now):
            self._let_expire(id)
        for id, holder in list(self._holders.items()):
            if now - holder.heard >= ALIVE_SECONDS:
                self._end(id, "no heartbeat")

    def _pass(self, id: str, command: Pass) -> None:
        passed = Passed(command.kind, id, command.to, command.payload)
        speaker, hearer = self._holders[id], self._holders.get(command.to)
        told = False
        if self._may_speak(speaker, command.to):
            if hearer is not None and hearer.connection is not None:
                self._tell(passed)
                told = True
            elif command.kind not in _UNANSWERED:
                told = self._waiting.keep(passed, speaker.owner, self._clock())
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

    def _end(self, id: str, why: str) -> None:
        """Whoever has the id has it no longer, and what waits for them is for nobody else."""
        self._free(id, why)
        self._let_expire(id)

    def _free(self, id: str, why: str) -> None:
        holder = self._holders.pop(id)
        if holder.connection is None:
            self._kept.give(_kept_shares(holder.owner))
        else:
            del self._ids[holder.connection]
            self._evict(claim_of(id), why)

    def _let_expire(self, id: str) -> None:
        for sender in dict.fromkeys(passed.src for passed in self._waiting.take(id)):
            self._expire(sender, id)

    def _expire(self, sender: str, absent: str) -> None:
        self._tell(Passed(PassKind.EXPIRE, absent, sender))

    def _tell(self, passed: Passed) -> None:
        self._bus.publish([Envelope(_NOWHERE, passed, 0, "", None, claim_of(passed.dst))])

    def _bucket(self, factor: int, now: float) -> TokenBucket:
        return TokenBucket(self._rates.rate * factor, self._rates.burst * factor, now)


def _kept_shares(owner: Owner) -> Shares:
    return {
        "all": MOST_KEPT,
        ("network", owner.network): MOST_KEPT_OF_NETWORK,
        ("user", owner.user): MOST_KEPT_OF_ONE,
    }
