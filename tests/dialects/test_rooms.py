import json
from typing import Any

import pytest

from hubbub.core.answers import Answer, Done, Entered, Exited, Posted
from hubbub.core.channels import Channel, Kind, Role
from hubbub.core.commands import Command, Enter, Exit, Ping, SendMessage, SetTyping
from hubbub.core.errors import NotAMember, TooMany, Unauthenticated
from hubbub.core.events import Envelope, MemberJoined, MessagePosted
from hubbub.core.ids import (
    MAX_INTEGER,
    ChannelId,
    ChannelRef,
    MessageId,
    Person,
    UserId,
    Who,
)
from hubbub.dialects.base import Link, Refused, Request
from hubbub.dialects.rooms import Rooms

ROOMS = Rooms()
WHO = Who(UserId(1), "testuser", "s")
GUEST = Who(UserId(-7), "guest")
KEY = "0d9be6a1-4f43-4dcf-b9c1-ffdc2ae8ca6b"
AT = 1_795_257_000_123
ALICE = Person(UserId(2), "alice")
ROOM = ChannelId(5)
CHANNEL = Channel(ROOM, KEY, Kind.ROOM, "General", "", False, False, None, AT, "a1b2", 14)


def in_room(who: Who | None = WHO) -> Link:
    """A socket of `/ws/room/5` that has entered."""
    return Link("c", who, ROOM, key=KEY)


def anywhere(who: Who | None = WHO) -> Link:
    """A socket of `/ws/auth`."""
    return Link("c", who)


def in_lobby() -> Link:
    """A guest's socket of `/ws`."""
    return Link("c", GUEST, fallback="lobby")


def decode(frame: dict[str, Any], link: Link) -> Request | Refused:
    (decoded,) = ROOMS.decode(json.dumps(frame), link)
    return decoded


def code(frame: dict[str, Any], link: Link) -> str:
    refused = decode(frame, link)
    assert isinstance(refused, Refused)
    return refused.error.code


def answered(command: Command, answer: Answer, link: Link) -> list[object]:
    return [json.loads(frame) for frame in ROOMS.answer(Request(command), answer, link)]


@pytest.mark.parametrize(
    ("frame", "command"),
    [
        ({"type": "message", "content": "Hello"}, SendMessage(5, "Hello", echo=True)),
        ({"type": "join_room"}, Enter(5, join=True, history=50)),
        ({"type": "leave_room"}, Exit(5)),
        ({"type": "typing"}, SetTyping(5)),
        ({"type": "ping"}, Ping()),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("room", [None, 5, "5", "005", KEY], ids=str)
def test_in_a_room_frames_may_name_it_by_id_or_key_or_not_at_all(
    frame: dict[str, Any], command: Command, room: ChannelRef | None
) -> None:
    assert decode({**frame, "room_id": room}, in_room()) == Request(command)


@pytest.mark.parametrize(
    "room", [4, "4", "general", 0, MAX_INTEGER, "9" * 400], ids=lambda room: str(room)[:20]
)
def test_another_room_than_the_path_names_is_refused(room: ChannelRef) -> None:
    for kind in ("message", "join_room", "leave_room", "typing"):
        frame = {"type": kind, "content": "Hello", "room_id": room}
        assert code(frame, in_room()) == "wrong_room"


def test_before_entering_frames_may_name_the_room_as_the_path_does() -> None:
    link = Link("c", WHO, KEY)
    assert decode({"type": "typing", "room_id": KEY}, link) == Request(SetTyping(KEY))


@pytest.mark.parametrize(
    ("named", "room"), [(5, 5), ("5", 5), (KEY, KEY), ("9" * 400, 0)], ids=lambda v: str(v)[:20]
)
def test_elsewhere_digits_are_an_id_and_anything_else_a_key(
    named: ChannelRef, room: ChannelRef
) -> None:
    message = {"type": "message", "content": "Hello", "room_id": named}
    assert decode(message, anywhere()) == Request(SendMessage(room, "Hello", echo=True))
    joining = {"type": "join_room", "room_id": named}
    assert decode(joining, anywhere()) == Request(Enter(room, join=True, history=50))
    assert decode({"type": "leave_room", "room_id": named}, anywhere()) == Request(Exit(room))
    assert decode({"type": "typing", "room_id": named}, anywhere()) == Request(SetTyping(room))


@pytest.mark.parametrize("kind", ["message", "join_room", "leave_room", "typing"])
def test_elsewhere_a_frame_without_a_room_is_refused(kind: str) -> None:
    assert code({"type": kind, "content": "Hello"}, anywhere()) == "missing_room"


@pytest.mark.parametrize(
    "room",
    [-1, MAX_INTEGER + 1, 10**30, 1.0, 5.5, True, [], {}, "", "a b", "\x00", "\ud800", "x" * 129],
    ids=lambda room: repr(room)[:20],
)
@pytest.mark.parametrize("link", [in_room(), anywhere(), in_lobby()])
def test_what_can_be_no_room_is_refused(room: object, link: Link) -> None:
    assert code({"type": "message", "content": "Hello", "room_id": room}, link) == "invalid_room"


def test_a_guest_who_names_no_room_means_the_lobby() -> None:
    message = {"type": "message", "content": "Hello"}
    assert decode(message, in_lobby()) == Request(SendMessage("lobby", "Hello", echo=True))
    assert decode({**message, "room_id": 5}, in_lobby()) == Request(
        SendMessage(5, "Hello", echo=True)
    )
    assert decode({"type": "typing"}, in_lobby()) == Request(SetTyping("lobby"))


def test_a_guest_becomes_a_member_of_nothing() -> None:
    joining = decode({"type": "join_room", "room_id": "lobby"}, in_lobby())
    assert joining == Request(Enter("lobby", join=False, history=50))


def test_who_a_frame_says_it_is_from_is_ignored() -> None:
    frame = {
        "type": "message", "content": "Hello", "sender": "root", "user_id": 9, "username": "root",
    }  # fmt: skip
    assert decode(frame, in_room()) == Request(SendMessage(5, "Hello", echo=True))


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "message", "content": "Hello", "room_id": 5},
        {"type": "message", "content": ""},
        {"type": "join_room", "room_id": 5},
        {"type": "leave_room"},
        {"type": "typing"},
    ],
)
def test_a_socket_nobody_stands_behind_may_only_ping(frame: dict[str, Any]) -> None:
    assert code(frame, anywhere(None)) == "unauthenticated"
    assert decode({"type": "ping"}, anywhere(None)) == Request(Ping())


def test_a_greeting_says_who_one_is_where_somebody_is() -> None:
    (known,) = ROOMS.greet(in_room())
    (guest,) = ROOMS.greet(in_lobby())
    (nobody,) = ROOMS.greet(anywhere(None))
    established = '{"type":"connection_established","connection_id":"c"'
    assert known.decode() == established + ',"user_id":1,"username":"testuser"}'
    assert guest.decode() == established + ',"user_id":-7,"username":"guest"}'
    assert nobody.decode() == established + "}"


def test_the_paths_room_is_entered_as_a_member_and_with_its_latest_messages() -> None:
    assert ROOMS.opening(Link("c", WHO, KEY)) == Enter(KEY, join=True, history=50)


def test_the_lobby_is_entered_in_silence() -> None:
    opening = ROOMS.opening(in_lobby())
    assert opening == Enter("lobby")
    assert answered(opening, Entered(CHANNEL, 14), in_lobby()) == []


def test_a_socket_without_a_room_enters_none_by_itself() -> None:
    assert ROOMS.opening(anywhere()) is None


def test_entering_is_answered_by_the_room_and_its_latest_messages() -> None:
    said = Envelope(ROOM, MessagePosted(ROOM, MessageId(9), ALICE, "Hello", "c-1", AT), 14, "a1b2")
    other = Envelope(ROOM, MemberJoined(ROOM, ALICE, Role.MEMBER, None, AT), 13, "a1b2")
    entered = Entered(CHANNEL, 14, history=[other, said])
    assert answered(Enter(ROOM, join=True, history=50), entered, in_room()) == [
        {"type": "room_joined", "room_id": 5, "room_name": "General"},
        {
            "type": "message_history",
            "room_id": 5,
            "messages": [
                {
                    "id": 9, "room_id": 5, "user_id": 2, "username": "alice", "content": "Hello",
                    "created_at": "2026-11-21T10:30:00.123Z",
                }
            ],
        },
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "answer", "expected"),
    [
        (Exit(ROOM), Exited(ROOM, "General"),
         [{"type": "room_left", "room_id": 5, "room_name": "General"}]),
        (Ping(), Done(), [{"type": "pong"}]),
        (SendMessage(ROOM, "Hello"), Posted(ROOM, MessageId(9), 14, AT, "Hello"), []),
        (SetTyping(ROOM), Done(), []),
    ],
)  # fmt: skip
def test_only_what_the_document_answers_is_answered(
    command: Command, answer: Answer, expected: list[object]
) -> None:
    assert answered(command, answer, in_room()) == expected


def test_an_error_has_a_sentence_and_a_code() -> None:
    for error in (TooMany("too fast", retry_after=3), Unauthenticated("log in")):
        frame = json.loads(ROOMS.refuse(error, None))
        assert frame == {"type": "error", "message": str(error), "code": error.code}


def test_losing_the_paths_room_closes_the_socket_and_losing_another_is_told() -> None:
    gone = NotAMember("you were removed")
    assert ROOMS.oust(in_room(), ROOM, "General", gone) is None
    told = ROOMS.oust(anywhere(), ROOM, "General", gone)
    assert told is not None
    assert json.loads(told) == {"type": "room_left", "room_id": 5, "room_name": "General"}


def test_the_server_never_pings() -> None:
    assert not ROOMS.pings
    assert ROOMS.ping({}) is None


@pytest.mark.parametrize(
    ("given", "counts"),
    [('"mine-1"', "mine-1"), ("17", None), ('""', None), ("null", None), ('"\\u0000"', None)],
)
def test_a_client_id_makes_a_post_repeatable_and_never_spoils_it(
    given: str, counts: str | None
) -> None:
    frame = '{"type":"message","content":"Hello","client_id":' + given + "}"
    (request,) = ROOMS.decode(frame, Link("c", WHO, 1))
    assert request == Request(SendMessage(1, "Hello", counts, echo=True))
