"""What may be posted, and what a channel may be called."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.core.errors import Invalid
from hubbub.core.messages import (
    MAX_CLIENT_ID,
    MAX_CONTENT,
    check_client_id,
    check_content,
    check_label,
    check_text,
)

pure = settings(deadline=None, derandomize=True)
anything = st.text(st.characters(exclude_categories=()), max_size=50)


def code(check: object, *arguments: object) -> str:
    assert callable(check)
    with pytest.raises(Invalid) as refusal:
        check(*arguments)
    return refusal.value.code


@pytest.mark.parametrize(
    "content",
    [
        "a",
        " a ",
        "\ta\n",
        "é",
        "👩‍👩‍👧",
        "\u202e",
        "\ufeff",
        "\u200b",
        "x" * MAX_CONTENT,
        "😀" * MAX_CONTENT,
    ],
)
def test_content_is_posted_as_it_came(content: str) -> None:
    assert check_content(content) is content


@pytest.mark.parametrize(
    ("content", "slug"),
    [
        ("", "empty_content"),
        (" ", "empty_content"),
        ("\n\t\r\x0b\x0c", "empty_content"),
        ("\u00a0\u2003\u3000\u2028", "empty_content"),
        ("x" * (MAX_CONTENT + 1), "content_too_long"),
        ("a\x00b", "invalid_content"),
        ("\x00", "invalid_content"),
        ("a\ud800", "invalid_content"),
        ("\udfff\ud800", "invalid_content"),
        (None, "invalid_content"),
        (1, "invalid_content"),
        (["a"], "invalid_content"),
        (b"bytes", "invalid_content"),
    ],
)
def test_content_that_is_refused_says_why(content: object, slug: str) -> None:
    assert code(check_content, content) == slug


@pure
@given(anything)
def test_whatever_may_be_posted_can_be_stored_anywhere(content: str) -> None:
    try:
        check_content(content)
    except Invalid:
        return
    assert "\x00" not in content.encode().decode()
    assert content.strip()


def test_a_client_id_may_be_absent() -> None:
    assert check_client_id(None) is None


@pytest.mark.parametrize("client_id", ["1", " ", "é" * MAX_CLIENT_ID, "x" * MAX_CLIENT_ID])
def test_a_client_id_is_any_short_string(client_id: str) -> None:
    assert check_client_id(client_id) is client_id


@pytest.mark.parametrize(
    "client_id", ["", "x" * (MAX_CLIENT_ID + 1), 1, True, b"a", "\x00", "\ud800"]
)
def test_a_client_id_that_is_no_short_string_is_refused(client_id: object) -> None:
    assert code(check_client_id, client_id) == "invalid_client_id"


def test_a_label_loses_the_white_space_around_it() -> None:
    assert check_label(" \t General chat\n", "name", 100) == "General chat"


@pytest.mark.parametrize(
    ("text", "most", "least"), [("", 5, 1), ("   ", 5, 1), ("123456", 5, 1), ("ab", 5, 3)]
)
def test_a_label_outside_its_limits_is_refused_by_its_own_name(
    text: str, most: int, least: int
) -> None:
    assert code(check_label, text, "name", most, least) == "invalid_name"
    assert code(check_label, text, "title", most, least) == "invalid_title"


def test_what_counts_of_a_label_is_what_is_kept() -> None:
    assert check_label("  12345  ", "name", 5) == "12345"
    assert check_label("   ", "description", 5, 0) == ""


@pytest.mark.parametrize("text", ["a\x00b", "a\udc80"])
def test_a_label_that_cannot_be_stored_is_refused(text: str) -> None:
    assert code(check_label, text, "name", 100) == "invalid_name"


@pure
@given(anything)
def test_a_text_is_refused_exactly_when_a_database_could_not_hold_it(text: str) -> None:
    storable = "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
    if storable:
        check_text(text, "field")
    else:
        assert code(check_text, text, "field") == "invalid_field"
