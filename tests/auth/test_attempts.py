"""Failed logins run out, per account and per address (S8)."""

import asyncio

import pytest

from hubbub.auth.attempts import WINDOW, Attempts
from hubbub.core.errors import TooMany, Unauthenticated, Unavailable
from tests.support.accounts import Clock


class Door:
    """Attempts whose outcome the test decides."""

    def __init__(self, limit: int = 5) -> None:
        self.clock = Clock(0.0)
        self._attempts = Attempts(limit, self.clock)

    def succeed(self, name: str, address: str | None = "192.0.2.1") -> None:
        with self._attempts.one(name, address):
            pass

    def end(self, error: BaseException, name: str, address: str | None = "192.0.2.1") -> None:
        with pytest.raises(type(error)), self._attempts.one(name, address):
            raise error

    def fail(self, name: str, address: str | None = "192.0.2.1") -> None:
        self.end(Unauthenticated("wrong"), name, address)

    def refused(self, name: str, address: str | None = "192.0.2.1") -> int:
        with pytest.raises(TooMany) as caught, self._attempts.one(name, address):
            pass
        return caught.value.retry_after or 0


def test_after_five_failures_no_password_is_right() -> None:
    door = Door()
    for _ in range(5):
        door.fail("alice")
    assert door.refused("alice") == WINDOW
    door.succeed("bob")


def test_whose_name_is_written_otherwise_is_still_the_same() -> None:
    door = Door(limit=1)
    door.fail("Alice")
    assert door.refused("\uff41LICE")


def test_successes_do_not_count() -> None:
    door = Door(limit=1)
    for _ in range(100):
        door.succeed("alice")


def test_half_an_hour_later_there_is_another_try() -> None:
    door = Door(limit=2)
    door.fail("alice")
    door.clock.now += 600
    door.fail("alice")
    assert door.refused("alice") == WINDOW - 600
    door.clock.now += WINDOW - 600
    door.fail("alice")
    assert door.refused("alice") == 600


def test_an_address_has_ten_times_as_many() -> None:
    door = Door()
    for number in range(50):
        door.fail(f"user{number}")
    assert door.refused("somebody else")
    door.succeed("somebody else", "192.0.2.2")


def test_what_an_address_is_refused_does_not_cost_the_account() -> None:
    door = Door(limit=1)
    for number in range(10):
        door.fail(f"user{number}")
    for _ in range(5):
        assert door.refused("alice")
    door.succeed("alice", "192.0.2.2")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::2%eth1"),
        ("testclient", "testclient"),
    ],
)
def test_addresses_of_one_subscriber_are_one(first: str, second: str) -> None:
    door = Door(limit=1)
    for number in range(10):
        door.fail(f"user{number}", first)
    assert door.refused("alice", second)


def test_the_servers_own_trouble_is_nobodys_failure() -> None:
    door = Door(limit=1)
    for error in (Unavailable("down"), TooMany("busy"), ValueError("bug")):
        door.end(error, "alice")
    door.succeed("alice")


def test_giving_up_counts_as_a_failure() -> None:
    door = Door(limit=1)
    door.end(asyncio.CancelledError(), "alice")
    assert door.refused("alice")


def test_without_a_limit_everybody_may_go_on() -> None:
    door = Door(limit=0)
    for _ in range(100):
        door.fail("alice")
    door.succeed("alice")


def test_without_an_address_the_account_alone_counts() -> None:
    door = Door(limit=1)
    door.fail("alice", None)
    assert door.refused("alice", None)


def test_many_at_once_cannot_slip_past() -> None:
    door = Door(limit=2)
    attempts = door._attempts
    with attempts.one("alice", None), attempts.one("alice", None):
        assert door.refused("alice", None) == 1
    door.succeed("alice", None)


def test_many_at_once_that_are_right_lock_nobody_out() -> None:
    door = Door(limit=2)
    with door._attempts.one("alice", None):
        door.fail("alice", None)
        with pytest.raises(TooMany, match="at once") as busy, door._attempts.one("alice", None):
            pass
        assert busy.value.retry_after == 1
    door.succeed("alice", None)
