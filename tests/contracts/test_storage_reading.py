"""Reading channels back: history, events, and what entering needs."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from hubbub.core.answers import Recovery
from hubbub.core.channels import Channel, Kind, Role
from hubbub.core.commands import EditChannel, Enter, JoinChannel, LeaveChannel, ReadHistory
from hubbub.core.errors import DomainError
from hubbub.core.events import Envelope, MessagePosted
from hubbub.core.ids import Cursor, Who
from tests.contracts.stored import Stored, contents, good, stranger

PLENTY = (1_000, 2**30)


async def refusal(asked) -> str:  # type: ignore[no-untyped-def]
    with pytest.raises(DomainError) as refused:
        await asked
    return refused.value.code


async def two_rooms(stored: Stored) -> tuple[Who, Channel, Channel]:
    """Two channels in turns, so that ids have gaps, with events that are no messages between."""
    alice, bob = await stored.people("alice", "bob")
    room, other = await stored.channel(alice), await stored.channel(alice)
    for number in range(12):
        where = other if number in (0, 1, 5, 8, 11) else room
        good([await stored.post(alice, where, f"{where.id}:{number}")])
        if number % 4 == 3:
            await stored.storage.change(bob, JoinChannel(room.id))
            await stored.storage.change(bob, LeaveChannel(room.id))
    return alice, room, other


def expected(
    messages: Sequence[Envelope], before: int | None, after: int | None, limit: int
) -> list[Envelope]:
    """The contract's words on `before` and `after`, on a list."""
    found = [
        e
        for e in messages
        if isinstance(e.event, MessagePosted)
        and (before is None or e.event.id < before)
        and (after is None or e.event.id > after)
    ]
    return found[:limit] if after is not None and before is None else found[-limit:]


async def test_a_page_of_history_is_what_its_bounds_say(stored: Stored) -> None:
    alice, room, other = await two_rooms(stored)
    for where in (room, other):
        log = await stored.log(alice, where)
        bounds = [None, 0, *range(1, 30), 2**53 - 1]
        for before in bounds:
            for after in (None, 0, 3, 7, 14, 29) if before is not None else bounds:
                for limit in (1, 3, 50):
                    command = ReadHistory(where.id, before, after, limit)
                    page = await stored.storage.history(alice, command)
                    assert page.channel == where.id
                    assert list(page.messages) == expected(log, before, after, limit), command


async def test_walking_back_page_by_page_finds_every_message_once(stored: Stored) -> None:
    alice, room, _ = await two_rooms(stored)
    found: list[Envelope] = []
    before = None
    while page := (
        await stored.storage.history(alice, ReadHistory(room.key, before, limit=2))
    ).messages:
        found = [*page, *found]
        oldest = page[0].event
        assert isinstance(oldest, MessagePosted)
        before = oldest.id
    assert found == [e for e in await stored.log(alice, room) if isinstance(e.event, MessagePosted)]


async def test_events_after_a_seq_come_oldest_first(stored: Stored) -> None:
    alice, room, _ = await two_rooms(stored)
    log = await stored.log(alice, room)
    for after in range(len(log) + 2):
        assert (
            list(await stored.storage.events(alice, room.key, after, 3)) == log[after : after + 3]
        )


async def test_a_gap_is_filled_exactly_and_for_nobody_in_particular(stored: Stored) -> None:
    alice, room, _ = await two_rooms(stored)
    await stored.storage.change(alice, EditChannel(room.id, private=True))
    log = await stored.log(alice, room)
    for after in range(len(log)):
        for upto in range(after, len(log) + 3):
            found = await stored.storage.backfill(room.id, after, upto)
            assert list(found) == log[after:upto]


# Entering


async def enter(
    stored: Stored,
    who: Who,
    room: Channel,
    seq: int | None = None,
    most: int = PLENTY[0],
    most_bytes: int = PLENTY[1],
    *,
    epoch: str | None = None,
    history: int = 0,
) -> tuple[Recovery | None, list[Envelope]]:
    cursor = None if seq is None else Cursor(epoch or room.epoch, seq)
    command = Enter(room.id, cursor, history=history)
    entered = await stored.storage.enter(who, command, most, most_bytes)
    assert entered.seq == entered.channel.seq == (await stored.log(who, room))[-1].seq
    return entered.recovery, list(entered.events)


async def test_entering_without_a_cursor_tells_where_the_channel_stands(stored: Stored) -> None:
    alice, room, _ = await two_rooms(stored)
    assert await enter(stored, alice, room) == (None, [])
    entered = await stored.storage.enter(alice, Enter(room.key), *PLENTY)
    assert (entered.role, entered.history) == (Role.OWNER, ())
    assert entered.channel == await stored.storage.find(room.id)


async def test_entering_a_channel_in_which_nothing_happened_hands_out_its_position(
    stored: Stored,
) -> None:
    lobby = await stored.storage.ensure_channel("lobby", "Lobby", guests=True)
    for cursor in (None, Cursor(lobby.epoch, 0)):
        entered = await stored.storage.enter(stranger(1), Enter(lobby.id, cursor), *PLENTY)
        assert (entered.seq, entered.channel.epoch, entered.events) == (
            0,
            lobby.epoch,
            [] if cursor else (),
        )
        assert entered.recovery is (Recovery.RECOVERED if cursor else None)


async def test_entering_with_a_cursor_reads_exactly_what_was_missed(stored: Stored) -> None:
    alice, room, _ = await two_rooms(stored)
    log = await stored.log(alice, room)
    for seq in range(len(log) + 1):
        assert await enter(stored, alice, room, seq) == (Recovery.RECOVERED, log[seq:])


async def test_what_is_too_much_comes_as_its_newest_part(stored: Stored) -> None:
    alice, room, _ = await two_rooms(stored)
    log = await stored.log(alice, room)
    for seq in range(len(log) + 1):
        for most in range(1, len(log) + 2):
            recovery, events = await enter(stored, alice, room, seq, most)
            enough = len(log) - seq <= most
            assert recovery is (Recovery.RECOVERED if enough else Recovery.TRUNCATED)
            assert events == log[seq:][-most:]


async def test_what_is_too_long_comes_as_its_newest_part(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    good([await stored.post(alice, room, "é" * 4_000) for _ in range(5)])
    log = await stored.log(alice, room)
    seen = set()
    for most_bytes in range(0, 80_000, 1_000):
        recovery, events = await enter(stored, alice, room, 1, 1_000, most_bytes)
        assert events == log[len(log) - len(events) :]
        assert sum(len(text.encode()) for text in contents(events)) <= most_bytes
        assert recovery is (Recovery.RECOVERED if len(events) == 5 else Recovery.TRUNCATED)
        seen.add(len(events))
    assert seen == {0, 1, 2, 3, 4, 5}


@pytest.mark.parametrize("newest", [True, False])
async def test_a_cursor_from_another_time_starts_afresh(stored: Stored, newest: bool) -> None:
    alice, room, other = await two_rooms(stored)
    top = len(await stored.log(alice, room))
    reset = (Recovery.RESET, [])
    assert await enter(stored, alice, room, top if newest else 1, epoch=other.epoch) == reset
    assert await enter(stored, alice, room, top if newest else 1, epoch="x") == reset


@pytest.mark.parametrize("ahead", [1, 2**53 - 1, -5])
async def test_a_cursor_that_was_never_handed_out_starts_afresh(stored: Stored, ahead: int) -> None:
    alice, room, _ = await two_rooms(stored)
    seq = len(await stored.log(alice, room)) + ahead if ahead > 0 else ahead
    assert await enter(stored, alice, room, seq) == (Recovery.RESET, [])


async def test_entering_reads_as_much_history_as_was_asked_for(stored: Stored) -> None:
    alice, room, _ = await two_rooms(stored)
    log = [e for e in await stored.log(alice, room) if isinstance(e.event, MessagePosted)]
    for wanted in (1, 3, 50):
        entered = await stored.storage.enter(alice, Enter(room.id, history=wanted), *PLENTY)
        assert list(entered.history) == log[-wanted:]


async def test_only_who_may_read_may_enter(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    public = await stored.channel(alice)
    talk = await stored.channel(alice, kind=Kind.CONVERSATION)
    private = await stored.channel(alice, private=True)
    lobby = await stored.storage.ensure_channel("lobby", "Lobby", guests=True)
    go = stored.storage.enter
    assert (await go(bob, Enter(public.id), *PLENTY)).role is None
    assert (await go(alice, Enter(talk.id, members_only=True), *PLENTY)).role is Role.OWNER
    assert (await go(stranger(1), Enter(lobby.id), *PLENTY)).role is None
    for who, command, code in [
        (bob, Enter(public.id, members_only=True), "not_a_member"),
        (bob, Enter(talk.id), "not_a_member"),
        (bob, Enter(private.key), "not_a_member"),
        (bob, Enter(99), "unknown_channel"),
        (bob, Enter("nowhere"), "unknown_channel"),
        (stranger(1), Enter(public.id), "guests_not_allowed"),
        (stranger(1), Enter(lobby.id, members_only=True), "not_a_member"),
    ]:
        assert await refusal(go(who, command, *PLENTY)) == code


async def test_nobody_reads_a_private_channel_in_any_other_way(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice, bob, private=True)
    await stored.storage.change(bob, LeaveChannel(room.id))
    assert await refusal(stored.storage.history(bob, ReadHistory(room.id))) == "not_a_member"
    assert await refusal(stored.storage.events(bob, room.key, 0, 10)) == "not_a_member"
    assert await refusal(stored.storage.history(alice, ReadHistory(99))) == "unknown_channel"
    assert await refusal(stored.storage.events(alice, "nowhere", 0, 10)) == "unknown_channel"
    assert (
        await refusal(stored.storage.backfill(replace(room, id=99).id, 0, 1)) == "unknown_channel"
    )


async def test_entering_sees_one_moment_however_busy_the_channel_is(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    for _ in range(30):
        posts = [stored.post(alice, room, "x") for _ in range(20)]
        cursor = Cursor(room.epoch, 1)
        entered = await stored.storage.enter(alice, Enter(room.id, cursor, history=5), *PLENTY)
        assert [e.seq for e in entered.events] == list(range(2, entered.seq + 1))
        assert list(entered.history) == list(entered.events)[-5:]
        await asyncio.gather(*posts)
