"""How the protocols of the documents read what peers say, and how they word it for one another."""

from typing import Annotated, assert_never

import msgspec
from msgspec import Meta

from hubbub.core.errors import Invalid
from hubbub.core.events import Signalled
from hubbub.core.ids import MAX_INTEGER, ChannelRef
from hubbub.core.messages import check_text
from hubbub.core.signals import (
    MAX_CANDIDATE,
    MAX_INDEX,
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

_BACKSLASH = ord("\\")
_BRACE = ord("{")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class _SessionDescription(msgspec.Struct):
    sdp: str
    type: str


class _IceCandidate(msgspec.Struct, rename="camel"):
    candidate: str
    sdp_mid: str | None
    sdp_m_line_index: int = msgspec.field(name="sdpMLineIndex")


class _CandidateInit(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    candidate: str | None
    sdp_mid: str | None = None
    sdp_m_line_index: Annotated[int, Meta(ge=0, le=MAX_INDEX)] | None = msgspec.field(
        default=None, name="sdpMLineIndex"
    )
    username_fragment: str | None = None


_read_init = msgspec.json.Decoder(_CandidateInit).decode


def read_again(json: bytes) -> tuple[object, bytes]:
    """What a client said, and the same as it can be said again.

    Raises:
        Invalid: there is a number in it that no program can hold.
    """
    try:
        value = _decode(json)
    except msgspec.DecodeError:
        raise Invalid("the frame holds what cannot be passed on", "invalid_data") from None
    return value, _encode(value)


def is_plain(json: bytes) -> bool:
    """Whether JSON is shorter than any limit of a signal, and every character in it stands for
    itself: then there is nothing to check in its strings."""
    return len(json) <= MAX_CANDIDATE and _BACKSLASH not in json


def is_object(json: bytes) -> bool:
    """Whether JSON, with nothing around it, is an object."""
    return json[0] == _BRACE


def on_one_line(json: bytes) -> bytes:
    """JSON as it came, but for newlines: between tokens one is a space, and within a string there
    is none."""
    return json.replace(b"\n", b" ")


def read_description(type: DescriptionType, json: bytes) -> tuple[Description, bytes]:
    """Reads a session description: the SDP itself, or an object with `sdp` and perhaps `type`. It
    comes back as it can be said again, too.

    Raises:
        Invalid: it is neither, outside the limits, or its type is another than the frame's.
    """
    value, said = read_again(json)
    if isinstance(value, dict):
        if value.get("type", type) != type:
            raise Invalid("the description's type is another than the frame's", "invalid_type")
        value = value.get("sdp")
    return Description(type, check_sdp(value)), said


def read_candidate(json: bytes) -> tuple[Candidate, bytes]:
    """Reads a candidate: the line itself, an RTCIceCandidateInit, or null for the last. It comes
    back as it can be said again, too.

    Raises:
        Invalid: it is none of these, or outside the limits.
    """
    said = on_one_line(json)
    if is_plain(said):
        # Nearly every one: an object of the standard's members alone, which need not be taken
        # apart and put together again.
        try:
            init = _read_init(said)
        except msgspec.DecodeError:
            pass  # what it is instead, and whether it may be, is found out below
        else:
            return Candidate(init.candidate or "", init.sdp_mid, init.sdp_m_line_index or 0), said
    value, said = read_again(json)
    if not isinstance(value, dict):
        return check_candidate(value), said
    if "candidate" not in value:
        raise Invalid("candidate is missing", "missing_candidate")
    index = value.get("sdpMLineIndex")
    return check_candidate(value["candidate"], value.get("sdpMid"), index), said


def read_negotiation(type: str, json: bytes) -> tuple[Description | Candidate, bytes]:
    """Reads the `data` of one of the types in `NEGOTIATION`.

    Raises:
        Invalid: as `read_description` and `read_candidate`.
    """
    if type == CANDIDATE:
        return read_candidate(json)
    return read_description(DescriptionType(type), json)


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
