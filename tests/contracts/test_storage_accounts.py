"""People, their logins, the record of their live sockets."""

import asyncio
from dataclasses import replace

import pytest

from hubbub.core.errors import Conflict, RefreshReused, Unauthenticated
from hubbub.core.ids import UserId, Who
from hubbub.storage.base import ConnectionRow, Session
from tests.contracts.stored import Stored, codes

FAR = 2_000_000_000_000


async def log_in(stored: Stored, who: Who, id: str, expires_at: int = FAR) -> Session:
    session = Session(id, who.id, int(stored.clock.now * 1000), expires_at, False)
    await stored.storage.open_session(session, f"{id} first")
    return session


async def live(stored: Stored, who: Who) -> list[str]:
    return [session.id for session in await stored.storage.sessions(who.id)]


async def test_an_account_is_kept_as_it_was_made(stored: Stored) -> None:
    made = await stored.storage.add_account("Alice", "hash", "alice@example.org", admin=True)
    assert (made.username, made.email, made.password_hash) == ("Alice", "alice@example.org", "hash")
    assert (made.admin, made.disabled, made.created_at) == (True, False, 1_795_257_000_123)
    await stored.reopen()
    assert await stored.storage.account_by_id(made.id) == made
    assert await stored.storage.account("Alice") == made
    other = await stored.storage.add_account("bob", None, None)
    assert (other.admin, other.password_hash, other.email) == (False, None, None)
    assert other.id > made.id


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("alice", "ALICE"),
        ("straße", "STRASSE"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("ﬁne", "FINE"),
        ("ａlice", "alice"),  # noqa: RUF001
        ("e\u0301mile", "ÉMILE"),
        ("\u0390", "\u03aa\u0301"),
    ],
)
async def test_a_name_is_taken_in_every_spelling(stored: Stored, name: str, same: str) -> None:
    made = await stored.storage.add_account(name, None, None)
    with pytest.raises(Conflict) as refused:
        await stored.storage.add_account(same, None, None)
    assert refused.value.code == "username_taken"
    assert await stored.storage.account(same) == made


async def test_of_many_who_want_a_name_at_once_one_gets_it(stored: Stored) -> None:
    names = ["alice", "Alice", "ALICE", "aLICE"]
    async with stored.held():
        asked = [await stored.ask(stored.storage.add_account(n, None, None)) for n in names]
    assert codes(await asyncio.gather(*asked)) == ["ok"] + ["username_taken"] * 3


async def test_nobody_is_found_who_is_not_there(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    assert await stored.storage.account("bob") is None
    assert await stored.storage.account("") is None
    assert await stored.storage.account("alic_") is None
    assert await stored.storage.account_by_id(UserId(alice.id + 1)) is None
    assert await stored.storage.session("nothing") is None
    assert await stored.storage.sessions(UserId(99)) == []


async def test_a_password_is_replaced_for_one(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    await stored.storage.set_password(alice.id, "new")
    found = [await stored.storage.account_by_id(who.id) for who in (alice, bob)]
    assert [account and account.password_hash for account in found] == ["new", None]


# Logins


async def test_a_login_is_found_with_whose_it_is(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    session = await log_in(stored, alice, "s1")
    await stored.reopen()
    found = await stored.storage.session("s1")
    assert found is not None
    assert (found[0], found[1].id) == (session, alice.id)


async def test_refreshing_uses_a_token_up_and_the_next_one_counts(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    session = await log_in(stored, alice, "s1")
    account = await stored.storage.account_by_id(alice.id)
    assert await stored.storage.rotate("s1 first", "second", 0) == (session, account)
    assert await stored.storage.rotate("second", "third", 0) == (session, account)
    assert await live(stored, alice) == ["s1"]


async def test_a_token_used_twice_ends_the_whole_login(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    await log_in(stored, alice, "s1")
    await log_in(stored, alice, "s2")
    await stored.storage.rotate("s1 first", "second", 0)
    with pytest.raises(RefreshReused) as reused:
        await stored.storage.rotate("s1 first", "third", 0)
    assert (reused.value.session, reused.value.code) == ("s1", "refresh_reused")
    await stored.reopen()
    for token in ("second", "third", "s1 first"):
        with pytest.raises(Unauthenticated):
            await stored.storage.rotate(token, "fourth", 0)
    found = await stored.storage.session("s1")
    assert found is not None
    assert found[0].revoked
    assert await live(stored, alice) == ["s2"]


async def test_of_two_who_refresh_at_once_one_is_a_thief(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    await log_in(stored, alice, "s1")
    async with stored.held():
        asked = [await stored.ask(stored.storage.rotate("s1 first", t, 0)) for t in ("a", "b")]
    assert codes(await asyncio.gather(*asked)) == ["ok", "refresh_reused"]
    assert await live(stored, alice) == []


async def test_a_token_that_is_unknown_expired_or_revoked_is_refused(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    await log_in(stored, alice, "old", expires_at=5_000)
    await log_in(stored, alice, "revoked")
    await stored.storage.revoke("revoked", alice.id)
    for token, now in [("nothing", 0), ("old first", 5_000), ("revoked first", 0)]:
        with pytest.raises(Unauthenticated) as refused:
            await stored.storage.rotate(token, "next", now)
        assert refused.value.code == "refresh_invalid"
        assert not isinstance(refused.value, RefreshReused)
    with pytest.raises(Unauthenticated):
        await stored.storage.rotate("next", "again", 0)


async def test_a_login_ends_once_and_only_by_its_owner(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    await log_in(stored, alice, "s1")
    revoke = stored.storage.revoke
    ended = [
        await revoke("s1", bob.id),
        await revoke("nothing", alice.id),
        await revoke("s1", alice.id),
        await revoke("s1", alice.id),
    ]
    assert ended == [False, False, True, False]


async def test_all_logins_end_but_one_and_nobody_elses(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    for id in ("s1", "s2", "s3"):
        await log_in(stored, alice, id)
    await log_in(stored, bob, "b1")
    await stored.storage.revoke("s3", alice.id)
    assert await stored.storage.revoke_all(alice.id, but="s1") == ["s2"]
    assert await live(stored, alice) == ["s1"]
    assert await stored.storage.revoke_all(alice.id) == ["s1"]
    assert await stored.storage.revoke_all(alice.id) == []
    assert await live(stored, bob) == ["b1"]


async def test_logins_are_listed_newest_first_while_they_live(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    for id, expires_in in (("s1", 60), ("s2", 10), ("s3", 60)):
        await log_in(stored, alice, id, int(stored.clock.now + expires_in) * 1000)
        stored.clock.now += 1
    assert await live(stored, alice) == ["s3", "s2", "s1"]
    stored.clock.now += 20
    assert await live(stored, alice) == ["s3", "s1"]


async def test_logins_long_over_are_forgotten_when_somebody_logs_in_again(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    for who, id in ((alice, "old"), (bob, "bob's")):
        await log_in(stored, who, id, int(stored.clock.now * 1000) + 1)
    stored.clock.now += 1
    await log_in(stored, alice, "new")
    assert await stored.storage.session("old") is None
    assert await stored.storage.session("bob's") is not None


async def test_disabling_ends_every_login_and_enabling_brings_none_back(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    await log_in(stored, alice, "s1")
    await log_in(stored, bob, "b1")
    await stored.storage.set_disabled(alice.id, True)
    account = await stored.storage.account_by_id(alice.id)
    assert account is not None
    assert account.disabled
    await stored.storage.set_disabled(alice.id, False)
    assert await stored.storage.account("alice") == replace(account, disabled=False)
    assert await live(stored, alice) == []
    assert await live(stored, bob) == ["b1"]


# Live sockets


def row(id: str, who: Who, at: int = 0) -> ConnectionRow:
    return ConnectionRow(id, who.id, who.name, "native", None, "127.0.0.1", at)


async def test_sockets_are_recorded_while_they_live(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    rows = [row("c1", alice, 3), row("c2", bob, 2), replace(row("c3", alice, 1), channel="5")]
    for recorded in rows:
        stored.storage.connected(recorded)
    assert await stored.storage.connections(None) == rows[::-1]
    assert await stored.storage.connections(alice.id) == [rows[2], rows[0]]
    stored.storage.disconnected("c3")
    stored.storage.disconnected("nothing")
    assert await stored.storage.connections(alice.id) == [rows[0]]


async def test_a_socket_that_came_and_went_at_once_is_not_recorded(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    async with stored.held():
        for number in range(10):
            stored.storage.connected(row(f"c{number}", alice))
            if number:
                stored.storage.disconnected(f"c{number}")
    assert [c.id for c in await stored.storage.connections(None)] == ["c0"]


async def test_the_sockets_of_a_server_that_is_gone_are_forgotten(stored: Stored) -> None:
    [alice] = await stored.people("alice")
    stored.storage.connected(row("c1", alice))
    await stored.reopen()
    assert await stored.storage.connections(None) == []
