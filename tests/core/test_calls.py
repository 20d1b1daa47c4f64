"""Who is in a call: peers come once and go once, and are found by what they are called."""

import pytest

from hubbub.core.calls import Call
from hubbub.core.errors import Forbidden
from hubbub.core.events import PeerJoined, PeerLeft
from hubbub.core.ids import ChannelId, Person, UserId
from hubbub.core.limits import TokenBucket
from hubbub.core.signals import Peer


def person(id: int, name: str, subject: str | None = None) -> Peer:
    user = Person(UserId(id), name, subject)
    return Peer(user.handle, name, user)


def connection(id: str, user: int = -1) -> Peer:
    return Peer(id, id, Person(UserId(user), "guest"), id)


def call() -> Call:
    return Call(ChannelId(7), "meeting", TokenBucket(0, 0, 0))


def everybody(made: Call, but: str | None = None) -> list[Peer]:
    return [seat.peer for seat in made.everybody(but)]


def find(made: Call, called: str, by_name: bool = False) -> Peer | None:
    seat = made.find(called, by_name)
    return None if seat is None else seat.peer


ALICE, BOB = person(1, "alice"), person(2, "bob")


def test_a_person_with_two_sockets_comes_once_and_goes_once() -> None:
    made = call()
    assert made.join(ALICE, "a1") == PeerJoined(ChannelId(7), "meeting", ALICE)
    assert made.join(ALICE, "a2") is None
    assert made.leave(ALICE.key, "a1") is None
    assert made.leave(ALICE.key, "a2") == PeerLeft(ChannelId(7), "meeting", ALICE)
    assert everybody(made) == []


def test_connections_of_one_user_are_peers_of_their_own() -> None:
    made, first, second = call(), connection("c1"), connection("c2")
    assert made.join(first, "c1") is not None
    assert made.join(second, "c2") is not None
    assert everybody(made, first.key) == [second]


def test_going_without_having_come_changes_nothing() -> None:
    made = call()
    made.join(ALICE, "a1")
    assert made.leave(ALICE.key, "a2") is None
    assert made.leave(BOB.key, "a1") is None
    assert everybody(made) == [ALICE]


@pytest.mark.parametrize(
    ("there", "newcomer"),
    [
        (connection("5f2c-v"), person(-7, "5f2c-v")),
        (connection("5f2c-v"), person(-7, "5F2C-V")),
        (connection("5f2c-v"), person(7, "somebody", subject="5f2c-v")),
        (BOB, person(3, "bob-2", subject="bob")),
        (person(3, "bob-2", subject="bob"), BOB),
        (BOB, person(-3, "Bob")),
    ],
)
def test_nobody_comes_into_a_call_under_what_somebody_else_in_it_is_called(
    there: Peer, newcomer: Peer
) -> None:
    made = call()
    made.join(there, "there")
    with pytest.raises(Forbidden) as refused:
        made.join(newcomer, "newcomer")
    assert refused.value.code == "peer_name_taken"
    assert everybody(made) == [there]
    assert made.leave(newcomer.key, "newcomer") is None
    made.leave(there.key, "there")
    assert made.join(newcomer, "newcomer") is not None


def test_who_has_a_subject_and_who_has_a_username_like_it_may_both_be_called_by_their_own() -> None:
    # No protocol calls both by the same word: some say subjects, some say usernames.
    made = call()
    first, second = person(1, "zed", subject="carol"), person(2, "carol", subject="77")
    made.join(first, "1")
    assert made.join(second, "2") is not None
    assert find(made, "carol") == first
    assert find(made, "carol", by_name=True) == second


def test_a_user_who_was_renamed_comes_with_a_second_socket_and_is_who_they_were() -> None:
    made = call()
    made.join(ALICE, "a1")
    assert made.join(person(1, "alicia"), "a2") is None
    assert everybody(made) == [ALICE]


def test_a_subject_is_meant_by_id_and_by_name_the_username_counts() -> None:
    made, external = call(), person(3, "bob-2", subject="77")
    made.join(BOB, "b")
    made.join(external, "e")
    assert find(made, "77") == external
    assert find(made, "bob-2", by_name=True) == external
    assert find(made, "bob-2") is None
    assert find(made, "77", by_name=True) is None


@pytest.mark.parametrize("by_name", [False, True])
def test_usernames_are_found_whatever_their_case_and_subjects_and_ids_are_not(
    by_name: bool,
) -> None:
    made = call()
    external, device = person(3, "Ext-3", subject="Bob"), connection("c1")
    for one in (ALICE, BOB, external, device):
        made.join(one, one.key)
    assert find(made, "Alice", by_name=by_name) == ALICE
    assert find(made, "bob", by_name=by_name) == BOB
    assert find(made, "Bob", by_name=by_name) == (BOB if by_name else external)
    assert find(made, "BOB", by_name=by_name) == BOB
    assert find(made, "ext-3", by_name=by_name) == (external if by_name else None)
    assert find(made, "C1", by_name=by_name) is None


def test_whoever_leaves_takes_the_rates_of_their_pairs_along() -> None:
    made = call()
    made.join(ALICE, "a")
    made.join(BOB, "b")
    made.pairs[ALICE.key, BOB.key] = TokenBucket(1, 1, 0)
    made.pairs[BOB.key, ALICE.key] = TokenBucket(1, 1, 0)
    made.leave(BOB.key, "b")
    assert made.pairs == {}
