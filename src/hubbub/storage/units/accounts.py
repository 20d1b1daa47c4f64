"""People, their logins and the record of their live sockets."""

import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from hubbub.core.errors import Conflict, RefreshReused, Unauthenticated
from hubbub.core.ids import UserId
from hubbub.core.names import OURS_PREFIX, fold
from hubbub.storage.base import Account, ConnectionRow, Session
from hubbub.storage.tables import connections, refresh_tokens, sessions, users
from hubbub.storage.units.transaction import Transaction


def add(
    tx: Transaction, username: str, password_hash: str | None, email: str | None, admin: bool
) -> Account:
    """Makes an account. A subject is refused as a username: its holder would be taken for them."""
    if _is_subject(tx.connection, username):
        raise Conflict("this username is taken", "username_taken")
    try:
        row = tx.connection.execute(
            insert(users)
            .values(
                username=username,
                folded=fold(username),
                email=email,
                password_hash=password_hash,
                admin=admin,
                created_at=tx.now,
            )
            .returning(users)
        ).one()
    except IntegrityError:
        raise Conflict("this username is taken", "username_taken") from None
    return _account(row)


def by_name(connection: Connection, name: str) -> Account | None:
    """The account of that username, whatever its case."""
    row = connection.execute(select(users).where(users.c.folded == fold(name))).first()
    return None if row is None else _account(row)


def by_id(connection: Connection, user: UserId) -> Account | None:
    """The account of that id."""
    row = connection.execute(select(users).where(users.c.id == user)).first()
    return None if row is None else _account(row)


def by_subject(connection: Connection, issuer: str, subject: str) -> Account | None:
    """The account of whom an external issuer calls `subject`."""
    query = select(users).where(users.c.issuer == issuer, users.c.subject == subject)
    row = connection.execute(query).first()
    return None if row is None else _account(row)


def by_handle(connection: Connection, handle: str, issuer: str | None) -> Account | None:
    """Whose name this is: a subject wins over an equal username."""
    issuers = or_(users.c.issuer == issuer, users.c.issuer.is_(None))
    query = select(users).where(users.c.subject == handle, issuers)
    row = connection.execute(query).first()
    return by_name(connection, handle) if row is None else _account(row)


def ensure_external(
    tx: Transaction, issuer: str, subject: str, names: Sequence[str]
) -> tuple[Account, UserId | None]:
    """The account of an external issuer's `subject`, made when there is none yet."""
    known = by_subject(tx.connection, issuer, subject)
    if known is not None:
        return known, None
    wanted = select(users.c.folded).where(users.c.folded.in_([fold(name) for name in names]))
    taken = set(tx.connection.execute(wanted).scalars())
    subjects = select(users.c.subject).where(users.c.subject.in_([*names]))
    others = set(tx.connection.execute(subjects).scalars()) - {subject}
    free = next((name for name in names if fold(name) not in taken and name not in others), None)
    if free is None:
        raise Conflict("these usernames are taken", "username_taken")
    row = tx.connection.execute(
        insert(users)
        .values(
            username=free,
            folded=fold(free),
            admin=False,
            created_at=tx.now,
            issuer=issuer,
            subject=subject,
        )
        .returning(users)
    ).one()
    return _account(row), _give_way(tx, subject)


def _give_way(tx: Transaction, subject: str) -> UserId | None:
    """Whoever without an issuer was called by what is a subject now is called otherwise."""
    unnamed = and_(users.c.folded == fold(subject), users.c.username == subject)
    query = select(users.c.id, users.c.username).where(
        users.c.issuer.is_(None),
        or_(users.c.subject == subject, and_(users.c.subject.is_(None), unnamed)),
    )
    row = tx.connection.execute(query).first()
    if row is None:
        return None
    handle = f"{OURS_PREFIX}{row.username}"
    if _is_subject(tx.connection, handle) or by_name(tx.connection, handle) is not None:
        # 64 random bits: this one is free.
        handle = f"{handle}:{secrets.token_hex(8)}"
    tx.connection.execute(update(users).where(users.c.id == row.id).values(subject=handle))
    return UserId(row.id)


def _is_subject(connection: Connection, name: str) -> bool:
    query = select(users.c.id).where(users.c.subject == name).limit(1)
    return connection.execute(query).first() is not None


def set_password(tx: Transaction, user: UserId, password_hash: str) -> None:
    """Replaces the password."""
    tx.connection.execute(
        update(users).where(users.c.id == user).values(password_hash=password_hash)
    )


def set_disabled(tx: Transaction, user: UserId, disabled: bool) -> None:
    """Disables or enables an account; disabling ends its logins."""
    tx.connection.execute(update(users).where(users.c.id == user).values(disabled=disabled))
    if disabled:
        revoke_all(tx, user, None)


def open_session(tx: Transaction, session: Session, refresh_hash: str) -> None:
    """Records a login with its first refresh token, and forgets logins long over."""
    _forget_expired(tx, session.user)
    tx.connection.execute(
        insert(sessions).values(
            id=session.id,
            user_id=session.user,
            created_at=session.created_at,
            expires_at=session.expires_at,
        )
    )
    _add_refresh(tx, session.id, refresh_hash)


def rotate(
    tx: Transaction, refresh_hash: str, new_hash: str, now: int
) -> tuple[Session, Account] | RefreshReused:
    """Uses a refresh token up. A reuse comes back as a value: raising it would undo the very
    revocation it causes."""
    row = tx.connection.execute(
        select(sessions, refresh_tokens.c.used)
        .join(refresh_tokens, refresh_tokens.c.session_id == sessions.c.id)
        .where(refresh_tokens.c.hash == refresh_hash)
    ).first()
    if row is None or row.revoked or row.expires_at <= now:
        raise Unauthenticated("this refresh token is not valid; log in again", "refresh_invalid")
    if row.used:
        tx.connection.execute(update(sessions).where(sessions.c.id == row.id).values(revoked=True))
        return RefreshReused(row.id)
    tx.connection.execute(
        update(refresh_tokens).where(refresh_tokens.c.hash == refresh_hash).values(used=True)
    )
    _add_refresh(tx, row.id, new_hash)
    whose = tx.connection.execute(select(users).where(users.c.id == row.user_id)).one()
    return _session(row), _account(whose)


def standing(connection: Connection, session: str) -> tuple[Session, Account] | None:
    """A login and whose it is."""
    found = connection.execute(select(sessions).where(sessions.c.id == session)).first()
    if found is None:
        return None
    account = by_id(connection, found.user_id)
    return None if account is None else (_session(found), account)


def live_sessions(connection: Connection, user: UserId, now: int) -> Sequence[Session]:
    """Somebody's logins that are neither revoked nor expired, newest first."""
    query = select(sessions).where(
        sessions.c.user_id == user, sessions.c.revoked.is_(False), sessions.c.expires_at > now
    )
    return [
        _session(row) for row in connection.execute(query.order_by(sessions.c.created_at.desc()))
    ]


def revoke(tx: Transaction, session: str, user: UserId) -> bool:
    """Ends one login of `user`."""
    return bool(
        tx.connection.execute(
            update(sessions)
            .where(
                sessions.c.id == session,
                sessions.c.user_id == user,
                sessions.c.revoked.is_(False),
            )
            .values(revoked=True)
        ).rowcount
    )


def revoke_all(tx: Transaction, user: UserId, but: str | None) -> Sequence[str]:
    """Ends all logins of `user` but one."""
    query = (
        update(sessions)
        .where(sessions.c.user_id == user, sessions.c.revoked.is_(False))
        .values(revoked=True)
        .returning(sessions.c.id)
    )
    if but is not None:
        query = query.where(sessions.c.id != but)
    return list(tx.connection.execute(query).scalars())


def live_connections(connection: Connection, user: UserId | None) -> Sequence[ConnectionRow]:
    """The recorded sockets of one user, or of everybody, oldest first."""
    query = select(connections).order_by(connections.c.connected_at, connections.c.id)
    if user is not None:
        query = query.where(connections.c.user_id == user)
    return [
        ConnectionRow(
            row.id,
            UserId(row.user_id),
            row.username,
            row.dialect,
            row.channel,
            row.address,
            row.connected_at,
        )
        for row in connection.execute(query)
    ]


def _add_refresh(tx: Transaction, session: str, refresh_hash: str) -> None:
    tx.connection.execute(insert(refresh_tokens).values(hash=refresh_hash, session_id=session))


def _forget_expired(tx: Transaction, user: UserId) -> None:
    gone = select(sessions.c.id).where(sessions.c.user_id == user, sessions.c.expires_at <= tx.now)
    tx.connection.execute(delete(refresh_tokens).where(refresh_tokens.c.session_id.in_(gone)))
    tx.connection.execute(
        delete(sessions).where(sessions.c.user_id == user, sessions.c.expires_at <= tx.now)
    )


def _account(row: Row[Any]) -> Account:
    return Account(
        UserId(row.id),
        row.username,
        row.email,
        row.password_hash,
        bool(row.admin),
        bool(row.disabled),
        row.created_at,
        row.issuer,
        row.subject,
    )


def _session(row: Row[Any]) -> Session:
    return Session(row.id, row.user_id, row.created_at, row.expires_at, bool(row.revoked))
