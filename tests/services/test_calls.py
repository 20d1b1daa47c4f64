"""Calls: signals have one addressee, in order, within their rates; the others hear who comes."""

import pytest

from hubbub.bus.memory import MemoryBus
from hubbub.core.commands import Signal
from hubbub.core.errors import Forbidden, Invalid, NotFound, TooMany
from hubbub.core.events import Envelope, PeerJoined, PeerLeft, Signalled, call_of, place_of
from hubbub.core.ids import Person, UserId
from hubbub.core.limits import Rates
from hubbub.core.signals import Custom, Peer
from hubbub.services.calls import ROOM_FACTOR, Calls
from tests.support.samples import channel

ROOM = channel(7)


def peer(id: int, name: str) -> Peer:
    return Peer(name, name, Person(UserId(id), name))


ALICE, BOB, CAROL = peer(1, "alice"), peer(2, "bob"), peer(3, "carol")


class World:
    """Calls over a bus that writes down what it brings, and a clock that stands."""

    def __init__(self, rate: float = 0, burst: float = 0) -> None:
        self.told: list[Envelope] = []
        self.now = 0.0
        bus = MemoryBus()
        bus.subscribe(self.told.extend, lambda _: None)
        self.calls = Calls(bus, Rates(rate, burst), lambda: self.now)

    def join(self, *peers: Peer) -> None:
        for one in peers:
            self.calls.join(ROOM, one, f"socket of {one.id}")
        self.told.clear()

    def say(self, sender: Peer, what: str, to: str | None = None) -> None:
        self.calls.signal(ROOM.id, sender, Signal(ROOM.id, Custom(what), to))

    def heard(self) -> list[tuple[str, str, str]]:
        """Addressee, sender and word of every signal so far."""
        return [
            (e.to, s.sender.id, s.body.type)
            for e in self.told
            if isinstance(s := e.event, Signalled) and isinstance(s.body, Custom)
        ]


def test_the_others_hear_who_comes_and_goes() -> None:
    world = World()
    world.calls.join(ROOM, ALICE, "a")
    world.calls.leave(ROOM.id, ALICE, "a")
    came, went = world.told
    assert came.event == PeerJoined(ROOM.id, ROOM.key, ALICE)
    assert went.event == PeerLeft(ROOM.id, ROOM.key, ALICE)
    assert {e.to for e in world.told} == {call_of(ROOM.id)}
    assert {e.skip for e in world.told} == {place_of(ROOM.id, ALICE)}


def test_without_an_addressee_every_other_peer_gets_an_event_of_its_own() -> None:
    world = World()
    world.join(ALICE, BOB, CAROL)
    world.say(ALICE, "hello")
    assert world.heard() == [
        (place_of(ROOM.id, BOB), "alice", "hello"),
        (place_of(ROOM.id, CAROL), "alice", "hello"),
    ]


def test_what_is_said_to_one_peer_is_told_to_nobody_else_and_in_order() -> None:
    world = World()
    world.join(ALICE, BOB, CAROL)
    for number in range(100):
        world.say(ALICE, f"w{number}", "bob")
    assert world.heard() == [(place_of(ROOM.id, BOB), "alice", f"w{n}") for n in range(100)]


def test_an_absent_addressee_is_an_error_to_the_sender_and_nobody_hears() -> None:
    world = World()
    world.join(ALICE, BOB)
    with pytest.raises(NotFound) as refused:
        world.say(ALICE, "hello", "carol")
    assert refused.value.code == "peer_not_connected"
    with pytest.raises(Invalid):
        world.say(ALICE, "hello", "alice")
    assert world.told == []


def test_a_pair_that_signals_too_fast_is_refused_and_others_are_not() -> None:
    world = World(rate=1, burst=2)
    world.join(ALICE, BOB, CAROL)
    world.say(ALICE, "1", "bob")
    world.say(ALICE, "2", "bob")
    with pytest.raises(TooMany) as refused:
        world.say(ALICE, "3", "bob")
    assert refused.value.retry_after == 1
    world.say(BOB, "4", "alice")
    world.say(ALICE, "5", "carol")
    world.now += 1
    world.say(ALICE, "6", "bob")
    assert [word for _, _, word in world.heard()] == ["1", "2", "4", "5", "6"]


def test_a_call_as_a_whole_has_a_rate() -> None:
    world = World(rate=1, burst=1)
    people = [peer(id, f"p{id}") for id in range(1, 2 * ROOM_FACTOR + 1)]
    world.join(*people)
    for one, other in zip(people[:ROOM_FACTOR], people[ROOM_FACTOR:], strict=True):
        world.say(one, "hello", other.id)
    with pytest.raises(TooMany):
        world.say(people[-1], "hello", people[0].id)


def test_what_is_refused_for_everybody_takes_nothing_from_those_who_could_be_told() -> None:
    world = World(rate=1, burst=2)
    world.join(ALICE, BOB, CAROL)
    world.say(ALICE, "1", "carol")
    world.say(ALICE, "2", "carol")
    for _ in range(ROOM_FACTOR * 2):
        with pytest.raises(TooMany):
            world.say(ALICE, "to all")
    world.say(ALICE, "3", "bob")
    world.say(ALICE, "4", "bob")
    assert [word for _, _, word in world.heard()] == ["1", "2", "3", "4"]


def test_a_call_that_cannot_tell_everybody_tells_nobody() -> None:
    world = World(rate=1, burst=1)
    world.join(*[peer(id, f"p{id}") for id in range(1, ROOM_FACTOR + 1)])
    world.say(peer(1, "p1"), "1", "p2")
    world.say(peer(2, "p2"), "2", "p1")
    with pytest.raises(TooMany):
        world.say(peer(3, "p3"), "to all")
    assert len(world.heard()) == 2
    world.say(peer(3, "p3"), "3", "p1")


def test_whoever_is_called_like_a_peer_in_the_call_is_refused_and_nobody_hears_of_them() -> None:
    world = World()
    device = Peer("5f2c", "5f2c", Person(UserId(-1), "guest"), "5f2c")
    world.join(device)
    with pytest.raises(Forbidden):
        world.calls.join(ROOM, peer(-2, "5f2c"), "theirs")
    world.calls.leave(ROOM.id, peer(-2, "5f2c"), "theirs")
    assert world.told == []
    assert world.calls.peers(ROOM.id) == [device]


def test_leaving_and_coming_again_does_not_refresh_what_a_call_may_use() -> None:
    world = World(rate=1, burst=1)
    world.join(ALICE, BOB)
    for _ in range(ROOM_FACTOR):
        world.say(ALICE, "hello", "bob")
        world.calls.leave(ROOM.id, ALICE, "socket of alice")
        world.calls.join(ROOM, ALICE, "socket of alice")
    with pytest.raises(TooMany):
        world.say(ALICE, "hello", "bob")


def test_a_call_that_everybody_left_is_forgotten() -> None:
    world = World()
    world.join(ALICE)
    world.calls.leave(ROOM.id, ALICE, "socket of alice")
    assert world.calls.peers(ROOM.id) == ()
    world.calls.leave(ROOM.id, ALICE, "socket of alice")
