"""The journal: one order per channel, dense, and each message in it once."""

import asyncio
import random
from contextlib import nullcontext
from typing import Any

import pytest

from hubbub.core.answers import Posted
from hubbub.core.channels import Channel, Role
from hubbub.core.commands import (
    AddMember,
    EditChannel,
    JoinChannel,
    LeaveChannel,
    RemoveMember,
    SendMessage,
    SetRole,
)
from hubbub.core.errors import Unavailable
from hubbub.core.events import MemberLeft, MessagePosted
from hubbub.core.ids import Who
from hubbub.storage.base import Session
from tests.contracts.stored import Stored, codes, contents, good, stranger


async def test_a_post_is_answered_published_and_stored_alike(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    stored.told.clear()
    posted = await stored.post(alice, room, "hello", "a-1")
    assert isinstance(posted, Posted)
    assert (posted.channel, posted.seq, posted.at) == (room.id, room.seq + 1, 1_795_257_000_123)
    [envelope] = stored.published
    assert envelope == (await stored.log(alice, room))[-1]
    assert (envelope.seq, envelope.epoch, envelope.but) == (posted.seq, room.epoch, None)
    event = envelope.event
    assert isinstance(event, MessagePosted)
    assert (event.id, event.channel, event.at) == (posted.id, room.id, posted.at)
    assert (event.sender.id, event.sender.name) == (alice.id, "alice")
    assert (event.content, event.client_id) == ("hello", "a-1")


async def test_a_channel_is_named_by_its_id_or_its_key(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    answers = await asyncio.gather(stored.post(alice, room.id), stored.post(alice, room.key))
    assert [posted.seq for posted in good(answers)] == [2, 3]


@pytest.mark.parametrize("ref", [99, 0, "nowhere", str(1)])
async def test_a_channel_that_is_not_there_takes_nothing(stored: Stored, ref: int | str) -> None:
    [alice] = await stored.people("alice")
    await stored.channel(alice)
    assert codes([await stored.post(alice, ref)]) == ["unknown_channel"]


async def test_what_is_answered_is_still_there_after_a_restart_and_numbers_go_on(
    stored: Stored,
) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    first = good(await asyncio.gather(*[stored.post(alice, room, str(n)) for n in range(5)]))
    before = await stored.log(alice, room)
    await stored.reopen()
    assert await stored.log(alice, room) == before
    [later] = good([await stored.post(alice, room)])
    assert later.seq == first[-1].seq + 1
    assert later.id > first[-1].id


async def test_a_refused_post_takes_no_number(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice)
    async with stored.held():
        asked = [stored.post(who, room) for who in (alice, bob, alice, bob, bob, alice)]
    answers = await asyncio.gather(*asked)
    assert codes(answers) == ["ok", "not_a_member", "ok", "not_a_member", "not_a_member", "ok"]
    assert [a.seq for a in answers if isinstance(a, Posted)] == [2, 3, 4]
    assert len(await stored.log(alice, room)) == 4


async def test_a_guest_posts_where_guests_are_welcome_and_nowhere_else(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    lobby = await stored.storage.ensure_channel("lobby", "Lobby", guests=True)
    room = await stored.channel(alice)
    guest = stranger(7)
    answers = [await stored.post(guest, lobby, "hi", "1"), await stored.post(guest, room)]
    assert codes(answers) == ["ok", "guests_not_allowed"]
    assert await stored.post(guest, lobby, "hi", "1") == answers[0]
    [envelope] = await stored.log(alice, lobby)
    assert isinstance(envelope.event, MessagePosted)
    assert envelope.event.sender.id == -7


# Batches


async def test_answers_are_called_back_before_their_events_are_published(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room, other = await stored.channel(alice), await stored.channel(alice)
    stored.told.clear()
    async with stored.held():
        for number in range(20):
            stored.post(alice, room if number % 3 else other, str(number))
    await stored.storage.ready()
    answered: set[int] = set()
    for told in stored.told:
        if isinstance(told, Posted):
            answered.add(told.id)
        else:
            assert isinstance(told, list)
            assert {e.event.id for e in told} <= answered
    assert len(answered) == len(stored.published) == 20


async def test_a_change_has_been_published_when_it_comes_back(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice)
    events = await stored.storage.change(bob, JoinChannel(room.id))
    assert [e.event for e in stored.published if e.channel == room.id][-1:] == list(events)
    made = await stored.channel(alice, bob)
    assert [e.seq for e in stored.published if e.channel == made.id] == [1, 2]


async def test_an_answer_that_nobody_can_take_harms_no_other(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)

    def broken(answer: object) -> None:
        raise RuntimeError("the receiver is broken")

    async with stored.held():
        before = stored.post(alice, room, "before")
        stored.storage.post(alice, SendMessage(room.id, "lost answer"), broken)
        after = stored.post(alice, room, "after")
    good([await before, await after])
    assert contents(stored.published) == ["before", "lost answer", "after"]


async def test_a_unit_that_fails_is_undone_alone(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    stored.told.clear()
    async with stored.held():
        first = stored.post(alice, room, "1")
        taken = await stored.ask(stored.storage.add_account("ALICE", None, None))
        second = stored.post(alice, room, "2")
        unknown = await stored.ask(stored.storage.change(alice, AddMember(room.id, 99)))
        third = stored.post(alice, room, "3")
        edited = await stored.ask(stored.storage.change(alice, EditChannel(room.id, name="Pub")))
    assert [p.seq for p in good([await first, await second, await third])] == [2, 3, 4]
    assert codes([await taken, await unknown]) == ["username_taken", "unknown_user"]
    assert codes([await edited]) == ["ok"]
    log = await stored.log(alice, room)
    assert contents(log) == ["1", "2", "3"]
    assert log[1:] == stored.published


async def test_a_unit_the_database_itself_refuses_is_undone_alone(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice)
    stored.told.clear()
    nobodys = Session("s1", stranger(-99).id, 0, 10**15, False)
    async with stored.held():
        first = stored.post(alice, room, "1", "a-1")
        joined = await stored.ask(stored.storage.change(bob, JoinChannel(room.id)))
        second = stored.post(bob, room, "2")
        refused = await stored.ask(stored.storage.open_session(nobodys, "hash"))
        again = stored.post(alice, room, "1", "a-1")
        third = stored.post(alice, room, "3")
    assert isinstance(await refused, Unavailable)
    assert len(await joined) == 1
    answers = good([await first, await second, await again, await third])
    assert [posted.seq for posted in answers] == [2, 4, 2, 5]
    log = await stored.log(alice, room)
    assert contents(log) == ["1", "2", "3"]
    assert log[1:] == stored.published
    assert await stored.storage.session("s1") is None


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_mixed_every_channel_stays_dense(
    stored: Stored, seed: int, together: bool
) -> None:
    chance = random.Random(seed)
    people = await stored.people("alice", "bob", "carol")
    rooms = [await stored.channel(people[0], people[1]) for _ in range(3)]
    stored.told.clear()
    async with stored.held() if together else nullcontext():
        asked = [await anything(stored, chance, people, rooms) for _ in range(150)]
    await asyncio.gather(*asked)
    messages: dict[tuple[int, int], MessagePosted] = {}
    for room in rooms:
        log = await stored.log(people[0], room)
        assert [e for e in stored.published if e.channel == room.id and e.seq] == log[room.seq :]
        messages |= {(room.id, e.seq): e.event for e in log if isinstance(e.event, MessagePosted)}
    named = [(m.channel, m.sender, m.client_id) for m in messages.values() if m.client_id]
    assert len(named) == len(set(named))
    answers = [answer for answer in stored.told if isinstance(answer, Posted)]
    assert {(a.channel, a.seq) for a in answers} == set(messages)
    assert all(messages[a.channel, a.seq].id == a.id for a in answers)


async def anything(
    stored: Stored, chance: random.Random, people: list[Who], rooms: list[Channel]
) -> "asyncio.Future[Any]":
    """Asks for something, mostly a post, that may well be refused."""
    who, other, room = chance.choice(people), chance.choice(people), chance.choice(rooms)
    match chance.randrange(8):
        case 0 | 1:
            change = chance.choice(
                [
                    JoinChannel(room.id),
                    LeaveChannel(room.id),
                    AddMember(room.id, other.id),
                    RemoveMember(room.id, other.id),
                    SetRole(room.id, other.id, chance.choice(list(Role))),
                    EditChannel(room.id, name=f"Name {chance.randrange(100)}"),
                    EditChannel(room.id, name=""),
                    JoinChannel(99),
                ]
            )
            return await stored.ask(stored.storage.change(who, change))
        case 2:
            return stored.move(who, room, chance.randrange(50))
        case _:
            client_id = chance.choice([None, f"c{chance.randrange(10)}"])
            return stored.post(who, room, "hello", client_id)


# The order of one caller's commands, and what is remembered of members


async def test_whoever_joins_may_post_in_the_same_breath(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice)
    assert codes([await stored.post(bob, room)]) == ["not_a_member"]
    async with stored.held():
        await stored.ask(stored.storage.change(bob, JoinChannel(room.id)))
        posted = stored.post(bob, room)
        await stored.ask(stored.storage.change(bob, LeaveChannel(room.id)))
        late = stored.post(bob, room)
        await stored.ask(stored.storage.change(bob, JoinChannel(room.key)))
        again = stored.post(bob, room)
    assert codes([await posted, await late, await again]) == ["ok", "not_a_member", "ok"]
    kinds = [type(e.event).__name__ for e in await stored.log(alice, room)]
    assert kinds == [
        "MemberJoined", "MemberJoined", "MessagePosted", "MemberLeft", "MemberJoined",
        "MessagePosted",
    ]  # fmt: skip


@pytest.mark.parametrize("together", [True, False])
async def test_whoever_was_removed_posts_nothing_more(stored: Stored, together: bool) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice, bob, private=True)
    good([await stored.post(bob, room, "before")])
    remove = RemoveMember(room.id, bob.id)
    async with stored.held() if together else nullcontext():
        removed = await stored.ask(stored.storage.change(alice, remove))
        if not together:
            await removed
            assert codes([await stored.move(bob, room.key, 3)]) == ["not_a_member"]
        late = [
            stored.move(bob, room.key, 3),
            stored.post(bob, room.key, "late"),
            stored.post(bob, room, "late"),
            stored.move(bob, room, 3),
        ]
    assert codes(await asyncio.gather(*late)) == ["not_a_member"] * 4
    assert contents(await stored.log(alice, room)) == ["before"]
    assert stored.published == await stored.log(alice, room)


async def test_a_role_counts_for_the_very_next_command(stored: Stored) -> None:
    alice, bob, carol = await stored.people("alice", "bob", "carol")
    room = await stored.channel(alice, bob, carol)
    change = stored.storage.change
    async with stored.held():
        early = await stored.ask(change(bob, RemoveMember(room.id, carol.id)))
        await stored.ask(change(alice, SetRole(room.id, bob.id, Role.MODERATOR)))
        removed = await stored.ask(change(bob, RemoveMember(room.id, carol.id)))
        await stored.ask(change(alice, SetRole(room.id, bob.id, Role.MEMBER)))
        late = await stored.ask(change(bob, AddMember(room.id, carol.id)))
    assert codes([await early, await removed, await late]) == ["forbidden", "ok", "forbidden"]


async def test_a_channel_that_became_private_lets_no_stranger_join(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice)
    async with stored.held():
        await stored.ask(stored.storage.change(alice, EditChannel(room.id, private=True)))
        late = await stored.ask(stored.storage.change(bob, JoinChannel(room.id)))
        post = stored.post(bob, room)
    assert codes([await late, await post]) == ["not_a_member", "not_a_member"]


async def test_when_an_owner_leaves_the_heir_owns_at_once(stored: Stored) -> None:
    alice, bob, carol = await stored.people("alice", "bob", "carol")
    room = await stored.channel(alice, bob, carol)
    await stored.storage.change(alice, SetRole(room.id, carol.id, Role.MODERATOR))
    async with stored.held():
        await stored.ask(stored.storage.change(alice, LeaveChannel(room.id)))
        edited = await stored.ask(stored.storage.change(carol, EditChannel(room.id, name="Mine")))
    assert codes([await edited]) == ["ok"]
    assert await stored.role(carol, room) is Role.OWNER
    assert await stored.role(bob, room) is Role.MEMBER
    assert await stored.role(alice, room) is None


async def test_the_same_event_ends_a_membership_for_everybody(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice, bob)
    await stored.storage.change(alice, RemoveMember(room.id, bob.id))
    last = (await stored.log(alice, room))[-1]
    assert isinstance(last.event, MemberLeft)
    assert last == stored.published[-1]
    assert last.event.by is not None
    assert last.event.by.name == "alice"
