"""People whom an external issuer of tokens vouches for: an account each, made on first sight."""

import logging
import secrets
from collections.abc import Callable
from typing import Protocol

from hubbub.auth.external import Rules, present, prove
from hubbub.auth.keysets import VerifyingKeys
from hubbub.auth.tokens import Identity
from hubbub.auth.usernames import suggested_username
from hubbub.bus.base import Bus
from hubbub.core.errors import AccountGone
from hubbub.core.events import NameTaken
from hubbub.core.ids import MAX_INTEGER, UserId, Who
from hubbub.services.standing import Standing, Standings
from hubbub.services.whole import Whole
from hubbub.storage.base import Account, Accounts, Session

log = logging.getLogger(__name__)

UNNAMED_ISSUER = "external"
"""What an issuer is called in storage when the settings give it no name."""
NUMBERED = 9


class Keys(Protocol):
    """Where the issuer's keys come from."""

    async def get(self, algorithm: str, kid: str | None) -> VerifyingKeys:
        """The keys that count for a token of that algorithm and key.

        Raises:
            Unavailable: they cannot be had now.
        """

    async def close(self) -> None:
        """Gives up what is under way."""


class SharedKeys:
    """`Keys` that never change."""

    def __init__(self, keys: VerifyingKeys) -> None:
        self._keys = keys

    async def get(self, algorithm: str, kid: str | None) -> VerifyingKeys:  # noqa: ARG002
        """The keys."""
        return self._keys

    async def close(self) -> None:
        """There is nothing to give up."""


class ExternalPeople:
    """Tells whom a token of the external issuer stands for.

    A person is (issuer, subject) and nothing else: no claim ever leads to an account that was there
    before them. Their username is chosen once; whether they administer is what each token says.
    They have no login here: their issuer's tokens count until they expire, or the account is
    disabled.
    """

    def __init__(
        self,
        storage: Accounts,
        bus: Bus,
        rules: Rules,
        keys: Keys,
        monotonic: Callable[[], float],
    ) -> None:
        self._storage = storage
        self._bus = bus
        self._whole = Whole()
        self._rules = rules
        self._keys = keys
        self._standings = Standings(self._load, monotonic)
        self.issuer = rules.issuer or UNNAMED_ISSUER

    async def close(self) -> None:
        """Gives up the look-ups and the asking for keys under way, and nothing else."""
        await self._whole.close()
        self._standings.close()
        await self._keys.close()

    async def authenticate(self, token: str, clock: Callable[[], float]) -> Identity:
        """Whom the token stands for, and until when. `clock` gives seconds since 1970.

        Raises:
            Unauthenticated: `token_invalid`, `token_expired`.
            AccountGone: the account is disabled.
            Unavailable: the issuer's keys are not known yet, and cannot be had now.
        """
        unproven = present(token, self._rules)
        keys = await self._keys.get(unproven.algorithm, unproven.kid)
        said = prove(unproven, keys, self._rules, clock())
        standing = await self._standings.get(said.subject)
        if standing is None:
            await self._whole(self._add(said.subject, said.name))
            standing = await self._standings.get(said.subject)
        return Identity(_who(standing, said.subject, said.admin), said.expires_at)

    async def confirm(self, who: Who) -> Who:
        """The same person, if they still count; `who.subject` is theirs.

        Raises:
            AccountGone: the account is gone or disabled.
        """
        subject = who.subject or ""
        return _who(await self._standings.get(subject), subject, who.admin)

    def forget_user(self, user: UserId) -> None:
        """That account may stand differently from now on."""
        self._standings.forget_user(user)

    async def _add(self, subject: str, wanted: str | None) -> None:
        name = suggested_username(wanted, subject)
        numbered = [f"{name}-{number}" for number in range(2, NUMBERED + 1)]
        # 64 random bits: this one is free.
        names = [name, *numbered, f"{name}-{secrets.token_hex(8)}"]
        account, displaced = await self._storage.external_account(self.issuer, subject, names)
        self._standings.forget(subject)
        log.info("= account %d belongs to somebody of the external issuer", account.id)
        if displaced is not None:
            log.warning(
                "! the username of account %d is the subject of account %d: in an application's"
                " own ids it is called otherwise now",
                displaced,
                account.id,
            )
        self._bus.notify(NameTaken(account.username, subject, displaced))

    async def _load(self, subject: str) -> tuple[Session, Account] | None:
        """What stands for the login of somebody who has none here: it ends with the account."""
        account = await self._storage.account_by_subject(self.issuer, subject)
        if account is None:
            return None
        return Session(subject, account.id, account.created_at, MAX_INTEGER, False), account


def _who(standing: Standing | None, subject: str, admin: bool) -> Who:
    if standing is None or standing.disabled:
        raise AccountGone("the account is gone or disabled")
    return Who(standing.who.id, standing.who.name, None, admin, subject)
