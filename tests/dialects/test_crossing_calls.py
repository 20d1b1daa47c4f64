"""Every signal from every dialect to every dialect: the exact frame, or that there is none."""

import json
from dataclasses import replace
from typing import get_args

import pytest

from hubbub.core.commands import Signal
from hubbub.core.events import Envelope, Signalled
from hubbub.core.ids import ChannelId, Person, UserId, Who
from hubbub.core.signals import Body, Custom, Peer
from hubbub.dialects.base import Dialect, Link, Request
from hubbub.dialects.conference import Conference
from hubbub.dialects.conversations import Conversations
from hubbub.dialects.native import Native
from hubbub.dialects.relay import RelayChat, RelayVideo
from hubbub.dialects.rooms import Rooms
from hubbub.dialects.signaling import Signaling

IN_CALLS: tuple[Dialect, ...] = (Native(), RelayVideo(), Conference(), Signaling())
NOT_IN_CALLS: tuple[Dialect, ...] = (Rooms(), Conversations(), RelayChat())

ROOM, KEY = ChannelId(5), "room123"
ALICE, BOB = Person(UserId(2), "alice"), Person(UserId(3), "bob", "1042")
LINK = Link("c-1", Who(ALICE.id, ALICE.name), ROOM, key=KEY)

# Every key of its own kind is one that other dialects do not carry on.
DESCRIBED = '{"type":"TYPE","sdp":"v=0\\r\\n","x":[1.0,"ä"]}'
TRICKLED = '{"sdpMid":"0","candidate":"candidate:1","usernameFragment":"u"}'

SAID: dict[str, dict[str, str]] = {
    "offer": {
        "native": '{"type":"offer","channel":5,"sdp":"v=0\\r\\n"}',
        "relay-video": '{"type":"offer","data":' + DESCRIBED.replace("TYPE", "offer") + "}",
        "conference": '{"type":"offer","data":' + DESCRIBED.replace("TYPE", "offer") + "}",
        "signaling": '{"type":"offer","sdp":' + DESCRIBED.replace("TYPE", "offer") + "}",
    },
    "answer": {
        "native": '{"type":"answer","channel":5,"sdp":"v=0\\r\\n"}',
        "relay-video": '{"type":"answer","data":' + DESCRIBED.replace("TYPE", "answer") + "}",
        "conference": '{"type":"answer","data":' + DESCRIBED.replace("TYPE", "answer") + "}",
        "signaling": '{"type":"answer","sdp":' + DESCRIBED.replace("TYPE", "answer") + "}",
    },
    "candidate": {
        "native": '{"type":"candidate","channel":5,"candidate":'
        '{"candidate":"candidate:1","sdpMid":"0"}}',
        "relay-video": '{"type":"ice-candidate","data":' + TRICKLED + "}",
        "conference": '{"type":"ice-candidate","data":' + TRICKLED + "}",
        "signaling": '{"type":"candidate","candidate":' + TRICKLED + "}",
    },
    "the last candidate": {
        "native": '{"type":"candidate","channel":5,"candidate":null}',
        "relay-video": '{"type":"ice-candidate","data":null}',
        "conference": '{"type":"ice-candidate","data":{"candidate":null}}',
        "signaling": '{"type":"candidate","candidate":""}',
    },
    "hang up": {
        "native": '{"type":"hang_up","channel":5}',
        "relay-video": '{"type":"hang-up","data":{"why":"tea"}}',
        "conference": '{"type":"hang-up","why":"tea"}',
    },
    "decline": {
        "native": '{"type":"decline","channel":5}',
        "relay-video": '{"type":"call-declined","data":{"why":"tea"}}',
        "conference": '{"type":"call-declined","why":"tea"}',
    },
    "custom": {
        "native": '{"type":"custom","channel":5,"name":"media","data":{"mic":true}}',
        "relay-video": '{"type":"media","data":{"mic":true}}',
        "conference": '{"type":"media","room_id":"room123","data":{"mic":true},"x":1}',
    },
    "custom without data": {
        "native": '{"type":"custom","channel":5,"name":"join"}',
        "relay-video": '{"type":"join"}',
        "conference": '{"type":"join","room_id":"room123"}',
    },
}
"""What alice says. The dialects that are missing have no such frame."""

Told = dict[str, str]

ACROSS: dict[str, Told] = {
    "offer": {
        "native": '{"type":"offer","channel":5,"sender":FROM,"sdp":"v=0\\r\\n"}',
        "relay-video": '{"type":"offer","room_id":"room123","from_user_id":FROM,"to_user_id":TO,'
        '"data":{"sdp":"v=0\\r\\n","type":"offer"}}',
        "conference": '{"type":"offer","room_id":"room123","sender_id":FROM,'
        '"data":{"sdp":"v=0\\r\\n","type":"offer"}}',
        "signaling": '{"type":"offer","sender":FROM,"target":TO,"sdp":"v=0\\r\\n"}',
    },
    "candidate": {
        "native": '{"type":"candidate","channel":5,"sender":FROM,"candidate":'
        '{"candidate":"candidate:1","sdpMid":"0","sdpMLineIndex":0}}',
        "relay-video": '{"type":"ice-candidate","room_id":"room123","from_user_id":FROM,'
        '"to_user_id":TO,"data":{"candidate":"candidate:1","sdpMid":"0","sdpMLineIndex":0}}',
        "conference": '{"type":"ice-candidate","room_id":"room123","sender_id":FROM,'
        '"data":{"candidate":"candidate:1","sdpMid":"0","sdpMLineIndex":0}}',
        "signaling": '{"type":"candidate","sender":FROM,"target":TO,'
        '"candidate":{"candidate":"candidate:1","sdpMid":"0","sdpMLineIndex":0}}',
    },
    "the last candidate": {
        "native": '{"type":"candidate","channel":5,"sender":FROM,"candidate":'
        '{"candidate":"","sdpMid":null,"sdpMLineIndex":0}}',
        "relay-video": '{"type":"ice-candidate","room_id":"room123","from_user_id":FROM,'
        '"to_user_id":TO,"data":{"candidate":"","sdpMid":null,"sdpMLineIndex":0}}',
        "conference": '{"type":"ice-candidate","room_id":"room123","sender_id":FROM,'
        '"data":{"candidate":"","sdpMid":null,"sdpMLineIndex":0}}',
        "signaling": '{"type":"candidate","sender":FROM,"target":TO,'
        '"candidate":{"candidate":"","sdpMid":null,"sdpMLineIndex":0}}',
    },
    "hang up": {
        "native": '{"type":"hang_up","channel":5,"sender":FROM}',
        "relay-video": '{"type":"hang-up","room_id":"room123","from_user_id":FROM,"to_user_id":TO,'
        '"data":null}',
        "conference": '{"type":"hang-up","room_id":"room123","sender_id":FROM,"data":null}',
    },
    "decline": {
        "native": '{"type":"decline","channel":5,"sender":FROM}',
        "relay-video": '{"type":"call-declined","room_id":"room123","from_user_id":FROM,'
        '"to_user_id":TO,"data":null}',
        "conference": '{"type":"call-declined","room_id":"room123","sender_id":FROM,"data":null}',
    },
    "custom": {
        "native": '{"type":"custom","channel":5,"sender":FROM,"name":"media","data":{"mic":true}}',
        "relay-video": '{"type":"media","room_id":"room123","from_user_id":FROM,"to_user_id":TO,'
        '"data":{"mic":true}}',
        "conference": '{"type":"media","room_id":"room123","sender_id":FROM,"data":{"mic":true}}',
    },
    "custom without data": {
        "native": '{"type":"custom","channel":5,"sender":FROM,"name":"join","data":null}',
        "relay-video": '{"type":"join","room_id":"room123","from_user_id":FROM,"to_user_id":TO,'
        '"data":null}',
        "conference": '{"type":"join","room_id":"room123","sender_id":FROM,"data":null}',
    },
}
ACROSS["answer"] = {to: told.replace("offer", "answer") for to, told in ACROSS["offer"].items()}
"""What bob is told of it in another dialect. One that is missing has no word for it."""

WITHIN: dict[str, Told] = {
    "offer": {
        "relay-video": '{"type":"offer","room_id":"room123","from_user_id":FROM,"to_user_id":TO,'
        '"data":' + DESCRIBED.replace("TYPE", "offer") + "}",
        "conference": '{"type":"offer","room_id":"room123","sender_id":FROM,"data":'
        + DESCRIBED.replace("TYPE", "offer")
        + "}",
        "signaling": '{"type":"offer","sender":FROM,"target":TO,"sdp":'
        + DESCRIBED.replace("TYPE", "offer")
        + "}",
    },
    "candidate": {
        "relay-video": '{"type":"ice-candidate","room_id":"room123","from_user_id":FROM,'
        '"to_user_id":TO,"data":' + TRICKLED + "}",
        "conference": '{"type":"ice-candidate","room_id":"room123","sender_id":FROM,"data":'
        + TRICKLED
        + "}",
        "signaling": '{"type":"candidate","sender":FROM,"target":TO,"candidate":' + TRICKLED + "}",
    },
    "the last candidate": {
        "relay-video": '{"type":"ice-candidate","room_id":"room123","from_user_id":FROM,'
        '"to_user_id":TO,"data":null}',
        "conference": '{"type":"ice-candidate","room_id":"room123","sender_id":FROM,'
        '"data":{"candidate":null}}',
        "signaling": '{"type":"candidate","sender":FROM,"target":TO,"candidate":""}',
    },
    "hang up": {
        "relay-video": '{"type":"hang-up","room_id":"room123","from_user_id":FROM,"to_user_id":TO,'
        '"data":{"why":"tea"}}',
        "conference": '{"type":"hang-up","room_id":"room123","sender_id":FROM,"why":"tea"}',
    },
    "decline": {
        "relay-video": '{"type":"call-declined","room_id":"room123","from_user_id":FROM,'
        '"to_user_id":TO,"data":{"why":"tea"}}',
        "conference": '{"type":"call-declined","room_id":"room123","sender_id":FROM,"why":"tea"}',
    },
    "custom": {
        "conference": '{"type":"media","room_id":"room123","sender_id":FROM,"data":{"mic":true},'
        '"x":1}',
    },
    "custom without data": {
        "conference": '{"type":"join","room_id":"room123","sender_id":FROM}',
    },
}
WITHIN["answer"] = {to: told.replace("offer", "answer") for to, told in WITHIN["offer"].items()}
"""What bob is told in alice's own dialect, where it is not the same."""

# Of its own words conference gives to others what has no `data` as it is.
EMPTY_OBJECT = {("custom without data", "conference")}

CASES = [
    pytest.param(kind, source, target, id=f"{kind}: {source.name} to {target.name}")
    for kind, frames in SAID.items()
    for source in IN_CALLS
    if source.name in frames
    for target in (*IN_CALLS, *NOT_IN_CALLS)
]


def peer(person: Person, dialect: str) -> Peer:
    """How somebody is called who speaks that dialect."""
    if dialect == "conference":
        return Peer(f"c-{person.id}", f"c-{person.id}", person, f"c-{person.id}")
    return Peer(person.handle, person.name, person)


def named(of: Peer, dialect: str) -> str:
    """What a dialect puts where a peer belongs."""
    name: object = of.name if dialect == "signaling" else of.id
    if dialect == "native":
        name = {"id": of.id, "user": {"id": of.user.id, "name": of.user.name}}
    return json.dumps(name, separators=(",", ":"))


def signalled(text: str, source: Dialect, target: str) -> Signalled:
    """What becomes of a frame on its way through the server."""
    (request,) = source.decode(text, LINK)
    assert isinstance(request, Request), request
    command = request.command
    assert isinstance(command, Signal)
    sender, addressee = peer(ALICE, source.name), peer(BOB, target)
    return Signalled(ROOM, KEY, sender, addressee, command.body, command.verbatim)


@pytest.mark.parametrize(("kind", "source", "target"), CASES)
def test_a_signal_is_told_in_the_words_of_whoever_hears_it(
    kind: str, source: Dialect, target: Dialect
) -> None:
    event = signalled(SAID[kind][source.name], source, target.name)
    within = WITHIN[kind].get(target.name) if source.name == target.name else None
    told = within or ACROSS[kind].get(target.name)
    if told is not None:
        if within is None and (kind, source.name) in EMPTY_OBJECT:
            told = told.replace("null", "{}")
        told = told.replace("FROM", named(event.sender, target.name))
        told = told.replace("TO", named(event.target, target.name))
    frame = target.encode(Envelope(ROOM, event))
    assert (None if frame is None else frame.decode()) == told


def test_every_signal_there_is_has_a_row() -> None:
    native = IN_CALLS[0]
    said = {type(signalled(frames["native"], native, "native").body) for frames in SAID.values()}
    assert said == set(get_args(Body))


@pytest.mark.parametrize("target", [RelayVideo(), Conference()], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize(
    "name",
    ["connected", "error", "user-joined", "user-left", "offer", "answer", "ice-candidate",
     "hang-up", "call-declined"],
)  # fmt: skip
def test_nobody_can_put_words_of_the_dialect_into_somebodys_mouth(
    target: Dialect, name: str
) -> None:
    event = signalled('{"type":"custom","channel":5,"name":"x"}', IN_CALLS[0], target.name)
    forged = replace(event, body=Custom(name, b'{"user_id":"1"}'))
    assert target.encode(Envelope(ROOM, forged)) is None
