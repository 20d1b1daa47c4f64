"""People of an external issuer: one account each, found again by issuer and subject alone."""

import asyncio
from dataclasses import replace

import pytest

from hubbub.core.errors import Conflict
from hubbub.storage.base import Account, Session
from tests.contracts.stored import Stored, codes

ISSUER = "https://issuer.example"
OTHER = "https://other.example"


async def ensure(stored: Stored, subject: str, *names: str, issuer: str = ISSUER) -> Account:
    account, _ = await stored.storage.external_account(issuer, subject, names)
    return account


async def test_an_account_is_made_and_kept_as_it_was_made(stored: Stored) -> None:
    made = await ensure(stored, "u-1", "Alice", "Alice-2")
    assert (made.username, made.issuer, made.subject) == ("Alice", ISSUER, "u-1")
    assert (made.password_hash, made.email, made.admin, made.disabled) == (None, None, False, False)
    assert made.created_at == 1_795_257_000_123
    await stored.reopen()
    assert await stored.storage.account_by_subject(ISSUER, "u-1") == made
    assert await stored.storage.account("alice") == made
    assert await ensure(stored, "u-1", "Somebody else") == made


async def test_a_subject_is_compared_to_the_letter(stored: Stored) -> None:
    await ensure(stored, "a", "alice")
    for subject in ("A", "a ", "\uff41", "", "alice"):
        assert await stored.storage.account_by_subject(ISSUER, subject) is None
    assert await stored.storage.account_by_subject(OTHER, "a") is None


async def test_the_first_name_that_is_free_is_taken(stored: Stored) -> None:
    await stored.account("alice")
    await stored.account("Alice-2")
    made = await ensure(stored, "u-1", "ALICE", "alice-2", "alice-3", "alice-4")
    assert made.username == "alice-3"
    with pytest.raises(Conflict) as refused:
        await ensure(stored, "u-2", "alice", "\uff41lice-3")
    assert refused.value.code == "username_taken"
    assert await stored.storage.account_by_subject(ISSUER, "u-2") is None
    with pytest.raises(Conflict):
        await stored.storage.add_account("ALICE-3", "hash", None)


async def test_two_issuers_may_know_people_by_the_same_subject(stored: Stored) -> None:
    first = await ensure(stored, "7", "alice", "alice-2")
    second = await ensure(stored, "7", "alice", "alice-2", issuer=OTHER)
    assert (first.username, second.username) == ("alice", "alice-2")
    assert first.id != second.id


async def test_many_first_sights_at_once_make_one_account(stored: Stored) -> None:
    async with stored.held():
        asked = [
            await stored.ask(stored.storage.external_account(ISSUER, "u-1", [f"name-{number}"]))
            for number in range(20)
        ]
    found = await asyncio.gather(*asked)
    assert codes(found) == ["ok"] * 20
    assert {account.username for account, _ in found} == {"name-0"}


async def test_people_of_nobody_have_no_issuer(stored: Stored) -> None:
    made = await stored.storage.add_account("alice", "hash", None)
    assert (made.issuer, made.subject) == (None, None)


async def test_a_handle_is_a_subject_before_it_is_a_username(stored: Stored) -> None:
    bob = await stored.storage.add_account("Bob", "hash", None)
    alice = await ensure(stored, "Bob", "alice")
    other = await ensure(stored, "bob", "carol", issuer=OTHER)
    found = [
        None if account is None else account.id
        for handle, issuer in (
            ("Bob", ISSUER), ("bob", ISSUER), ("bob", OTHER), ("Bob", None), ("Alice", ISSUER),
            ("nobody", ISSUER), ("hubbub:Bob", ISSUER), ("hubbub:Bob", None), ("hubbub:bob", None),
        )
        for account in [await stored.storage.account_by_handle(handle, issuer)]
    ]  # fmt: skip
    # A username is found whatever its case, a subject to the letter.
    assert found == [alice.id, bob.id, other.id, bob.id, alice.id, None, bob.id, bob.id, None]


async def test_a_subject_is_nobody_elses_username(stored: Stored) -> None:
    await ensure(stored, "boss", "alice")
    with pytest.raises(Conflict) as refused:
        await stored.storage.add_account("boss", "hash", None)
    assert refused.value.code == "username_taken"
    assert await stored.storage.account("boss") is None
    made = await ensure(stored, "u-2", "boss", "boss-2", issuer=OTHER)
    assert made.username == "boss-2"
    assert (await ensure(stored, "carol", "carol")).username == "carol"


async def test_an_account_called_like_a_new_subject_gets_one_that_is_nobodys(
    stored: Stored,
) -> None:
    bob = await stored.storage.add_account("bob", "hash", None)
    await stored.storage.add_account("Dan", "hash", None)
    login = Session("login", bob.id, 0, 2**52, False)
    await stored.storage.open_session(login, "digest")
    made, displaced = await stored.storage.external_account(ISSUER, "bob", ["boss"])
    assert displaced == bob.id
    assert (await stored.storage.external_account(ISSUER, "bob", ["boss"])) == (made, None)
    assert (await stored.storage.external_account(ISSUER, "dan", ["x"]))[1] is None
    assert (await stored.storage.external_account(OTHER, "boss", ["y"]))[1] is None
    await stored.reopen()
    moved = await stored.storage.account("bob")
    assert moved == replace(bob, subject="hubbub:bob")
    assert await stored.storage.session("login") == (login, moved)
    with pytest.raises(Conflict):
        await stored.storage.add_account("hubbub:bob", "hash", None)
    # And again, should the issuer know somebody by that.
    _, displaced = await stored.storage.external_account(ISSUER, "hubbub:bob", ["z"])
    assert displaced == bob.id
    again = await stored.storage.account("bob")
    assert again is not None
    assert again.subject not in (None, "bob", "hubbub:bob")


async def test_what_somebody_is_called_is_no_username_that_is_there(stored: Stored) -> None:
    await stored.storage.add_account("bob", "hash", None)
    await stored.storage.add_account("HUBBUB:BOB", "hash", None)
    await ensure(stored, "bob", "boss")
    moved = await stored.storage.account("bob")
    assert moved is not None
    assert moved.subject is not None
    assert moved.subject.startswith("hubbub:bob:")


async def test_digits_are_a_subject_and_never_an_accounts_id(stored: Stored) -> None:
    bob = await stored.account("bob")
    made = await ensure(stored, str(bob.id + 1000), "alice")
    by_handle = stored.storage.account_by_handle
    assert await by_handle(str(bob.id + 1000), ISSUER) == made
    for issuer in (ISSUER, None):
        assert await by_handle(str(bob.id), issuer) is None
        assert await by_handle(str(made.id), issuer) is None


async def test_disabling_is_seen_at_the_next_look(stored: Stored) -> None:
    made = await ensure(stored, "u-1", "alice")
    await stored.storage.set_disabled(made.id, True)
    found = await stored.storage.account_by_subject(ISSUER, "u-1")
    assert found is not None
    assert found.disabled
