"""A transcript that matched whatever came would prove nothing."""

from typing import Any

import pytest

from tests.transcripts.replay import assert_matches, fill


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"a": 1, "b": [True, None]}, {"a": 1, "b": [True, None]}),
        ({"id": "<int>"}, {"id": -5}),
        ({"name": "<str>"}, {"name": "x"}),
        ({"at": "<time>"}, {"at": "2026-11-21T10:30:00.123Z"}),
        ({"at": "<plain time>"}, {"at": "2026-11-21 10:30:00"}),
        ({"a": "<m1>", "b": "<m1>", "c": "<room>"}, {"a": 9, "b": 9, "c": 5}),
    ],
)
def test_what_is_as_listed_matches(expected: Any, actual: Any) -> None:
    assert_matches(expected, actual, {"<room>": 5}, "here")


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"a": 1}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": "1"}, {"a": 1}),
        ({"a": [1]}, {"a": [1, 2]}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({}, []),
        ({"id": "<int>"}, {"id": True}),
        ({"id": "<int>"}, {"id": "5"}),
        ({"name": "<str>"}, {"name": ""}),
        ({"at": "<time>"}, {"at": "2026-11-21T10:30:00Z"}),
        ({"at": "<plain time>"}, {"at": "2026-11-21T10:30:00"}),
        ({"a": "<m1>", "b": "<m1>"}, {"a": 9, "b": 8}),
        ({"a": "<room>"}, {"a": 6}),
    ],
)
def test_what_is_not_as_listed_does_not(expected: Any, actual: Any) -> None:
    with pytest.raises(AssertionError):
        assert_matches(expected, actual, {"<room>": 5}, "here")


def test_variables_are_filled_in_with_their_type_and_within_text() -> None:
    bound = {"<room>": 5, "<alice token>": "abc"}
    frame = {"room_id": "<room>", "more": ["/ws/room/<room>/x", "<alice token>", "<b>"]}
    assert fill(frame, bound) == {"room_id": 5, "more": ["/ws/room/5/x", "abc", "<b>"]}
