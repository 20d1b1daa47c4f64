"""Addresses that are proven: codes, verifications, and whose the address is."""

import asyncio

import pytest

from hubbub.core.errors import Conflict
from hubbub.core.ids import UserId
from hubbub.storage.base import CODE_SECONDS, CODE_TRIES
from tests.contracts.stored import Stored, codes

A = "a@example.org"
B = "b@example.org"


async def conflict(work: object) -> str:
    with pytest.raises(Conflict) as caught:
        await work  # type: ignore[misc]
    return caught.value.code


async def verified(stored: Stored, email: str = A, token: str = "token") -> str:
    assert await stored.storage.put_code(email, "code")
    assert await stored.storage.verify(email, "code", token)
    return token


async def named(stored: Stored, email: str = A, username: str = "alice") -> UserId:
    token = await verified(stored, email, f"token of {email}")
    account = await stored.storage.name_email(email, email, username, token)
    assert account is not None
    return account.id


async def test_a_code_is_good_once(stored: Stored) -> None:
    await stored.storage.put_code(A, "code")
    await stored.reopen()
    assert await stored.storage.verify(A, "code", "t1")
    assert not await stored.storage.verify(A, "code", "t2")
    assert await stored.storage.log_in_by_code(A, "code") is None


async def test_of_two_who_give_a_code_at_once_one_gets_in(stored: Stored) -> None:
    await stored.storage.put_code(A, "code")
    async with stored.held():
        asked = [await stored.ask(stored.storage.verify(A, "code", t)) for t in ("t1", "t2")]
    assert await asyncio.gather(*asked) == [True, False]


async def test_a_code_is_good_for_its_own_address(stored: Stored) -> None:
    await stored.storage.put_code(A, "code")
    await stored.storage.put_code(B, "other")
    assert not await stored.storage.verify(B, "code", "t1")
    assert await stored.storage.verify(A, "code", "t2")


async def test_a_newer_code_replaces_the_older(stored: Stored) -> None:
    await stored.storage.put_code(A, "older")
    await stored.storage.put_code(A, "newer")
    assert not await stored.storage.verify(A, "older", "t1")
    assert await stored.storage.verify(A, "newer", "t2")


async def test_a_code_dies_of_old_age(stored: Stored) -> None:
    await stored.storage.put_code(A, "code")
    stored.clock.now += CODE_SECONDS
    assert not await stored.storage.verify(A, "code", "t1")
    await stored.storage.put_code(A, "code")
    stored.clock.now += CODE_SECONDS - 1
    assert await stored.storage.verify(A, "code", "t2")


@pytest.mark.parametrize(("wrong", "good"), [(CODE_TRIES - 1, True), (CODE_TRIES, False)])
async def test_a_code_dies_with_the_fifth_wrong_guess(
    stored: Stored, wrong: int, good: bool
) -> None:
    await stored.storage.put_code(A, "code")
    async with stored.held():
        asked = [
            await stored.ask(stored.storage.verify(A, f"wrong {n}", f"t{n}")) for n in range(wrong)
        ]
    assert await asyncio.gather(*asked) == [False] * wrong
    await stored.reopen()
    assert await stored.storage.verify(A, "code", "t") is good


async def test_guesses_count_whatever_they_are_for(stored: Stored) -> None:
    user = await named(stored, B, "bob")
    await stored.storage.put_code(A, "code")
    for _ in range(2):
        assert not await stored.storage.verify(A, "wrong", "t1")
        assert await stored.storage.log_in_by_code(A, "wrong") is None
    assert not await stored.storage.join_email(user, A, A, "wrong")
    assert not await stored.storage.verify(A, "code", "t2")


async def test_a_new_code_may_be_guessed_as_often_again(stored: Stored) -> None:
    await stored.storage.put_code(A, "code")
    for _ in range(CODE_TRIES):
        await stored.storage.verify(A, "wrong", "t1")
    await stored.storage.put_code(A, "newer")
    assert await stored.storage.verify(A, "newer", "t2")


async def test_no_guess_is_right_where_there_is_no_code(stored: Stored) -> None:
    for guess in ("", "code", "code"):
        assert not await stored.storage.verify(A, guess, "t1")
        assert await stored.storage.log_in_by_code(A, guess) is None
    await stored.storage.put_code(A, "code")
    assert await stored.storage.verify(A, "code", "t2")


async def test_a_verified_address_gets_one_username(stored: Stored) -> None:
    token = await verified(stored)
    account = await stored.storage.name_email(A, "A@Example.org", "alice", token)
    assert account is not None
    assert (account.username, account.email, account.password_hash) == (
        "alice",
        "A@Example.org",
        None,
    )
    await stored.reopen()
    assert await stored.storage.account("alice") == account
    assert await conflict(stored.storage.name_email(A, A, "other", token)) == "username_set"
    assert await stored.storage.account("other") is None


async def test_a_taken_name_leaves_the_verification_good(stored: Stored) -> None:
    await stored.account("alice")
    token = await verified(stored)
    assert await conflict(stored.storage.name_email(A, A, "Alice", token)) == "username_taken"
    assert await conflict(stored.storage.log_in_by_token(A, token)) == "no_username"
    account = await stored.storage.name_email(A, A, "alicia", token)
    assert account is not None
    assert await stored.storage.log_in_by_token(A, token) == account.id


async def test_of_two_names_at_once_an_address_gets_one(stored: Stored) -> None:
    token = await verified(stored)
    async with stored.held():
        asked = [
            await stored.ask(stored.storage.name_email(A, A, name, token)) for name in ("a", "b")
        ]
    assert codes(await asyncio.gather(*asked)) == ["ok", "username_set"]


async def test_a_verification_is_good_for_one_login(stored: Stored) -> None:
    user = await named(stored)
    token = await verified(stored, A, "another")
    assert await stored.storage.log_in_by_token(A, token) == user
    assert await stored.storage.log_in_by_token(A, token) is None
    assert await stored.storage.name_email(A, A, "other", token) is None


async def test_a_verification_is_good_for_its_own_address(stored: Stored) -> None:
    user = await named(stored)
    token = await verified(stored, B, "of b")
    assert await stored.storage.log_in_by_token(A, token) is None
    assert await stored.storage.name_email(A, A, "other", token) is None
    assert await stored.storage.name_email("c@example.org", "c", "other", token) is None
    assert await stored.storage.log_in_by_token(A, f"token of {A}") == user


async def test_a_verification_dies_of_old_age(stored: Stored) -> None:
    token = await verified(stored)
    stored.clock.now += CODE_SECONDS
    assert await stored.storage.name_email(A, A, "alice", token) is None
    assert await stored.storage.name_email(A, A, "alice", None) is None
    assert await stored.storage.log_in_by_token(A, token) is None
    assert await stored.storage.log_in_by_email(A) is None


async def test_a_code_logs_in_once(stored: Stored) -> None:
    user = await named(stored)
    await stored.storage.put_code(A, "code")
    assert await stored.storage.log_in_by_code(A, "wrong") is None
    assert await stored.storage.log_in_by_code(A, "code") == user
    assert await stored.storage.log_in_by_code(A, "code") is None


async def test_a_code_without_an_account_stays_good(stored: Stored) -> None:
    await stored.storage.put_code(A, "code")
    assert await conflict(stored.storage.log_in_by_code(A, "code")) == "no_username"
    assert await stored.storage.verify(A, "code", "t")


async def test_a_code_for_the_known_alone_counts_for_nobody_else(stored: Stored) -> None:
    assert not await stored.storage.put_code(A, "code", known_only=True)
    assert not await stored.storage.verify(A, "code", "t1")
    await stored.storage.put_code(A, "asked for")
    assert not await stored.storage.put_code(A, "code", known_only=True)
    assert await stored.storage.verify(A, "asked for", "t2")
    await named(stored, B)
    assert await stored.storage.put_code(B, "code", known_only=True)
    assert await stored.storage.verify(B, "code", "t3")


async def test_an_address_that_was_verified_is_known_by_itself(stored: Stored) -> None:
    assert await stored.storage.log_in_by_email(A) is None
    assert await stored.storage.name_email(A, A, "alice", None) is None
    await verified(stored)
    assert await conflict(stored.storage.log_in_by_email(A)) == "no_username"
    account = await stored.storage.name_email(A, A, "alice", None)
    assert account is not None
    stored.clock.now += CODE_SECONDS
    assert await stored.storage.log_in_by_email(A) == account.id
    assert await conflict(stored.storage.name_email(A, A, "other", None)) == "username_set"


async def test_what_somebody_claims_as_their_address_leads_to_nobody(stored: Stored) -> None:
    await stored.storage.add_account("alice", "hash", A)
    assert await stored.storage.log_in_by_email(A) is None
    assert not await stored.storage.put_code(A, "code", known_only=True)
    await stored.storage.put_code(A, "code")
    assert await conflict(stored.storage.log_in_by_code(A, "code")) == "no_username"


async def test_an_address_is_joined_to_one_account(stored: Stored) -> None:
    alice, bob = await stored.people("alice", "bob")
    await stored.storage.put_code(A, "code")
    assert not await stored.storage.join_email(alice.id, A, A, "wrong")
    assert await stored.storage.join_email(alice.id, A, "A@example.org", "code")
    await stored.reopen()
    assert await stored.storage.log_in_by_email(A) == alice.id
    account = await stored.storage.account_by_id(alice.id)
    assert account is not None
    assert account.email == "A@example.org"
    await stored.storage.put_code(A, "second")
    assert await conflict(stored.storage.join_email(bob.id, A, A, "second")) == "email_taken"
    assert await stored.storage.join_email(alice.id, A, A, "second")
    assert await stored.storage.log_in_by_email(A) == alice.id
