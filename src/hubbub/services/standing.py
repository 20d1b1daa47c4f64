"""Whether a login still stands: read for every socket that connects, so it is remembered."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from hubbub.core.ids import UserId, Who
from hubbub.storage.base import Account, Session

Load = Callable[[str], Awaitable[tuple[Session, Account] | None]]

MOST = 10_000
SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Standing:
    """A login as storage has it: whose, whether it ended, whether the account may be used.
    `expires_at` is in milliseconds since 1970."""

    who: Who
    revoked: bool
    disabled: bool
    expires_at: int


@dataclass(slots=True)
class _Lookup:
    """A reading of storage that is under way. A `stale` one may have missed what happened since,
    so nobody may act on it."""

    task: asyncio.Task[None] = field(init=False)
    stale: bool = False


class Standings:
    """Remembers the standing of the 10,000 logins asked for last, each for at most a minute.

    Whoever asks learns nothing that was out of date when it was answered: `forget` drops what is
    remembered, and makes look-ups that are under way start again.
    """

    def __init__(
        self,
        load: Load,
        monotonic: Callable[[], float],
        *,
        most: int = MOST,
        seconds: float = SECONDS,
    ) -> None:
        self._load = load
        self._monotonic = monotonic
        self._most = most
        self._seconds = seconds
        self._known: OrderedDict[str, tuple[Standing | None, float]] = OrderedDict()
        self._lookups: dict[str, _Lookup] = {}

    async def get(self, session: str) -> Standing | None:
        """The standing of a login, None when there is no such login. However many ask at the same
        time, storage is read once.

        Raises:
            DomainError: as storage does; nothing is remembered then.
        """
        while True:
            known = self._known.get(session)
            if known is not None and self._monotonic() < known[1]:
                self._known.move_to_end(session)
                return known[0]
            lookup = self._lookups.get(session)
            if lookup is None:
                lookup = self._start(session)
            # Shielded: whoever gives up does not take the look-up from the others. What it found
            # is remembered now, or else out of date already.
            await asyncio.shield(lookup.task)

    def forget(self, session: str) -> None:
        """The login may stand differently from now on."""
        self._known.pop(session, None)
        self._outdate(session)

    def forget_user(self, user: UserId) -> None:
        """All logins of an account may stand differently from now on."""
        for session in [
            s for s, (k, _) in self._known.items() if k is not None and k.who.id == user
        ]:
            del self._known[session]
        # Whose login a look-up will find is not known yet.
        for session in list(self._lookups):
            self._outdate(session)

    def close(self) -> None:
        """Gives up the look-ups under way."""
        for lookup in self._lookups.values():
            lookup.task.cancel()

    def _outdate(self, session: str) -> None:
        lookup = self._lookups.pop(session, None)
        if lookup is not None:
            lookup.stale = True

    def _start(self, session: str) -> _Lookup:
        lookup = _Lookup()
        lookup.task = asyncio.create_task(self._look_up(session, lookup))
        # Asking for the exception tells asyncio that somebody knows of it.
        lookup.task.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._lookups[session] = lookup
        return lookup

    async def _look_up(self, session: str, lookup: _Lookup) -> None:
        """Reads and remembers. All of it happens in the task: whoever waits for it to be done may
        go on at once, before a callback of the task would have run."""
        try:
            standing = await self._read(session)
        finally:
            if self._lookups.get(session) is lookup:
                del self._lookups[session]
        if lookup.stale:
            return
        self._known[session] = (standing, self._monotonic() + self._seconds)
        self._known.move_to_end(session)
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    async def _read(self, session: str) -> Standing | None:
        found = await self._load(session)
        if found is None:
            return None
        login, account = found
        who = Who(account.id, account.username, login.id, account.admin, account.subject)
        return Standing(who, login.revoked, account.disabled, login.expires_at)
