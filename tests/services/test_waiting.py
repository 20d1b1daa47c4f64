"""What waits for absent ids: in order, for a while, and nobody too much of it."""

import pytest

from hubbub.core.claims import PassKind
from hubbub.core.events import Passed
from hubbub.core.ids import UserId
from hubbub.hub.closing import MAX_MESSAGE
from hubbub.services import waiting
from hubbub.services.waiting import OVERHEAD, Owner, Waiting

ALICE = Owner(UserId(1), "192.0.2.1")
LARGEST = MAX_MESSAGE


def guest(number: int, network: str = "192.0.2.9") -> Owner:
    return Owner(UserId(-number - 1), network)


class Bench:
    """What waits, and how many bytes of it have been taken up."""

    def __init__(self) -> None:
        self.waiting = Waiting()
        self.bytes = 0

    def keep(self, dst: str, sender: Owner, size: int = 0, now: float = 0.0) -> bool:
        passed = Passed(PassKind.OFFER, f"of {sender.user}", dst, b"x" * size)
        kept = self.waiting.keep(passed, sender, now)
        if kept:
            self.bytes += size + OVERHEAD
        return kept


def test_it_comes_out_once_in_order() -> None:
    bench = Bench()
    for size in (3, 1, 2):
        bench.keep("a", ALICE, size)
    bench.keep("b", ALICE)
    assert [len(passed.payload or b"") for passed in bench.waiting.take("a")] == [3, 1, 2]
    assert bench.waiting.take("a") == []


def test_it_is_overdue_as_soon_as_the_first_of_it_is() -> None:
    bench = Bench()
    bench.keep("a", ALICE, now=10.0)
    bench.keep("b", ALICE, now=12.0)
    bench.keep("a", ALICE, now=12.0)
    assert bench.waiting.overdue(14.9) == []
    assert bench.waiting.overdue(15.0) == ["a"]
    bench.waiting.take("a")
    assert bench.waiting.overdue(20.0) == ["b"]


def test_the_largest_message_may_wait() -> None:
    assert Bench().keep("a", ALICE, LARGEST)


def test_one_person_has_an_eighth_and_the_others_the_rest() -> None:
    bench = Bench()
    while bench.keep(f"absent-{bench.bytes}", guest(0), LARGEST):
        pass
    assert bench.bytes <= waiting.MOST / 8
    assert not bench.keep("another", guest(0), LARGEST)
    assert bench.keep("another", guest(1), LARGEST)


def test_guests_of_one_network_have_a_quarter_however_many_they_are() -> None:
    bench = Bench()
    number = 0
    while bench.keep(f"absent-{number}", guest(number), LARGEST):
        number += 1
    assert waiting.MOST / 5 < bench.bytes <= waiting.MOST / 4
    assert bench.keep("another", guest(number, "192.0.2.8"), LARGEST)


def test_altogether_there_is_a_bound() -> None:
    bench = Bench()
    number = 0
    while bench.keep(f"absent-{number}", guest(number, f"network-{number}"), LARGEST):
        number += 1
    assert waiting.MOST * 0.9 < bench.bytes <= waiting.MOST


@pytest.mark.parametrize("size", [0, 1000, LARGEST])
def test_for_one_id_nobody_keeps_all_others_from_waiting(size: int) -> None:
    bench = Bench()
    while bench.keep("a", guest(0), size):
        pass
    assert bench.keep("a", guest(1), 1000), "another of the same network"
    number = 2
    while bench.keep("a", guest(number), size):
        number += 1
    assert bench.keep("a", ALICE, 1000), "another network"
    while bench.keep("a", guest(number, f"network-{number}"), size):
        number += 1
    assert bench.bytes <= waiting.MOST_FOR_ID


def test_what_no_longer_waits_makes_room() -> None:
    bench = Bench()
    for _ in range(3):
        kept = 0
        while bench.keep("a", ALICE, LARGEST // 8):
            kept += 1
        assert kept > 1
        assert len(bench.waiting.take("a")) == kept
    assert not bench.waiting._pool._out
