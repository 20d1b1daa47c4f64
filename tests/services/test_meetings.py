"""Meetings end when everybody has gone, and never while somebody is there or coming."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from hubbub.core.channels import Channel, Kind, Phase
from hubbub.core.errors import TooMany, Unavailable
from hubbub.core.ids import ChannelId, UserId, Who
from hubbub.core.limits import Rates
from hubbub.services.meetings import AWAIT_SECONDS, RETURN_SECONDS, Meetings
from tests.support.samples import channel

ALICE = Who(UserId(1), "alice")


class Shelf:
    """Meetings in memory. Endings can be held up and made to fail."""

    def __init__(self) -> None:
        self.kept: dict[ChannelId, Channel] = {}
        self.begun: list[ChannelId] = []
        self.ended: list[ChannelId] = []
        self.gate: asyncio.Event | None = None
        self.fail = False

    async def open_meeting(self, key: str | None, creator: UserId | None) -> Channel:
        for made in self.kept.values():
            if key is not None and made.key == key:
                return made
        id = ChannelId(len(self.kept) + len(self.ended) + 1)
        phase = Phase.AWAITED if key is None else Phase.OPEN
        made = replace(
            channel(id), kind=Kind.MEETING, key=key or f"key-{id}", phase=phase, created_at=0
        )
        self.kept[id] = made
        return made

    async def meetings(self) -> Sequence[Channel]:
        return list(self.kept.values())

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
    def __init__(self) -> None:
        self.shelf = Shelf()
        self.sockets: dict[ChannelId, int] = {}
        self.now = 0.0
        self.meetings = Meetings(
            self.shelf, Rates(1, 3), self.occupied, lambda: self.now, lambda: self.now
        )

    def occupied(self, id: ChannelId) -> bool:
        return self.sockets.get(id, 0) > 0

    def come(self, id: ChannelId) -> None:
        self.sockets[id] = self.sockets.get(id, 0) + 1
        self.meetings.come(id)

    def go(self, id: ChannelId, *, lost: bool = False) -> None:
        self.sockets[id] -= 1
        self.meetings.go(id, lost=lost)

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
    id = await world.meetings.find_or_make(ALICE, "standup")
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
    id = await world.meetings.find_or_make(ALICE, "standup")
    world.come(id)
    world.come(id)
    world.go(id, lost=True)
    world.now += 5
    world.go(id)
    await world.tick(RETURN_SECONDS - 6)
    assert world.shelf.ended == []
    await world.tick(1)
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
    id = await world.meetings.find_or_make(ALICE, "standup")
    world.come(id)
    world.sockets[id] += 1  # somebody is about to come in
    world.go(id)
    await world.tick()
    assert world.shelf.ended == []
    world.sockets[id] = 0
    await world.tick()
    assert world.shelf.ended == [id]


async def test_whoever_comes_while_a_meeting_ends_gets_a_new_one(world: World) -> None:
    first = await world.meetings.find_or_make(ALICE, "standup")
    world.come(first)
    world.shelf.gate = asyncio.Event()
    world.go(first)
    await world.tick()
    assert await world.meetings.listed() == []
    coming = asyncio.create_task(world.meetings.find_or_make(ALICE, "standup"))
    waiting = asyncio.create_task(world.meetings.settled(first))
    await world.tick()
    assert not coming.done()
    world.shelf.gate.set()
    second = await coming
    assert await waiting
    assert second != first
    assert not await world.meetings.settled(second)


async def test_an_ending_that_fails_is_tried_again(world: World) -> None:
    id = await world.meetings.find_or_make(ALICE, "standup")
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
    assert await world.meetings.find_or_make(ALICE, "lobby") == lobby.id
    world.come(lobby.id)
    world.go(lobby.id)
    await world.tick(AWAIT_SECONDS)
    assert world.shelf.ended == []


async def test_guests_of_one_address_make_so_many_meetings_and_no_more(world: World) -> None:
    for number in range(3):
        await world.meetings.create(Who(UserId(-number - 1), "guest"), "10.0.0.1")
    with pytest.raises(TooMany):
        await world.meetings.create(Who(UserId(-9), "guest"), "10.0.0.1")
    await world.meetings.create(Who(UserId(-9), "guest"), "10.0.0.2")
    await world.meetings.create(ALICE, "10.0.0.1")
