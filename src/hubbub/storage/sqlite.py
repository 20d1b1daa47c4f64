"""Storage in a SQLite file: one writing thread, two reading ones, and a lock against others."""

import asyncio
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from hubbub.core.answers import Done, Entered, Messages, Posted
from hubbub.core.channels import Channel
from hubbub.core.commands import (
    ChannelChange,
    CreateChannel,
    Enter,
    MoveCursor,
    ReadHistory,
    SendMessage,
)
from hubbub.core.errors import DomainError, RefreshReused, Unavailable
from hubbub.core.events import Durable, Envelope
from hubbub.core.ids import ChannelId, ChannelRef, Person, UserId, Who
from hubbub.storage.base import Account, ChannelView, ConnectionRow, Session
from hubbub.storage.lock import DataLock, Locked
from hubbub.storage.migrate import migrate
from hubbub.storage.tables import connections
from hubbub.storage.units import accounts, channels, emails, journal, meetings
from hubbub.storage.writer import Move, Note, Post, Writer

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

READERS = 2
NOTE_SECONDS = 0.25
"""How long the record of live sockets may lag behind: storms of them become one commit."""

_STANDING = (
    "SELECT s.id, s.user_id, s.created_at, s.expires_at, s.revoked, u.username, u.email,"
    " u.password_hash, u.admin, u.disabled, u.created_at, u.issuer, u.subject"
    " FROM sessions AS s JOIN users AS u ON u.id = s.user_id WHERE s.id = ?"
)


def writing_engine(path: Path, synchronous: str = "FULL") -> Engine:
    """An engine whose transactions take the write lock when they begin.

    `synchronous` is SQLite's: FULL flushes every commit to the disk before it returns, NORMAL may
    lose the last ones with the power.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=NullPool,
        connect_args={"isolation_level": None, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _configure(raw, _record):  # type: ignore[no-untyped-def]  # SQLAlchemy's own signature
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute(f"PRAGMA synchronous = {synchronous}")
        raw.execute("PRAGMA foreign_keys = ON")
        raw.execute("PRAGMA busy_timeout = 5000")
        # The default of 1,000 pages checkpoints three times as often, and a commit waits for it.
        raw.execute("PRAGMA wal_autocheckpoint = 4000")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def make_private(path: Path) -> None:
    """Makes an empty database, when there is none, that its owner alone can read: it will hold
    what passwords are compared with. SQLite gives the files beside it the same mode."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def reading_engine(path: Path) -> Engine:
    """An engine that cannot write. Each transaction reads one snapshot."""
    engine = create_engine(
        "sqlite://", poolclass=NullPool, creator=lambda: _connect_to_read(path, threads=True)
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _connect_to_read(path: Path, *, threads: bool = False) -> sqlite3.Connection:
    uri = f"file:{quote(str(path))}?mode=ro"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=not threads)


class SqliteStorage:
    """A `Storage` in one file. Make it with `open`, from a running event loop."""

    def __init__(self, path: Path, lock: DataLock, writer: Writer) -> None:
        self._lock = lock
        self._writer = writer
        self._reader = reading_engine(path)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="hubbub-reader")
        self._local = threading.local()
        self._opened: list[Connection] = []
        self._notes: dict[str, ConnectionRow | None] = {}
        self._noting: asyncio.TimerHandle | None = None
        # Every socket that connects asks for one row by its key: reading it here takes a few
        # microseconds, handing it to a thread many times that.
        self._quick = _connect_to_read(path)
        self._quick.execute("PRAGMA busy_timeout = 0")

    @classmethod
    async def open(
        cls,
        path: Path,
        publish: Callable[[Sequence[Envelope]], None],
        *,
        synchronous: str = "FULL",
        clock: Callable[[], float] = time.time,
    ) -> "SqliteStorage":
        """Takes the lock, brings the tables up to date, starts the writer.

        `publish` gets what each commit published, on the event loop, in order.

        Raises:
            Locked: another process has the database open.
            Unavailable: it cannot be opened.
        """
        async with AsyncExitStack() as undo:
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                lock = DataLock(path)
                undo.callback(lock.release)
                make_private(path)
                engine = writing_engine(path, synchronous)
                await asyncio.to_thread(migrate, engine)
                writer = Writer(engine, publish, clock)
                await writer.start()
                undo.push_async_callback(writer.close)
                # Rows of a server that crashed: their sockets went with it.
                await writer.run(lambda tx: tx.connection.execute(connections.delete()).rowcount)
                storage = cls(path, lock, writer)
            except Locked:
                raise
            except Exception as error:
                why = getattr(error, "orig", error)
                raise Unavailable(f"{path} cannot be opened: {why}") from error
            undo.pop_all()
        return storage

    async def close(self) -> None:
        self._note_all()
        await self._writer.close()
        self._readers.shutdown()
        self._quick.close()
        for connection in self._opened:
            connection.close()
        self._lock.release()

    async def ready(self) -> bool:
        try:
            # The smallest thing that is really written: a full disk shows at the commit alone.
            await self._writer.run(
                lambda tx: tx.connection.exec_driver_sql("PRAGMA user_version = 0").close()
            )
            return await self._read(journal.working)
        except DomainError:
            return False

    async def _read(
        self, unit: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        loop = asyncio.get_running_loop()
        try:
            reading = loop.run_in_executor(
                self._readers, partial(self._read_here, unit, *args, **kwargs)
            )
        except RuntimeError:  # the readers were shut down
            raise Unavailable("the server is stopping") from None
        return await reading

    def _read_here(
        self, unit: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        try:
            connection: Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                self._local.connection = connection = self._reader.connect()
                self._opened.append(connection)
            with connection.begin():
                return unit(connection, *args, **kwargs)
        except DomainError:
            raise
        except Exception as error:
            log.exception("! a reading failed")
            raise Unavailable("the database cannot be read") from error

    # Journal

    def post(
        self, who: Who, command: SendMessage, done: Callable[[Posted | DomainError], None]
    ) -> None:
        self._writer.put(Post(who, command, done))

    def move(
        self, who: Who, command: MoveCursor, done: Callable[[Done | DomainError], None]
    ) -> None:
        self._writer.put(Move(who, command, done))

    async def change(self, who: Who, command: ChannelChange) -> Sequence[Durable]:
        return await self._writer.run(lambda tx: channels.change(tx, who, command))

    async def create(self, who: Who, command: CreateChannel) -> Channel:
        return await self._writer.run(lambda tx: channels.create(tx, who, command))

    async def direct(self, who: Who, other: UserId) -> Channel:
        return await self._writer.run(lambda tx: channels.direct(tx, who, other))

    async def direct_with(self, who: Who, other: Person) -> Channel:
        return await self._writer.run(lambda tx: channels.direct_with(tx, who, other))

    async def open_meeting(self, key: str | None, creator: UserId | None) -> Channel:
        return await self._writer.run(lambda tx: meetings.open_meeting(tx, key, creator))

    async def meetings(self, most: int | None = None) -> Sequence[Channel]:
        return await self._read(meetings.live_meetings, most)

    async def begin_meeting(self, meeting: ChannelId) -> None:
        await self._writer.run(lambda tx: meetings.begin(tx, meeting))

    async def end_meeting(self, meeting: ChannelId) -> None:
        await self._writer.run(lambda tx: meetings.end(tx, meeting))

    async def ensure_channel(self, key: str, name: str, *, guests: bool) -> Channel:
        return await self._writer.run(lambda tx: channels.ensure(tx, key, name, guests))

    async def find(self, ref: ChannelRef) -> Channel | None:
        return await self._read(channels.find, ref)

    async def enter(self, who: Who, command: Enter, most: int, most_bytes: int) -> Entered:
        return await self._read(journal.enter, who, command, most, most_bytes)

    async def authorize_read(self, who: Who, ref: ChannelRef) -> Channel:
        channel, _ = await self._read(channels.readable, who, ref)
        return channel

    async def history(self, who: Who, command: ReadHistory) -> Messages:
        return await self._read(journal.history, who, command)

    async def events(self, who: Who, ref: ChannelRef, after: int, limit: int) -> Sequence[Envelope]:
        return await self._read(journal.events, who, ref, after, limit)

    async def backfill(self, channel: ChannelId, after: int, upto: int) -> Sequence[Envelope]:
        return await self._read(journal.backfill, channel, after, upto)

    async def view(self, who: Who, ref: ChannelRef) -> ChannelView:
        return await self._read(channels.view, who, ref)

    async def views(self, who: Who, *, joined: bool) -> Sequence[ChannelView]:
        return await self._read(channels.views, who, joined)

    # Accounts

    async def add_account(
        self, username: str, password_hash: str | None, email: str | None, *, admin: bool = False
    ) -> Account:
        return await self._writer.run(
            lambda tx: accounts.add(tx, username, password_hash, email, admin)
        )

    async def account(self, name: str) -> Account | None:
        return await self._read(accounts.by_name, name)

    async def account_by_id(self, user: UserId) -> Account | None:
        return await self._read(accounts.by_id, user)

    async def account_by_subject(self, issuer: str, subject: str) -> Account | None:
        return await self._read(accounts.by_subject, issuer, subject)

    async def account_by_handle(self, handle: str, issuer: str | None) -> Account | None:
        return await self._read(accounts.by_handle, handle, issuer)

    async def external_account(
        self, issuer: str, subject: str, names: Sequence[str]
    ) -> tuple[Account, UserId | None]:
        return await self._writer.run(
            lambda tx: accounts.ensure_external(tx, issuer, subject, names)
        )

    async def set_password(self, user: UserId, password_hash: str) -> None:
        await self._writer.run(lambda tx: accounts.set_password(tx, user, password_hash))

    async def set_disabled(self, user: UserId, disabled: bool) -> None:
        await self._writer.run(lambda tx: accounts.set_disabled(tx, user, disabled))

    async def open_session(self, session: Session, refresh_hash: str) -> None:
        await self._writer.run(lambda tx: accounts.open_session(tx, session, refresh_hash))

    async def rotate(self, refresh_hash: str, new_hash: str, now: int) -> tuple[Session, Account]:
        result = await self._writer.run(lambda tx: accounts.rotate(tx, refresh_hash, new_hash, now))
        if isinstance(result, RefreshReused):
            raise result
        return result

    async def session(self, session: str) -> tuple[Session, Account] | None:
        try:
            row = self._quick.execute(_STANDING, (session,)).fetchone()
        except sqlite3.Error:
            return await self._read(accounts.standing, session)
        if row is None:
            return None
        id_, user, began, ends, revoked, name, email, password, admin, disabled, at, *theirs = row
        account = Account(user, name, email, password, bool(admin), bool(disabled), at, *theirs)
        return Session(id_, user, began, ends, bool(revoked)), account

    async def sessions(self, user: UserId) -> Sequence[Session]:
        return await self._writer.run(
            lambda tx: accounts.live_sessions(tx.connection, user, tx.now)
        )

    async def revoke(self, session: str, user: UserId) -> bool:
        return await self._writer.run(lambda tx: accounts.revoke(tx, session, user))

    async def revoke_all(self, user: UserId, but: str | None = None) -> Sequence[str]:
        return await self._writer.run(lambda tx: accounts.revoke_all(tx, user, but))

    def connected(self, row: ConnectionRow) -> None:
        self._note(row.id, row)

    def disconnected(self, connection: str) -> None:
        if self._notes.pop(connection, None) is None:
            self._note(connection, None)

    async def connections(self, user: UserId | None) -> Sequence[ConnectionRow]:
        # By the writer, behind what it was told before.
        self._note_all()
        return await self._writer.run(lambda tx: accounts.live_connections(tx.connection, user))

    # Addresses

    async def put_code(self, email: str, digest: str, *, known_only: bool = False) -> bool:
        return await self._writer.run(lambda tx: emails.put_code(tx, email, digest, known_only))

    async def verify(self, email: str, digest: str, token: str) -> bool:
        return await self._writer.run(lambda tx: emails.verify(tx, email, digest, token))

    async def name_email(
        self, email: str, spelling: str, username: str, token: str | None
    ) -> Account | None:
        return await self._writer.run(
            lambda tx: emails.name_email(tx, email, spelling, username, token)
        )

    async def log_in_by_token(self, email: str, token: str) -> UserId | None:
        return await self._writer.run(lambda tx: emails.log_in_by_token(tx, email, token))

    async def log_in_by_code(self, email: str, digest: str) -> UserId | None:
        return await self._writer.run(lambda tx: emails.log_in_by_code(tx, email, digest))

    async def log_in_by_email(self, email: str) -> UserId | None:
        return await self._writer.run(lambda tx: emails.log_in_by_email(tx, email))

    async def join_email(self, user: UserId, email: str, spelling: str, digest: str) -> bool:
        return await self._writer.run(
            lambda tx: emails.join_email(tx, user, email, spelling, digest)
        )

    def _note(self, connection: str, row: ConnectionRow | None) -> None:
        self._notes[connection] = row
        if self._noting is None:
            self._noting = asyncio.get_running_loop().call_later(NOTE_SECONDS, self._note_all)

    def _note_all(self) -> None:
        if self._noting is not None:
            self._noting.cancel()
            self._noting = None
        if self._notes:
            self._writer.put(Note(self._notes))
            self._notes = {}
