import json

import pytest

from hubbub.core.answers import Done, Entered
from hubbub.core.channels import Channel, Kind
from hubbub.core.commands import Enter, OpenInbox, PeerKind, SendDirect, Signal
from hubbub.core.errors import NotAMember
from hubbub.core.ids import MAX_INTEGER, ChannelId, UserId, Who
from hubbub.core.messages import MAX_CONTENT
from hubbub.core.signals import (
    MAX_CANDIDATE,
    MAX_CUSTOM,
    MAX_SDP,
    Candidate,
    Custom,
    Decline,
    Description,
    DescriptionType,
    HangUp,
)
from hubbub.dialects.base import Dialect, Link, Refused, Request
from hubbub.dialects.relay import RelayChat, RelayVideo

CHAT, VIDEO = RelayChat(), RelayVideo()
WHO = Who(UserId(1), "testuser", "s")
HERE = ChannelId(1)
CHANNEL = Channel(HERE, "room123", Kind.MEETING, "room123", "", False, True, None, 0, "a1b2", 0)
LINK = Link("c", WHO, HERE, key="room123")
BOTH = pytest.mark.parametrize("dialect", [CHAT, VIDEO], ids=lambda dialect: dialect.name)


def chat(frame: object) -> Request | Refused:
    (decoded,) = CHAT.decode(json.dumps(frame), Link("c", WHO))
    return decoded


def video(frame: object, link: Link = LINK) -> Request | Refused:
    (decoded,) = VIDEO.decode(json.dumps(frame), link)
    return decoded


def signal(frame: object) -> Signal:
    decoded = video(frame)
    assert isinstance(decoded, Request), decoded
    assert isinstance(decoded.command, Signal)
    return decoded.command


def refusal(decoded: Request | Refused) -> str:
    assert isinstance(decoded, Refused), decoded
    return decoded.error.code


# Chat


def test_a_message_is_for_one_person() -> None:
    frame = {"to_user_id": "recipient_id", "content": "Hello!"}
    assert chat(frame) == Request(SendDirect("recipient_id", "Hello!"))


def test_an_id_may_be_a_number() -> None:
    assert chat({"to_user_id": 42, "content": "Hello!"}) == Request(SendDirect("42", "Hello!"))


@pytest.mark.parametrize("more", [{"type": "message"}, {"type": 5}, {"from_user_id": "root"}])
def test_type_and_sender_of_a_message_are_ignored(more: dict[str, object]) -> None:
    frame = {"to_user_id": "bob", "content": "Hello!", **more}
    assert chat(frame) == Request(SendDirect("bob", "Hello!"))


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"content": "Hello!"}, "missing_to_user_id"),
        ({"to_user_id": None, "content": "Hello!"}, "missing_to_user_id"),
        ({"to_user_id": "", "content": "Hello!"}, "invalid_to_user_id"),
        ({"to_user_id": "b" * 256, "content": "Hello!"}, "invalid_to_user_id"),
        ({"to_user_id": "b\x00b", "content": "Hello!"}, "invalid_to_user_id"),
        ({"to_user_id": "\ud800", "content": "Hello!"}, "invalid_to_user_id"),
        ({"to_user_id": True, "content": "Hello!"}, "invalid_to_user_id"),
        ({"to_user_id": 1.0, "content": "Hello!"}, "invalid_to_user_id"),
        ({"to_user_id": -1, "content": "Hello!"}, "invalid_to_user_id"),
        ({"to_user_id": MAX_INTEGER + 1, "content": "Hello!"}, "invalid_to_user_id"),
        ({"to_user_id": ["bob"], "content": "Hello!"}, "invalid_to_user_id"),
        ({"to_user_id": "bob"}, "missing_content"),
        ({"to_user_id": "bob", "content": 5}, "invalid_content"),
        ({"to_user_id": "bob", "content": None}, "invalid_content"),
        ({"to_user_id": "bob", "content": " \n"}, "empty_content"),
        ({"to_user_id": "bob", "content": "x" * (MAX_CONTENT + 1)}, "content_too_long"),
        ({"to_user_id": "bob", "content": "\ud800"}, "invalid_content"),
        (["bob", "Hello!"], "bad_frame"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_what_cannot_be_sent_to_somebody_is_refused(frame: object, code: str) -> None:
    assert refusal(chat(frame)) == code


def test_a_chat_socket_asks_for_what_is_written_to_its_user() -> None:
    assert CHAT.opening(Link("c", WHO)) == OpenInbox()


def test_whoever_writes_hears_of_nothing_but_errors() -> None:
    assert CHAT.answer(Request(SendDirect("bob", "Hello!")), Done(), Link("c", WHO)) == ()


# Video


def test_an_offer_is_for_one_peer() -> None:
    data = {"type": "offer", "sdp": "v=0\r\n"}
    said = signal({"type": "offer", "to_user_id": "peer_id", "data": data})
    assert said == Signal(
        HERE,
        Description(DescriptionType.OFFER, "v=0\r\n"),
        "peer_id",
        verbatim=("relay-video", b'{"type":"offer","sdp":"v=0\\r\\n"}'),
    )


def test_an_answer_without_an_addressee_is_for_everybody_else() -> None:
    said = signal({"type": "answer", "data": {"sdp": "v=0"}})
    assert (said.to, said.body) == (None, Description(DescriptionType.ANSWER, "v=0"))
    assert not said.by_name


def test_an_sdp_may_come_as_a_string() -> None:
    said = signal({"type": "offer", "to_user_id": 7, "data": "v=0"})
    assert (said.to, said.body) == ("7", Description(DescriptionType.OFFER, "v=0"))
    assert said.verbatim == ("relay-video", b'"v=0"')


@pytest.mark.parametrize(
    ("data", "candidate"),
    [
        (
            {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 1},
            Candidate("candidate:1", "0", 1),
        ),
        ({"candidate": "candidate:1"}, Candidate("candidate:1")),
        ("candidate:1", Candidate("candidate:1")),
        ({"candidate": "", "sdpMid": None, "sdpMLineIndex": None}, Candidate("")),
        ({"candidate": None}, Candidate("")),
        ("", Candidate("")),
        (None, Candidate("")),
    ],
    ids=repr,
)
def test_a_candidate_comes_in_many_shapes(data: object, candidate: Candidate) -> None:
    said = signal({"type": "ice-candidate", "to_user_id": "bob", "data": data})
    assert said.body == candidate
    assert said.verbatim is not None
    assert json.loads(said.verbatim[1]) == data


@pytest.mark.parametrize(("kind", "body"), [("hang-up", HangUp()), ("call-declined", Decline())])
def test_the_end_of_a_call_is_understood_and_keeps_its_data(kind: str, body: object) -> None:
    said = signal({"type": kind, "to_user_id": "bob", "data": {"why": "tea"}})
    assert said.body == body
    assert said.verbatim == ("relay-video", b'{"why":"tea"}')
    assert signal({"type": kind}).verbatim == ("relay-video", b"null")


def test_what_the_document_does_not_name_is_passed_on() -> None:
    said = signal({"type": "mute", "data": {"mic": True}})
    assert said.body == Custom("mute", b'{"mic":true}')
    assert signal({"type": "wave"}).body == Custom("wave", b"null")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({}, "missing_type"),
        ({"type": 5}, "invalid_type"),
        ({"type": ""}, "invalid_type"),
        ({"type": "x" * 65}, "invalid_type"),
        ({"type": "\ud800"}, "invalid_type"),
        ({"type": "user-joined", "data": {}}, "reserved_type"),
        ({"type": "user-left"}, "reserved_type"),
        ({"type": "error", "message": "no"}, "reserved_type"),
        ({"type": "connected"}, "reserved_type"),
        ({"type": "offer"}, "missing_data"),
        ({"type": "ice-candidate"}, "missing_data"),
        ({"type": "offer", "data": None}, "invalid_sdp"),
        ({"type": "offer", "data": ""}, "invalid_sdp"),
        ({"type": "offer", "data": {}}, "invalid_sdp"),
        ({"type": "offer", "data": {"sdp": 5}}, "invalid_sdp"),
        ({"type": "offer", "data": {"sdp": "v=0\x00"}}, "invalid_sdp"),
        ({"type": "offer", "data": {"sdp": "x" * (MAX_SDP + 1)}}, "sdp_too_long"),
        ({"type": "offer", "data": {"sdp": "v=0", "type": "answer"}}, "invalid_type"),
        ({"type": "offer", "data": {"sdp": "v=0", "type": None}}, "invalid_type"),
        ({"type": "offer", "data": {"sdp": "v=0", "x": "\ud800"}}, "invalid_data"),
        ({"type": "offer", "data": {"sdp": "v=0", "\ud800": 1}}, "invalid_data"),
        ({"type": "ice-candidate", "data": {}}, "missing_candidate"),
        ({"type": "ice-candidate", "data": 5}, "invalid_candidate"),
        ({"type": "ice-candidate", "data": {"candidate": 5}}, "invalid_candidate"),
        ({"type": "ice-candidate", "data": {"candidate": "c", "sdpMid": 0}}, "invalid_candidate"),
        ({"type": "ice-candidate", "data": "c" * (MAX_CANDIDATE + 1)}, "candidate_too_long"),
        ({"type": "mute", "data": "x" * MAX_CUSTOM}, "data_too_long"),
        ({"type": "hang-up", "data": "x" * MAX_CUSTOM}, "data_too_long"),
        ({"type": "mute", "data": ["\ud800"]}, "invalid_data"),
        ({"type": "mute", "to_user_id": ""}, "invalid_to_user_id"),
        ({"type": "mute", "to_user_id": {"id": 1}}, "invalid_to_user_id"),
        ({"type": "mute", "room_id": "elsewhere"}, "wrong_room"),
        ({"type": "mute", "room_id": 1}, "wrong_room"),
        ({"type": "mute", "room_id": ["room123"]}, "wrong_room"),
        ("offer", "bad_frame"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_what_cannot_be_passed_on_is_refused(frame: object, code: str) -> None:
    assert refusal(video(frame)) == code


def test_an_sdp_of_the_longest_is_passed_on() -> None:
    assert signal({"type": "offer", "data": {"sdp": "x" * MAX_SDP}})


def test_the_room_of_the_path_may_be_named() -> None:
    assert signal({"type": "wave", "room_id": "room123"}).channel == HERE


def test_a_sender_in_a_frame_goes_nowhere() -> None:
    frame = {"type": "wave", "from_user_id": "root", "sender": "root", "data": 1}
    assert signal(frame).verbatim == ("relay-video", b"1")


def test_the_path_names_a_meeting_to_come_into() -> None:
    link = Link("c", WHO, "42")
    assert VIDEO.opening(link) == Enter("42", presence=False, call=PeerKind.USER, meeting=True)
    assert VIDEO.answer(Request(Enter("42")), Entered(CHANNEL, 0), link) == ()


def test_a_socket_without_a_room_signals_nobody() -> None:
    assert VIDEO.opening(Link("c", WHO)) is None
    assert refusal(video({"type": "wave"}, Link("c", WHO))) == "no_room"


# Both


@BOTH
def test_a_refusal_is_the_document_s_error(dialect: Dialect) -> None:
    gone = NotAMember("gone")
    assert dialect.refuse(gone, None) == b'{"type":"error","message":"gone"}'


@BOTH
def test_nothing_is_said_that_the_document_does_not_have(dialect: Dialect) -> None:
    gone = NotAMember("gone")
    assert dialect.greet(LINK) == ()
    assert dialect.turn_away(gone) == ()
    assert dialect.oust(LINK, HERE, "room123", gone) is None
    assert dialect.ping({HERE: 1}) is None
    assert not dialect.lines
    assert not dialect.pings
