"""Accounts and logins: who somebody is, and for how long that counts."""

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar, assert_never

from hubbub.auth.attempts import Attempts
from hubbub.auth.passwords import Passwords, check_password
from hubbub.auth.tickets import Tickets
from hubbub.auth.tokens import Identity, Tokens
from hubbub.auth.usernames import check_email, check_username
from hubbub.bus.base import Bus
from hubbub.core.errors import (
    AccountGone,
    Conflict,
    DomainError,
    Forbidden,
    Invalid,
    NotFound,
    RefreshReused,
    Unauthenticated,
)
from hubbub.core.events import AccountDisabled, NameTaken, Notice, SessionRevoked
from hubbub.core.ids import UserId, Who
from hubbub.services.external import ExternalPeople
from hubbub.services.standing import Standings
from hubbub.services.whole import Whole
from hubbub.storage.base import Account, Accounts, Session

__all__ = ["AccountService", "Identity", "Login"]

log = logging.getLogger(__name__)

Made = TypeVar("Made", Account, Account | None)

REFRESH_PREFIX = "hbr_"
MAX_REFRESH = 128
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Login:
    """What somebody gets who logged in. `access_token` is good for `expires_in` seconds,
    `refresh_token` once, before the session expires."""

    account: Account
    session: Session
    access_token: str
    refresh_token: str
    expires_in: int


class AccountService:
    """Registers, logs in and out, and tells whom a token stands for.

    Whatever ends a login is told on the bus after it has been stored, so that sockets close; that
    happens even when whoever asked has given up waiting.
    """

    def __init__(
        self,
        storage: Accounts,
        bus: Bus,
        tokens: Tokens,
        passwords: Passwords,
        *,
        login_failures: int = 5,
        refresh_days: int = 30,
        external: ExternalPeople | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`login_failures` is allowed per account in 30 minutes, ten times that per address; 0
        means no limit. `external` are the people of another issuer, which is this service's to
        close. `clock` gives seconds since 1970. `passwords` stays the caller's to close.
        """
        self._storage = storage
        self._bus = bus
        self._tokens = tokens
        self._passwords = passwords
        self._attempts = Attempts(login_failures, monotonic)
        self._refresh_days = refresh_days
        self._external = external
        self._clock = clock
        self._monotonic = monotonic
        self._tickets = Tickets()
        self._standings = Standings(storage.session, monotonic)
        # Held while a proven password is compared with what is stored now and acted upon: an old
        # one must not open a login, or be stored again, after it has been changed.
        self._credentials = asyncio.Lock()
        self._whole = Whole()
        self._names_taken = 0
        self._unsubscribe = bus.subscribe(None, self._on_notice)

    async def close(self) -> None:
        """Finishes what must not be left half done, and stops listening to the bus."""
        await self._whole.close()
        self._unsubscribe()
        self._standings.close()
        if self._external is not None:
            await self._external.close()

    async def register(
        self, username: str, password: str, email: str | None, address: str
    ) -> Account:
        """Makes an account. `address` is the network address of whoever asks, for the log.

        Raises:
            Invalid: `invalid_username`, `weak_password`, `invalid_email`.
            Conflict: `username_taken`.
            TooMany: too many passwords are being hashed.
        """
        name = check_username(username)
        if email is not None:
            email = check_email(email)
        check_password(password)
        if await self._storage.account(name) is not None:
            raise Conflict("this username is taken", "username_taken")
        password_hash = await self._passwords.hash(password)
        account = await self.make(self._storage.add_account(name, password_hash, email))
        log.info("= account %d was registered from %s", account.id, address)
        return account

    async def make(self, account: Awaitable[Made]) -> Made:
        """Carries the making of an account through: guests who went by its name are closed."""
        return await self._whole(self._make(account))

    async def account(self, user: UserId) -> Account:
        """The account of that id.

        Raises:
            NotFound: `unknown_user`.
        """
        return _known(await self._storage.account_by_id(user))

    async def account_named(self, username: str) -> Account:
        """The account of that username, whatever its case and spelling in Unicode.

        Raises:
            NotFound: `unknown_user`.
        """
        return _known(await self._find(username))

    async def account_by_handle(self, handle: str) -> Account | None:
        """Whose name this is: the subject, to the letter, else the username. Digits are a subject,
        never an account's id. Whoever `is_called` otherwise has the name and does not go by it in
        an application's own ids.

        A name that is nobody's is so still when this returns."""
        issuer = None if self._external is None else self._external.issuer
        while True:
            before = self._names_taken
            account = await self._storage.account_by_handle(handle, issuer)
            if account is not None or before == self._names_taken:
                return account

    async def login(self, username: str, password: str, address: str) -> Login:
        """Opens a login. An unknown name, a wrong password and a disabled account get the same
        answer, after the same time.

        Raises:
            Unauthenticated: `bad_credentials`.
            TooMany: too many failures for this account or from this address, however right the
                password is now; or too many passwords are being checked.
        """
        with self._attempts.one(username, address):
            account = await self._find(username)
            stored = None if account is None else account.password_hash
            matches = await self._passwords.verify(password, stored)
            if account is None or stored is None or account.disabled or not matches:
                log.info("! a login from %s failed", address)
                raise _bad_credentials()
            newer = await self._newer_hash(password, stored)
            async with self._credentials:
                account = await self._unchanged(account)
                if newer is not None:
                    await self._storage.set_password(account.id, newer)
                return await self._open(account)

    async def open_login(self, user: UserId) -> Login:
        """Opens a login for somebody who has proven in another way who they are.

        Raises:
            AccountGone: the account is gone or disabled.
        """
        async with self._credentials:
            account = await self._storage.account_by_id(user)
            if account is None or account.disabled:
                raise _account_gone()
            return await self._open(account)

    async def refresh(self, refresh_token: str) -> Login:
        """Goes on with a login; the refresh token is used up and there is a new one.

        Raises:
            Unauthenticated: the token is unknown, expired or revoked.
            RefreshReused: it was used before. Two people have it, so the login has ended.
            AccountGone: the account is gone or disabled.
        """
        if len(refresh_token) > MAX_REFRESH or not refresh_token.isascii():
            raise Unauthenticated(
                "this refresh token is not valid; log in again", "refresh_invalid"
            )
        newer = _new_refresh()
        session, account = await self._whole(self._rotate(refresh_token, newer))
        if account.disabled:
            raise _account_gone()
        return self._login(account, session, newer)

    async def logout(self, session: str, user: UserId) -> None:
        """Ends a login of `user`, if it has not ended yet."""
        await self.revoke(session, user)

    async def sessions(self, user: UserId) -> Sequence[Session]:
        """Somebody's logins that are neither revoked nor expired."""
        return await self._storage.sessions(user)

    async def revoke(self, session: str, user: UserId) -> bool:
        """Ends a login of `user` and closes its sockets; False when there was none to end."""
        return await self._whole(self._revoke(session, user))

    async def change_password(self, who: Who, old: str, new: str) -> None:
        """Replaces the password and ends every login of the account but the caller's own.

        Raises:
            Invalid: `weak_password`.
            Unauthenticated: `bad_credentials`, when `old` is wrong.
            Conflict: `no_password`, for whoever comes in some other way.
            TooMany: as `login`; wrong passwords count as failed logins.
        """
        check_password(new)
        with self._attempts.one(who.name, None):
            account = await self._storage.account_by_id(who.id)
            if account is None or account.disabled:
                raise _account_gone()
            if account.password_hash is None:
                raise Conflict("this account has no password", "no_password")
            if not await self._passwords.verify(old, account.password_hash):
                raise _bad_credentials()
            password_hash = await self._passwords.hash(new)
            await self._whole(self._replace_password(account, password_hash, who.session))

    async def set_disabled(self, admin: Who, user: UserId, disabled: bool) -> None:
        """Disables an account, ends its logins and closes its sockets; or enables it again.

        Raises:
            Forbidden: `admin_only`.
            NotFound: `unknown_user`.
            Conflict: `own_account`, when administrators disable themselves.
        """
        if not admin.admin:
            raise Forbidden("only administrators may do this", "admin_only")
        if disabled and user == admin.id:
            raise Conflict("nobody can disable their own account", "own_account")
        await self._whole(self._set_disabled(user, disabled))

    async def authenticate(self, token: str) -> Identity:
        """Whom an access token stands for, ours or the external issuer's, and until when.

        Raises:
            Unauthenticated: `token_invalid`, `token_expired`, `session_revoked`.
            AccountGone: the account is gone or disabled.
            Unavailable: `issuer_unavailable`.
        """
        try:
            claims = self._tokens.read(token, self._clock())
        except Unauthenticated as error:
            if self._external is None or error.code != "token_invalid":
                raise
            return await self._external.authenticate(token, self._clock)
        return Identity(await self._stands(claims.session, claims.user), claims.expires_at)

    async def confirm(self, identity: Identity) -> Identity:
        """The same identity, if it still counts. A socket that has just been put where notices
        will find it asks this, lest its login ended in between.

        Raises:
            Unauthenticated, AccountGone: as `authenticate`.
        """
        if identity.expires_at <= self._clock():
            raise Unauthenticated("the token has expired", "token_expired")
        who = identity.who
        if self._external is not None and who.session is None and who.subject is not None:
            return Identity(await self._external.confirm(who), identity.expires_at)
        return Identity(await self._stands(who.session, who.id), identity.expires_at)

    def ticket(self, identity: Identity) -> str:
        """A ticket for one socket, good for 30 seconds.

        Raises:
            TooMany: too many of them are unused.
        """
        return self._tickets.issue(identity, self._monotonic())

    async def redeem(self, ticket: str) -> Identity:
        """Whom a ticket stands for; it is used up, whatever comes of it.

        Raises:
            Unauthenticated: `ticket_invalid`, and otherwise as `authenticate`.
            AccountGone: as `authenticate`.
        """
        return await self.confirm(self._tickets.redeem(ticket, self._monotonic()))

    async def ensure_sample_accounts(
        self, names: Sequence[str], password: str
    ) -> Sequence[Account]:
        """The accounts of these names. Those that are missing are made with the password."""
        accounts = []
        for name in names:
            account = await self._storage.account(name)
            if account is None:
                password_hash = await self._passwords.hash(password)
                account = await self._storage.add_account(name, password_hash, None)
            accounts.append(account)
        return accounts

    async def _find(self, username: str) -> Account | None:
        try:
            return await self._storage.account(check_username(username))
        except Invalid:
            return None

    async def _stands(self, session: str | None, user: UserId) -> Who:
        standing = await self._standings.get(session) if session is not None else None
        if standing is None and await self._storage.account_by_id(user) is None:
            raise _account_gone()
        if standing is None or standing.who.id != user:
            raise _session_revoked()
        # Disabling revokes as well, and is the better reason to give.
        if standing.disabled:
            raise _account_gone()
        if standing.revoked or standing.expires_at <= self._clock() * 1000:
            raise _session_revoked()
        return standing.who

    async def _unchanged(self, proven: Account) -> Account:
        """The account as it is now, if the password proven for it is still its password."""
        account = await self._storage.account_by_id(proven.id)
        if account is None or account.disabled or account.password_hash != proven.password_hash:
            raise _bad_credentials()
        return account

    async def _newer_hash(self, password: str, stored: str) -> str | None:
        """The same password under today's parameters, if it is not hashed with them already."""
        if self._passwords.outdated(stored):
            with suppress(DomainError):
                return await self._passwords.hash(password)
        return None

    async def _open(self, account: Account) -> Login:
        now = int(self._clock() * 1000)
        ends = now + self._refresh_days * DAY * 1000
        session = Session(secrets.token_urlsafe(16), account.id, now, ends, revoked=False)
        refresh = _new_refresh()
        await self._storage.open_session(session, _digest(refresh))
        return self._login(account, session, refresh)

    def _login(self, account: Account, session: Session, refresh: str) -> Login:
        token = self._tokens.mint(account.id, session.id, self._clock())
        return Login(account, session, token, refresh, self._tokens.lifetime)

    async def _make(self, making: Awaitable[Made]) -> Made:
        account = await making
        if account is not None:
            self._bus.notify(NameTaken(account.username))
        return account

    async def _rotate(self, refresh_token: str, newer: str) -> tuple[Session, Account]:
        now = int(self._clock() * 1000)
        try:
            return await self._storage.rotate(_digest(refresh_token), _digest(newer), now)
        except RefreshReused as reused:
            log.warning("! a refresh token was used twice: session %s has ended", reused.session)
            self._ended(reused.session)
            raise

    async def _revoke(self, session: str, user: UserId) -> bool:
        ended = await self._storage.revoke(session, user)
        if ended:
            self._ended(session)
        return ended

    async def _replace_password(
        self, account: Account, password_hash: str, keep: str | None
    ) -> None:
        async with self._credentials:
            await self._unchanged(account)
            # First the logins, then the password: what is left half done is the lesser harm.
            for session in await self._storage.revoke_all(account.id, keep):
                self._ended(session)
            await self._storage.set_password(account.id, password_hash)

    async def _set_disabled(self, user: UserId, disabled: bool) -> None:
        async with self._credentials:
            _known(await self._storage.account_by_id(user))
            await self._storage.set_disabled(user, disabled)
        self._forget(user)
        if disabled:
            self._bus.notify(AccountDisabled(user))

    def _forget(self, user: UserId) -> None:
        self._standings.forget_user(user)
        if self._external is not None:
            self._external.forget_user(user)

    def _ended(self, session: str) -> None:
        self._standings.forget(session)
        self._bus.notify(SessionRevoked(session))

    def _on_notice(self, notice: Notice) -> None:
        match notice:
            case SessionRevoked(session=session):
                self._standings.forget(session)
            case AccountDisabled(user=user):
                self._forget(user)
            case NameTaken(displaced=displaced):
                self._names_taken += 1
                if displaced is not None:
                    self._forget(displaced)
            case _:
                assert_never(notice)


def _known(account: Account | None) -> Account:
    if account is None:
        raise NotFound("there is no such user", "unknown_user")
    return account


def _bad_credentials() -> Unauthenticated:
    return Unauthenticated("wrong username or password", "bad_credentials")


def _session_revoked() -> Unauthenticated:
    return Unauthenticated("this login has ended; log in again", "session_revoked")


def _account_gone() -> AccountGone:
    return AccountGone("the account is gone or disabled")


def _new_refresh() -> str:
    return REFRESH_PREFIX + secrets.token_urlsafe(32)


def _digest(refresh_token: str) -> str:
    # A plain hash will do: 256 random bits cannot be guessed from it.
    return hashlib.sha256(refresh_token.encode()).hexdigest()
