"""Accounts in memory, with faults: calls that fail, and calls whose answer is late."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import pytest

from hubbub.auth.passwords import Parameters, Passwords
from hubbub.auth.tokens import Tokens
from hubbub.bus.memory import MemoryBus
from hubbub.core.errors import Conflict, DomainError, RefreshReused, Unauthenticated
from hubbub.core.events import NameTaken, Notice
from hubbub.core.ids import UserId, Who
from hubbub.services.accounts import AccountService, Login
from hubbub.storage.base import Account, ConnectionRow, Session

T = TypeVar("T")

CHEAP = Parameters(memory=8, passes=1, lanes=1)
PASSWORD = "correct horse"
HERE = "192.0.2.1"
ADMIN = Who(UserId(99), "root", "s", admin=True)


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Gate:
    """Holds answers back: what they say is settled, and nobody has them yet."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    def open(self) -> None:
        """Lets the answers go."""
        self.opened.set()


class FakeAccounts:
    """`storage.base.Accounts` in memory. `calls` counts the calls of each method."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.people: dict[UserId, Account] = {}
        self.logins: dict[str, Session] = {}
        self.refreshes: dict[str, tuple[str, bool]] = {}
        self.rows: dict[str, ConnectionRow] = {}
        self._faults: dict[str, DomainError] = {}
        self._gates: dict[str, Gate] = {}

    def fail(self, method: str, error: DomainError) -> None:
        """The next call of this method fails, having done nothing."""
        self._faults[method] = error

    def hold(self, method: str) -> Gate:
        """The next call of this method does its work and keeps the answer until the gate opens."""
        gate = self._gates[method] = Gate()
        return gate

    async def _answer(self, method: str, work: Callable[[], T]) -> T:
        self.calls[method] += 1
        error = self._faults.pop(method, None)
        if error is not None:
            raise error
        gate = self._gates.pop(method, None)
        result = work()
        if gate is not None:
            gate.reached.set()
            await gate.opened.wait()
        return result

    async def add_account(
        self, username: str, password_hash: str | None, email: str | None, *, admin: bool = False
    ) -> Account:
        def add() -> Account:
            if self._named(username) is not None or username in self._subjects():
                raise Conflict("this username is taken", "username_taken")
            user = UserId(len(self.people) + 1)
            account = Account(user, username, email, password_hash, admin, False, 0)
            self.people[user] = account
            return account

        return await self._answer("add_account", add)

    async def account(self, name: str) -> Account | None:
        return await self._answer("account", lambda: self._named(name))

    async def account_by_id(self, user: UserId) -> Account | None:
        return await self._answer("account_by_id", lambda: self.people.get(user))

    async def account_by_subject(self, issuer: str, subject: str) -> Account | None:
        return await self._answer("account_by_subject", lambda: self._called(issuer, subject))

    async def account_by_handle(self, handle: str, issuer: str | None) -> Account | None:
        def find() -> Account | None:
            people = self.people.values()
            called = (a for a in people if a.subject == handle and a.issuer in (None, issuer))
            return next(called, None) or self._named(handle)

        return await self._answer("account_by_handle", find)

    async def external_account(
        self, issuer: str, subject: str, names: Sequence[str]
    ) -> tuple[Account, UserId | None]:
        def ensure() -> tuple[Account, UserId | None]:
            known = self._called(issuer, subject)
            if known is not None:
                return known, None
            others = self._subjects() - {subject}
            free = next((n for n in names if self._named(n) is None and n not in others), None)
            if free is None:
                raise Conflict("these usernames are taken", "username_taken")
            user = UserId(len(self.people) + 1)
            made = Account(user, free, None, None, False, False, 0, issuer, subject)
            called = [a for a in self.people.values() if a.issuer is None]
            self.people[user] = made
            for account in called:
                if (account.subject or account.username) == subject:
                    elsewhere = replace(account, subject=f"hubbub:{account.username}")
                    self.people[account.id] = elsewhere
                    return made, account.id
            return made, None

        return await self._answer("external_account", ensure)

    async def set_password(self, user: UserId, password_hash: str) -> None:
        def set_() -> None:
            self.people[user] = replace(self.people[user], password_hash=password_hash)

        await self._answer("set_password", set_)

    async def set_disabled(self, user: UserId, disabled: bool) -> None:
        def set_() -> None:
            self.people[user] = replace(self.people[user], disabled=disabled)
            if disabled:
                self._end(user, None)

        await self._answer("set_disabled", set_)

    async def open_session(self, session: Session, refresh_hash: str) -> None:
        def open_() -> None:
            self.logins[session.id] = session
            self.refreshes[refresh_hash] = (session.id, False)

        await self._answer("open_session", open_)

    async def rotate(self, refresh_hash: str, new_hash: str, now: int) -> tuple[Session, Account]:
        def use() -> tuple[Session, Account] | RefreshReused:
            name, used = self.refreshes.get(refresh_hash, ("", False))
            login = self.logins.get(name)
            if login is None or login.revoked or login.expires_at <= now:
                raise Unauthenticated("this refresh token is not valid", "refresh_invalid")
            if used:
                self.logins[name] = replace(login, revoked=True)
                return RefreshReused(name)
            self.refreshes[refresh_hash] = (name, True)
            self.refreshes[new_hash] = (name, False)
            return login, self.people[login.user]

        result = await self._answer("rotate", use)
        if isinstance(result, RefreshReused):
            raise result
        return result

    async def session(self, session: str) -> tuple[Session, Account] | None:
        def read() -> tuple[Session, Account] | None:
            login = self.logins.get(session)
            account = None if login is None else self.people.get(login.user)
            return None if login is None or account is None else (login, account)

        return await self._answer("session", read)

    async def sessions(self, user: UserId) -> Sequence[Session]:
        return await self._answer(
            "sessions",
            lambda: [s for s in self.logins.values() if s.user == user and not s.revoked],
        )

    async def revoke(self, session: str, user: UserId) -> bool:
        def end() -> bool:
            login = self.logins.get(session)
            if login is None or login.user != user or login.revoked:
                return False
            self.logins[session] = replace(login, revoked=True)
            return True

        return await self._answer("revoke", end)

    async def revoke_all(self, user: UserId, but: str | None = None) -> Sequence[str]:
        return await self._answer("revoke_all", lambda: self._end(user, but))

    def connected(self, row: ConnectionRow) -> None:
        self.rows[row.id] = row

    def disconnected(self, connection: str) -> None:
        self.rows.pop(connection, None)

    async def connections(self, user: UserId | None) -> Sequence[ConnectionRow]:
        return [row for row in self.rows.values() if user in (None, row.user)]

    def _called(self, issuer: str, subject: str) -> Account | None:
        people = self.people.values()
        return next((a for a in people if (a.issuer, a.subject) == (issuer, subject)), None)

    def _subjects(self) -> set[str | None]:
        return {account.subject for account in self.people.values()}

    def _named(self, name: str) -> Account | None:
        wanted = name.casefold()
        return next((a for a in self.people.values() if a.username.casefold() == wanted), None)

    def _end(self, user: UserId, but: str | None) -> Sequence[str]:
        ended = [
            s.id for s in self.logins.values() if s.user == user and s.id != but and not s.revoked
        ]
        for name in ended:
            self.logins[name] = replace(self.logins[name], revoked=True)
        return ended


class LateBus(MemoryBus):
    """A bus whose notices are still under way."""

    def notify(self, notice: Notice) -> None:
        pass


class Office:
    """An account service over fakes, in which everything told on the bus is written down."""

    def __init__(self) -> None:
        self.storage = FakeAccounts()
        self.bus = MemoryBus()
        self.clock = Clock()
        self.monotonic = Clock(0.0)
        self.passwords = Passwords(CHEAP)
        self.told: list[Notice] = []
        self.bus.subscribe(lambda _: None, self.told.append)
        self.service = self.another()

    def another(self) -> AccountService:
        """The service as another node of the same server runs it."""
        return AccountService(
            self.storage,
            self.bus,
            Tokens("a secret of at least thirty-two bytes", "HS256", 30),
            self.passwords,
            clock=self.clock,
            monotonic=self.monotonic,
        )

    @property
    def ended(self) -> list[Notice]:
        """What was told, but for names that were taken."""
        return [notice for notice in self.told if not isinstance(notice, NameTaken)]

    async def register(self, name: str = "alice", password: str = PASSWORD) -> Account:
        return await self.service.register(name, password, None, HERE)

    async def login(self, name: str = "alice", password: str = PASSWORD) -> Login:
        return await self.service.login(name, password, HERE)

    async def who(self, login: Login) -> Who:
        return (await self.service.authenticate(login.access_token)).who


async def refused(work: Awaitable[object], kind: type[DomainError]) -> str:
    """The code with which this is refused."""
    with pytest.raises(kind) as caught:
        await work
    return caught.value.code
