"""Read and delivered cursors: forward only, never past what there is, told once."""

import asyncio

import pytest

from hubbub.core.answers import Done
from hubbub.core.commands import JoinChannel, LeaveChannel
from hubbub.core.events import CursorMoved
from tests.contracts.stored import Stored, codes, good


def moves(stored: Stored) -> list[tuple[str, int, int]]:
    """The receipts told so far."""
    events = [e.event for e in stored.published]
    return [(e.user.name, e.read, e.delivered) for e in events if isinstance(e, CursorMoved)]


async def test_a_cursor_moves_forward_only(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice, bob)
    good([await stored.post(alice, room) for _ in range(5)])
    for read in (4, 3, 0, 4, 5):
        assert await stored.move(bob, room, read) == Done()
    assert await stored.cursors(bob, room) == (5, 5)
    assert moves(stored) == [("bob", 4, 4), ("bob", 5, 5)]


@pytest.mark.parametrize(
    ("read", "delivered", "expected"),
    [
        (0, 0, (2, 2)),
        (4, 0, (4, 4)),
        (0, 5, (2, 5)),
        (3, 5, (3, 5)),
        (5, 3, (5, 5)),
        (0, 1, (2, 2)),
    ],
)
async def test_what_was_read_was_delivered(
    stored: Stored, read: int, delivered: int, expected: tuple[int, int]
) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice, bob)
    good([await stored.post(alice, room) for _ in range(4)])
    await stored.move(bob, room, read, delivered)
    assert await stored.cursors(bob, room) == expected
    assert moves(stored) == ([] if expected == (2, 2) else [("bob", *expected)])


@pytest.mark.parametrize("far", [7, 2**53 - 1])
async def test_a_cursor_never_passes_the_newest_event(stored: Stored, far: int) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    good([await stored.post(alice, room) for _ in range(2)])
    await stored.move(alice, room, far, far)
    assert await stored.cursors(alice, room) == (3, 3)


async def test_nobody_has_read_what_was_posted_after_they_said_so(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice, bob)
    async with stored.held():
        stored.move(bob, room, 1_000)
        stored.post(alice, room)
        stored.post(alice, room)
        stored.move(alice, room, 1_000)
        stored.post(bob, room)
    await stored.storage.ready()
    assert await stored.cursors(bob, room) == (2, 2)
    assert await stored.cursors(alice, room) == (4, 4)


async def test_of_several_moves_in_a_batch_the_last_position_is_told(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room, other = await stored.channel(alice, bob), await stored.channel(alice, bob)
    for where in (room, other):
        good([await stored.post(alice, where) for _ in range(5)])
    async with stored.held():
        asked = [stored.move(bob, room, read) for read in (3, 5, 4)]
        asked += [stored.move(bob, other, 3), stored.move(alice, room, 6), stored.move(bob, room)]
    assert await asyncio.gather(*asked) == [Done()] * 6
    assert moves(stored) == [("bob", 5, 5), ("bob", 3, 3), ("alice", 6, 6)]
    assert await stored.cursors(bob, room) == (5, 5)


async def test_only_members_have_cursors(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice)
    answers = [await stored.move(bob, room, 1), await stored.move(alice, 99, 1)]
    assert codes(answers) == ["not_a_member", "unknown_channel"]
    assert moves(stored) == []


async def test_cursors_outlive_a_restart(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    good([await stored.post(alice, room) for _ in range(5)])
    await stored.move(alice, room, 3, 4)
    await stored.reopen()
    assert await stored.cursors(alice, room) == (3, 4)
    await stored.move(alice, room, 2, 2)
    assert await stored.cursors(alice, room) == (3, 4)


async def test_what_was_said_before_somebody_joined_is_not_unread(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice)
    good([await stored.post(alice, room) for _ in range(3)])
    await stored.storage.change(bob, JoinChannel(room.id))
    assert await stored.cursors(bob, room) == (5, 5)


async def test_whoever_comes_back_starts_anew(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice, bob)
    async with stored.held():
        stored.post(alice, room)
        stored.move(bob, room, 3)
        await stored.ask(stored.storage.change(bob, LeaveChannel(room.id)))
        gone = stored.move(bob, room, 3)
        await stored.ask(stored.storage.change(bob, JoinChannel(room.id)))
        stored.post(alice, room)
        back = stored.move(bob, room, 6)
    assert codes([await gone, await back]) == ["not_a_member", "ok"]
    assert await stored.cursors(bob, room) == (6, 6)


async def test_a_receipt_is_fleeting_and_everybodys(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice, bob)
    await stored.post(alice, room)
    await stored.move(bob, room, 3)
    receipt = stored.published[-1]
    assert isinstance(receipt.event, CursorMoved)
    assert (receipt.channel, receipt.seq, receipt.but) == (room.id, 0, None)
    assert receipt not in await stored.log(alice, room)
