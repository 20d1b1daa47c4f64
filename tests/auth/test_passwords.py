"""Passwords: hashed off the loop, bounded, and telling nothing by the time they take."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pwdlib import PasswordHash

from hubbub.auth.passwords import QUEUE, WORKERS, Passwords, check_password
from hubbub.core.errors import Invalid, TooMany
from tests.support.accounts import CHEAP


class HeldHasher(PasswordHash):
    """Works only after it is let go. Counts the verifications it has done and of which hashes."""

    def __init__(self, real: PasswordHash) -> None:
        super().__init__(real.hashers)
        self.may_go = threading.Event()
        self.verified: list[str | bytes] = []

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.may_go.wait()
        return super().hash(password, salt=salt)

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:
        self.verified.append(hash)
        return super().verify(password, hash)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(CHEAP)
    yield made
    made.close()


@pytest.fixture
def held(passwords: Passwords) -> Iterator[HeldHasher]:
    hasher = HeldHasher(passwords._hasher)
    passwords._hasher = hasher
    yield hasher
    hasher.may_go.set()


async def test_a_password_is_verified_by_its_hash(passwords: Passwords) -> None:
    password_hash = await passwords.hash("correct horse")
    assert password_hash.startswith("$argon2id$")
    assert await passwords.verify("correct horse", password_hash)
    assert not await passwords.verify("Correct horse", password_hash)


async def test_two_hashes_of_one_password_differ(passwords: Passwords) -> None:
    assert await passwords.hash("correct horse") != await passwords.hash("correct horse")


async def test_any_text_can_be_a_password(passwords: Passwords) -> None:
    for password in ("Straße 🐎 \x00 é", " " * 8, "x" * 1024):
        assert await passwords.verify(password, await passwords.hash(password))


@pytest.mark.parametrize(
    "password", ["", "1234567", "x" * 1025, "long enough \ud800"], ids=range(4)
)
async def test_a_bad_password_cannot_be_chosen(passwords: Passwords, password: str) -> None:
    with pytest.raises(Invalid) as chosen:
        check_password(password)
    with pytest.raises(Invalid) as hashed:
        await passwords.hash(password)
    assert chosen.value.code == hashed.value.code == "weak_password"


@pytest.mark.parametrize("password", ["", "x" * 10_000, "\ud800", "wrong"], ids=range(4))
async def test_a_password_nobody_can_have_is_wrong(passwords: Passwords, password: str) -> None:
    assert not await passwords.verify(password, await passwords.hash("correct horse"))


@pytest.mark.parametrize(
    "stored", ["", "plain", "$argon2id$broken", "$2b$12$" + "x" * 53], ids=range(4)
)
async def test_a_damaged_hash_matches_nothing(passwords: Passwords, stored: str) -> None:
    assert not await passwords.verify("correct horse", stored)
    assert passwords.outdated(stored)


async def test_nobodys_password_is_checked_at_the_same_cost(
    passwords: Passwords, held: HeldHasher
) -> None:
    """S27: an unknown user's answer takes one verification under the same parameters."""
    assert not await passwords.verify("correct horse", None)
    assert len(held.verified) == 1
    assert not passwords.outdated(str(held.verified[0]))


async def test_hashes_of_other_parameters_are_outdated(passwords: Passwords) -> None:
    assert not passwords.outdated(await passwords.hash("correct horse"))
    dearer = Passwords(replace(CHEAP, passes=2))
    try:
        assert dearer.outdated(await passwords.hash("correct horse"))
        assert await dearer.verify("correct horse", await passwords.hash("correct horse"))
    finally:
        dearer.close()


def test_the_parameters_are_the_recommended_ones() -> None:
    made = Passwords()
    try:
        assert "$m=65536,t=3,p=4$" in made._nobody.result()
    finally:
        made.close()


async def test_the_loop_goes_on_while_passwords_are_hashed(
    passwords: Passwords, held: HeldHasher
) -> None:
    hashing = asyncio.create_task(passwords.hash("correct horse"))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not hashing.done()
    held.may_go.set()
    assert (await hashing).startswith("$argon2id$")


async def test_too_many_at_once_are_refused_and_told_when_to_come_back(
    passwords: Passwords, held: HeldHasher
) -> None:
    waiting = [asyncio.create_task(passwords.hash("correct horse")) for _ in range(WORKERS + QUEUE)]
    await asyncio.sleep(0)
    with pytest.raises(TooMany) as caught:
        await passwords.verify("correct horse", None)
    assert caught.value.retry_after
    held.may_go.set()
    await asyncio.gather(*waiting)
    assert not await passwords.verify("correct horse", None)


async def test_whoever_gives_up_makes_room_for_others(
    passwords: Passwords, held: HeldHasher
) -> None:
    waiting = [asyncio.create_task(passwords.hash("correct horse")) for _ in range(WORKERS + QUEUE)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    held.may_go.set()
    results = await asyncio.gather(
        *(passwords.verify("correct horse", None) for _ in range(QUEUE)), return_exceptions=True
    )
    assert results == [False] * QUEUE
