"""The standing of logins: remembered, shared, and never out of date."""

import asyncio
from dataclasses import replace

import pytest

from hubbub.core.errors import Unavailable
from hubbub.core.ids import UserId
from hubbub.services.standing import MOST, SECONDS, Standings
from hubbub.storage.base import Account, Session
from tests.support.accounts import Clock, FakeAccounts

ALICE = Account(UserId(1), "alice", None, None, False, False, 0)
BOB = Account(UserId(2), "bob", None, None, True, False, 0)


class Remembered:
    """Standings over a fake storage in which alice and bob are logged in."""

    def __init__(self, most: int = MOST) -> None:
        self.storage = FakeAccounts()
        self.clock = Clock(0.0)
        self.standings = Standings(self.storage.session, self.clock, most=most)
        for account, session in ((ALICE, "a"), (BOB, "b")):
            self.storage.people[account.id] = account
            self.storage.logins[session] = Session(session, account.id, 0, 1000, False)

    async def revoked(self, session: str) -> bool:
        standing = await self.standings.get(session)
        assert standing is not None
        return standing.revoked

    def end(self, session: str) -> None:
        self.storage.logins[session] = replace(self.storage.logins[session], revoked=True)

    @property
    def reads(self) -> int:
        return self.storage.calls["session"]


async def test_a_standing_says_whose_the_login_is() -> None:
    standing = await Remembered().standings.get("b")
    assert standing is not None
    who = standing.who
    assert (who.id, who.name, who.session, who.admin) == (2, "bob", "b", True)
    assert (standing.revoked, standing.disabled, standing.expires_at) == (False, False, 1000)


async def test_storage_is_read_once_a_minute() -> None:
    known = Remembered()
    for _ in range(3):
        await known.standings.get("a")
    known.clock.now += SECONDS - 0.1
    await known.standings.get("a")
    assert known.reads == 1
    known.clock.now += 0.1
    await known.standings.get("a")
    assert known.reads == 2


async def test_that_there_is_no_such_login_is_remembered_too() -> None:
    known = Remembered()
    assert await known.standings.get("nobody's") is None
    assert await known.standings.get("nobody's") is None
    assert known.reads == 1


async def test_a_login_that_is_forgotten_is_read_again() -> None:
    known = Remembered()
    await known.standings.get("b")
    assert not await known.revoked("a")
    known.end("a")
    known.standings.forget("a")
    assert await known.revoked("a")
    await known.standings.get("b")
    assert known.reads == 3


async def test_all_logins_of_a_person_are_forgotten_and_nobody_elses() -> None:
    known = Remembered()
    known.storage.logins["a2"] = replace(known.storage.logins["a"], id="a2")
    for session in ("a", "a2", "b", "nobody's"):
        await known.standings.get(session)
    known.standings.forget_user(ALICE.id)
    for session in ("a", "a2", "b", "nobody's"):
        await known.standings.get(session)
    assert known.reads == 6


async def test_the_login_asked_for_longest_ago_is_forgotten_first() -> None:
    known = Remembered(most=2)
    for session in ("a", "b", "a", "nobody's", "a"):
        await known.standings.get(session)
    assert known.reads == 3
    await known.standings.get("b")
    assert known.reads == 4


async def test_many_who_ask_at_once_share_one_reading() -> None:
    known = Remembered()
    gate = known.storage.hold("session")
    asking = [asyncio.create_task(known.standings.get("a")) for _ in range(100)]
    await gate.reached.wait()
    gate.open()
    assert len(set(await asyncio.gather(*asking))) == 1
    assert known.reads == 1


async def test_one_who_gives_up_takes_nothing_from_the_others() -> None:
    known = Remembered()
    gate = known.storage.hold("session")
    first, second = (asyncio.create_task(known.standings.get("a")) for _ in range(2))
    await gate.reached.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.open()
    assert await second is not None
    assert known.reads == 1


@pytest.mark.parametrize("whole_person", [False, True])
async def test_a_reading_older_than_a_revocation_neither_answers_nor_is_remembered(
    whole_person: bool,
) -> None:
    known = Remembered()
    gate = known.storage.hold("session")
    early = asyncio.create_task(known.revoked("a"))
    await gate.reached.wait()
    known.end("a")
    if whole_person:
        known.standings.forget_user(ALICE.id)
    else:
        known.standings.forget("a")
    assert await known.revoked("a"), "who asks after it does not share the older reading"
    gate.open()
    assert await early, "who asked before it is told what is true now"
    assert await known.revoked("a"), "the older reading did not take the place of the newer"


async def test_a_revocation_between_reading_and_answering_counts() -> None:
    known = Remembered()
    gate = known.storage.hold("session")
    asking = asyncio.create_task(known.revoked("a"))
    await gate.reached.wait()
    lookup = known.standings._lookups["a"].task
    # Runs in the turn in which the reading is done, before whoever waits for it does.
    lookup.add_done_callback(lambda _: (known.end("a"), known.standings.forget("a")))
    gate.open()
    assert await asking


async def test_a_failure_reaches_everybody_and_is_not_remembered() -> None:
    known = Remembered()
    known.storage.fail("session", Unavailable("down"))
    results = await asyncio.gather(
        *(known.standings.get("a") for _ in range(3)), return_exceptions=True
    )
    assert [type(result) for result in results] == [Unavailable] * 3
    assert not await known.revoked("a")


async def test_closing_gives_up_what_is_under_way() -> None:
    known = Remembered()
    gate = known.storage.hold("session")
    asking = asyncio.create_task(known.standings.get("a"))
    await gate.reached.wait()
    known.standings.close()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_two_who_ask_at_once_are_both_answered_by_storage_that_need_not_be_waited_for() -> (
    None
):
    """A look-up that is done before its second caller waits for it must not make that one spin."""

    async def load(_: str) -> None:
        return None

    standings = Standings(load, lambda: 0.0)
    first = asyncio.create_task(standings.get("x"))
    await asyncio.sleep(0)
    second = asyncio.create_task(standings.get("x"))
    async with asyncio.timeout(10):
        assert await asyncio.gather(first, second) == [None, None]
