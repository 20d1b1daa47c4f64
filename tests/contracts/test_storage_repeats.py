"""A message sent again under its `client_id` is the message sent before."""

import asyncio

import pytest

from hubbub.core.commands import LeaveChannel
from hubbub.core.events import MessagePosted
from tests.contracts.stored import Stored, codes, contents, good


async def test_a_repetition_in_the_same_batch_gets_the_first_answer(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    async with stored.held():
        asked = [stored.post(alice, room, f"{n}", "same") for n in range(3)]
        asked.append(stored.post(alice, room.key, "by key", "same"))
        asked.append(stored.post(alice, room, "next"))
    *same, other = good(await asyncio.gather(*asked))
    assert same == [same[0]] * 4
    assert (same[0].seq, same[0].content) == (2, "0")
    assert (other.seq, other.content) == (3, "next")
    assert contents(await stored.log(alice, room)) == ["0", "next"]
    assert contents(stored.published) == ["0", "next"]


async def test_a_repetition_later_gets_the_first_answer_with_its_time(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    first = await stored.post(alice, room, "hello", "same")
    stored.clock.now += 3600
    for _ in range(3):
        assert await stored.post(alice, room, "other words", "same") == first
    assert len(stored.published) == 2


async def test_a_repetition_after_a_restart_gets_the_first_answer(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    first = await stored.post(alice, room, "hello", "same")
    await stored.reopen()
    async with stored.held():
        again = [stored.post(alice, room, "hello", "same") for _ in range(2)]
        other = stored.post(alice, room, "other", "another")
    assert await asyncio.gather(*again) == [first, first]
    assert [posted.seq for posted in good([await other])] == [3]


async def test_a_client_id_is_its_senders_and_its_channels_alone(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room, other = await stored.channel(alice, bob), await stored.channel(bob, alice)
    asked = [stored.post(w, r, f"{w.name}", "same") for w in (alice, bob) for r in (room, other)]
    first = good(await asyncio.gather(*asked))
    assert len({posted.id for posted in first}) == 4
    async with stored.held():
        again = [stored.post(w, r, "", "same") for w in (alice, bob) for r in (room, other)]
    assert await asyncio.gather(*again) == first


async def test_whoever_is_no_member_any_more_gets_no_answer_again(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice, bob)
    good([await stored.post(bob, room, "hello", "same")])
    await stored.storage.change(bob, LeaveChannel(room.id))
    assert codes([await stored.post(bob, room, "hello", "same")]) == ["not_a_member"]


async def test_messages_without_a_client_id_are_all_different(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    async with stored.held():
        asked = [stored.post(alice, room, "the same") for _ in range(5)]
    assert [posted.seq for posted in good(await asyncio.gather(*asked))] == [2, 3, 4, 5, 6]


HOSTILE = [
    "1", "01", "1.0", "true", "null", "0x1", " 1", "1 ", "a", "A", "é", "e\u0301", '"', "\\", "'",
    "%", "_", "$[0]", "{}", "[1]", "\n", "\u2028", "\u202e", "😀", "\x7f", "x" * 64, "😀" * 64,
]  # fmt: skip


async def test_client_ids_are_told_apart_and_found_again_whatever_is_in_them(
    stored: Stored,
) -> None:
    [alice] = await stored.people("alice")
    room = await stored.channel(alice)
    first = good(await asyncio.gather(*[stored.post(alice, room, "hi", c) for c in HOSTILE]))
    assert len({posted.seq for posted in first}) == len(HOSTILE)
    async with stored.held():
        again = [stored.post(alice, room, "hi", client_id) for client_id in reversed(HOSTILE)]
    assert await asyncio.gather(*again) == first[::-1]
    events = [e.event for e in await stored.log(alice, room)]
    assert [e.client_id for e in events if isinstance(e, MessagePosted)] == HOSTILE


@pytest.mark.parametrize("size", [2, 500])
async def test_many_repetitions_among_new_messages_are_each_found(
    stored: Stored, size: int
) -> None:
    alice, bob = await stored.people("alice", "bob")
    room = await stored.channel(alice, bob)
    people = (alice, bob)
    first = [stored.post(people[n % 2], room, str(n), f"c{n}") for n in range(size)]
    before = good(await asyncio.gather(*first))
    async with stored.held():
        mixed = [stored.post(people[n % 2], room, str(n), f"c{n}") for n in range(2 * size)]
    after = good(await asyncio.gather(*mixed))
    assert after[:size] == before
    assert len({posted.id for posted in after}) == 2 * size
    assert contents(await stored.log(alice, room)) == [str(n) for n in range(2 * size)]
