"""People without an account, and what makes one of them the same person again."""

import pytest

from hubbub.auth.guests import may_go_by, named_guest, new_guest, secret_guest
from hubbub.core.ids import MAX_INTEGER


def test_a_name_and_a_secret_are_the_same_guest_each_time() -> None:
    assert named_guest("ann") == named_guest("ann")
    assert secret_guest("k3x9q") == secret_guest("k3x9q")


def test_other_words_are_other_guests_and_new_ones_are_new() -> None:
    guests = [named_guest("ann"), named_guest("ben"), secret_guest("ann"), secret_guest("ben")]
    guests += [new_guest(), new_guest()]
    assert len({guest.id for guest in guests}) == len(guests)


def test_every_guest_is_one_and_has_an_id_that_fits() -> None:
    for guest in (named_guest(""), secret_guest("\ud800"), new_guest()):
        assert guest.guest
        assert -MAX_INTEGER <= guest.id < 0


def test_a_secret_shows_neither_in_the_name_nor_in_what_anybody_could_compute() -> None:
    guest = secret_guest("k3x9q")
    assert "k3x9q" not in guest.name
    assert guest.id != named_guest("k3x9q").id


@pytest.mark.parametrize(
    "name",
    [
        "carol ",
        "\u3000carol",
        "\u00a8",
        "guest-1",
        "\uff27UEST-1",
        "hubbub:carol",
        "HUBBUB:x",
    ],
)
def test_a_name_that_looks_like_another_is_no_guests(name: str) -> None:
    assert not may_go_by(name)


@pytest.mark.parametrize("name", ["carol", "7", "a b", "sender_id", "guest", "x" * 255])
def test_most_names_are_a_guests(name: str) -> None:
    assert may_go_by(name)
