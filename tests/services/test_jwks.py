"""Published keys: asked for when they are needed, by one at a time, and never too often."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from hubbub.auth.keysets import VerifyingKeys
from hubbub.core.errors import Unavailable
from hubbub.services.jwks import LONGEST, PAUSE, SHORTEST, STALE, PublishedKeys
from tests.support.accounts import Clock, Gate
from tests.support.issuer import ED25519, RSA, key_set, public

OLD = key_set(public(RSA, "old"))
NEW = key_set(public(RSA, "new"), public(ED25519, "ed"))


class Published:
    """Keys, and an issuer that can be down or late."""

    def __init__(self) -> None:
        self.clock = Clock(1000.0)
        self.body = OLD
        self.caching = ""
        self.fault: Exception | None = None
        self.gate: Gate | None = None
        self.fetches = 0
        self.keys = PublishedKeys(self.fetch, self.clock)

    async def fetch(self) -> tuple[bytes, str]:
        self.fetches += 1
        answer = self.body, self.caching
        gate, self.gate = self.gate, None
        if gate is not None:
            gate.reached.set()
            await gate.opened.wait()
        if self.fault is not None:
            raise self.fault
        return answer

    async def has(self, kid: str | None, algorithm: str = "RS256") -> bool:
        return (await self.keys.get(algorithm, kid)).has(algorithm, kid)

    async def has_at_once(self, kid: str) -> bool:
        """The same, without waiting for anything; then what was started gets its turns."""
        asking = self.keys.get("RS256", kid)
        try:
            asking.send(None)
        except StopIteration as answer:
            for _ in range(3):
                await asyncio.sleep(0)
            keys: VerifyingKeys = answer.value
            return keys.has("RS256", kid)
        asking.close()
        pytest.fail("it waits")


@pytest.fixture
def published() -> Iterator[Published]:
    return Published()


async def test_keys_are_asked_for_once_they_are_needed(published: Published) -> None:
    assert published.fetches == 0
    assert await published.has("old")
    assert await published.has("old")
    assert published.fetches == 1


@pytest.mark.parametrize(
    ("caching", "seconds"),
    [
        ("", SHORTEST),
        ("max-age=600", 600),
        ("public, Max-Age=3600, must-revalidate", 3600),
        ('max-age="900"', 900),
        ("max-age=0", SHORTEST),
        ("max-age=60", SHORTEST),
        ("max-age=999999999", LONGEST),
        ("max-age=99999999999999999999999", LONGEST),
        ("max-age=-5", SHORTEST),
        ("max-age=soon", SHORTEST),
        ("s-maxage=7200", SHORTEST),
        ("no-store, max-age=3600", SHORTEST),
        ("no-cache", SHORTEST),
    ],
)
async def test_keys_are_believed_as_long_as_their_issuer_says_within_bounds(
    published: Published, caching: str, seconds: float
) -> None:
    published.caching = caching
    await published.has("old")
    published.clock.now += seconds - 0.1
    await published.has("old")
    assert published.fetches == 1
    published.body = NEW
    published.clock.now += 0.1
    assert await published.has_at_once("old")
    assert published.fetches == 2
    assert not await published.has("old"), "a key that was withdrawn counts no more"


async def test_whoever_has_a_known_key_does_not_wait_for_an_issuer_that_hangs(
    published: Published,
) -> None:
    await published.has("old")
    published.clock.now += SHORTEST
    for fetches in range(2, 60):
        published.gate = gate = Gate()
        assert await published.has_at_once("old")
        await gate.reached.wait()
        assert await published.has_at_once("old")
        published.fault = TimeoutError("it hung")
        published.clock.now += 5
        gate.open()
        assert await published.has_at_once("old")
        published.clock.now += PAUSE
        assert published.fetches == fetches
    published.fault, published.body = None, NEW
    assert await published.has_at_once("old")
    assert not await published.has("old")
    assert await published.has_at_once("new")


async def test_after_a_long_silence_keys_are_asked_for_before_they_count(
    published: Published,
) -> None:
    await published.has("old")
    published.body = NEW
    published.clock.now += SHORTEST + STALE
    assert not await published.has("old")


async def test_in_an_outage_the_silence_is_that_since_the_issuer_was_last_asked(
    published: Published,
) -> None:
    await published.has("old")
    published.fault = OSError("down")
    published.clock.now += LONGEST
    assert await published.has("old")
    published.fault, published.body = None, NEW
    published.clock.now += STALE - 0.1
    assert await published.has_at_once("old")
    published.clock.now += LONGEST
    assert not await published.has("old")


async def test_a_key_that_is_not_known_is_asked_for(published: Published) -> None:
    await published.has("old")
    published.body = NEW
    published.clock.now += PAUSE
    assert await published.has("new")
    assert not await published.has("old")


async def test_an_algorithm_without_a_key_is_asked_for(published: Published) -> None:
    await published.has("old")
    published.body = NEW
    published.clock.now += PAUSE
    assert await published.has(None, "EdDSA")


async def test_a_flood_of_made_up_names_is_no_flood_to_the_issuer(published: Published) -> None:
    await published.has("old")
    for number in range(1000):
        assert not await published.has(f"made up {number}")
    assert published.fetches == 1
    published.clock.now += PAUSE - 0.1
    assert not await published.has("made up")
    assert published.fetches == 1
    published.clock.now += 0.1
    assert not any(await asyncio.gather(*(published.has(f"made up {n}") for n in range(1000))))
    assert published.fetches == 2
    assert await published.has("old")


async def test_the_pause_begins_when_a_fetch_ends(published: Published) -> None:
    await published.has("old")
    published.clock.now += PAUSE
    published.gate = gate = Gate()
    asking = asyncio.create_task(published.has("made up"))
    await gate.reached.wait()
    published.clock.now += PAUSE
    gate.open()
    assert not await asking
    await published.has("made up")
    assert published.fetches == 2


async def test_many_who_ask_at_once_share_one_fetch(published: Published) -> None:
    published.gate = gate = Gate()
    asking = [asyncio.create_task(published.has("old")) for _ in range(100)]
    await gate.reached.wait()
    gate.open()
    assert all(await asyncio.gather(*asking))
    assert published.fetches == 1


async def test_one_who_gives_up_takes_nothing_from_the_others(published: Published) -> None:
    published.gate = gate = Gate()
    first, second = (asyncio.create_task(published.has("old")) for _ in range(2))
    await gate.reached.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.open()
    assert await second


async def test_whoever_needs_no_new_keys_does_not_wait_for_them(published: Published) -> None:
    await published.has("old")
    published.clock.now += PAUSE
    published.gate = gate = Gate()
    asking = asyncio.create_task(published.has("made up"))
    await gate.reached.wait()
    assert await published.has("old")
    assert not asking.done()
    gate.open()
    await asking


async def test_keys_stay_good_while_their_issuer_is_down(
    published: Published, caplog: pytest.LogCaptureFixture
) -> None:
    await published.has("old")
    published.fault = OSError("down")
    published.clock.now += LONGEST
    assert await published.has("old")
    assert await published.has("old")
    assert published.fetches == 2, "an issuer that is down is not asked for every token"
    assert "the ones known stay good" in caplog.text
    published.clock.now += PAUSE
    published.fault, published.body = None, NEW
    assert await published.has("new")


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"keys": []}', b'{"keys": [{"kty": "oct"}]}'])
async def test_an_answer_without_keys_is_an_outage(published: Published, body: bytes) -> None:
    await published.has("old")
    published.body = body
    published.clock.now += SHORTEST
    assert await published.has_at_once("old")
    assert published.fetches == 2
    assert await published.has_at_once("old")


async def test_without_any_keys_there_is_nothing_to_say(
    published: Published, caplog: pytest.LogCaptureFixture
) -> None:
    published.fault = OSError("down")
    for _ in range(3):
        with pytest.raises(Unavailable) as refused:
            await published.has("old")
        assert refused.value.code == "issuer_unavailable"
        assert refused.value.retry_after == PAUSE
    assert published.fetches == 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    published.fault = None
    published.clock.now += PAUSE
    assert await published.has("old")


async def test_closing_gives_up_what_is_under_way(published: Published) -> None:
    published.gate = gate = Gate()
    asking = asyncio.create_task(published.has("old"))
    await gate.reached.wait()
    await published.keys.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await published.keys.close()
