"""One process at a time: the second is refused with a sentence, a killed one holds nobody up."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hubbub.storage.lock import DataLock, Locked
from hubbub.storage.sqlite import SqliteStorage

HOLDER = """
import sys, pathlib
from hubbub.storage.lock import DataLock
lock = DataLock(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def hold_elsewhere(database: Path) -> "subprocess.Popen[str]":
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def end(holder: "subprocess.Popen[str]", number: signal.Signals) -> None:
    holder.send_signal(number)
    holder.wait()
    for pipe in (holder.stdin, holder.stdout):
        assert pipe is not None
        pipe.close()


def test_a_second_process_is_refused_with_a_sentence_that_names_the_first(tmp_path: Path) -> None:
    holder = hold_elsewhere(tmp_path / "db")
    try:
        with pytest.raises(Locked) as refused:
            DataLock(tmp_path / "db")
    finally:
        end(holder, signal.SIGTERM)
    assert refused.value.code == "data_locked"
    assert f"(process {holder.pid})" in str(refused.value)
    assert str(tmp_path / "db") in str(refused.value)


def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    end(hold_elsewhere(tmp_path / "db"), signal.SIGKILL)
    lock = DataLock(tmp_path / "db")
    assert (tmp_path / "db.lock").read_text() == f"{os.getpid()}\n"
    lock.release()


def test_the_same_process_is_refused_as_well(tmp_path: Path) -> None:
    lock = DataLock(tmp_path / "db")
    with pytest.raises(Locked, match=str(os.getpid())):
        DataLock(tmp_path / "db")
    lock.release()
    lock.release()
    DataLock(tmp_path / "db").release()


def test_other_databases_are_other_locks(tmp_path: Path) -> None:
    locks = [DataLock(tmp_path / name) for name in ("one", "two")]
    for lock in locks:
        lock.release()


def test_the_pid_of_an_earlier_holder_does_not_show_through(tmp_path: Path) -> None:
    (tmp_path / "db.lock").write_text("123456789123456789\n")
    DataLock(tmp_path / "db").release()
    assert (tmp_path / "db.lock").read_text() == f"{os.getpid()}\n"


def test_the_lock_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    DataLock(tmp_path / "db").release()
    assert (tmp_path / "db.lock").stat().st_mode & 0o077 == 0


def test_children_do_not_inherit_the_lock(tmp_path: Path) -> None:
    lock = DataLock(tmp_path / "db")
    child = subprocess.Popen(
        [sys.executable, "-c", "print('up', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        close_fds=False,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        lock.release()
        DataLock(tmp_path / "db").release()
    finally:
        child.communicate("\n")


async def test_a_storage_holds_the_lock_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "db"
    storage = await SqliteStorage.open(path, lambda envelopes: None)
    with pytest.raises(Locked):
        await SqliteStorage.open(path, lambda envelopes: None)
    assert await storage.ready()
    await storage.close()
    holder = await asyncio.to_thread(hold_elsewhere, path)
    await asyncio.to_thread(end, holder, signal.SIGKILL)


def test_another_name_of_the_same_file_is_no_way_around_the_lock(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    alias = tmp_path / "elsewhere" / "alias"
    alias.symlink_to(tmp_path / "db")
    lock = DataLock(tmp_path / "db")
    try:
        with pytest.raises(Locked):
            DataLock(alias)
    finally:
        lock.release()
