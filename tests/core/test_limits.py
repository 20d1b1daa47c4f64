"""Buckets and windows, against plain models of what they promise.

Times are sixteenths of a second and rates whole numbers, so that sums of floats are exact.
"""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.core.limits import FailureWindow, TokenBucket

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
            failures[key].append(now)


def test_attempts_under_way_count_so_that_many_at_once_cannot_slip_past() -> None:
    window = FailureWindow(3, 60)
    assert [window.reserve("alice", T) for _ in range(5)] == [None, None, None, 60, 60]
    window.refund("alice")
    assert window.reserve("alice", T + 1) is None
    assert window.reserve("alice", T + 1) == 59


def test_a_refusal_counts_nothing_so_that_nobody_is_locked_out_for_ever() -> None:
    window = FailureWindow(1, 60)
    window.reserve("alice", T)
    for second in range(60):
        assert window.reserve("alice", T + second) == 60 - second
    assert window.reserve("alice", T + 60) is None


def test_whoever_waits_as_long_as_a_window_says_may_try() -> None:
    window = FailureWindow(2, 1800)
    window.reserve("alice", T)
    window.reserve("alice", T + 7)
    wait = window.reserve("alice", T + 11)
    assert wait is not None
    assert window.reserve("alice", T + 11 + wait) is None
    assert window.reserve("alice", T + 11 + wait) is not None


def test_a_window_without_a_limit_counts_nothing() -> None:
    window = FailureWindow(0, 60)
    assert all(window.reserve("alice", T) is None for _ in range(100))
    window.refund("alice")


def test_giving_back_what_was_never_reserved_changes_nothing() -> None:
    window = FailureWindow(1, 60)
    window.refund("alice")
    assert window.reserve("alice", T) is None
    assert window.reserve("alice", T) is not None


def test_ten_thousand_old_keys_are_forgotten_and_live_ones_are_not() -> None:
    window = FailureWindow(1, 60)
    window.reserve("early", T)
    for number in range(10_000):
        window.reserve(f"name {number}", T + 59)
    assert window.reserve("late", T + 61) is None
    assert window.reserve("name 0", T + 61) is not None
    assert window.reserve("early", T + 61) is None
