"""Coming in by e-mail, without a password: a code proves that somebody reads an address's mail.

Nothing here tells whether an address is known before its code has been given, neither by words nor
by time. What the storage does for both is the same; what it does for one of them alone, and the
mail, happens after the answer.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress

from hubbub.auth.attempts import Attempts
from hubbub.auth.codes import (
    CodeLimits,
    Codes,
    address_key,
    check_address,
    new_verification,
    verification_digest,
)
from hubbub.auth.usernames import check_username
from hubbub.core.errors import Forbidden, Unauthenticated, Unavailable
from hubbub.core.ids import UserId, Who
from hubbub.mail.base import Mail, Mailer
from hubbub.services.accounts import AccountService, Login
from hubbub.services.outgoing import Outgoing
from hubbub.storage.base import Emails

log = logging.getLogger(__name__)


class Signup:
    """Sends codes, exchanges them for verifications, and those for a username and a login.

    Addresses are taken as somebody typed them; their case does not matter. `asker` is always the
    network address of whoever asks. Every method may raise `Invalid` (`invalid_email`) for what is
    no address.
    """

    def __init__(
        self,
        storage: Emails,
        accounts: AccountService,
        codes: Codes,
        mailer: Mailer | None,
        limits: CodeLimits,
        *,
        trusting: bool = False,
        login_failures: int = 5,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Without a `mailer` no code can be sent. `trusting` is for development: an address that
        was verified once is proof enough from then on. Ten times `login_failures` wrong codes are
        allowed per network address in 30 minutes; 0 means no limit."""
        self._storage = storage
        self._accounts = accounts
        self._codes = codes
        self._outgoing = None if mailer is None else Outgoing(mailer)
        self._limits = limits
        self._trusting = trusting
        self._attempts = Attempts(login_failures, monotonic)

    async def close(self) -> None:
        """Lets mail that is under way leave, for a moment."""
        if self._outgoing is not None:
            await self._outgoing.close()

    async def send_code(self, email: str, asker: str) -> None:
        """Sends a code to an address, known or not. Earlier ones are void.

        Raises:
            TooMany: too many were sent to this address, or asked for by this asker.
            Unavailable: `mail_unavailable`.
        """
        to = check_address(email)
        if self._outgoing is None:
            raise Unavailable("this server sends no mail", "mail_unavailable")
        self._limits.take(to, asker)
        code = self._codes.new()
        await self._storage.put_code(address_key(to), self._codes.digest(to, code))
        await self._outgoing.start(_letter(_code_mail(to, code)))

    async def verify(self, email: str, code: str, asker: str) -> str:
        """Exchanges a code for a verification's token: good for ten minutes, for one username and
        one login.

        Raises:
            Unauthenticated: `bad_code`: it is wrong, used, replaced, ten minutes old, or was
                guessed wrongly five times.
            TooMany: too many wrong codes from this asker.
        """
        address = check_address(email)
        token = new_verification()
        with self._attempts.one(None, asker):
            digest = self._codes.digest(address, code)
            if not await self._storage.verify(
                address_key(address), digest, verification_digest(token)
            ):
                raise _bad_code()
        return token

    async def set_username(
        self, email: str, username: str, verification: str | None, asker: str
    ) -> None:
        """Makes the account of a verified address; a mail with the name follows.

        Raises:
            Invalid: `invalid_username`.
            Unauthenticated: `not_verified`.
            Conflict: `username_taken`, `username_set`.
        """
        address = check_address(email)
        name = check_username(username)
        token = None
        if not self._trusting:
            # No token has an empty digest.
            token = "" if verification is None else verification_digest(verification)
        account = await self._accounts.make(
            self._storage.name_email(address_key(address), address, name, token)
        )
        if account is None:
            raise Unauthenticated("verify this address first", "not_verified")
        log.info("= account %d was registered by mail from %s", account.id, asker)
        if self._outgoing is not None:
            # The account is there, whether or not the mail finds its way.
            with suppress(Unavailable):
                await self._outgoing.start(_letter(_username_mail(address, name)))

    async def login(
        self, email: str, asker: str, *, code: str | None = None, verification: str | None = None
    ) -> Login:
        """Opens a login for whoever has a code or a verification, which is used up.

        Without either, or with a verification that is not good (any more), a known address is sent
        a code; the answer is the same for all.

        Raises:
            Unauthenticated: `bad_code` as in `verify`; `code_needed`.
            Conflict: `no_username`: it is proven, and there is no account yet.
            AccountGone: it is proven, and the account is disabled.
            TooMany: as in `send_code` and `verify`.
        """
        address = check_address(email)
        user: UserId | None
        if code is not None:
            user = await self._by_code(address, code, asker)
        else:
            user = await self._by_verification(address, verification)
        if user is None:
            await self._send_login_code(address, asker)
            raise Unauthenticated(
                "a code is needed: if this address is known, one is on its way to it", "code_needed"
            )
        return await self._accounts.open_login(user)

    async def send_join_code(self, who: Who, email: str, asker: str) -> None:
        """Sends a code to an address that is to be `who`'s, whoever has it now.

        Raises:
            Forbidden: `external_account`.
            TooMany, Unavailable: as in `send_code`.
        """
        await self._check_ours(who)
        await self.send_code(email, asker)

    async def join(self, who: Who, email: str, code: str, asker: str) -> None:
        """Gives an address to an account, whose logins it opens from then on: whoever asks is
        logged in, and has the code.

        Raises:
            Forbidden: `external_account`: people of another issuer log in there.
            Unauthenticated, TooMany: as in `verify`.
            Conflict: `email_taken`: it belongs to another account.
        """
        await self._check_ours(who)
        address = check_address(email)
        with self._attempts.one(None, asker):
            digest = self._codes.digest(address, code)
            if not await self._storage.join_email(who.id, address_key(address), address, digest):
                raise _bad_code()
        log.info("= account %d has a verified address", who.id)

    async def _check_ours(self, who: Who) -> None:
        account = await self._accounts.account(who.id)
        if account.issuer is not None:
            raise Forbidden("people of another issuer log in there", "external_account")

    async def _by_code(self, address: str, code: str, asker: str) -> UserId:
        with self._attempts.one(None, asker):
            digest = self._codes.digest(address, code)
            user = await self._storage.log_in_by_code(address_key(address), digest)
            if user is None:
                raise _bad_code()
            return user

    async def _by_verification(self, address: str, verification: str | None) -> UserId | None:
        key = address_key(address)
        user = None
        if verification is not None:
            user = await self._storage.log_in_by_token(key, verification_digest(verification))
        if user is None and self._trusting:
            user = await self._storage.log_in_by_email(key)
        return user

    async def _send_login_code(self, address: str, asker: str) -> None:
        if self._outgoing is not None:
            self._limits.take(address, asker)
            await self._outgoing.start(self._login_mail(address))

    async def _login_mail(self, address: str) -> Mail | None:
        code = self._codes.new()
        digest = self._codes.digest(address, code)
        known = await self._storage.put_code(address_key(address), digest, known_only=True)
        return _code_mail(address, code) if known else None


async def _letter(mail: Mail) -> Mail:
    return mail


def _code_mail(to: str, code: str) -> Mail:
    return Mail(
        to,
        "Your code",
        f"Code: {code}\n\n"
        "It is good for ten minutes and works once. If you did not ask for it, somebody typed\n"
        "your address: tell it to nobody, and nothing happens.\n",
    )


def _username_mail(to: str, username: str) -> Mail:
    return Mail(to, "Your username", f"Username: {username}\n\nYou log in with this address.\n")


def _bad_code() -> Unauthenticated:
    return Unauthenticated("the code is wrong or not good any more", "bad_code")
