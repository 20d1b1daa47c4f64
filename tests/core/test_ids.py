"""What names a channel."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.core.ids import (
    MAX_INTEGER,
    RESERVED_KEYS,
    ChannelId,
    UserId,
    Who,
    parse_ref,
    path_name,
    valid_key,
)

ALLOWED = string.ascii_letters + string.digits + "._~-"
pure = settings(deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("1", 1),
        ("0", 0),
        ("007", 7),
        (str(MAX_INTEGER), MAX_INTEGER),
        (str(MAX_INTEGER + 1), 0),
        ("9" * 16, 0),
        ("9" * 17, 0),
        ("9" * 10_000, 0),
        ("", ""),
        ("general", "general"),
        ("12a", "12a"),
        ("-1", "-1"),
        ("+1", "+1"),
        ("1.0", "1.0"),
        ("1_000", "1_000"),
        (" 1", " 1"),
        ("1\n", "1\n"),
        ("٣", "٣"),  # a digit to Python, and to nobody's id
        ("²", "²"),
    ],
)
def test_digits_are_an_id_and_anything_else_a_key(text: str, ref: int | str) -> None:
    assert parse_ref(text) == ref
    assert type(parse_ref(text)) is type(ref)


@pure
@given(st.integers(0, MAX_INTEGER))
def test_every_id_reads_back(id: int) -> None:
    assert parse_ref(str(id)) == id


@pure
@given(st.text(max_size=40))
def test_a_name_is_an_id_in_range_or_itself(text: str) -> None:
    ref = parse_ref(text)
    assert ref == text if isinstance(ref, str) else 0 <= ref <= MAX_INTEGER


@pure
@given(
    st.integers(1, MAX_INTEGER),
    st.one_of(st.text(ALLOWED, min_size=1), st.integers(0).map(str), st.just("007")),
)
def test_the_name_of_a_channel_reads_back_as_its_key_or_else_its_id(id: int, key: str) -> None:
    name = path_name(ChannelId(id), key)
    assert parse_ref(name) in (id, key)
    assert (name == key) is (not key.isdigit() or str(id) == key)


@pure
@given(st.text(ALLOWED, min_size=1, max_size=128).filter(lambda key: key not in RESERVED_KEYS))
def test_every_word_of_the_alphabet_is_a_key(key: str) -> None:
    assert valid_key(key)


@pure
@given(st.text(ALLOWED, max_size=5), st.characters(exclude_characters=ALLOWED), st.text(max_size=5))
def test_one_other_character_makes_it_none(before: str, other: str, after: str) -> None:
    assert not valid_key(before + other + after)


@pytest.mark.parametrize("key", ["", "a" * 129, "a/b", "a b", "a\n", "é", *sorted(RESERVED_KEYS)])
def test_what_can_be_no_key(key: str) -> None:
    assert not valid_key(key)


def test_a_route_is_no_key_in_its_own_spelling_only() -> None:
    assert valid_key("Echo")
    assert valid_key("echo2")


def test_the_longest_key_has_128_characters() -> None:
    assert valid_key("a" * 128)


def test_only_people_without_an_account_are_guests() -> None:
    assert Who(UserId(-1), "guest").guest
    assert not Who(UserId(1), "alice").guest
