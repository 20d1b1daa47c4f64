import json

import pytest

from hubbub.core.answers import Done, Entered
from hubbub.core.channels import Channel, Kind
from hubbub.core.commands import Enter, PeerKind, Signal
from hubbub.core.errors import NotAMember, NotFound
from hubbub.core.ids import ChannelId, UserId, Who
from hubbub.core.signals import (
    MAX_CUSTOM,
    MAX_SDP,
    Candidate,
    Custom,
    Decline,
    Description,
    DescriptionType,
    HangUp,
)
from hubbub.dialects.base import Link, Refused, Request
from hubbub.dialects.conference import Conference

CONFERENCE = Conference()
WHO = Who(UserId(-1), "guest")
HERE = ChannelId(1)
KEY = "550e8400-e29b-41d4-a716-446655440000"
CHANNEL = Channel(HERE, KEY, Kind.MEETING, KEY, "", False, True, None, 0, "a1b2", 0)
LINK = Link("user-uuid", WHO, HERE, key=KEY)


def decode(frame: object, link: Link = LINK) -> Request | Refused:
    (decoded,) = CONFERENCE.decode(json.dumps(frame), link)
    return decoded


def signal(frame: object) -> Signal:
    decoded = decode(frame)
    assert isinstance(decoded, Request), decoded
    assert isinstance(decoded.command, Signal)
    return decoded.command


def refusal(decoded: Request | Refused) -> str:
    assert isinstance(decoded, Refused), decoded
    return decoded.error.code


@pytest.mark.parametrize("kind", DescriptionType)
def test_a_description_is_for_everybody_else(kind: DescriptionType) -> None:
    data = {"sdp": "v=0\r\no=- 123456789\r\n", "type": kind.value}
    said = signal({"type": kind.value, "room_id": KEY, "data": data})
    assert said == Signal(
        HERE,
        Description(kind, "v=0\r\no=- 123456789\r\n"),
        verbatim=("conference", json.dumps(data, separators=(",", ":")).encode()),
    )


def test_a_candidate_is_for_everybody_else() -> None:
    line = "candidate:1 1 UDP 2130706431 192.168.1.1 54321 typ host"
    data = {"candidate": line, "sdpMLineIndex": 0, "sdpMid": "0"}
    said = signal({"type": "ice-candidate", "room_id": KEY, "data": data})
    assert (said.to, said.body) == (None, Candidate(line, "0", 0))


def test_a_target_id_makes_it_one_peer_s() -> None:
    said = signal({"type": "offer", "target_id": "user-2", "data": {"sdp": "v=0"}})
    assert said.to == "user-2"
    assert not said.by_name


def test_the_document_s_own_example_is_passed_on() -> None:
    said = signal({"type": "join", "room_id": KEY})
    assert said.body == Custom("join", b"{}")
    assert said.verbatim == ("conference", b"{}")


def test_what_the_document_does_not_name_is_passed_on_with_all_its_keys() -> None:
    frame = {"type": "media", "mic": True, "cam": [1.0], "user_id": "root"}
    said = signal({**frame, "room_id": KEY, "sender_id": "root", "target_id": "user-2"})
    rest = b'{"mic":true,"cam":[1.0],"user_id":"root"}'
    assert said.verbatim == ("conference", rest)
    assert said.body == Custom("media", rest)
    assert said.to == "user-2"


def test_others_are_given_the_data_of_a_frame_that_has_some() -> None:
    said = signal({"type": "media", "data": {"mic": True}, "x": 1})
    assert said.body == Custom("media", b'{"mic":true}')
    assert said.verbatim == ("conference", b'{"data":{"mic":true},"x":1}')
    assert signal({"type": "media", "data": None}).body == Custom("media", b"null")


def test_a_key_in_disguise_is_still_the_server_s() -> None:
    text = r'{"type":"x","s\u0065nder_id":"root","room_\u0069d":"' + KEY + '"}'
    (decoded,) = CONFERENCE.decode(text, LINK)
    assert decoded == Request(Signal(HERE, Custom("x", b"{}"), verbatim=("conference", b"{}")))


@pytest.mark.parametrize(("kind", "body"), [("hang-up", HangUp()), ("call-declined", Decline())])
def test_what_it_hears_of_others_it_can_say_to_them(kind: str, body: object) -> None:
    said = signal({"type": kind, "why": "tea"})
    assert said.body == body
    assert said.verbatim == ("conference", b'{"why":"tea"}')


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({}, "missing_type"),
        ({"type": None}, "invalid_type"),
        ({"type": ["offer"]}, "invalid_type"),
        ({"type": ""}, "invalid_type"),
        ({"type": "x" * 65}, "invalid_type"),
        ({"type": "connected", "user_id": "root"}, "reserved_type"),
        ({"type": "user-joined", "user_id": "root"}, "reserved_type"),
        ({"type": "user-left", "user_id": "root"}, "reserved_type"),
        ({"type": "error", "message": "no"}, "reserved_type"),
        ({"type": "offer"}, "invalid_data"),
        ({"type": "offer", "data": "v=0"}, "invalid_data"),
        ({"type": "offer", "data": ["v=0"]}, "invalid_data"),
        ({"type": "answer", "data": None}, "invalid_data"),
        ({"type": "ice-candidate", "data": None}, "invalid_data"),
        ({"type": "ice-candidate", "data": "candidate:1"}, "invalid_data"),
        ({"type": "offer", "data": {}}, "invalid_sdp"),
        ({"type": "offer", "data": {"sdp": "x" * (MAX_SDP + 1)}}, "sdp_too_long"),
        ({"type": "offer", "data": {"sdp": "v=0", "type": "answer"}}, "invalid_type"),
        ({"type": "ice-candidate", "data": {}}, "missing_candidate"),
        ({"type": "media", "x": "\ud800"}, "invalid_data"),
        ({"type": "media", "x": "x" * MAX_CUSTOM}, "data_too_long"),
        ({"type": "media", "data": "x" * MAX_CUSTOM}, "data_too_long"),
        ({"type": "hang-up", "x": "x" * MAX_CUSTOM}, "data_too_long"),
        ({"type": "media", "room_id": "elsewhere"}, "wrong_room"),
        ({"type": "media", "room_id": 1}, "wrong_room"),
        ({"type": "media", "room_id": {}}, "wrong_room"),
        ({"type": "media", "target_id": ""}, "invalid_target_id"),
        ({"type": "media", "target_id": ["user-2"]}, "invalid_target_id"),
        (["media"], "bad_frame"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_what_cannot_be_passed_on_is_refused(frame: object, code: str) -> None:
    assert refusal(decode(frame)) == code


def test_a_number_that_no_program_can_hold_is_refused() -> None:
    (decoded,) = CONFERENCE.decode('{"type":"media","x":1e999}', LINK)
    assert refusal(decoded) == "invalid_data"


def test_opening_the_socket_enters_the_room_as_a_peer_of_its_own() -> None:
    link = Link("user-uuid", WHO, KEY)
    assert CONFERENCE.opening(link) == Enter(KEY, presence=False, call=PeerKind.CONNECTION)
    assert CONFERENCE.greet(link) == ()


def test_the_first_frame_says_that_the_socket_is_in() -> None:
    assert CONFERENCE.answer(Request(Enter(KEY)), Entered(CHANNEL, 0), LINK) == (
        b'{"type":"connected","user_id":"user-uuid",'
        b'"room_id":"550e8400-e29b-41d4-a716-446655440000",'
        b'"message":"Successfully connected to room"}',
    )


def test_a_signal_is_not_answered() -> None:
    request = decode({"type": "join"})
    assert isinstance(request, Request)
    assert CONFERENCE.answer(request, Done(), LINK) == ()


def test_whoever_may_not_come_in_is_told_why() -> None:
    error = NotFound("there is no such room")
    frame = b'{"type":"error","message":"there is no such room"}'
    assert CONFERENCE.turn_away(error) == (frame,)
    assert CONFERENCE.refuse(error, None) == frame


def test_a_socket_without_a_room_signals_nobody() -> None:
    assert CONFERENCE.opening(Link("c", WHO)) is None
    assert refusal(decode({"type": "join"}, Link("c", WHO))) == "no_room"


def test_whoever_must_leave_is_closed_and_never_pinged() -> None:
    assert CONFERENCE.oust(LINK, HERE, "Room", NotAMember("gone")) is None
    assert CONFERENCE.ping({HERE: 1}) is None
    assert not CONFERENCE.lines
    assert not CONFERENCE.pings
