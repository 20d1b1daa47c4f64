"""Buckets and windows, against plain models of what they promise.

Times are sixteenths of a second and rates whole numbers, so that sums of floats are exact.
"""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.core.limits import Buckets, FailureWindow, Rates, TokenBucket

pure = settings(deadline=None, derandomize=True)
pauses = st.lists(st.integers(0, 400).map(lambda sixteenths: sixteenths / 16), max_size=40)
some = st.integers(1, 20)
T = 1_000_000.0


@pure
@given(some, some, pauses)
def test_a_bucket_allows_exactly_what_has_flowed_into_it(
    rate: int, burst: int, waits: list[float]
) -> None:
    bucket, now, level = TokenBucket(rate, burst, T), T, Fraction(burst)
    for wait in waits:
        now += wait
        level = min(Fraction(burst), level + Fraction(wait) * rate)
        assert bucket.full(now) == (level == burst)
        assert bucket.take(now) == (level >= 1)
        if level >= 1:
            level -= 1


@pure
@given(some, some, pauses)
def test_no_stretch_of_time_has_more_than_a_burst_and_its_rate(
    rate: int, burst: int, waits: list[float]
) -> None:
    bucket, now, allowed = TokenBucket(rate, burst, T), T, []
    for wait in waits:
        now += wait
        if bucket.take(now):
            allowed.append(now)
    for first, start in enumerate(allowed):
        for last, end in enumerate(allowed[first:], 1):
            assert last <= burst + rate * (end - start)


def test_asking_what_a_bucket_has_takes_nothing_and_says_how_long_to_wait() -> None:
    bucket = TokenBucket(2, 5, T)
    for _ in range(3):
        assert bucket.has(T, 5)
        assert not bucket.has(T, 6)
    assert bucket.take(T, 5)
    assert not bucket.has(T)
    assert (bucket.wait(), bucket.wait(5)) == (1, 3)
    assert bucket.has(T + 2.5, 5)
    assert TokenBucket(0, 5, T).has(T, 100)


@pure
@given(st.sampled_from([0.25, 0.4, 0.3, 1, 3, 50]), some, pauses)
def test_whoever_waits_as_long_as_told_is_allowed(
    rate: float, burst: int, waits: list[float]
) -> None:
    bucket, now = TokenBucket(rate, burst, T), T
    for wait in waits:
        now += wait
        if not bucket.take(now):
            seconds = bucket.wait()
            assert seconds == int(seconds) >= 1
            now += seconds
            assert bucket.take(now)


def test_nobody_is_told_to_wait_a_second_longer_than_needed() -> None:
    bucket = TokenBucket(0.25, 1, T)
    assert bucket.take(T)
    assert not bucket.take(T)
    assert bucket.wait() == 4


@pytest.mark.parametrize(("rate", "burst"), [(0, 0), (0, 5), (5, 0)])
def test_0_is_no_limit_of_either_kind(rate: int, burst: int) -> None:
    bucket = TokenBucket(rate, burst, T)
    assert all(bucket.take(T) for _ in range(1_000))
    assert bucket.full(T)
    assert bucket.wait() == 0


def test_a_new_bucket_is_full_and_a_used_one_is_not() -> None:
    bucket = TokenBucket(1, 2, T)
    assert bucket.full(T)
    bucket.take(T)
    assert not bucket.full(T + 0.5)
    assert bucket.full(T + 1)


KEYS = st.sampled_from(["alice", "bob"])
STEPS = st.lists(
    st.tuples(st.sampled_from(["fail", "succeed"]), KEYS, st.integers(0, 40)), max_size=40
)


@pure
@given(st.integers(1, 5), STEPS)
def test_a_window_counts_what_failed_in_it_and_nothing_else(
    limit: int, steps: list[tuple[str, str, int]]
) -> None:
    window, now = FailureWindow(limit, 60), T
    failures: dict[str, list[float]] = {"alice": [], "bob": []}
    for outcome, key, wait in steps:
        now += wait
        recent = [at for at in failures[key] if at > now - 60]
        told = window.reserve(key, now)
        if len(recent) >= limit:
            assert told == recent[0] + 60 - now
            continue
        assert told is None
        if outcome == "succeed":
            window.refund(key)
        else:
            window.fail(key, now)
            failures[key].append(now)


def failed(window: FailureWindow, key: str, now: float) -> None:
    assert window.reserve(key, now) is None
    window.fail(key, now)


def test_attempts_under_way_count_so_that_many_at_once_cannot_slip_past() -> None:
    window = FailureWindow(3, 60)
    assert [window.reserve("alice", T) for _ in range(5)] == [None, None, None, 0, 0]
    window.refund("alice")
    assert window.reserve("alice", T + 1) is None
    assert window.reserve("alice", T + 1) == 0


def test_only_what_failed_makes_anybody_wait_for_the_window() -> None:
    window = FailureWindow(2, 60)
    assert [window.reserve("alice", T) for _ in range(2)] == [None, None]
    window.fail("alice", T + 1)
    assert window.reserve("alice", T + 2) == 0
    window.fail("alice", T + 3)
    assert window.reserve("alice", T + 4) == 57


def test_an_attempt_may_be_under_way_for_longer_than_the_window() -> None:
    window = FailureWindow(1, 60)
    assert window.reserve("alice", T) is None
    assert window.reserve("alice", T + 100) == 0
    window.fail("alice", T + 100)
    assert window.reserve("alice", T + 101) == 59


def test_a_refusal_counts_nothing_so_that_nobody_is_locked_out_for_ever() -> None:
    window = FailureWindow(1, 60)
    failed(window, "alice", T)
    for second in range(60):
        assert window.reserve("alice", T + second) == 60 - second
    assert window.reserve("alice", T + 60) is None


def test_whoever_waits_as_long_as_a_window_says_may_try() -> None:
    window = FailureWindow(2, 1800)
    failed(window, "alice", T)
    failed(window, "alice", T + 7)
    wait = window.reserve("alice", T + 11)
    assert wait is not None
    failed(window, "alice", T + 11 + wait)
    assert window.reserve("alice", T + 11 + wait) is not None


def test_a_window_without_a_limit_counts_nothing() -> None:
    window = FailureWindow(0, 60)
    assert all(window.reserve("alice", T) is None for _ in range(100))
    window.refund("alice")
    window.fail("alice", T)
    assert window.reserve("alice", T) is None


def test_giving_back_what_was_never_reserved_changes_nothing() -> None:
    window = FailureWindow(1, 60)
    window.refund("alice")
    assert window.reserve("alice", T) is None
    assert window.reserve("alice", T) is not None


def test_ten_thousand_old_keys_are_forgotten_and_live_ones_are_not() -> None:
    window = FailureWindow(1, 60)
    failed(window, "early", T)
    for number in range(10_000):
        failed(window, f"name {number}", T + 59)
    assert window.reserve("late", T + 61) is None
    assert window.reserve("name 0", T + 61) is not None
    assert window.reserve("early", T + 61) is None


def test_everybody_has_a_bucket_of_their_own_and_idle_ones_are_forgotten() -> None:
    buckets = Buckets(Rates(1, 1), most=2)
    assert [buckets.take(key, 0) for key in ("a", "a", "b")] == [0, 1, 0]
    assert buckets.take("c", 10) == 0  # a and b are full again, and gone
    assert [buckets.take(key, 10) for key in ("a", "c")] == [0, 1]


def test_no_rate_is_no_limit_for_anybody() -> None:
    buckets = Buckets(Rates(0, 0))
    assert [buckets.take("a", 0) for _ in range(1000)] == [0] * 1000
