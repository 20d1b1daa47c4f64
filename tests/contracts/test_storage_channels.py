"""Channels: made, found, changed, listed."""

import asyncio

import pytest

from hubbub.core.channels import Kind, Role
from hubbub.core.commands import (
    AddMember,
    ChannelChange,
    CreateChannel,
    EditChannel,
    JoinChannel,
    LeaveChannel,
    RemoveMember,
    SetRole,
)
from hubbub.core.errors import DomainError
from hubbub.core.events import ChannelChanged, MemberChanged, MemberJoined, MemberLeft
from hubbub.core.ids import Person, UserId
from tests.contracts.stored import Stored, codes, good, stranger

KINDS = [Kind.ROOM, Kind.CONVERSATION]


async def refusal(asked) -> str:  # type: ignore[no-untyped-def]
    with pytest.raises(DomainError) as refused:
        await asked
    return refused.value.code


async def test_a_new_channel_says_who_is_in_it(stored: Stored) -> None:
    alice, bob, carol = await stored.people("alice", "bob", "carol")
    members = (carol.id, bob.id, carol.id, alice.id)
    command = CreateChannel(Kind.ROOM, "General", "For all.", members=members)
    room = await stored.storage.create(alice, command)
    assert (room.name, room.description, room.kind) == ("General", "For all.", Kind.ROOM)
    assert (room.private, room.guests, room.created_by, room.seq) == (False, False, alice.id, 3)
    me, at = Person(alice.id, "alice"), 1_795_257_000_123
    events = [
        MemberJoined(room.id, me, Role.OWNER, None, at),
        MemberJoined(room.id, Person(carol.id, "carol"), Role.MEMBER, me, at),
        MemberJoined(room.id, Person(bob.id, "bob"), Role.MEMBER, me, at),
    ]
    assert [e.event for e in await stored.log(alice, room)] == events
    assert stored.published == await stored.log(alice, room)


async def test_channels_have_keys_and_epochs_of_their_own(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    rooms = [await stored.channel(alice) for _ in range(5)]
    for names in ({r.id for r in rooms}, {r.key for r in rooms}, {r.epoch for r in rooms}):
        assert len(names) == 5


@pytest.mark.parametrize(
    ("kind", "asked", "private"),
    [(Kind.ROOM, False, False), (Kind.ROOM, True, True), (Kind.CONVERSATION, False, True)],
)
async def test_only_rooms_can_be_public(
    stored: Stored, kind: Kind, asked: bool, private: bool
) -> None:
    [alice] = await stored.people("alice")
    assert (await stored.channel(alice, kind=kind, private=asked)).private is private


async def test_a_room_is_marked_for_guests_and_unmarked_again(stored: Stored) -> None:
    [alice], guest = await stored.people("alice"), stranger(1)
    room = await stored.storage.create(alice, CreateChannel(Kind.ROOM, "General", guests=True))
    assert (room.guests, room.private) == (True, False)
    assert await stored.storage.authorize_read(guest, room.id) == room
    good([await stored.post(guest, room)])
    [change] = await stored.storage.change(alice, EditChannel(room.id, guests=False))
    assert change == ChannelChanged(room.id, "General", "", False, False, 1_795_257_000_123)
    assert await refusal(stored.storage.authorize_read(guest, room.id)) == "guests_not_allowed"
    assert codes([await stored.post(guest, room)]) == ["guests_not_allowed"]
    [change] = await stored.storage.change(alice, EditChannel(room.id, guests=True))
    assert change == ChannelChanged(room.id, "General", "", False, True, 1_795_257_000_123)
    good([await stored.post(guest, room)])
    assert (await stored.log(alice, room))[-2].event == change


@pytest.mark.parametrize(("kind", "private"), [(Kind.ROOM, True), (Kind.CONVERSATION, False)])
async def test_nothing_private_is_made_for_guests(
    stored: Stored, kind: Kind, private: bool
) -> None:
    [alice] = await stored.people("alice")
    command = CreateChannel(kind, "General", private=private, guests=True)
    assert await refusal(stored.storage.create(alice, command)) == "private_guests"
    assert await stored.storage.views(alice, joined=False) == []


async def test_a_channel_with_nobody_for_a_member_is_not_made(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    command = CreateChannel(Kind.ROOM, "General", members=(UserId(99),))
    assert await refusal(stored.storage.create(alice, command)) == "unknown_user"
    assert await stored.storage.views(alice, joined=False) == []
    assert stored.published == []


async def test_a_channel_is_found_by_id_and_key_and_is_up_to_date(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    good([await stored.post(alice, room)])
    found = await stored.storage.find(room.id)
    assert found is not None
    assert found == await stored.storage.find(room.key)
    assert found.seq == 2
    for ref in (99, 0, "nowhere", "", room.key.upper(), str(room.id), 2**53 - 1):
        assert await stored.storage.find(ref) is None


async def test_a_room_of_nobodys_is_made_once(stored: Stored) -> None:
    ensure = stored.storage.ensure_channel
    rooms = await asyncio.gather(*[ensure("lobby", f"Lobby {n}", guests=True) for n in range(3)])
    assert rooms[0] == rooms[1] == rooms[2]
    assert (rooms[0].key, rooms[0].name, rooms[0].created_by) == ("lobby", "Lobby 0", None)
    assert (rooms[0].private, rooms[0].guests, rooms[0].seq) == (False, True, 0)
    assert not (await ensure("room123", "Room 123", guests=False)).guests
    await stored.reopen()
    assert await stored.storage.ensure_channel("lobby", "Other", guests=False) == rooms[0]


# Direct chats


async def test_two_people_have_one_direct_chat_whoever_asks_and_how_often(stored: Stored) -> None:
    alice, bob, carol = await stored.people("alice", "bob", "carol")
    direct = stored.storage.direct
    async with stored.held():
        asked = [
            await stored.ask(direct(one, other.id))
            for one, other in [(alice, bob), (bob, alice), (alice, bob), (carol, alice)]
        ]
    chats = await asyncio.gather(*asked)
    assert chats[0] == chats[1] == chats[2]
    assert chats[3].id != chats[0].id
    await stored.reopen()
    again = await stored.storage.direct(bob, alice.id)
    assert again == chats[0]
    assert (again.kind, again.private, again.seq) == (Kind.DIRECT, True, 2)
    assert await stored.role(alice, again) is Role.MEMBER
    assert await stored.role(bob, again) is Role.MEMBER


async def test_a_direct_chat_takes_two_people_who_are_there(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    assert await refusal(stored.storage.direct(alice, alice.id)) == "direct_with_self"
    assert await refusal(stored.storage.direct(alice, UserId(99))) == "unknown_user"


async def test_a_direct_chat_that_is_there_outlives_an_account(stored: Stored) -> None:
    alice, bob, carol = await stored.people("alice", "bob", "carol")
    chat = await stored.storage.direct(alice, bob.id)
    for gone in (bob, carol):
        await stored.storage.set_disabled(gone.id, True)
    assert await stored.storage.direct(alice, bob.id) == chat
    assert await refusal(stored.storage.direct(alice, carol.id)) == "unknown_user"


async def test_nobody_leaves_a_direct_chat_or_brings_somebody_in(stored: Stored) -> None:
    alice, bob, carol = await stored.people("alice", "bob", "carol")
    chat = await stored.storage.direct(alice, bob.id)
    for change in (
        LeaveChannel(chat.id),
        AddMember(chat.id, carol.id),
        RemoveMember(chat.id, bob.id),
        SetRole(chat.id, bob.id, Role.OWNER),
        EditChannel(chat.id, name="Ours"),
    ):
        assert await refusal(stored.storage.change(alice, change)) == "direct_chat"


# Changes


@pytest.mark.parametrize("kind", KINDS)
async def test_every_change_is_stored_as_it_was_told(stored: Stored, kind: Kind) -> None:
    alice, bob = await stored.people("alice", "bob")
    place = await stored.channel(alice, kind=kind, private=True)
    me, him, at = Person(alice.id, "alice"), Person(bob.id, "bob"), 1_795_257_000_123
    changes: list[tuple[ChannelChange, object]] = [
        (AddMember(place.id, bob.id), MemberJoined(place.id, him, Role.MEMBER, me, at)),
        (SetRole(place.id, bob.id, Role.OWNER), MemberChanged(place.id, him, Role.OWNER, at)),
        (
            EditChannel(place.id, "É\"'", "\\n"),
            ChannelChanged(place.id, "É\"'", "\\n", True, False, at),
        ),
        (RemoveMember(place.id, bob.id), MemberLeft(place.id, him, me, at)),
        (LeaveChannel(place.key), MemberLeft(place.id, me, None, at)),
    ]
    expected = [event for _, event in changes]
    for change, event in changes:
        assert list(await stored.storage.change(alice, change)) == [event]
    assert [e.event for e in stored.published[1:]] == expected
    log = await stored.storage.backfill(place.id, 1, 6)
    assert [e.event for e in log] == expected
    found = await stored.storage.find(place.id)
    assert found is not None
    assert (found.name, found.description, found.seq) == ("É\"'", "\\n", 6)


async def test_a_room_that_everybody_left_is_its_next_members(stored: Stored) -> None:
    alice, bob, carol = await stored.people("alice", "bob", "carol")
    room = await stored.channel(alice)
    await stored.storage.change(alice, LeaveChannel(room.id))
    for who in (bob, carol):
        await stored.storage.change(who, JoinChannel(room.id))
    assert await stored.role(bob, room) is Role.OWNER
    assert await stored.role(carol, room) is Role.MEMBER


async def test_the_servers_own_room_is_nobodys(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    lobby = await stored.storage.ensure_channel("lobby", "Lobby", guests=True)
    await stored.storage.change(alice, JoinChannel(lobby.id))
    assert await stored.role(alice, lobby) is Role.MEMBER


async def test_a_change_that_changes_nothing_is_no_event(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice, bob)
    for change in (
        JoinChannel(room.id),
        AddMember(room.id, bob.id),
        SetRole(room.id, bob.id, Role.MEMBER),
        EditChannel(room.id, name=" General "),
    ):
        assert list(await stored.storage.change(alice, change)) == []
    assert len(await stored.log(alice, room)) == 2


async def test_of_two_who_remove_each_other_one_is_left(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice, bob)
    await stored.storage.change(alice, SetRole(room.id, bob.id, Role.OWNER))
    async with stored.held():
        asked = [
            await stored.ask(stored.storage.change(alice, RemoveMember(room.id, bob.id))),
            await stored.ask(stored.storage.change(bob, RemoveMember(room.id, alice.id))),
        ]
    assert codes(await asyncio.gather(*asked)) == ["ok", "not_a_member"]
    assert await stored.role(alice, room) is Role.OWNER


@pytest.mark.parametrize(
    "make",
    [
        lambda ref, user: JoinChannel(ref),
        lambda ref, user: LeaveChannel(ref),
        lambda ref, user: AddMember(ref, user),
        lambda ref, user: EditChannel(ref, name="Mine"),
    ],
)
async def test_a_channel_that_is_not_there_cannot_be_changed(stored: Stored, make) -> None:  # type: ignore[no-untyped-def]
    [alice] = await stored.people("alice")
    for ref in (99, "nowhere"):
        assert await refusal(stored.storage.change(alice, make(ref, alice.id))) == "unknown_channel"


async def test_a_disabled_account_can_be_removed_but_not_added(stored: Stored) -> None:
    alice, bob, carol = await stored.people("alice", "bob", "carol")
    room = await stored.channel(alice, bob)
    await stored.storage.change(alice, SetRole(room.id, bob.id, Role.OWNER))
    for who in (bob, carol):
        await stored.storage.set_disabled(who.id, True)
    change = stored.storage.change
    assert await refusal(change(alice, AddMember(room.id, carol.id))) == "unknown_user"
    assert len(await change(alice, SetRole(room.id, bob.id, Role.MEMBER))) == 1
    assert len(await change(alice, RemoveMember(room.id, bob.id))) == 1


@pytest.mark.parametrize("user", [1, 99])
async def test_whoever_may_not_ask_does_not_learn_who_exists(stored: Stored, user: int) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice, private=True)
    for change in (AddMember(room.id, UserId(user)), RemoveMember(room.id, UserId(user))):
        assert await refusal(stored.storage.change(bob, change)) == "not_a_member"


async def test_a_disabled_account_inherits_nothing(stored: Stored) -> None:
    alice, bob, carol = await stored.people("alice", "bob", "carol")
    room = await stored.channel(alice, bob, carol)
    await stored.storage.change(alice, SetRole(room.id, bob.id, Role.MODERATOR))
    await stored.storage.set_disabled(bob.id, True)
    await stored.storage.change(alice, LeaveChannel(room.id))
    assert await stored.role(carol, room) is Role.OWNER


# Views


async def test_a_view_shows_the_members_and_the_viewers_own_standing(stored: Stored) -> None:
    alice, bob, carol = await stored.people("alice", "bob", "carol")
    room = await stored.channel(alice)
    stored.clock.now += 1
    await stored.storage.change(carol, JoinChannel(room.id))
    await stored.storage.change(bob, JoinChannel(room.id))
    view = await stored.storage.view(bob, room.key)
    shown = [(m.name, m.role) for m in view.members]
    assert shown == [("alice", Role.OWNER), ("bob", Role.MEMBER), ("carol", Role.MEMBER)]
    assert (view.creator, view.channel) == ("alice", await stored.storage.find(room.id))
    assert view.mine is not None
    assert (view.mine.user, view.mine.role) == (bob.id, Role.MEMBER)
    await stored.storage.change(bob, LeaveChannel(room.id))
    assert (await stored.storage.view(bob, room.id)).mine is None


async def test_a_list_holds_ones_own_channels_and_the_public_rooms(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    public = await stored.channel(alice)
    await stored.channel(alice, private=True)
    shared = await stored.channel(alice, bob, private=True)
    talk = await stored.channel(alice, bob, kind=Kind.CONVERSATION)
    chat = await stored.storage.direct(bob, alice.id)
    lobby = await stored.storage.ensure_channel("lobby", "Lobby", guests=True)
    listed = await stored.storage.views(bob, joined=False)
    assert [v.channel.id for v in listed] == [p.id for p in (public, shared, talk, chat, lobby)]
    joined = await stored.storage.views(bob, joined=True)
    assert [v.channel.id for v in joined] == [shared.id, talk.id, chat.id]
    assert [v for v in listed if v.mine is not None] == joined
    for view in listed:
        assert view == await stored.storage.view(bob, view.channel.id)


async def test_a_list_may_be_longer_than_a_query_takes_names(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    rooms = await asyncio.gather(*[stored.channel(alice) for _ in range(1_100)])
    listed = await stored.storage.views(alice, joined=True)
    assert [v.channel for v in listed] == list(rooms)
    assert all([m.name for m in v.members] == ["alice"] for v in listed)


async def test_nobody_looks_into_a_private_channel(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    for place in (
        await stored.channel(alice, private=True),
        await stored.channel(alice, kind=Kind.CONVERSATION),
    ):
        assert await refusal(stored.storage.view(bob, place.id)) == "not_a_member"
        assert await refusal(stored.storage.authorize_read(bob, place.key)) == "not_a_member"
        assert await refusal(stored.storage.view(stranger(1), place.id)) == "guests_not_allowed"
        assert (await stored.storage.authorize_read(alice, place.key)).id == place.id
    assert await refusal(stored.storage.view(bob, 99)) == "unknown_channel"
