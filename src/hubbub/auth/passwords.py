"""Passwords: hashed with argon2id (RFC 9106) in a few threads, so that the event loop goes on."""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from hubbub.core.errors import Invalid, TooMany

T = TypeVar("T")

MIN_PASSWORD = 8
MAX_PASSWORD = 1024
WORKERS = 2
QUEUE = 64
RETRY_AFTER = 2


@dataclass(frozen=True, slots=True)
class Parameters:
    """What one hash costs: kibibytes of memory, passes over it, lanes."""

    memory: int
    passes: int
    lanes: int


def check_password(password: str) -> str:
    """Returns `password` when it may be somebody's: 8 to 1,024 characters of any kind.

    Raises:
        Invalid: `weak_password`.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise Invalid(
            f"a password must be {MIN_PASSWORD} to {MAX_PASSWORD} characters", "weak_password"
        )
    if not _encodable(password):
        raise Invalid("a password must be valid Unicode text", "weak_password")
    return password


class Passwords:
    """Hashes and verifies, two at a time and 64 waiting. What comes on top is refused: each hash
    takes 64 MiB and a tenth of a second, and a queue without an end is an outage."""

    def __init__(
        self, parameters: Parameters | None = None, *, workers: int = WORKERS, queue: int = QUEUE
    ) -> None:
        """`parameters` are pwdlib's recommended ones unless given: RFC 9106's second choice, 64
        MiB. Tests give cheap ones."""
        self._hasher = PasswordHash.recommended()
        if parameters is not None:
            self._hasher = PasswordHash(
                [Argon2Hasher(parameters.passes, parameters.memory, parameters.lanes)]
            )
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="passwords")
        self._room = BoundedSemaphore(workers + queue)
        # In a thread, too: starting the server need not wait for it. Being the first work handed
        # to the threads, it is never behind somebody who waits for it.
        self._nobody = self._pool.submit(self._hasher.hash, secrets.token_urlsafe(16))

    async def hash(self, password: str) -> str:
        """The hash to store.

        Raises:
            Invalid: `weak_password`.
            TooMany: too many are being hashed already.
        """
        check_password(password)
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether the password is the one hashed. Without a hash it is not, and finding that out
        takes as long: how long an answer takes does not tell who has an account.

        Raises:
            TooMany: too many are being hashed already.
        """
        if len(password) > MAX_PASSWORD or not _encodable(password):
            return False
        return await self._run(lambda: self._matches(password, password_hash))

    def outdated(self, password_hash: str) -> bool:
        """Whether a hash was made with other parameters than today's, so that the next correct
        password had better be hashed again."""
        hasher = self._hasher.current_hasher
        return not hasher.identify(password_hash) or hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        """Ends the threads, after the hashes they are at: a fraction of a second."""
        self._pool.shutdown(cancel_futures=True)

    def _matches(self, password: str, password_hash: str | None) -> bool:
        compared = self._nobody.result() if password_hash is None else password_hash
        try:
            return self._hasher.verify(password, compared) and password_hash is not None
        except UnknownHashError:
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._room.acquire(blocking=False):
            raise TooMany(
                "too many passwords are being checked; try again", retry_after=RETRY_AFTER
            )
        try:
            future = self._pool.submit(work)
        except BaseException:
            self._room.release()
            raise
        future.add_done_callback(self._done)
        return await asyncio.wrap_future(future)

    def _done(self, _: Future[T]) -> None:
        # Called when the thread is really done, which a caller who gave up does not change.
        self._room.release()


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
