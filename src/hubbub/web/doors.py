"""Which WebSocket path leads where, and who may come in without a token."""

import re
from dataclasses import dataclass

from hubbub.core.ids import RESERVED_KEYS, ChannelRef, parse_ref, valid_key

NOWHERE = 0
"""The id that no channel has: where a path leads that can be no channel's name."""

_ROOM = re.compile(r"/ws/room/([^/]+)")
_CONVERSATION = re.compile(r"/conversations/([^/]+)/ws")
_SIGNALING = re.compile(r"/ws/signaling/([^/]+)")
_RELAY_CHAT = re.compile(r"/ws/chat/([^/]+)")
_RELAY_VIDEO = re.compile(r"/ws/video/([^/]+)/([^/]+)")
_CONFERENCE = re.compile(r"/ws/([^/]+)")


@dataclass(frozen=True, slots=True)
class Door:
    """What a path opens: a dialect, perhaps the channel the path names, and who may come in
    without a token. `anonymous`: everybody, somewhat. `guests`: everybody in open mode. `late`:
    whoever brings it in a frame. `secret`: in open mode whoever brings a word of their own for one,
    by which they are known. `claims` is the person that the path says is coming."""

    dialect: str
    channel: ChannelRef | None = None
    anonymous: bool = False
    guests: bool = False
    late: bool = False
    secret: bool = False
    claims: str | None = None


def route(path: str) -> Door | None:
    """The door at a path, written without its last slash."""
    match path:
        case "/ws/v1":
            return Door("native", late=True)
        case "/ws":
            return Door("rooms", anonymous=True)
        case "/ws/auth":
            return Door("rooms")
        case "/peerjs/peerjs":
            return Door("peerjs", secret=True)
    for pattern, dialect in (
        (_ROOM, "rooms"),
        (_CONVERSATION, "conversations"),
        (_SIGNALING, "signaling"),
    ):
        if found := pattern.fullmatch(path):
            ref = parse_ref(found[1])
            return Door(dialect, ref if isinstance(ref, int) or valid_key(ref) else NOWHERE)
    if found := _RELAY_CHAT.fullmatch(path):
        return Door("relay-chat", guests=True, claims=found[1])
    if found := _RELAY_VIDEO.fullmatch(path):
        return Door("relay-video", _key(found[1]), guests=True, claims=found[2])
    found = _CONFERENCE.fullmatch(path)
    if found and found[1] not in RESERVED_KEYS:
        return Door("conference", _key(found[1]), guests=True)
    return None


def _key(text: str) -> ChannelRef:
    """In these paths digits are a key as well: they lead to nobody's private conversation."""
    return text if valid_key(text) else NOWHERE
