"""Meetings end when everybody has gone, and never while somebody is there or coming."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from hubbub.core.channels import Channel, Kind, Phase
from hubbub.core.errors import TooMany, Unavailable
from hubbub.core.ids import ChannelId, ChannelRef, UserId, Who
from hubbub.services.meetings import (
    AWAIT_SECONDS,
    MOST_LISTED,
    RETURN_SECONDS,
    MeetingLimits,
    Meetings,
)
from tests.support.samples import channel

ALICE, BOB, CAROL = (Who(UserId(n), name) for n, name in enumerate(("alice", "bob", "carol"), 1))


class Shelf:
    """Meetings in memory. Endings can be held up, and what is written made to fail."""

    def __init__(self) -> None:
        self.kept: dict[ChannelId, Channel] = {}
        self.begun: list[ChannelId] = []
        self.ended: list[ChannelId] = []
        self.gate: asyncio.Event | None = None
        self.fail = False
        self.slow = False

    async def open_meeting(self, key: str | None, creator: UserId | None) -> Channel:
        if self.slow:
            await asyncio.sleep(0)
        if self.fail:
            self.fail = False
            raise Unavailable("the disk is full")
        for made in self.kept.values():
            if key is not None and made.key == key:
                return made
        id = ChannelId(len(self.kept) + len(self.ended) + 1)
        phase = Phase.AWAITED if key is None else Phase.OPEN
        made = replace(
            channel(id),
            kind=Kind.MEETING,
            key=key or f"key-{id}",
            phase=phase,
            created_at=0,
            created_by=creator,
        )
        self.kept[id] = made
        return made

    async def find(self, ref: ChannelRef) -> Channel | None:
        return next((made for made in self.kept.values() if made.key == ref), None)

    async def meetings(self, most: int | None = None) -> Sequence[Channel]:
        return list(self.kept.values())[-most if most else 0 :]

    async def begin_meeting(self, meeting: ChannelId) -> None:
        self.begun.append(meeting)

    async def end_meeting(self, meeting: ChannelId) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.fail:
            self.fail = False
            raise Unavailable("the disk is full")
        del self.kept[meeting]
        self.ended.append(meeting)


class World:
    def __init__(self, per_minute: int = 3, most: int = 0) -> None:
        self.shelf = Shelf()
        self.sockets: dict[ChannelId, int] = {}
        self.now = 0.0
        self.meetings = Meetings(
            self.shelf,
            MeetingLimits(per_minute, most),
            self.occupied,
            lambda: self.now,
            lambda: self.now,
        )

    def occupied(self, id: ChannelId) -> bool:
        return self.sockets.get(id, 0) > 0

    def come(self, id: ChannelId, who: Who = ALICE) -> None:
        self.sockets[id] = self.sockets.get(id, 0) + 1
        self.meetings.come(id, who.id)

    def go(self, id: ChannelId, who: Who = ALICE, *, lost: bool = False) -> None:
        self.sockets[id] -= 1
        self.meetings.go(id, who.id, lost=lost)

    async def make(self, who: Who = ALICE, address: str = "10.0.0.1", key: str = "") -> ChannelId:
        """A meeting made by the one door or, with a key, by the other."""
        if key:
            return await self.meetings.find_or_make(who, address, key)
        return (await self.meetings.create(who, address)).id

    async def tick(self, seconds: float = 0) -> None:
        self.now += seconds
        self.meetings.tick()
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_meeting_ends_at_once_when_its_last_socket_closes(world: World) -> None:
    made = await world.meetings.create(ALICE, "10.0.0.1")
    world.come(made.id)
    world.come(made.id)
    world.go(made.id)
    await world.tick(3600)
    assert world.shelf.ended == []
    world.go(made.id)
    await world.tick()
    assert world.shelf.ended == [made.id]
    assert await world.meetings.listed() == []


async def test_after_a_lost_connection_there_are_30_seconds_to_come_back(world: World) -> None:
    id = await world.meetings.find_or_make(ALICE, "10.0.0.1", "standup")
    world.come(id)
    world.go(id, lost=True)
    await world.tick(RETURN_SECONDS - 0.1)
    assert world.shelf.ended == []
    world.come(id)
    await world.tick(RETURN_SECONDS)
    assert world.shelf.ended == []
    world.go(id, lost=True)
    await world.tick(RETURN_SECONDS)
    assert world.shelf.ended == [id]


async def test_whoever_was_lost_may_come_back_even_when_the_others_have_left(world: World) -> None:
    id = await world.meetings.find_or_make(ALICE, "10.0.0.1", "standup")
    world.come(id)
    world.come(id, BOB)
    world.go(id, lost=True)
    world.now += 5
    world.go(id, BOB)
    await world.tick(RETURN_SECONDS - 6)
    assert world.shelf.ended == []
    await world.tick(1)
    assert world.shelf.ended == [id]


async def test_whoever_was_lost_and_is_back_is_waited_for_no_more(world: World) -> None:
    id = await world.make(key="standup")
    world.come(id)
    world.go(id, lost=True)
    world.now += 0.6
    world.come(id)
    world.go(id)
    await world.tick()
    assert world.shelf.ended == [id]


async def test_of_many_who_were_lost_the_last_one_may_come_back_for_30_seconds(
    world: World,
) -> None:
    id = await world.make(key="standup")
    for who in (ALICE, BOB, CAROL):
        world.come(id, who)
    for who in (ALICE, BOB, CAROL):
        world.go(id, who, lost=True)
        await world.tick(10)
    world.come(id, CAROL)
    world.go(id, CAROL)
    await world.tick(RETURN_SECONDS - 10 - 10 - 0.1)
    assert world.shelf.ended == []
    await world.tick(0.1)
    assert world.shelf.ended == [id]


async def test_nobody_coming_for_an_hour_ends_a_meeting(world: World) -> None:
    made = await world.meetings.create(ALICE, "10.0.0.1")
    await world.tick(AWAIT_SECONDS - 1)
    assert world.shelf.ended == []
    await world.tick(1)
    assert world.shelf.ended == [made.id]


async def test_the_first_to_come_begins_it_once(world: World) -> None:
    made = await world.meetings.create(ALICE, "10.0.0.1")
    world.come(made.id)
    world.come(made.id)
    await world.tick()
    assert world.shelf.begun == [made.id]


async def test_somebody_who_wanted_to_come_in_and_did_not_is_not_waited_for(world: World) -> None:
    id = await world.meetings.find_or_make(ALICE, "10.0.0.1", "standup")
    world.come(id)
    world.sockets[id] += 1  # somebody is about to come in
    world.go(id)
    await world.tick()
    assert world.shelf.ended == []
    world.sockets[id] = 0
    await world.tick()
    assert world.shelf.ended == [id]


async def test_whoever_comes_while_a_meeting_ends_gets_a_new_one(world: World) -> None:
    first = await world.meetings.find_or_make(ALICE, "10.0.0.1", "standup")
    world.come(first)
    world.shelf.gate = asyncio.Event()
    world.go(first)
    await world.tick()
    assert await world.meetings.listed() == []
    coming = asyncio.create_task(world.meetings.find_or_make(ALICE, "10.0.0.1", "standup"))
    waiting = asyncio.create_task(world.meetings.settled(first))
    await world.tick()
    assert not coming.done()
    world.shelf.gate.set()
    second = await coming
    assert await waiting
    assert second != first
    assert not await world.meetings.settled(second)


async def test_an_ending_that_fails_is_tried_again(world: World) -> None:
    id = await world.meetings.find_or_make(ALICE, "10.0.0.1", "standup")
    world.come(id)
    world.shelf.fail = True
    world.go(id)
    await world.tick()
    assert world.shelf.ended == []
    await world.tick(1)
    assert world.shelf.ended == [id]


async def test_meetings_of_an_earlier_run_wait_for_their_people(world: World) -> None:
    held = await world.shelf.open_meeting("standup", None)
    awaited = await world.shelf.open_meeting(None, None)
    world.now = 100.0
    await world.meetings.start()
    await world.tick(RETURN_SECONDS)
    assert world.shelf.ended == [held.id]
    await world.tick(AWAIT_SECONDS - 100 - RETURN_SECONDS)
    assert world.shelf.ended == [held.id, awaited.id]


async def test_other_channels_never_end(world: World) -> None:
    lobby = replace(channel(9), key="lobby")
    world.shelf.kept[lobby.id] = lobby
    assert await world.meetings.find_or_make(ALICE, "10.0.0.1", "lobby") == lobby.id
    world.come(lobby.id)
    world.go(lobby.id)
    await world.tick(AWAIT_SECONDS)
    assert world.shelf.ended == []


def guest(number: int) -> Who:
    return Who(UserId(-number - 1), f"guest-{number}")


@pytest.mark.parametrize("key", ["", "standup-"])
async def test_guests_of_one_address_make_so_many_meetings_a_minute_and_no_more(
    world: World, key: str
) -> None:
    def named(number: int) -> str:
        return key and f"{key}{number}"

    made = [await world.make(guest(n), key=named(n)) for n in range(3)]
    with pytest.raises(TooMany) as refused:
        await world.make(guest(9), key=named(9))
    assert refused.value.retry_after == 20
    assert len(world.shelf.kept) == 3
    await world.make(guest(9), "10.0.0.2", named(10))
    await world.make(ALICE, key=named(11))
    world.now += 20
    await world.make(guest(9), key=named(12))
    # Whoever comes into a meeting that is there makes none.
    if key:
        assert await world.make(guest(9), key=named(0)) == made[0]


async def test_guests_who_have_many_addresses_of_one_network_count_as_one(world: World) -> None:
    for number in range(3):
        await world.make(guest(number), f"2001:db8::{number}")
    with pytest.raises(TooMany):
        await world.make(guest(9), "2001:db8::9")
    await world.make(guest(9), "2001:db8:0:1::9")


async def test_both_doors_count_together(world: World) -> None:
    await world.make()
    await world.make(key="one")
    await world.make(key="two")
    for key in ("", "three"):
        with pytest.raises(TooMany):
            await world.make(key=key)


@pytest.mark.parametrize("key", ["", "standup-"])
async def test_one_has_so_many_meetings_and_no_more_until_one_ends(key: str) -> None:
    world = World(0, 2)
    first = await world.make(key=key and "first")
    await world.make(key=key and "second")
    for _ in range(2):
        with pytest.raises(TooMany) as refused:
            await world.make(key=key and "third")
        assert refused.value.code == "too_many_meetings"
    await world.make(BOB, key=key and "fourth")
    world.come(first)
    world.go(first)
    await world.tick()
    await world.make(key=key and "third")
    with pytest.raises(TooMany):
        await world.make(key=key and "fifth")


async def test_many_at_once_are_counted_before_they_are_made() -> None:
    world = World(0, 2)
    world.shelf.slow = True
    tried = [world.make(key=f"standup-{n}") for n in range(9)]
    made = await asyncio.gather(*tried, return_exceptions=True)
    assert sum(not isinstance(one, Exception) for one in made) == len(world.shelf.kept) == 2


async def test_two_who_make_the_same_meeting_at_once_have_made_one() -> None:
    world = World(0, 2)
    world.shelf.slow = True
    first, again = await asyncio.gather(world.make(key="standup"), world.make(key="standup"))
    assert first == again
    await world.make()
    with pytest.raises(TooMany):
        await world.make()


async def test_what_could_not_be_made_does_not_count() -> None:
    world = World(0, 1)
    world.shelf.fail = True
    with pytest.raises(Unavailable):
        await world.make()
    await world.make()


async def test_meetings_of_an_earlier_run_count_for_the_accounts_that_made_them() -> None:
    world = World(0, 1)
    await world.shelf.open_meeting(None, ALICE.id)
    await world.shelf.open_meeting(None, None)
    await world.meetings.start()
    with pytest.raises(TooMany):
        await world.make()
    await world.make(guest(1))


async def test_the_newest_of_very_many_meetings_are_listed(world: World) -> None:
    for _ in range(MOST_LISTED + 5):
        await world.shelf.open_meeting(None, None)
    await world.meetings.start()
    ids = [meeting.id for meeting in await world.meetings.listed()]
    assert ids == list(range(6, MOST_LISTED + 6))


async def test_a_meeting_made_anew_since_the_old_one_ended_meanwhile_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(per_minute=0, most=1)
    shelf = world.shelf
    old = await world.make(key="key")
    find = shelf.find

    async def find_what_ends(ref: ChannelRef) -> Channel | None:
        found = await find(ref)
        if found is not None and found.id == old:
            world.come(old)
            world.go(old)
            await world.meetings.close()
        return found

    monkeypatch.setattr(shelf, "find", find_what_ends)
    assert await world.make(key="key") != old
    assert shelf.ended == [old]
    with pytest.raises(TooMany):
        await world.make(key="another")
