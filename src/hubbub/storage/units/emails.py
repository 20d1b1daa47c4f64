"""Verified addresses, and the codes and verifications of proving them.

A wrong guess comes back as a value: raising it would undo the very counting of it.
"""

import hmac

from sqlalchemy import delete, insert, select, update

from hubbub.core.errors import Conflict
from hubbub.core.ids import UserId
from hubbub.storage.base import CODE_SECONDS, CODE_TRIES, Account
from hubbub.storage.tables import email_codes, users, verifications, verified_emails
from hubbub.storage.units import accounts
from hubbub.storage.units.transaction import Transaction

NO_CODE = ""
"""The digest of no code at all."""


def put_code(tx: Transaction, email: str, digest: str, known_only: bool) -> bool:
    """Puts a code in the place of any other, and forgets those that have expired."""
    tx.connection.execute(delete(email_codes).where(email_codes.c.expires_at <= tx.now))
    if known_only and _owner(tx, email) is None:
        return False
    _forget_code(tx, email)
    _add_code(tx, email, digest, tries=0)
    return True


def verify(tx: Transaction, email: str, digest: str, token: str) -> bool:
    """Exchanges a code for a verification, and forgets those that have expired."""
    if not _right(tx, email, digest):
        return False
    _forget_code(tx, email)
    tx.connection.execute(delete(verifications).where(verifications.c.expires_at <= tx.now))
    tx.connection.execute(
        insert(verifications).values(hash=token, email=email, expires_at=_end(tx))
    )
    return True


def name_email(
    tx: Transaction, email: str, spelling: str, username: str, token: str | None
) -> Account | None:
    """Makes the account of a verified address."""
    owner = _owner(tx, email)
    # Nobody needs proof for what is refused anyway, where a verified address is proof enough.
    if not (_verified(tx, email, token) or (token is None and owner is not None)):
        return None
    if owner is not None:
        raise Conflict("this address has a username", "username_set")
    account = accounts.add(tx, username, None, spelling, False)
    _give(tx, email, account.id)
    return account


def log_in_by_token(tx: Transaction, email: str, token: str) -> UserId | None:
    """Uses a verification up: whose address it is."""
    if not _verified(tx, email, token):
        return None
    owner = _named(_owner(tx, email))
    tx.connection.execute(delete(verifications).where(verifications.c.hash == token))
    return owner


def log_in_by_code(tx: Transaction, email: str, digest: str) -> UserId | None:
    """Uses a code up: whose address it is."""
    if not _right(tx, email, digest):
        return None
    owner = _named(_owner(tx, email))
    _forget_code(tx, email)
    return owner


def log_in_by_email(tx: Transaction, email: str) -> UserId | None:
    """Whose address it is."""
    owner = _owner(tx, email)
    if owner is None and _verified(tx, email, None):
        return _named(owner)
    return owner


def join_email(tx: Transaction, user: UserId, email: str, spelling: str, digest: str) -> bool:
    """Uses a code up and gives the address to `user`."""
    if not _right(tx, email, digest):
        return False
    owner = _owner(tx, email)
    if owner not in (None, user):
        raise Conflict("this address belongs to another account", "email_taken")
    _forget_code(tx, email)
    if owner is None:
        _give(tx, email, user)
    tx.connection.execute(update(users).where(users.c.id == user).values(email=spelling))
    return True


def _right(tx: Transaction, email: str, digest: str) -> bool:
    """Whether this is the address's code. A wrong guess is written down even where there is no code
    to guess, so that it takes as long as any other."""
    row = tx.connection.execute(select(email_codes).where(email_codes.c.email == email)).first()
    if row is None:
        _add_code(tx, email, NO_CODE, tries=1)
        return False
    alive = row.digest != NO_CODE and row.expires_at > tx.now and row.tries < CODE_TRIES
    if alive and hmac.compare_digest(row.digest, digest):
        return True
    tx.connection.execute(
        update(email_codes).where(email_codes.c.email == email).values(tries=row.tries + 1)
    )
    return False


def _add_code(tx: Transaction, email: str, digest: str, tries: int) -> None:
    tx.connection.execute(
        insert(email_codes).values(email=email, digest=digest, tries=tries, expires_at=_end(tx))
    )


def _end(tx: Transaction) -> int:
    return tx.now + CODE_SECONDS * 1000


def _forget_code(tx: Transaction, email: str) -> None:
    tx.connection.execute(delete(email_codes).where(email_codes.c.email == email))


def _verified(tx: Transaction, email: str, token: str | None) -> bool:
    query = select(verifications.c.email).where(
        verifications.c.email == email, verifications.c.expires_at > tx.now
    )
    if token is not None:
        query = query.where(verifications.c.hash == token)
    return tx.connection.execute(query.limit(1)).first() is not None


def _owner(tx: Transaction, email: str) -> UserId | None:
    owner: UserId | None = tx.connection.execute(
        select(verified_emails.c.user_id).where(verified_emails.c.email == email)
    ).scalar()
    return owner


def _named(owner: UserId | None) -> UserId:
    if owner is None:
        raise Conflict("this address has no username yet", "no_username")
    return owner


def _give(tx: Transaction, email: str, user: UserId) -> None:
    tx.connection.execute(
        insert(verified_emails).values(email=email, user_id=user, verified_at=tx.now)
    )
