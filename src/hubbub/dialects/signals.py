"""How the protocols of the documents read what peers say, and how they word it for one another."""

from typing import assert_never

import msgspec

from hubbub.core.errors import Invalid
from hubbub.core.events import Signalled
from hubbub.core.ids import MAX_INTEGER, ChannelRef
from hubbub.core.messages import check_text
from hubbub.core.signals import (
    Body,
    Candidate,
    Custom,
    Decline,
    Description,
    DescriptionType,
    HangUp,
    check_candidate,
    check_sdp,
)
from hubbub.dialects.base import Link

MAX_NAME = 255
"""The longest name of a peer: that of an OpenID Connect subject."""

CANDIDATE = "ice-candidate"
NEGOTIATION = frozenset({*DescriptionType, CANDIDATE})
"""The types that `read_negotiation` reads."""

ENDINGS: dict[str, HangUp | Decline] = {"hang-up": HangUp(), "call-declined": Decline()}
"""What the documents with hyphens in their types call the end of a call."""

_SERVER_TYPES = frozenset({"connected", "error", "user-joined", "user-left"})
_NAMED_TYPES = _SERVER_TYPES | NEGOTIATION | {*ENDINGS}

_encode = msgspec.json.Encoder().encode


class _SessionDescription(msgspec.Struct):
    sdp: str
    type: str


class _IceCandidate(msgspec.Struct, rename="camel"):
    candidate: str
    sdp_mid: str | None
    sdp_m_line_index: int = msgspec.field(name="sdpMLineIndex")


def to_json(value: object) -> bytes:
    """What a client said, as it can be said again.

    Raises:
        Invalid: a string in it holds a lone surrogate.
    """
    try:
        return _encode(value)
    except UnicodeEncodeError:
        raise Invalid("the frame holds what cannot be passed on", "invalid_data") from None


def read_description(type: DescriptionType, said: object) -> Description:
    """Reads a session description: the SDP itself, or an object with `sdp` and perhaps `type`.

    Raises:
        Invalid: it is neither, outside the limits, or its type is another than the frame's.
    """
    if isinstance(said, dict):
        if said.get("type", type) != type:
            raise Invalid("the description's type is another than the frame's", "invalid_type")
        said = said.get("sdp")
    return Description(type, check_sdp(said))


def read_candidate(said: object) -> Candidate:
    """Reads a candidate: the line itself, an RTCIceCandidateInit, or null for the last.

    Raises:
        Invalid: it is none of these, or outside the limits.
    """
    if not isinstance(said, dict):
        return check_candidate(said)
    if "candidate" not in said:
        raise Invalid("candidate is missing", "missing_candidate")
    return check_candidate(said["candidate"], said.get("sdpMid"), said.get("sdpMLineIndex"))


def read_negotiation(type: str, said: object) -> Description | Candidate:
    """Reads the `data` of one of the types in `NEGOTIATION`.

    Raises:
        Invalid: as `read_description` and `read_candidate`.
    """
    if type == CANDIDATE:
        return read_candidate(said)
    return read_description(DescriptionType(type), said)


def read_name(value: object, field: str) -> str | None:
    """Reads whom a frame is for: a name, a number that is one, or None for nobody in particular.

    Raises:
        Invalid: it is something else, or nobody can be called so.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        if type(value) is int and 0 <= value <= MAX_INTEGER:
            return str(value)
        value = ""
    if not 0 < len(value) <= MAX_NAME:
        raise Invalid(f"{field} must be a string of 1 to {MAX_NAME} characters", f"invalid_{field}")
    check_text(value, field)
    return value


def room_of(named: object, link: Link) -> ChannelRef:
    """The room of a socket whose path holds the room's key, and which a frame may name as well.

    Raises:
        Invalid: the frame names another, or the socket is in none.
    """
    if link.channel is None:
        raise Invalid("this socket is in no room", "no_room")
    if named is not None:
        key = link.channel if link.key is None else link.key
        if (str(named) if type(named) is int else named) != key:
            raise Invalid("this socket belongs to another room", "wrong_room")
    return link.channel


def check_theirs(type: str) -> None:
    """Refuses a `type` that only the server may use.

    Raises:
        Invalid: `reserved_type`.
    """
    if type in _SERVER_TYPES:
        raise Invalid("only the server sends this type", "reserved_type")


def quoted(event: Signalled, dialect: str) -> bytes | None:
    """The sender's own JSON, if the sender speaks the same protocol."""
    said = event.verbatim
    return said[1] if said is not None and said[0] == dialect else None


def worded(body: Body, said: bytes | None = None) -> tuple[str, bytes] | None:
    """The `type` and `data` of a signal where types have hyphens; what was `said` in the same
    protocol is its `data`. None when an application's own signal is called like a type that means
    something else there."""
    if isinstance(body, Candidate):
        return CANDIDATE, said or candidate_init(body)
    match body:
        case Description(type, sdp):
            return type.value, said or _encode(_SessionDescription(sdp, type.value))
        case HangUp():
            return "hang-up", said or b"null"
        case Decline():
            return "call-declined", said or b"null"
        case Custom(type, data):
            return None if type in _NAMED_TYPES else (type, said or data)
        case _:
            assert_never(body)


def candidate_init(candidate: Candidate) -> bytes:
    """A candidate as an RTCIceCandidateInit."""
    return _encode(
        _IceCandidate(candidate.candidate, candidate.sdp_mid, candidate.sdp_m_line_index)
    )
