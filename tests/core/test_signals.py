"""What may be signalled."""

import pytest

from hubbub.core.errors import Invalid
from hubbub.core.ids import Person, UserId
from hubbub.core.signals import (
    MAX_CANDIDATE,
    MAX_CUSTOM,
    MAX_SDP,
    Candidate,
    Custom,
    Peer,
    check_candidate,
    check_custom,
    check_sdp,
)


def refused(code: str) -> pytest.RaisesExc[Invalid]:
    return pytest.RaisesExc(Invalid, check=lambda error: error.code == code)


def test_an_sdp_is_any_string_up_to_64_kib_of_utf_8() -> None:
    assert check_sdp("no sdp at all") == "no sdp at all"
    assert check_sdp("x" * MAX_SDP)
    with refused("sdp_too_long"):
        check_sdp("x" * (MAX_SDP + 1))
    with refused("sdp_too_long"):
        check_sdp("é" * (MAX_SDP // 2 + 1))


@pytest.mark.parametrize("sdp", ["", None, 5, {}, "a\x00b", "\ud800"])
def test_what_is_no_sdp_is_refused(sdp: object) -> None:
    with refused("invalid_sdp"):
        check_sdp(sdp)


def test_null_and_the_empty_string_are_the_end_of_candidates() -> None:
    assert check_candidate(None) == check_candidate("") == Candidate("", None, 0)


def test_an_unknown_index_is_0() -> None:
    assert check_candidate("c", "audio", None) == Candidate("c", "audio", 0)
    assert check_candidate("c", None, 3) == Candidate("c", None, 3)


@pytest.mark.parametrize(
    ("candidate", "mid", "index"),
    [(5, None, 0), ("c", 5, 0), ("c", None, "0"), ("c", None, True), ("c", None, -1),
     ("c", None, 65_536), ("a\x00", None, 0), ("c", "\ud800", 0)],
)  # fmt: skip
def test_what_is_no_candidate_is_refused(candidate: object, mid: object, index: object) -> None:
    with refused("invalid_candidate"):
        check_candidate(candidate, mid, index)


def test_a_candidate_has_at_most_2_kib() -> None:
    assert check_candidate("c" * MAX_CANDIDATE)
    with refused("candidate_too_long"):
        check_candidate("c" * (MAX_CANDIDATE + 1))
    with refused("candidate_too_long"):
        check_candidate("c", "m" * (MAX_CANDIDATE + 1))


def test_a_custom_signal_has_a_type_and_bounded_data() -> None:
    assert check_custom("join", b"{}") == Custom("join", b"{}")
    with refused("invalid_type"):
        check_custom("", b"{}")
    with refused("invalid_type"):
        check_custom("x" * 65, b"{}")
    with refused("data_too_long"):
        check_custom("x", b"1" * (MAX_CUSTOM + 1))


def test_people_with_equal_ids_are_told_apart() -> None:
    bob = Peer("bob", "bob", Person(UserId(2), "bob"))
    external = Peer("bob", "bob-2", Person(UserId(3), "bob-2", "bob"))
    assert bob.key != external.key
