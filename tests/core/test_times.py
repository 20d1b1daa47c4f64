from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.core.times import plain, rfc3339

AT = 1_795_257_000_123


def test_a_time_is_printed_in_utc_with_milliseconds_and_z() -> None:
    assert rfc3339(AT) == "2026-11-21T10:30:00.123Z"


def test_a_plain_time_has_neither_zone_nor_fraction() -> None:
    assert plain(AT) == "2026-11-21 10:30:00"


@pytest.mark.parametrize(("at", "printed"), [(0, "00.000Z"), (7, "00.007Z"), (1_999, "01.999Z")])
def test_milliseconds_always_have_three_digits(at: int, printed: str) -> None:
    assert rfc3339(at) == f"1970-01-01T00:00:{printed}"


@settings(deadline=None)
@given(st.integers(0, 4_102_444_800_000))
def test_a_printed_time_reads_back_as_the_same_time(at: int) -> None:
    moment = datetime.fromisoformat(rfc3339(at))
    assert moment.tzinfo is not None
    assert (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000 == pytest.approx(at)
    assert plain(at) == rfc3339(at)[:19].replace("T", " ")
