"""Channels that end, and direct chats with people who have no account."""

import pytest

from hubbub.core.channels import Kind, Phase
from hubbub.core.commands import Enter, JoinChannel
from hubbub.core.errors import DomainError, Forbidden
from hubbub.core.events import MessagePosted
from hubbub.core.ids import Person
from tests.contracts.stored import Stored, codes, contents, settled, stranger


async def test_a_meeting_is_public_welcomes_guests_and_waits_for_people(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    made = await stored.storage.open_meeting(None, alice.id)
    assert (made.kind, made.phase) == (Kind.MEETING, Phase.AWAITED)
    assert (made.private, made.guests, made.created_by) == (False, True, alice.id)
    assert len(made.key) == 36
    await stored.storage.begin_meeting(made.id)
    [found] = await stored.storage.meetings()
    assert found.phase is Phase.OPEN


async def test_a_key_leads_to_the_channel_that_has_it_whatever_it_is(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    assert (await stored.storage.open_meeting(room.key, None)).id == room.id
    first = await stored.storage.open_meeting("standup", None)
    assert first.phase is Phase.OPEN
    assert await stored.storage.open_meeting("standup", alice.id) == first
    assert [m.id for m in await stored.storage.meetings()] == [first.id]


async def test_the_newest_meetings_are_read_oldest_first(stored: Stored) -> None:
    ids = [(await stored.storage.open_meeting(None, None)).id for _ in range(4)]
    assert [m.id for m in await stored.storage.meetings()] == ids
    assert [m.id for m in await stored.storage.meetings(2)] == ids[2:]


async def test_digits_as_a_key_are_nobodys_id(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice, kind=Kind.CONVERSATION)
    meeting = await stored.storage.open_meeting(str(room.id), None)
    assert meeting.id != room.id


async def test_a_meeting_that_ended_gives_up_its_key_and_its_id_is_never_used_again(
    stored: Stored,
) -> None:
    first = await stored.storage.open_meeting("standup", None)
    await stored.storage.end_meeting(first.id)
    assert await stored.storage.find("standup") is None
    assert await stored.storage.find(first.id) is None, "nothing was stored in it"
    second = await stored.storage.open_meeting("standup", None)
    assert second.id > first.id
    assert second.epoch != first.epoch


async def test_what_was_stored_in_a_meeting_stays_readable_to_its_members_alone(
    stored: Stored,
) -> None:
    alice, bob = await stored.people("alice", "bob")
    meeting = await stored.storage.open_meeting("standup", None)
    await stored.storage.change(alice, JoinChannel(meeting.id))
    await stored.post(alice, meeting, "minutes")
    await stored.storage.end_meeting(meeting.id)
    assert contents(await stored.log(alice, meeting)) == ["minutes"]
    assert codes([await stored.post(alice, meeting)]) == ["meeting_over"]
    assert [view.channel.id for view in await stored.storage.views(alice, joined=False)] == []
    refused = [
        await settled(stored.storage.events(bob, meeting.id, 0, 9)),
        await settled(stored.storage.view(stranger(1), meeting.id)),
        await settled(stored.storage.change(bob, JoinChannel(meeting.id))),
        await settled(stored.storage.enter(alice, Enter(meeting.id), 9, 9)),
        await stored.post(stranger(1), meeting),
    ]
    assert codes(refused) == ["unknown_channel"] * 5
    assert await stored.storage.meetings() == []


async def test_a_message_posted_to_a_meeting_that_is_remembered_is_refused_after_its_end(
    stored: Stored,
) -> None:
    guest = stranger(1)
    meeting = await stored.storage.open_meeting("standup", None)
    assert codes([await stored.post(guest, meeting)]) == ["ok"]
    await stored.storage.end_meeting(meeting.id)
    assert codes([await stored.post(guest, meeting)]) == ["unknown_channel"]
    assert codes([await stored.post(guest, "standup")]) == ["unknown_channel"]


async def test_only_meetings_end(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    await stored.storage.end_meeting(room.id)
    found = await stored.storage.find(room.id)
    assert found is not None
    assert (found.key, found.phase) == (room.key, Phase.OPEN)


async def test_a_direct_message_tells_whom_it_is_for(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    chat = await stored.storage.direct(alice, bob.id)
    await stored.post(alice, chat, "hi")
    await stored.post(bob, chat, "hello")
    posted = [e.event for e in stored.published if isinstance(e.event, MessagePosted)]
    assert [event.to for event in posted] == [bob.person, alice.person]


async def test_a_guest_and_an_account_have_a_chat_that_outlives_the_socket(
    stored: Stored,
) -> None:
    alice, bob = await stored.people("alice", "bob")
    guest = stranger(7)
    chat = await stored.storage.direct_with(guest, alice.person)
    assert await stored.storage.direct_with(alice, guest.person) == chat
    assert codes([await stored.post(guest, chat, "hi"), await stored.post(alice, chat, "you")]) == [
        "ok",
        "ok",
    ]
    posted = [e.event for e in stored.published if isinstance(e.event, MessagePosted)]
    assert [event.to for event in posted] == [alice.person, Person(guest.id, guest.name)]
    assert contents(await stored.log(alice, chat)) == ["hi", "you"]
    with pytest.raises(DomainError):
        await stored.storage.events(bob, chat.id, 0, 9)
    with pytest.raises(Forbidden):
        await stored.storage.events(stranger(8), chat.id, 0, 9)
    assert codes([await stored.post(stranger(8), chat)]) == ["guests_not_allowed"]
    await stored.reopen()
    assert await stored.storage.direct_with(guest, alice.person) == (
        await stored.storage.find(chat.id)
    )
