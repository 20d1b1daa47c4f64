"""A lock file beside the database: SQLite here must never have two processes writing."""

import fcntl
import os
from pathlib import Path

from hubbub.core.errors import Conflict


class Locked(Conflict):
    """Another process has the database open."""

    code = "data_locked"


class DataLock:
    """Held from construction until `release`, or until the process ends in whatever way."""

    def __init__(self, database: Path) -> None:
        """Takes the lock of this database.

        Raises:
            Locked: naming the process that has it.
        """
        # SQLite follows symbolic links: two names of one file are one lock.
        real = database.resolve()
        path = real.with_name(real.name + ".lock")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._file, 32).decode(errors="replace").strip()
            os.close(self._file)
            raise Locked(
                f"{database} is in use by the running server (process {holder or 'unknown'});"
                " stop it first"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Lets another process have it. Releasing twice is harmless."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
