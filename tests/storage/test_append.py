"""What the writer remembers must never be mistaken for what is stored."""

import asyncio
from pathlib import Path

import pytest

from hubbub.storage import append
from hubbub.storage.migrate import migrate
from hubbub.storage.sqlite import writing_engine
from tests.contracts.stored import SqliteAdapter, Stored, good


async def test_a_cursor_does_not_go_back_when_the_memory_overflows_within_a_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(append, "_MOST_MEMBERS", 0)
    template = tmp_path / "template"
    migrate(writing_engine(template))
    stored = Stored(SqliteAdapter(tmp_path, template))
    await stored.open()
    try:
        alice, bob = await stored.people("alice", "bob")
        room = await stored.channel(alice, bob)
        good([await stored.post(alice, room) for _ in range(5)])
        async with stored.held():
            asked = [stored.move(bob, room, 6), stored.move(alice, room, 4)]
            asked += [stored.move(bob, room, 3)]
        await asyncio.gather(*asked)
        assert await stored.cursors(bob, room) == (6, 6)
        assert await stored.cursors(alice, room) == (4, 4)
    finally:
        await stored.storage.close()
