"""Who may do what: every REST route, every way in for a socket, every frame of every protocol.

`test_matrix.py` asks for each row as each of `Actor`, and fails for what has no row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class Actor(StrEnum):
    """Who is asking. Except for `PASSER`, the channel in question is private."""

    NOBODY = "without a token, closed mode"
    LOCAL = "without a token, open to this machine"
    GUEST = "without a token, open to strangers"
    EXPIRED = "with an expired token"
    DISABLED = "with a disabled account"
    STRANGER = "an account that is no member"
    PASSER = "an account that is no member of a public room"
    ADMIN = "an administrator who is no member"
    REMOVED = "a member who was removed"
    MEMBER = "a member"
    MODERATOR = "a moderator"
    OWNER = "the owner"


Actors = frozenset[Actor]
Refusals = Mapping[Actor, object]

GUESTS: Actors = frozenset({Actor.LOCAL, Actor.GUEST})
TOKENLESS: Actors = GUESTS | {Actor.NOBODY}
OUTSIDERS: Actors = frozenset({Actor.STRANGER, Actor.ADMIN, Actor.REMOVED})

OWNERS: Actors = frozenset({Actor.OWNER})
MODERATORS: Actors = OWNERS | {Actor.MODERATOR}
MEMBERS: Actors = MODERATORS | {Actor.MEMBER}
READERS: Actors = MEMBERS | {Actor.PASSER}
ACCOUNTS: Actors = READERS | OUTSIDERS
VISITORS: Actors = ACCOUNTS | GUESTS
ADMINS: Actors = frozenset({Actor.ADMIN})
EVERYBODY: Actors = frozenset(Actor)

NOT_A_MEMBER = dict.fromkeys(OUTSIDERS | {Actor.PASSER}, (403, "not_a_member"))
NO_GUESTS = dict.fromkeys(GUESTS, (403, "guests_not_allowed"))
REFUSED: Refusals = {
    **dict.fromkeys(TOKENLESS, (401, "token_missing")),
    Actor.EXPIRED: (401, "token_expired"),
    Actor.DISABLED: (401, "account_gone"),
    **NOT_A_MEMBER,
    **dict.fromkeys(MEMBERS, (403, "forbidden")),
}
"""How a request is refused, unless its row says otherwise."""


@dataclass(frozen=True)
class Route:
    """Who may use a route, what they send (`{…}` are names of the test), and what they get."""

    may: Actors
    status: int = 200
    body: Any = None
    refused: Refusals = field(default_factory=dict)


NATIVE = "/api/v1/channels"
CHANNEL = f"{NATIVE}/{{channel}}"
CONVERSATION = "/conversations/{conversation_id}"
ROOM = "/api/rooms/{room_id}"
MESSAGE = {"content": "x"}
NOTHING: dict[str, str] = {}

ROUTES: dict[str, Route] = {
    # The doors ask for no token; what is in the body is another matter.
    "POST /api/token": Route(EVERYBODY, 422, NOTHING),
    "POST /auth/token": Route(EVERYBODY, 422, NOTHING),
    "POST /api/v1/auth/login": Route(EVERYBODY, 422, NOTHING),
    "POST /api/v1/auth/refresh": Route(EVERYBODY, 422, NOTHING),
    "POST /api/users": Route(EVERYBODY, 422, NOTHING),
    "POST /api/auth/signup": Route(EVERYBODY, 422, NOTHING),
    "POST /api/auth/verify-otp": Route(EVERYBODY, 422, NOTHING),
    "POST /api/auth/set-username": Route(EVERYBODY, 422, NOTHING),
    "POST /api/auth/login": Route(EVERYBODY, 422, NOTHING),
    "GET /": Route(EVERYBODY),
    "GET /healthz": Route(EVERYBODY),
    "GET /readyz": Route(EVERYBODY),
    "GET /peerjs": Route(EVERYBODY),
    "GET /peerjs/peerjs/id": Route(EVERYBODY),
    "GET /peerjs/peerjs/peers": Route(
        frozenset(), refused=dict.fromkeys(ACCOUNTS, (401, "discovery_off"))
    ),
    "POST /api/v1/auth/logout": Route(ACCOUNTS, 204),
    "PUT /api/v1/auth/password": Route(ACCOUNTS, 422, NOTHING),
    "GET /api/v1/sessions": Route(ACCOUNTS),
    "DELETE /api/v1/sessions/{session}": Route(ACCOUNTS, 404),
    "POST /api/v1/tickets": Route(ACCOUNTS, 201),
    "GET /api/v1/me": Route(ACCOUNTS),
    "POST /api/v1/me/email": Route(ACCOUNTS, 422, NOTHING),
    "POST /api/v1/me/email/verify": Route(ACCOUNTS, 422, NOTHING),
    "GET /api/v1/users/{username}": Route(ACCOUNTS),
    "PATCH /api/v1/admin/users/{user_id}": Route(
        ADMINS, body={"disabled": True}, refused=dict.fromkeys(ACCOUNTS, (403, "admin_only"))
    ),
    "GET /api/users/me": Route(ACCOUNTS),
    "GET /api/connections": Route(ACCOUNTS),
    "GET /api/rooms": Route(ACCOUNTS),
    "POST /api/rooms": Route(ACCOUNTS, 201, {"name": "x"}),
    f"GET {ROOM}": Route(READERS),
    f"POST {ROOM}/join": Route(READERS),
    f"POST {ROOM}/leave": Route(MEMBERS),
    f"GET {ROOM}/messages": Route(READERS),
    f"POST {ROOM}/messages": Route(MEMBERS, 201, MESSAGE),
    "GET /conversations": Route(ACCOUNTS),
    "POST /conversations": Route(ACCOUNTS, 201, {"title": "x", "participants": []}),
    f"GET {CONVERSATION}": Route(MEMBERS),
    f"GET {CONVERSATION}/messages": Route(MEMBERS),
    f"POST {CONVERSATION}/messages": Route(MEMBERS, 201, MESSAGE),
    "POST /create-room": Route(VISITORS),
    "GET /rooms": Route(VISITORS),
    "GET /rooms/{room_id}": Route(READERS, refused=NO_GUESTS),
    f"GET {NATIVE}": Route(ACCOUNTS),
    f"POST {NATIVE}": Route(ACCOUNTS, 201, {"kind": "room", "name": "x"}),
    f"GET {CHANNEL}": Route(READERS),
    f"PATCH {CHANNEL}": Route(OWNERS, body={"name": "x"}),
    f"POST {CHANNEL}/join": Route(READERS),
    f"POST {CHANNEL}/leave": Route(MEMBERS, 204),
    f"GET {CHANNEL}/members": Route(READERS),
    f"PUT {CHANNEL}/members/{{username}}": Route(MODERATORS),
    f"PUT {CHANNEL}/members/{{username}} role": Route(OWNERS, body={"role": "moderator"}),
    f"DELETE {CHANNEL}/members/{{username}}": Route(MODERATORS, 204),
    f"GET {CHANNEL}/messages": Route(READERS),
    f"POST {CHANNEL}/messages": Route(MEMBERS, 201, MESSAGE),
    f"GET {CHANNEL}/events": Route(READERS),
    f"PUT {CHANNEL}/cursor": Route(MEMBERS, 204, {"read": 1}),
    f"GET {CHANNEL}/presence": Route(READERS),
}
"""By method and path as in the OpenAPI document; a further word tells rows of one route apart."""


@dataclass(frozen=True)
class Socket:
    """Who may open a socket on a way of `hubbub.web.doors` (or, where the name says so, in a
    meeting): everybody else is closed with a code. `greeting` is what tells that one is in, where
    anything does."""

    may: Actors
    path: str
    greeting: str | None = None
    refused: Mapping[Actor, int] = field(default_factory=dict)


CLOSED_WITH: Mapping[Actor, int] = {
    **dict.fromkeys(TOKENLESS | {Actor.EXPIRED}, 4001),
    Actor.DISABLED: 4000,
    **dict.fromkeys(OUTSIDERS | {Actor.PASSER}, 4003),
}
GUESTS_CLOSED = dict.fromkeys(GUESTS, 4003)

SOCKETS: dict[str, Socket] = {
    "native": Socket(ACCOUNTS | TOKENLESS, "/ws/v1"),
    "rooms": Socket(ACCOUNTS, "/ws/auth", "connection_established"),
    "public": Socket(ACCOUNTS | TOKENLESS, "/ws", "connection_established"),
    "echo": Socket(EVERYBODY, "/ws/echo"),
    "room": Socket(READERS, "/ws/room/{id}", "room_joined"),
    "conversation": Socket(MEMBERS, "/conversations/{id}/ws", "connection"),
    "relay_chat": Socket(VISITORS, "/ws/chat/{name}"),
    "relay_video": Socket(READERS, "/ws/video/{key}/{name}", refused=GUESTS_CLOSED),
    "conference": Socket(READERS, "/ws/{key}", "connected", GUESTS_CLOSED),
    "signaling": Socket(MEMBERS, "/ws/signaling/{id}"),
    "relay_video meeting": Socket(VISITORS, "/ws/video/{key}/{name}"),
    "conference meeting": Socket(VISITORS, "/ws/{key}", "connected"),
    "peerjs": Socket(VISITORS, "/peerjs/peerjs?id={name}&key=peerjs", "OPEN"),
}


OTHER = "other"
"""The kind of a frame whose type is none of those that its protocol knows."""

CLOSED = "closed"


@dataclass(frozen=True)
class Frame:
    """Who may send a frame, of those who may open the socket. `told` is the `type` that shows its
    success, to the sender or, if `elsewhere`, to somebody who is there to see it; None of the
    native protocol, which answers; `CLOSED` where it ends the socket. `before` is sent first,
    `after` next: what shows that a frame was taken of which nothing else is seen."""

    may: Actors
    socket: str
    said: Mapping[str, Any]
    told: str | None = None
    elsewhere: bool = False
    before: tuple[Mapping[str, Any], ...] = ()
    after: Mapping[str, Any] | None = None
    refused: Mapping[Actor, str] = field(default_factory=dict)


NOT_IN = dict.fromkeys(OUTSIDERS | {Actor.PASSER}, "not_a_member")
NOT_IN_CHANNEL = dict.fromkeys(OUTSIDERS, "not_in_channel")
ERRORS: Mapping[str, Mapping[Actor, str]] = {
    "native": {**dict.fromkeys(TOKENLESS, "not_connected"), **NOT_IN},
    "rooms": NOT_IN,
    "public": {
        **NOT_IN,
        Actor.NOBODY: "unauthenticated",
        **dict.fromkeys(GUESTS, "guests_not_allowed"),
    },
}
"""How a frame is refused, unless its row says otherwise."""

SDP = "v=0\r\n"
ICE = {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0}
SUBSCRIBE = {"type": "subscribe", "channel": "{id}"}
CALL_JOIN = {"type": "call_join", "channel": "{id}"}
JOIN_ROOM = {"type": "join_room", "room_id": "{id}"}


def _native(may: Actors, type: str, *before: Mapping[str, Any], **fields: Any) -> Frame:
    said = {"type": type, "channel": "{id}", **fields}
    refused = NOT_IN_CHANNEL if before else {}
    return Frame(may, "native", said, before=before, refused=refused)


def _signal(type: str, **fields: Any) -> Frame:
    return _native(READERS, type, SUBSCRIBE, CALL_JOIN, **fields)


def _rooms(name: str, socket: str) -> dict[str, Frame]:
    """What is said of a room, on the socket of accounts or on that of strangers."""

    out = NOT_IN_CHANNEL | dict.fromkeys(GUESTS, "not_in_channel")

    def said(type: str, told: str, **more: Any) -> Frame:
        frame = {"type": type, "room_id": "{id}", "content": "x"}
        return Frame(READERS, socket, frame, told, before=(JOIN_ROOM,), **more)

    return {
        f"rooms join_room {name}": said("join_room", "room_joined"),
        f"rooms message {name}": said("message", "message"),
        f"rooms leave_room {name}": said("leave_room", "room_left", refused=out),
        f"rooms typing {name}": said("typing", "typing", elsewhere=True, refused=out),
    }


CALLS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "offer": ({"data": {"sdp": SDP}}, "offer"),
    "answer": ({"data": {"sdp": SDP}}, "answer"),
    "ice-candidate": ({"data": ICE}, "candidate"),
    "hang-up": ({}, "hang_up"),
    "call-declined": ({}, "decline"),
    OTHER: ({"type": "mute", "data": {"on": True}}, "custom"),
}
"""What is said in a call in the protocols whose types have hyphens, and how another hears it."""


def _calls(dialect: str, may: Actors, socket: str, place: str = "") -> dict[str, Frame]:
    return {
        f"{dialect} {type}{place}": Frame(may, socket + place, {"type": type, **said}, told, True)
        for type, (said, told) in CALLS.items()
    }


def _peerjs(type: str, **payload: Any) -> Frame:
    said = {"type": type, "dst": "witness", "payload": payload}
    return Frame(VISITORS, "peerjs", said, type, True)


OFFER = _peerjs("OFFER", sdp=SDP)

FRAMES: dict[str, Frame] = {
    "native connect": Frame(
        ACCOUNTS,
        "native",
        {"type": "connect"},
        refused=dict.fromkeys(TOKENLESS, "unauthenticated"),
    ),
    "native refresh": Frame(ACCOUNTS, "native", {"type": "refresh", "token": "{token}"}),
    "native ping": Frame(ACCOUNTS, "native", {"type": "ping"}),
    "native subscribe": _native(READERS, "subscribe"),
    "native subscribe join": _native(READERS, "subscribe", join=True),
    "native unsubscribe": _native(READERS, "unsubscribe", SUBSCRIBE),
    "native send": _native(MEMBERS, "send", content="x"),
    "native history": _native(READERS, "history"),
    "native typing": _native(MEMBERS, "typing", SUBSCRIBE),
    "native read": _native(MEMBERS, "read", seq=1),
    "native delivered": _native(MEMBERS, "delivered", seq=1),
    "native presence": _native(READERS, "presence"),
    "native call_join": _native(READERS, "call_join", SUBSCRIBE),
    "native call_leave": _native(READERS, "call_leave", SUBSCRIBE, CALL_JOIN),
    "native offer": _signal("offer", sdp=SDP),
    "native answer": _signal("answer", sdp=SDP),
    "native candidate": _signal("candidate", candidate=ICE),
    "native hang_up": _signal("hang_up"),
    "native decline": _signal("decline"),
    "native custom": _signal("custom", name="mute"),
    "rooms ping account": Frame(ACCOUNTS, "rooms", {"type": "ping"}, "pong"),
    "rooms ping anybody": Frame(ACCOUNTS | TOKENLESS, "public", {"type": "ping"}, "pong"),
    **_rooms("account", "rooms"),
    **_rooms("anybody", "public"),
    "conversations Content": Frame(MEMBERS, "conversation", {"content": "x"}, "message"),
    "relay-chat Direct": Frame(
        VISITORS, "relay_chat", {"to_user_id": "witness", "content": "x"}, "message", True
    ),
    **_calls("relay-video", READERS, "relay_video"),
    **_calls("conference", READERS, "conference"),
    **_calls("relay-video", VISITORS, "relay_video", " meeting"),
    **_calls("conference", VISITORS, "conference", " meeting"),
    "signaling offer": Frame(MEMBERS, "signaling", {"type": "offer", "sdp": SDP}, "offer", True),
    "signaling answer": Frame(MEMBERS, "signaling", {"type": "answer", "sdp": SDP}, "answer", True),
    "signaling candidate": Frame(
        MEMBERS, "signaling", {"type": "candidate", "candidate": ICE}, "candidate", True
    ),
    "signaling heartbeat": Frame(MEMBERS, "signaling", {"type": "heartbeat"}, "heartbeat_response"),
    "peerjs OFFER": OFFER,
    "peerjs ANSWER": _peerjs("ANSWER", sdp=SDP),
    "peerjs CANDIDATE": _peerjs("CANDIDATE", candidate=ICE),
    "peerjs LEAVE": _peerjs("LEAVE"),
    "peerjs LEAVE own": Frame(VISITORS, "peerjs", {"type": "LEAVE"}, CLOSED),
    "peerjs EXPIRE": _peerjs("EXPIRE"),
    "peerjs HEARTBEAT": replace(OFFER, said={"type": "HEARTBEAT"}, after=OFFER.said),
}
"""By protocol and `type`, or the frame's name where it has none; a further word tells rows of one
frame apart."""
