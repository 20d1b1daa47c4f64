"""What is SQLite's own: how connections are set up, what can go wrong with a file."""

import os
import resource
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from hubbub.core.channels import Kind
from hubbub.core.commands import CreateChannel, EditChannel, SendMessage
from hubbub.core.errors import Unavailable
from hubbub.core.events import ChannelChanged, Envelope
from hubbub.core.ids import Who
from hubbub.storage.lock import DataLock
from hubbub.storage.migrate import migrate
from hubbub.storage.sqlite import SqliteStorage, reading_engine, writing_engine


def nobody(envelopes: Sequence[Envelope]) -> None:
    pass


@asynccontextmanager
async def opened(path: Path, **options: Any) -> AsyncIterator[SqliteStorage]:
    storage = await SqliteStorage.open(path, nobody, **options)
    try:
        yield storage
    finally:
        await storage.close()


async def written(storage: SqliteStorage, statement: str) -> object:
    return await storage._writer.run(lambda tx: tx.connection.exec_driver_sql(statement).scalar())


async def read(storage: SqliteStorage, statement: str) -> object:
    return await storage._read(lambda connection: connection.exec_driver_sql(statement).scalar())


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("wal_autocheckpoint", 4000),
        ("busy_timeout", 5000),
    ],
)
async def test_the_writer_is_set_up_as_it_promises(
    tmp_path: Path, pragma: str, value: object
) -> None:
    async with opened(tmp_path / "db") as storage:
        assert await written(storage, f"PRAGMA {pragma}") == value


@pytest.mark.parametrize(("asked", "value"), [("FULL", 2), ("NORMAL", 1)])
async def test_flushing_every_commit_is_given_up_only_when_asked(
    tmp_path: Path, asked: str, value: int
) -> None:
    async with opened(tmp_path / "db", synchronous=asked) as storage:
        assert await written(storage, "PRAGMA synchronous") == value


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO users (username, folded, created_at) VALUES ('x', 'x', 0)",
        "DELETE FROM journal",
        "CREATE TABLE t (x)",
        "DROP TABLE journal",
    ],
)
async def test_readers_cannot_write(tmp_path: Path, statement: str) -> None:
    async with opened(tmp_path / "db") as storage:
        with pytest.raises(Unavailable) as refused:
            await read(storage, statement)
        assert isinstance(refused.value.__cause__, OperationalError)
        assert await read(storage, "SELECT count(*) FROM users") == 0


def test_a_reading_sees_one_moment_from_beginning_to_end(tmp_path: Path) -> None:
    writing, reading = writing_engine(tmp_path / "db"), reading_engine(tmp_path / "db")
    migrate(writing)
    count = text("SELECT count(*) FROM users")
    add = text("INSERT INTO users (username, folded, created_at) VALUES (:name, :name, 0)")
    with reading.connect() as connection, connection.begin():
        assert connection.execute(count).scalar() == 0
        with writing.begin() as writer:
            writer.execute(add, {"name": "alice"})
        assert connection.execute(count).scalar() == 0
    with reading.connect() as connection, connection.begin():
        assert connection.execute(count).scalar() == 1


def test_a_transaction_that_writes_has_the_lock_from_its_beginning(tmp_path: Path) -> None:
    engine = writing_engine(tmp_path / "db")
    migrate(engine)
    other = sqlite3.connect(tmp_path / "db", timeout=0, isolation_level=None)
    with engine.begin(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    other.close()


@pytest.mark.parametrize(
    "name",
    ["a b", "100%", "%41", "a#b", "what?", "a&b=c", "é", "😀", "it's", 'say "so"', "[x]", ";"],
)
async def test_a_folder_may_be_called_anything(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / f"{name}.db"
    async with opened(path) as storage:
        account = await storage.add_account("alice", None, None)
        assert await storage.account("alice") == account
    async with opened(path) as storage:
        assert await storage.account("alice") == account
    assert path.is_file()
    assert [p.name for p in tmp_path.iterdir()] == [name]


async def test_a_path_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened(Path("data/hubbub.db")) as storage:
        assert await storage.ready()
    assert (tmp_path / "data" / "hubbub.db").is_file()


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database, and long enough not to be taken for an empty one" * 20)


def a_folder(path: Path) -> None:
    path.mkdir()


def from_the_future(path: Path) -> None:
    engine = writing_engine(path)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))


def somebody_elses(path: Path) -> None:
    with writing_engine(path).begin() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER)"))


def a_table_short(path: Path) -> None:
    engine = writing_engine(path)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE connections"))


@pytest.mark.parametrize(
    "spoil", [garbage, a_folder, from_the_future, somebody_elses, a_table_short]
)
async def test_a_file_that_cannot_be_used_is_refused_and_let_go(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = tmp_path / "db"
    spoil(path)
    with pytest.raises(Unavailable, match="cannot be opened") as refused:
        await SqliteStorage.open(path, nobody)
    assert str(path) in str(refused.value)
    DataLock(path).release()


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot be opened"):
        await SqliteStorage.open(tmp_path / "file" / "db", nobody)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_what_is_made_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "db"
    before = os.umask(0o022)
    try:
        async with opened(path) as storage:
            assert await storage.ready()
            names = {file.name: mode(file) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert names == dict.fromkeys(("db", "db-shm", "db-wal", "db.lock"), 0o600)
    assert mode(path.parent) == 0o700


async def test_what_was_there_stays_as_open_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "data" / "db"
    path.parent.mkdir(mode=0o750)
    path.touch(0o640)
    async with opened(path) as storage:
        assert await storage.ready()
    assert (mode(path.parent), mode(path)) == (0o750, 0o640)


async def test_a_disk_that_takes_nothing_more_is_not_ready(tmp_path: Path) -> None:
    path = tmp_path / "db"
    async with opened(path) as storage:
        assert await storage.ready()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        # As on a full disk, what would make the file longer fails.
        full = path.with_name("db-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (full, hard))
        try:
            assert not await storage.ready()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert await storage.ready()


async def test_closing_leaves_one_file_that_holds_everything(tmp_path: Path) -> None:
    async with opened(tmp_path / "db") as storage:
        await storage.add_account("alice", None, None)
        assert (tmp_path / "db-wal").stat().st_size > 0
    assert not (tmp_path / "db-wal").exists()
    found = sqlite3.connect(tmp_path / "db").execute("SELECT username FROM users").fetchall()
    assert found == [("alice",)]


async def test_the_log_of_what_was_written_does_not_grow_for_ever(tmp_path: Path) -> None:
    async with opened(tmp_path / "db", synchronous="NORMAL") as storage:
        account = await storage.add_account("alice", None, None)
        alice = Who(account.id, "alice")
        room = await storage.create(alice, CreateChannel(Kind.ROOM, "General"))
        await written(storage, "PRAGMA wal_autocheckpoint = 50")
        sizes = []
        for _ in range(60):
            for _ in range(10):
                storage.post(alice, SendMessage(room.id, "x" * 4_000), lambda answer: None)
            await storage.ready()
            sizes.append((tmp_path / "db-wal").stat().st_size)
    assert max(sizes) < 2 * 2**20


async def test_a_commit_that_fails_is_undone_and_the_next_one_works(tmp_path: Path) -> None:
    async with opened(tmp_path / "db") as storage:
        account = await storage.add_account("alice", None, None)
        alice = Who(account.id, "alice")
        room = await storage.create(alice, CreateChannel(Kind.ROOM, "General"))
        answers: list[object] = []
        forbid(storage, "COMMIT")
        storage.post(alice, SendMessage(room.id, "lost", "c1"), answers.append)
        with pytest.raises(Unavailable):
            await storage.add_account("bob", None, None)
        forbid(storage, None)
        storage.post(alice, SendMessage(room.id, "kept", "c1"), answers.append)
        await storage.ready()
        assert isinstance(answers[0], Unavailable)
        log = await storage.events(alice, room.id, 0, 10)
        assert [e.seq for e in log] == [1, 2]
        assert await storage.account("bob") is None


async def test_a_rollback_that_fails_is_made_up_for(tmp_path: Path) -> None:
    async with opened(tmp_path / "db") as storage:
        account = await storage.add_account("alice", None, None)
        alice = Who(account.id, "alice")
        room = await storage.create(alice, CreateChannel(Kind.ROOM, "General"))
        answers: list[object] = []
        forbid(storage, "COMMIT", "ROLLBACK")
        for number in range(3):
            storage.post(alice, SendMessage(room.id, f"lost {number}"), answers.append)
        while len(answers) < 3:
            with pytest.raises(Unavailable):
                await storage.add_account("bob", None, None)
        forbid(storage, None)
        assert all(isinstance(answer, Unavailable) for answer in answers)
        with suppress(Unavailable):  # what is left of the last commit may be in the way of one
            await storage.add_account("carol", None, None)
        assert await storage.add_account("bob", None, None)
        assert len(await storage.events(alice, room.id, 0, 10)) == 1


def forbid(storage: SqliteStorage, *operations: str | None) -> None:
    """From now on the writer's connection fails at these operations on transactions."""

    def authorize(action: int, operation: str | None, *_: str | None) -> int:
        refused = action == sqlite3.SQLITE_TRANSACTION and operation in operations
        return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK

    storage._writer._raw.set_authorizer(authorize)


async def test_a_change_from_before_rooms_had_guests_is_still_read(tmp_path: Path) -> None:
    async with opened(tmp_path / "db") as storage:
        account = await storage.add_account("alice", None, None)
        alice = Who(account.id, "alice")
        room = await storage.create(alice, CreateChannel(Kind.ROOM, "General"))
        [change] = await storage.change(alice, EditChannel(room.id, name="Lounge", private=True))
        before = """UPDATE journal SET data = '["Lounge", "", true]' WHERE seq = 2 RETURNING seq"""
        assert await written(storage, before) == 2
        [told] = await storage.events(alice, room.id, 1, 10)
    assert told.event == change
    assert change == ChannelChanged(room.id, "Lounge", "", True, False, told.event.at)
