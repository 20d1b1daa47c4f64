"""The one writer: a thread that owns the only writing connection to a SQLite database.

What arrives while a commit runs becomes the next commit; nothing waits for a timer.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from hubbub.core.answers import Done, Posted
from hubbub.core.commands import MoveCursor, SendMessage
from hubbub.core.errors import DomainError, Unavailable
from hubbub.core.events import Envelope
from hubbub.core.ids import Who
from hubbub.storage.append import Appender
from hubbub.storage.base import ConnectionRow
from hubbub.storage.units.journal import highest_id
from hubbub.storage.units.transaction import Transaction

log = logging.getLogger(__name__)

T = TypeVar("T")

_MOST_JOBS = 1_000


@dataclass(frozen=True, slots=True)
class Post:
    """A message to append, and whom to tell."""

    who: Who
    command: SendMessage
    done: Callable[[Posted | DomainError], None]


@dataclass(frozen=True, slots=True)
class Move:
    """A cursor to move, and whom to tell."""

    who: Who
    command: MoveCursor
    done: Callable[[Done | DomainError], None]


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of work, and whom to tell. It runs in a savepoint: failing undoes it alone."""

    run: Callable[[Transaction], Any]
    done: Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Note:
    """Sockets that opened (with their rows) and closed (with None), by their ids."""

    sockets: dict[str, ConnectionRow | None]


Job = Post | Move | Unit | Note


@dataclass(slots=True)
class _Outcome:
    """What a commit has to tell: answers first, then events."""

    answers: list[tuple[Callable[[Any], None], Any]] = field(default_factory=list)
    published: list[Envelope] = field(default_factory=list)


class Writer:
    """Runs jobs in the order given, as many as are waiting in one transaction.

    `publish` is called on the event loop with what a commit published, after the jobs of that
    commit were answered.
    """

    def __init__(
        self,
        engine: Engine,
        publish: Callable[[Sequence[Envelope]], None],
        clock: Callable[[], float],
    ) -> None:
        self._publish = publish
        self._clock = clock
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="hubbub-writer", daemon=True)
        self._closed = False

    async def start(self) -> None:
        """Opens the connection.

        Raises:
            Unavailable: when that fails.
        """
        started: asyncio.Future[None] = self._loop.create_future()
        self._started = started
        self._thread.start()
        await started

    def put(self, job: Job) -> None:
        """Hands a job over. Never waits."""
        if self._closed:
            self._refuse(job)
        else:
            self._jobs.put(job)

    async def run(self, unit: Callable[[Transaction], T]) -> T:
        """Runs a unit; its result, or what it raised, comes back after the commit."""
        future: asyncio.Future[T] = self._loop.create_future()

        def done(result: Any) -> None:
            if future.done():
                return
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)

        self.put(Unit(unit, done))
        return await future

    async def close(self) -> None:
        """Commits what is waiting, checkpoints, and lets the connection go."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def _refuse(self, job: Job) -> None:
        if not isinstance(job, Note):
            job.done(Unavailable("the server is stopping"))

    def _run(self) -> None:
        try:
            self._connection = self._engine.connect()
            raw = self._connection.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            self._raw = raw
            with self._connection.begin():
                last_id = highest_id(self._connection)
            self._appender = Appender(raw, last_id)
        except Exception as error:
            log.exception("! the database cannot be opened")
            failure = Unavailable(f"the database cannot be opened: {error}")
            self._loop.call_soon_threadsafe(self._started.set_exception, failure)
            return
        self._loop.call_soon_threadsafe(self._started.set_result, None)
        try:
            while self._turn():
                pass
        finally:
            with suppress(sqlite3.Error):
                self._raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()

    def _turn(self) -> bool:
        job = self._jobs.get()
        jobs: list[Job] = []
        while job is not None:
            jobs.append(job)
            if len(jobs) >= _MOST_JOBS:
                break
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
        if jobs:
            self._commit(jobs)
        return job is not None

    def _commit(self, jobs: list[Job]) -> None:
        try:
            outcome = self._transaction(jobs)
        except Exception as error:
            self._appender.forget()
            if self._raw.in_transaction:
                with suppress(sqlite3.Error):  # or else the next commit fails, and tries this again
                    self._raw.execute("ROLLBACK")
            if len(jobs) > 1:
                log.warning(
                    "x a commit of %d jobs failed, trying them singly: %s", len(jobs), error
                )
                for job in jobs:
                    self._commit([job])
                return
            log.error("! nothing was stored: %s", error)
            outcome = _Outcome()
            [job] = jobs
            if not isinstance(job, Note):
                outcome.answers.append((job.done, Unavailable("it could not be stored")))
        self._loop.call_soon_threadsafe(self._settle, outcome)

    def _settle(self, outcome: _Outcome) -> None:
        for done, answer in outcome.answers:
            try:
                done(answer)
            except Exception:
                log.exception("! an answer could not be delivered")
        if outcome.published:
            self._publish(outcome.published)

    def _transaction(self, jobs: list[Job]) -> _Outcome:
        outcome = _Outcome()
        now = int(self._clock() * 1000)
        if any(isinstance(job, Unit) for job in jobs):
            with self._connection.begin():
                start = 0
                for index, job in enumerate(jobs):
                    if isinstance(job, Unit):
                        self._append(jobs[start:index], now, outcome)
                        self._unit(job, now, outcome)
                        start = index + 1
                self._append(jobs[start:], now, outcome)
        else:
            self._raw.execute("BEGIN IMMEDIATE")
            self._append(jobs, now, outcome)
            self._raw.execute("COMMIT")
        return outcome

    def _append(self, jobs: Sequence[Job], now: int, outcome: _Outcome) -> None:
        # Like with like, and still in order: a cursor must not pass what was posted after it.
        for _, alike in groupby(jobs, type):
            self._append_alike(list(alike), now, outcome)

    def _append_alike(self, jobs: Sequence[Job], now: int, outcome: _Outcome) -> None:
        posts = [job for job in jobs if isinstance(job, Post)]
        moves = [job for job in jobs if isinstance(job, Move)]
        if posts:
            answers = self._appender.posts(
                [(job.who, job.command) for job in posts], now, outcome.published
            )
            outcome.answers += zip((job.done for job in posts), answers, strict=True)
        if moves:
            done = self._appender.moves(
                [(job.who, job.command) for job in moves], outcome.published
            )
            outcome.answers += zip((job.done for job in moves), done, strict=True)
        for job in jobs:
            if isinstance(job, Note):
                self._appender.sockets(job.sockets)

    def _unit(self, job: Unit, now: int, outcome: _Outcome) -> None:
        tx = Transaction(self._connection, now, self._appender.take_id)
        try:
            with self._connection.begin_nested():
                result = job.run(tx)
        except DomainError as error:
            result = error
        except SQLAlchemyError:
            raise
        except Exception:
            log.exception("! a unit failed")
            result = Unavailable("it could not be done")
        else:
            outcome.published += tx.published
            for channel in tx.touched:
                self._appender.forget_channel(channel)
        outcome.answers.append((job.done, result))
