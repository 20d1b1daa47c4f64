"""Which sockets a notice is about."""

from hubbub.auth.guests import named_guest, new_guest
from hubbub.core.events import NameTaken
from hubbub.core.ids import UserId, Who
from tests.hub.fakes import Stage
from tests.support.samples import ALICE, BOB

CALLED = Who(UserId(8), "Carol")


def codes(stage: Stage, people: list[Who], taken: NameTaken) -> list[int | None]:
    sockets = [stage.connect(who) for who in people]
    stage.bus.notify(taken)
    return [socket.sink.code for socket in sockets]


def test_a_username_takes_the_name_from_guests_in_any_case() -> None:
    guests = [named_guest(name) for name in ("carol", "Carol", "\uff23arol", "carola")]
    people = [*guests, named_guest("carol"), new_guest(), ALICE, CALLED]
    told = codes(Stage(), people, NameTaken("carol"))
    assert told == [4001, 4001, 4001, None, 4001, None, None, None]


def test_a_subject_takes_it_to_the_letter() -> None:
    people = [named_guest(name) for name in ("aB", "ab", "boss", "Boss")]
    assert codes(Stage(), people, NameTaken("BOSS", "aB")) == [4001, None, 4001, 4001]


def test_who_is_called_otherwise_has_to_come_again() -> None:
    told = codes(Stage(), [ALICE, BOB, ALICE], NameTaken("boss", "alice", ALICE.id))
    assert told == [4001, None, 4001]


def test_sockets_that_are_gone_are_asked_for_no_more() -> None:
    stage = Stage()
    sockets = [stage.connect(named_guest("carol")) for _ in range(2)]
    stage.hub.remove(sockets[0].connection)
    stage.bus.notify(NameTaken("carol"))
    assert [socket.sink.code for socket in sockets] == [None, 4001]
    stage.hub.remove(sockets[1].connection)
    assert stage.hub._owners.empty
