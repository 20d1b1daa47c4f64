"""Who is in a call: peers come once and go once, and are found by what they are called."""

from hubbub.core.calls import Call
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


ALICE, BOB = person(1, "alice"), person(2, "bob")


def test_a_person_with_two_sockets_comes_once_and_goes_once() -> None:
    made = call()
    assert made.join(ALICE, "a1") == PeerJoined(ChannelId(7), "meeting", ALICE)
    assert made.join(ALICE, "a2") is None
    assert made.leave(ALICE.key, "a1") is None
    assert made.leave(ALICE.key, "a2") == PeerLeft(ChannelId(7), "meeting", ALICE)
    assert made.everybody() == []


def test_connections_of_one_user_are_peers_of_their_own() -> None:
    made, first, second = call(), connection("c1"), connection("c2")
    assert made.join(first, "c1") is not None
    assert made.join(second, "c2") is not None
    assert made.everybody(but=first.key) == [second]


def test_going_without_having_come_changes_nothing() -> None:
    made = call()
    made.join(ALICE, "a1")
    assert made.leave(ALICE.key, "a2") is None
    assert made.leave(BOB.key, "a1") is None
    assert made.everybody() == [ALICE]


def test_a_subject_wins_over_an_equal_username_and_by_name_the_username_counts() -> None:
    made, external = call(), person(3, "bob-2", subject="bob")
    made.join(BOB, "b")
    made.join(external, "e")
    assert made.find("bob") == external
    assert made.find("bob", by_name=True) == BOB
    assert made.find("bob-2", by_name=True) == external
    assert made.find("bob-2") is None


def test_whoever_leaves_takes_the_rates_of_their_pairs_along() -> None:
    made = call()
    made.join(ALICE, "a")
    made.join(BOB, "b")
    made.pairs[ALICE.key, BOB.key] = TokenBucket(1, 1, 0)
    made.pairs[BOB.key, ALICE.key] = TokenBucket(1, 1, 0)
    made.leave(BOB.key, "b")
    assert made.pairs == {}
