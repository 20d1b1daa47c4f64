"""Who may do what: every cell of the table, for every kind of person in every kind of place."""

from dataclasses import replace

import pytest

from hubbub.core.channels import Channel, Kind, Membership, Role
from hubbub.core.errors import Forbidden, NotAMember
from hubbub.core.ids import Who
from hubbub.core.policy import Action, authorize, may_post
from tests.support.samples import ALICE, GUEST, channel, membership

PLACES = {
    "public room": channel(),
    "private room": channel(private=True),
    "guests room": channel(guests=True),
    "private guests room": channel(private=True, guests=True),
    "conversation": channel(kind=Kind.CONVERSATION),
    "direct": channel(kind=Kind.DIRECT),
}

# y: may. n: `NotAMember`. Otherwise the code of the refusal.
CODES = {
    "g": "guests_not_allowed",
    "f": "forbidden",
    "d": "direct_chat",
}

TABLE = """
                                 read post join leave invite remove manage
public room          guest       g    g    g    g     g      g      g
public room          stranger    y    n    y    n     n      n      n
public room          member      y    y    y    y     f      f      f
public room          moderator   y    y    y    y     y      y      f
public room          owner       y    y    y    y     y      y      y

private room         guest       g    g    g    g     g      g      g
private room         stranger    n    n    n    n     n      n      n
private room         member      y    y    y    y     f      f      f
private room         moderator   y    y    y    y     y      y      f
private room         owner       y    y    y    y     y      y      y

guests room          guest       y    y    g    g     g      g      g
guests room          stranger    y    y    y    n     n      n      n
guests room          member      y    y    y    y     f      f      f
guests room          moderator   y    y    y    y     y      y      f
guests room          owner       y    y    y    y     y      y      y

private guests room  guest       g    g    g    g     g      g      g
private guests room  stranger    n    n    n    n     n      n      n
private guests room  member      y    y    y    y     f      f      f
private guests room  moderator   y    y    y    y     y      y      f
private guests room  owner       y    y    y    y     y      y      y

conversation         guest       g    g    g    g     g      g      g
conversation         stranger    n    n    n    n     n      n      n
conversation         member      y    y    y    y     f      f      f
conversation         moderator   y    y    y    y     y      y      f
conversation         owner       y    y    y    y     y      y      y

direct               guest       g    g    g    g     g      g      g
direct               stranger    n    n    n    n     n      n      n
direct               member      y    y    y    d     d      d      d
direct               moderator   y    y    y    d     d      d      d
direct               owner       y    y    y    d     d      d      d
"""


def read_table() -> list[tuple[str, str, dict[Action, str]]]:
    head, *lines = [line for line in TABLE.splitlines() if line]
    actions = [Action(name) for name in head.split()]
    rows = []
    for line in lines:
        kind, *cells = line[20:].split()
        rows.append((line[:20].strip(), kind, dict(zip(actions, cells, strict=True))))
    return rows


ROWS = read_table()


def standing(kind: str) -> tuple[Who, Membership | None]:
    if kind == "guest":
        return GUEST, None
    return ALICE, None if kind == "stranger" else membership(ALICE, Role(kind))


def verdict(who: Who, action: Action, place: Channel, mine: Membership | None) -> str:
    try:
        authorize(who, action, place, mine)
    except NotAMember:
        return "n"
    except Forbidden as error:
        return next(letter for letter, code in CODES.items() if code == error.code)
    return "y"


@pytest.mark.parametrize(("place", "kind", "expected"), ROWS)
def test_everybody_may_do_what_the_table_says_and_nothing_else(
    place: str, kind: str, expected: dict[Action, str]
) -> None:
    who, mine = standing(kind)
    assert {a: verdict(who, a, PLACES[place], mine) for a in Action} == expected


def test_the_table_has_a_row_for_everybody_everywhere() -> None:
    kinds = ("guest", "stranger", *Role)
    assert {(place, kind) for place, kind, _ in ROWS} == {(p, k) for p in PLACES for k in kinds}
    assert len(ROWS) == len(PLACES) * len(kinds)


@pytest.mark.parametrize(("place", "kind", "expected"), [r for r in ROWS if r[1] != "guest"])
def test_an_admin_may_do_no_more_than_anybody_else(
    place: str, kind: str, expected: dict[Action, str]
) -> None:
    who, mine = standing(kind)
    admin = replace(who, admin=True)
    assert {a: verdict(admin, a, PLACES[place], mine) for a in Action} == expected


@pytest.mark.parametrize(("place", "kind", "expected"), ROWS)
def test_what_sockets_remember_of_posting_is_what_the_table_says(
    place: str, kind: str, expected: dict[Action, str]
) -> None:
    _, mine = standing(kind)
    role = None if mine is None else mine.role
    if expected[Action.READ] == "y":  # nobody else has a socket there
        assert may_post(PLACES[place], role) == (expected[Action.POST] == "y")


def test_a_membership_does_not_make_a_guest_anybody() -> None:
    assert verdict(GUEST, Action.MANAGE, channel(), membership(GUEST, Role.OWNER)) == "g"
