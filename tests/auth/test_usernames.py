"""Usernames and e-mail addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.auth.usernames import (
    MAX_USERNAME,
    check_email,
    check_username,
    suggested_username,
    username_key,
)
from hubbub.core.errors import Invalid


@pytest.mark.parametrize(
    "name",
    ["a", "testuser", "Anna Lena", "o'neil", "日本語", "Ünal", "user-7", "7up", "x" * 64, "🐎"],
)
def test_a_good_name_stays_as_it_is(name: str) -> None:
    assert check_username(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 65,
        "x" * 100_000,
        "\ufdfa" * 10,
        " alice",
        "alice ",
        "\u3000alice",
        "a\x00b",
        "a\nb",
        "a\x7fb",
        "a\u200bb",
        "a\u202eb",
        "a\u2028b",
        "a\ud800b",
        "a\U000e0041b",
        "7",
        "123456",
        "\uff11\uff12\uff13",
        "\u0667\u0667",
        "²",
        "guest-1",
        "GUEST-x",
        "\uff47uest-1",
    ],
    ids=lambda name: ascii(name)[:20],
)
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_username(name)
    assert caught.value.code == "invalid_username"


@pytest.mark.parametrize("name", ["a/b", "/", "a/", "\uff0f", "a\uff0fb", ".", "..", "\u2025"])
def test_a_name_that_no_path_can_hold_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_username(name)
    assert caught.value.code == "invalid_username"


@pytest.mark.parametrize("name", ["a.b", "...", "a\\b", "a?b#c", "%2F", "~"])
def test_what_a_path_can_hold_escaped_may_be_in_a_name(name: str) -> None:
    assert check_username(name) == name


def test_two_spellings_are_one_name() -> None:
    assert check_username("e\u0301va") == check_username("\u00e9va") == "\u00e9va"
    assert check_username("\uff41lice") == "alice"


@pytest.mark.parametrize(
    ("one", "other"), [("\u0390x", "\u03aa\u0301X"), ("\u01f0", "J\u030c"), ("\u1e96", "H\u0331")]
)
def test_accents_that_the_case_takes_apart_share_a_key(one: str, other: str) -> None:
    assert username_key(one) == username_key(other)


def test_case_and_spelling_share_a_key() -> None:
    assert username_key("\uff21LICE") == username_key("alice")
    assert len(username_key("x" * 10**6)) == 64


@given(st.text(max_size=80))
def test_a_name_that_passed_passes_again_unchanged(text: str) -> None:
    try:
        name = check_username(text)
    except Invalid:
        return
    assert check_username(name) == name
    assert username_key(text) == username_key(name)


@pytest.mark.parametrize(
    "email", ["a@b", "alice@example.com", '"odd one"@example.com'.replace(" ", "")]
)
def test_an_address_is_kept_as_it_is(email: str) -> None:
    assert check_email(f" {email}\n") == email


@pytest.mark.parametrize(
    "email", ["", "a", "@", "a@", "@b", "a b@c", "a@b\nc", "a@\x00", "\ud800@b", "a@" + "b" * 253]
)
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_email(email)
    assert caught.value.code == "invalid_email"


@pytest.mark.parametrize(
    ("wanted", "subject", "name"),
    [
        ("Alice", "7", "Alice"),
        ("Anna Lena", "7", "Anna Lena"),
        (None, "7", "user-7"),
        (None, "auth0|5f7c", "auth0|5f7c"),
        ("", "u-1", "u-1"),
        (" \u200b ", "u-1", "u-1"),
        ("42", "u-1", "user-42"),
        ("Guest-5", "u-1", "user-Guest-5"),
        ("x" * 100, "7", "x" * 40),
        ("x" * 39 + " y", "7", "x" * 39),
        ("\u200b", "\u00a0", "user"),
        ("R&D/Anna", "7", "R&D-Anna"),
        ("..", "7", "user-.."),
    ],
)
def test_a_name_from_elsewhere_becomes_one_that_can_be_had(
    wanted: str | None, subject: str, name: str
) -> None:
    assert suggested_username(wanted, subject) == name


@given(st.none() | st.text(), st.text())
def test_whatever_comes_from_elsewhere_there_is_a_name_with_room_to_spare(
    wanted: str | None, subject: str
) -> None:
    name = suggested_username(wanted, subject)
    assert check_username(name) == name
    assert len(name) <= MAX_USERNAME - 17
