import json

import pytest

from hubbub.core.answers import Done, Entered
from hubbub.core.channels import Channel, Kind
from hubbub.core.commands import Enter, PeerKind, Ping, Signal
from hubbub.core.errors import NotAMember
from hubbub.core.ids import MAX_INTEGER, ChannelId, UserId, Who
from hubbub.core.signals import (
    MAX_CANDIDATE,
    MAX_SDP,
    Candidate,
    Description,
    DescriptionType,
)
from hubbub.dialects.base import Link, Refused, Request
from hubbub.dialects.signaling import Signaling

SIGNALING = Signaling()
WHO = Who(UserId(1), "username", "s")
HERE = ChannelId(5)
CHANNEL = Channel(HERE, "room123", Kind.ROOM, "Room", "", False, False, None, 0, "a1b2", 0)
LINK = Link("c", WHO, HERE, key="room123")


def decode(frame: object, link: Link = LINK) -> Request | Refused:
    (decoded,) = SIGNALING.decode(json.dumps(frame), link)
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
def test_a_description_is_for_whom_it_names(kind: DescriptionType) -> None:
    sdp = "RTCSessionDescription SDP content"
    frame = {"type": kind.value, "sender": "username", "target": "target_username", "sdp": sdp}
    assert signal(frame) == Signal(
        HERE,
        Description(kind, sdp),
        "target_username",
        by_name=True,
        verbatim=("signaling", b'"RTCSessionDescription SDP content"'),
    )


def test_a_description_may_be_an_object() -> None:
    said = signal({"type": "offer", "target": "bob", "sdp": {"type": "offer", "sdp": "v=0"}})
    assert said.body == Description(DescriptionType.OFFER, "v=0")
    assert said.verbatim == ("signaling", b'{"type":"offer","sdp":"v=0"}')


@pytest.mark.parametrize(
    ("candidate", "body"),
    [
        ("RTCIceCandidate content", Candidate("RTCIceCandidate content")),
        ({"candidate": "c", "sdpMid": "0", "sdpMLineIndex": 1}, Candidate("c", "0", 1)),
        ({"candidate": ""}, Candidate("")),
        ("", Candidate("")),
        (None, Candidate("")),
    ],
    ids=repr,
)
def test_a_candidate_comes_in_many_shapes(candidate: object, body: Candidate) -> None:
    said = signal({"type": "candidate", "sender": "x", "target": "bob", "candidate": candidate})
    assert (said.to, said.by_name, said.body) == ("bob", True, body)
    assert said.verbatim is not None
    assert json.loads(said.verbatim[1]) == candidate


def test_without_a_target_everybody_else_is_meant() -> None:
    assert signal({"type": "offer", "sdp": "v=0"}).to is None
    assert signal({"type": "offer", "target": None, "sdp": "v=0"}).to is None


@pytest.mark.parametrize("here", [5, "5", "room123", None], ids=repr)
def test_the_room_of_the_path_may_be_named(here: object) -> None:
    assert signal({"type": "offer", "room_id": here, "sdp": "v=0"}).channel == HERE


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({}, "missing_type"),
        ({"type": 5}, "invalid_type"),
        ({"type": "join"}, "unknown_type"),
        ({"type": "ice-candidate", "candidate": "c"}, "unknown_type"),
        ({"type": "user_joined", "username": "root", "room_id": "room123"}, "unknown_type"),
        ({"type": "user_left", "username": "root"}, "unknown_type"),
        ({"type": "heartbeat_response"}, "unknown_type"),
        ({"type": "error", "message": "no"}, "unknown_type"),
        ({"type": "offer", "target": "bob"}, "missing_sdp"),
        ({"type": "offer", "sdp": ""}, "invalid_sdp"),
        ({"type": "offer", "sdp": None}, "invalid_sdp"),
        ({"type": "offer", "sdp": {"sdp": 5}}, "invalid_sdp"),
        ({"type": "offer", "sdp": "x" * (MAX_SDP + 1)}, "sdp_too_long"),
        ({"type": "offer", "sdp": "\ud800"}, "invalid_data"),
        ({"type": "answer", "sdp": {"sdp": "v=0", "type": "offer"}}, "invalid_type"),
        ({"type": "answer", "sdp": {"sdp": "v=0", "x": "\ud800"}}, "invalid_data"),
        ({"type": "candidate", "target": "bob"}, "missing_candidate"),
        ({"type": "candidate", "candidate": {}}, "missing_candidate"),
        ({"type": "candidate", "candidate": ["c"]}, "invalid_candidate"),
        ({"type": "candidate", "candidate": "c" * (MAX_CANDIDATE + 1)}, "candidate_too_long"),
        ({"type": "offer", "target": "", "sdp": "v=0"}, "invalid_target"),
        ({"type": "offer", "target": ["bob"], "sdp": "v=0"}, "invalid_target"),
        ({"type": "offer", "target": "\ud800", "sdp": "v=0"}, "invalid_data"),
        ({"type": "offer", "room_id": "elsewhere", "sdp": "v=0"}, "wrong_room"),
        ({"type": "offer", "room_id": 6, "sdp": "v=0"}, "wrong_room"),
        ({"type": "offer", "room_id": "a b", "sdp": "v=0"}, "invalid_room"),
        ({"type": "offer", "room_id": MAX_INTEGER + 1, "sdp": "v=0"}, "invalid_room"),
        ("offer", "bad_frame"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_what_cannot_be_passed_on_is_refused(frame: object, code: str) -> None:
    assert refusal(decode(frame)) == code


def test_a_room_whose_key_is_digits_is_named_by_its_id() -> None:
    link = Link("c", WHO, HERE, key="123")
    assert isinstance(decode({"type": "offer", "room_id": "5", "sdp": "v=0"}, link), Request)
    assert refusal(decode({"type": "offer", "room_id": "123", "sdp": "v=0"}, link)) == "wrong_room"


def test_a_heartbeat_is_answered() -> None:
    request = decode({"type": "heartbeat"})
    assert request == Request(Ping())
    assert isinstance(request, Request)
    assert SIGNALING.answer(request, Done(), LINK) == (b'{"type":"heartbeat_response"}',)


def test_nothing_else_is_answered() -> None:
    request = decode({"type": "offer", "sdp": "v=0"})
    assert isinstance(request, Request)
    assert SIGNALING.answer(request, Done(), LINK) == ()
    assert SIGNALING.answer(Request(Enter(HERE)), Entered(CHANNEL, 0), LINK) == ()


@pytest.mark.parametrize("room", ["room123", 5], ids=repr)
def test_opening_the_socket_enters_the_room_as_a_member(room: str | int) -> None:
    link = Link("c", WHO, room)
    assert SIGNALING.opening(link) == Enter(
        room, members_only=True, presence=False, call=PeerKind.USER
    )
    assert SIGNALING.greet(link) == ()


def test_a_refusal_is_an_error_of_two_fields() -> None:
    error = NotAMember("you are not a member of this channel")
    frame = b'{"type":"error","message":"you are not a member of this channel"}'
    assert SIGNALING.refuse(error, None) == frame
    assert SIGNALING.turn_away(error) == ()


def test_a_socket_without_a_room_signals_nobody() -> None:
    assert SIGNALING.opening(Link("c", WHO)) is None
    assert refusal(decode({"type": "offer", "sdp": "v=0"}, Link("c", WHO))) == "no_room"


def test_whoever_must_leave_is_closed_and_never_pinged() -> None:
    assert SIGNALING.oust(LINK, HERE, "Room", NotAMember("gone")) is None
    assert SIGNALING.ping({HERE: 1}) is None
    assert not SIGNALING.lines
    assert not SIGNALING.pings
