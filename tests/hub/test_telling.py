"""Who in a channel is told what, and who is put out of it."""

import pytest

from hubbub.core.channels import Kind
from hubbub.core.errors import DomainError, NotAMember, Unavailable
from hubbub.core.events import (
    Departure,
)
from hubbub.core.ids import ChannelId
from hubbub.hub.frames import frame
from hubbub.hub.portable import messages
from tests.hub.fakes import Plain, Stage, inside, turns
from tests.support.samples import (
    ALICE,
    BOB,
    CAROL,
    GUEST,
    came_in,
    changed,
    posted,
    receipt,
    said,
    typing,
    went_out,
)

ID = ChannelId(1)


async def test_what_one_commit_brought_leaves_in_one_write_per_socket() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE, BOB)
    other = stage.services.add(2, ALICE, BOB)
    alice, bob = await inside(stage, ALICE, BOB)
    await alice.enter(2)
    await turns()
    alice.sink.writes.clear()
    first = [place.commit(said(f"{n}")) for n in range(3)]
    stage.publish(*first, other.commit(said("other", in_channel=2)), typing(BOB))
    await turns()
    assert [len(socket.sink.writes) for socket in (alice, bob)] == [1, 1]
    assert alice.got == ["1 0", "2 1", "3 2", "TypingChanged bob", "1 other"]
    assert bob.got == ["1 0", "2 1", "3 2"]


async def test_an_event_is_encoded_once_per_protocol() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE)
    dialects = [Plain(), Plain("single", lines=False)]
    sockets = [stage.connect(ALICE, dialect) for dialect in dialects for _ in range(20)]
    for socket in sockets:
        await socket.enter(1)
    await turns()
    for dialect in dialects:
        dialect.encoded = 0
    stage.happen(place, said("a"), said("b"))
    await turns()
    assert [dialect.encoded for dialect in dialects] == [2, 2]
    assert all(socket.got[-2:] == ["1 a", "2 b"] for socket in sockets)
    assert messages(sockets[0].sink.writes[-1]) == ["1 a\n2 b"]
    assert messages(sockets[-1].sink.writes[-1]) == ["1 a", "2 b"]


async def test_many_lines_make_several_messages_of_a_size_clients_accept() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE)
    [alice] = await inside(stage, ALICE)
    stage.happen(place, *[said("x" * 4_000) for _ in range(100)])
    await turns()
    texts = [text for write in alice.sink.writes for text in messages(write)]
    assert max(map(len, texts)) < 40 * 1024
    assert len(texts) < 15
    assert len(alice.got) == 100


async def test_what_nobody_hears_is_told_to_nobody() -> None:
    stage = Stage()
    stage.services.add(1, ALICE)
    [alice] = await inside(stage, ALICE)
    stage.publish(posted(1, in_channel=2), typing(BOB, in_channel=2))
    await turns()
    assert alice.got == []


async def test_typing_is_told_to_the_others_on_all_their_sockets() -> None:
    stage = Stage()
    stage.services.add(1, ALICE, BOB)
    sockets = await inside(stage, ALICE, ALICE, BOB, BOB)
    stage.publish(typing(ALICE))
    await turns()
    assert [socket.got for socket in sockets] == [[], []] + [["TypingChanged alice"]] * 2


async def test_receipts_are_told_to_everybody() -> None:
    stage = Stage()
    stage.services.add(1, ALICE, BOB)
    sockets = await inside(stage, ALICE, BOB)
    stage.publish(receipt(ALICE, 3))
    await turns()
    assert [socket.got for socket in sockets] == [["CursorMoved alice"]] * 2


# Presence


async def test_the_others_hear_once_that_somebody_came_and_went() -> None:
    stage = Stage()
    stage.services.add(1, ALICE, BOB)
    [bob] = await inside(stage, BOB)
    phone, laptop = stage.connect(ALICE), stage.connect(ALICE)
    for socket in (phone, laptop, phone):
        await socket.enter(1)
    stage.hub.remove(phone.connection)
    await turns()
    assert bob.got == ["UserCame alice"]
    stage.hub.exit(laptop.connection, ID)
    await turns()
    assert bob.got == ["UserCame alice", "UserWent alice"]
    assert all(line == "in 1 at 0" for line in [*phone.got, *laptop.got])
    reasons = [went[3] for went in stage.services.called("go")]  # type: ignore[index]
    assert reasons == [Departure.DISCONNECTED, Departure.LEFT]


async def test_presence_is_told_to_those_who_asked_for_it() -> None:
    stage = Stage()
    stage.services.add(1, ALICE, BOB, CAROL)
    [curious] = await inside(stage, BOB)
    [calm] = await inside(stage, CAROL, presence=False)
    curious.sink.writes.clear()
    await stage.connect(ALICE).enter(1)
    await turns()
    assert curious.got == ["UserCame alice"]
    assert calm.got == []


async def test_leaving_a_channel_one_is_not_in_changes_nothing() -> None:
    stage = Stage()
    stage.services.add(1, ALICE)
    [alice] = await inside(stage, ALICE)
    other = stage.connect(ALICE)
    assert stage.hub.exit(other.connection, ID) is None
    assert stage.hub.exit(alice.connection, ChannelId(2)) is None
    left = stage.hub.exit(alice.connection, ID)
    assert left is not None
    assert (left.channel, left.name) == (1, "General")
    assert stage.hub.exit(alice.connection, ID) is None
    assert stage.hub.channel(ID) is None


async def test_a_socket_that_left_hears_nothing_more() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE, BOB)
    alice, bob = await inside(stage, ALICE, BOB)
    stage.hub.exit(bob.connection, ID)
    stage.happen(place, said("hi"))
    stage.publish(typing(ALICE))
    await turns()
    assert bob.got == []
    assert alice.got == ["UserWent bob", "1 hi"]


# Membership


async def test_whoever_lost_membership_is_out_with_every_socket() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE, BOB)
    alice, phone, laptop = await inside(stage, ALICE, BOB, BOB)
    strict = stage.connect(BOB, Plain("strict", closes_ousted=True))
    await strict.enter(1)
    stage.happen(place, went_out(BOB))
    await turns()
    for socket in (phone, laptop):
        assert socket.got[-2:] == ["1 MemberLeft bob", "out of 1 General"]
        assert socket.sink.ended is None
        assert socket.connection.subscriptions == {}
    assert strict.got[-1] == "1 MemberLeft bob"
    assert strict.sink.code == 4003
    assert alice.got == ["1 MemberLeft bob", "UserWent bob"]
    stage.happen(place, said("secret"))
    await turns()
    assert not any("secret" in line for s in (phone, laptop, strict) for line in s.got)


async def test_whoever_lost_membership_hears_nothing_of_the_same_commit_after_that() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE, BOB)
    alice, bob = await inside(stage, ALICE, BOB)
    committed = [place.commit(e) for e in (said("open"), went_out(BOB), said("secret"))]
    stage.publish(*committed, typing(ALICE))
    await turns()
    assert bob.got == ["1 open", "2 MemberLeft bob", "out of 1 General"]
    assert alice.got[:3] == ["1 open", "2 MemberLeft bob", "3 secret"]


async def test_when_a_channel_becomes_private_strangers_are_out_and_members_stay() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE)
    alice, bob = await inside(stage, ALICE, BOB)
    committed = [place.commit(e) for e in (said("open"), changed(private=True), said("secret"))]
    stage.publish(*committed)
    await turns()
    assert bob.got == ["1 open", "2 ChannelChanged", "out of 1 General"]
    assert alice.got[:3] == ["1 open", "2 ChannelChanged", "3 secret"]
    assert alice.connection.subscriptions


async def test_whoever_joined_in_time_stays_when_the_channel_becomes_private() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE)
    [bob] = await inside(stage, BOB)
    assert not bob.connection.subscriptions[ID].may_post
    stage.happen(place, came_in(BOB), changed(private=True), said("secret"))
    await turns()
    assert bob.got[-1] == "3 secret"
    assert bob.connection.subscriptions[ID].may_post


async def test_a_channel_has_its_new_name_from_then_on() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE)
    [alice] = await inside(stage, ALICE)
    stage.happen(place, changed(private=False, name="Lounge"))
    left = stage.hub.exit(alice.connection, ID)
    assert left is not None
    assert left.name == "Lounge"


async def test_guests_may_post_where_they_are_welcome() -> None:
    stage = Stage()
    stage.services.add(1, ALICE, guests=True)
    stage.services.add(2, ALICE)
    guest, bob = stage.connect(GUEST), stage.connect(BOB)
    await guest.enter(1)
    await bob.enter(2)
    assert guest.connection.subscriptions[ID].may_post
    assert not bob.connection.subscriptions[ChannelId(2)].may_post


async def test_when_guests_are_no_longer_welcome_they_are_out_and_accounts_only_listen() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE, guests=True)
    alice, bob, guest = await inside(stage, ALICE, BOB, GUEST)
    committed = [place.commit(e) for e in (said("open"), changed(guests=False), said("ours"))]
    stage.publish(*committed)
    await turns()
    assert guest.got == ["1 open", "2 ChannelChanged", "out of 1 General"]
    assert alice.got[:3] == bob.got[:3] == ["1 open", "2 ChannelChanged", "3 ours"]
    assert alice.connection.subscriptions[ID].may_post
    assert not bob.connection.subscriptions[ID].may_post
    channel = stage.hub.channel(ID)
    assert channel is not None
    assert not channel.guests


async def test_when_guests_become_welcome_whoever_listens_may_post() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE)
    [bob] = await inside(stage, BOB)
    stage.happen(place, changed(guests=True))
    await turns()
    assert bob.connection.subscriptions[ID].may_post
    guest = stage.connect(GUEST)
    await guest.enter(1)
    assert guest.connection.subscriptions[ID].may_post


async def test_a_guest_who_came_when_they_were_welcome_again_stays() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE, guests=True)
    [alice] = await inside(stage, ALICE)
    late = [place.commit(changed(guests=False)), place.commit(changed(guests=True))]
    guest = stage.connect(GUEST)
    await guest.enter(1)
    stage.publish(*late)
    await turns()
    assert guest.connection.subscriptions[ID].may_post
    assert ID in alice.connection.subscriptions


@pytest.mark.parametrize("settings", [{"private": True}, {"guests": False}])
async def test_a_guest_of_a_protocol_without_words_for_it_is_closed(
    settings: dict[str, bool],
) -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE, guests=True)
    guest = stage.connect(GUEST, Plain("strict", closes_ousted=True))
    await guest.enter(1)
    stage.happen(place, changed(**settings), said("secret"))
    await turns()
    assert guest.sink.code == 4003
    assert not any("secret" in line for line in guest.got)


# Gaps


async def test_what_the_bus_lost_is_read_from_storage_and_told_in_order() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE)
    [alice] = await inside(stage, ALICE)
    lost = [place.commit(said(f"{n}")) for n in range(6)]
    gate = stage.services.hold("backfill")
    stage.publish(lost[2])
    await gate.reached.wait()
    stage.publish(lost[5])
    assert alice.got == []
    gate.opened.set()
    await turns(10)
    assert alice.got == ["1 0", "2 1", "3 2", "4 3", "5 4", "6 5"]
    assert stage.services.called("backfill") == [(0, 2), (3, 5)]


@pytest.mark.parametrize("error", [Unavailable("not now"), RuntimeError("a mistake")])
async def test_when_storage_cannot_fill_a_gap_the_next_event_tries_again(error: Exception) -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE)
    [alice] = await inside(stage, ALICE)
    lost = [place.commit(said(f"{n}")) for n in range(4)]
    stage.services.fail("backfill", error)
    stage.publish(lost[2])
    await turns(10)
    assert alice.got == []
    stage.publish(lost[3])
    await turns(10)
    assert alice.got == ["1 0", "2 1", "3 2", "4 3"]


@pytest.mark.parametrize("error", [Unavailable("not now"), RuntimeError("a mistake")])
async def test_when_storage_cannot_fill_a_gap_it_is_asked_again_a_second_later(
    error: Exception,
) -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE)
    [alice] = await inside(stage, ALICE)
    lost = [place.commit(said(f"{n}")) for n in range(3)]
    stage.services.fail("backfill", error)
    stage.publish(lost[2])
    await turns(10)
    assert alice.got == []
    for _ in range(2):
        stage.hub.tick()
        await turns(10)
        assert [line for line in alice.got if line[0].isdigit()] == ["1 0", "2 1", "3 2"]
    assert len(stage.services.called("backfill")) == 2


async def test_a_gap_in_a_channel_that_everybody_left_is_nobodys() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE)
    [alice] = await inside(stage, ALICE)
    lost = [place.commit(said(f"{n}")) for n in range(2)]
    gate = stage.services.hold("backfill")
    stage.publish(lost[1])
    await gate.reached.wait()
    stage.hub.exit(alice.connection, ID)
    gate.opened.set()
    await turns(10)
    assert alice.got == []
    await alice.enter(1)
    await turns()
    assert alice.got == ["in 1 at 2"]


async def test_an_event_no_protocol_can_spell_closes_its_channels_sockets_and_no_others() -> None:
    stage = Stage()
    place, other = stage.services.add(1, ALICE), stage.services.add(2, BOB)
    [alice] = await inside(stage, ALICE)
    bob = stage.connect(BOB)
    await bob.enter(2)
    broken, good = place.commit(said("\ud800")), other.commit(said("hi", in_channel=2))
    stage.publish(broken, good)
    await turns()
    assert bob.got[-1] == "1 hi"
    assert bob.sink.ended is None
    assert alice.sink.code == 1011


async def test_answers_queued_before_an_event_leave_before_it() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE)
    [alice] = await inside(stage, ALICE)
    alice.connection.queue(frame(b"answer"))
    stage.happen(place, said("hi"))
    alice.connection.queue(frame(b"another"))
    await turns()
    assert alice.got == ["answer", "1 hi", "another"]
    assert len(alice.sink.writes) == 1


async def test_a_direct_chat_is_a_channel_like_any_other() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE, BOB, kind=Kind.DIRECT)
    alice, bob = await inside(stage, ALICE, BOB)
    with pytest.raises(NotAMember):
        await stage.connect(CAROL).enter(1)
    stage.happen(place, said("hi"))
    await turns()
    assert alice.got == bob.got == ["1 hi"]


async def test_a_refusal_to_enter_leaves_nothing_behind() -> None:
    stage = Stage()
    stage.services.add(1, ALICE, private=True)
    bob = stage.connect(BOB)
    for ref in (1, 99, "nowhere"):
        with pytest.raises(DomainError):
            await bob.enter(ref)
    assert bob.connection.subscriptions == {}
    assert stage.hub._feeds == {}
    assert stage.services.called("come") == []
