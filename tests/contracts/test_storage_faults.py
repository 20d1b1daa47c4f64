"""A full disk, nonsense, and the end: what was acknowledged stays, what was not is refused."""

import asyncio
from dataclasses import replace

import pytest

from hubbub.core.answers import Posted
from hubbub.core.commands import Enter, JoinChannel, ReadHistory, SendMessage
from hubbub.core.errors import DomainError, Unavailable
from hubbub.core.ids import Who
from hubbub.storage.base import ConnectionRow
from tests.contracts.stored import Stored, codes, contents, good, until

HUGE = "x" * 4_000


async def fill_up(stored: Stored, who: Who, room: int) -> list[Posted]:
    """Posts until there is no room for a message any more; those that were taken come back."""
    await stored.adapter.fill(stored.storage)
    taken = []
    for number in range(100):
        answer = await stored.post(who, room, HUGE, f"full-{number}")
        if isinstance(answer, DomainError):
            assert isinstance(answer, Unavailable)
            return taken
        taken.append(answer)
    raise AssertionError("there is always room")


async def test_a_full_disk_refuses_and_what_was_acknowledged_stays(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    before = good(await asyncio.gather(*[stored.post(alice, room, str(n)) for n in range(20)]))
    before += await fill_up(stored, alice, room.id)
    log = await stored.log(alice, room)
    assert len(log) == 1 + len(before)
    assert [e for e in stored.published if e.channel == room.id] == log
    await stored.adapter.empty(stored.storage)
    [after] = good([await stored.post(alice, room, "after")])
    assert after.seq == before[-1].seq + 1
    await stored.reopen()
    assert (await stored.log(alice, room))[:-1] == log


async def test_what_a_full_disk_refused_can_be_sent_again(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    taken = await fill_up(stored, alice, room.id)
    number = len(taken)
    await stored.adapter.empty(stored.storage)
    [again] = good([await stored.post(alice, room, HUGE, f"full-{number}")])
    assert again.seq == 2 + number
    if number:
        assert await stored.post(alice, room, HUGE, "full-0") == taken[0]


async def test_in_a_full_batch_what_fits_is_stored_and_the_rest_refused(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice)
    await fill_up(stored, alice, room.id)
    stored.told.clear()
    start = len(await stored.log(alice, room))
    async with stored.held():
        asked = [stored.post(alice, room, HUGE, f"b{n}") for n in range(30)]
        joined = await stored.ask(stored.storage.change(bob, JoinChannel(room.id)))
        small = stored.post(alice, room, "x")
    answers = [*(await asyncio.gather(*asked)), await small]
    taken = [answer for answer in answers if isinstance(answer, Posted)]
    assert {a.code for a in answers if isinstance(a, DomainError)} == {"unavailable"}
    await stored.adapter.empty(stored.storage)
    log = (await stored.log(alice, room))[start:]
    assert stored.published == log
    assert len(log) == len(taken) + (codes([await joined]) == ["ok"])


async def test_a_full_disk_does_not_stop_reading(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    taken = await fill_up(stored, alice, room.id)
    page = await stored.storage.history(alice, ReadHistory(room.id))
    assert len(page.messages) == len(taken)
    entered = await stored.storage.enter(alice, Enter(room.id), 10, 10_000)
    assert entered.seq == 1 + len(taken)


async def test_a_unit_on_a_full_disk_is_refused_whole(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice)
    await fill_up(stored, alice, room.id)
    before = await stored.log(alice, room)
    asked = [
        await stored.ask(stored.storage.add_account(f"somebody {n}", HUGE * 10, None))
        for n in range(3)
    ]
    assert codes(await asyncio.gather(*asked)) == ["unavailable"] * 3
    await stored.adapter.empty(stored.storage)
    assert await stored.storage.account("somebody 0") is None
    assert await stored.log(alice, room) == before
    assert len(await stored.storage.change(bob, JoinChannel(room.id))) == 1


async def test_a_message_nobody_can_store_harms_itself_alone(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    impostor = replace(alice, name="\ud800")
    async with stored.held():
        before = stored.post(alice, room, "before")
        bad = [stored.post(alice, room, "\ud800"), stored.post(impostor, room, "hi")]
        after = stored.post(alice, room, "after")
    assert [isinstance(answer, Unavailable) for answer in await asyncio.gather(*bad)] == [True] * 2
    good([await before, await after, await stored.post(alice, room, "later")])
    assert contents(await stored.log(alice, room)) == ["before", "after", "later"]


@pytest.mark.parametrize("ref", [2**53, 2**63, 2**80, -(2**80), "\ud800"])
async def test_a_channel_nobody_can_have_named_harms_nobody(stored: Stored, ref: int | str) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    async with stored.held():
        bad = stored.post(alice, ref)
        after = stored.post(alice, room)
    assert isinstance(await bad, DomainError)
    good([await after])
    with pytest.raises(DomainError):
        await stored.storage.enter(alice, Enter(ref), 10, 10)
    with pytest.raises(DomainError):
        await stored.storage.change(alice, JoinChannel(ref))


async def test_a_record_of_a_socket_that_cannot_be_kept_harms_nobody(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    row = ConnectionRow("c1", alice.id, "alice", "native", None, "127.0.0.1", 0)
    async with stored.held():
        stored.storage.connected(row)
        stored.storage.connected(row)
        posted = stored.post(alice, room)
    good([await posted])
    assert await stored.storage.connections(None) == [row]


# The end


async def test_closing_commits_what_waits(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice)
    async with stored.held():
        asked = [stored.post(alice, room, str(n)) for n in range(2_500)]
        joined = await stored.ask(stored.storage.change(bob, JoinChannel(room.id)))
        closing = asyncio.create_task(stored.storage.close())
        await asyncio.sleep(0)
    await closing
    good([answer.result() for answer in asked])
    assert len(await joined) == 1
    assert len(stored.published) == 2_502
    await stored.open()
    assert len(await stored.log(alice, room)) == 2_502


async def test_whoever_comes_after_the_end_is_refused(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    await stored.storage.close()
    storage = stored.storage
    assert codes([await stored.post(alice, room)]) == ["unavailable"]
    assert codes([await stored.move(alice, room, 1)]) == ["unavailable"]
    storage.connected(ConnectionRow("c1", alice.id, "alice", "native", None, "127.0.0.1", 0))
    storage.disconnected("c1")
    for asked in (
        storage.change(alice, JoinChannel(room.id)),
        storage.account("alice"),
        storage.enter(alice, Enter(room.id), 10, 10),
        storage.history(alice, ReadHistory(room.id)),
        storage.backfill(room.id, 0, 1),
        storage.connections(None),
        storage.session("s1"),
    ):
        with pytest.raises(Unavailable):
            await asked
    assert not await storage.ready()
    await stored.open()
    assert len(await stored.log(alice, room)) == 1


async def test_closing_twice_is_harmless(stored: Stored) -> None:
    await stored.storage.close()
    await asyncio.gather(stored.storage.close(), stored.storage.close())


async def test_whoever_stops_waiting_does_not_stop_what_was_asked_for(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice)
    async with stored.held():
        joining = asyncio.create_task(stored.storage.change(bob, JoinChannel(room.id)))
        await asyncio.sleep(0)
        joining.cancel()
        posted = stored.post(bob, room)
    good([await posted])
    log = await stored.log(alice, room)
    assert [e for e in stored.published if e.channel == room.id] == log
    assert len(log) == 3


async def test_a_storage_that_works_says_so(stored: Stored) -> None:
    assert await stored.storage.ready()
    await stored.reopen()
    assert await stored.storage.ready()


async def test_answers_come_on_the_event_loop_and_never_at_once(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    seen: list[object] = []

    def done(answer: object) -> None:
        assert asyncio.get_running_loop() is loop
        seen.append(answer)

    loop = asyncio.get_running_loop()
    stored.storage.post(alice, SendMessage(room.id, "hello"), done)
    assert not seen
    await until(lambda: seen)
