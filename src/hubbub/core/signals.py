"""What peers of a call say to one another (W3C WebRTC 1.0): descriptions, candidates, and the rest.

The server passes signals on and keeps none. An SDP is an opaque string to it, never parsed.
"""

from dataclasses import field
from enum import StrEnum

from hubbub.core.errors import Invalid
from hubbub.core.ids import Person
from hubbub.core.messages import check_text
from hubbub.core.records import record

MAX_SDP = 64 * 1024
MAX_CANDIDATE = 2 * 1024
MAX_CUSTOM = 64 * 1024
MAX_TYPE = 64
MAX_INDEX = 65_535
"""`sdpMLineIndex` is an unsigned short."""


@record
class Peer:
    """Somebody in a call: a person on whichever of their sockets or, where a protocol makes every
    connection a peer of its own, that one `connection`.

    `id` is what peers are addressed by; `name` is the same for a peer that is a connection, and the
    username of a person.
    """

    id: str
    name: str
    user: Person
    connection: str | None = None
    key: str = field(init=False, repr=False, compare=False)
    """What tells peers apart: two people may have equal ids, since an issuer's subject may be what
    somebody else is called."""

    def __post_init__(self) -> None:
        key = str(self.user.id) if self.connection is None else self.connection
        object.__setattr__(self, "key", key)


class DescriptionType(StrEnum):
    """The types of an RTCSessionDescription that are exchanged (WebRTC 4.6.1)."""

    OFFER = "offer"
    ANSWER = "answer"


@record
class Description:
    """A session description."""

    type: DescriptionType
    sdp: str


@record
class Candidate:
    """An ICE candidate (WebRTC 4.8.1); an empty one says that there are no more."""

    candidate: str
    sdp_mid: str | None = None
    sdp_m_line_index: int = 0


@record
class HangUp:
    """The sender ends what it had with the addressee."""


@record
class Decline:
    """The sender does not want to talk."""


@record
class Custom:
    """A signal of the application's own. `data` is JSON."""

    type: str
    data: bytes = b"null"


Body = Description | Candidate | HangUp | Decline | Custom


Verbatim = tuple[str, bytes]
"""A protocol, and what it read, in its own shape: JSON, for receivers that speak the same one."""


def check_sdp(sdp: object) -> str:
    """Returns a usable SDP.

    Raises:
        Invalid: `invalid_sdp`, `sdp_too_long`.
    """
    if not isinstance(sdp, str) or not sdp:
        raise Invalid("sdp must be a string that is not empty", "invalid_sdp")
    _check(sdp, MAX_SDP, "sdp")
    return sdp


def check_candidate(candidate: object, mid: object = None, index: object = None) -> Candidate:
    """Returns a candidate from the three members of an RTCIceCandidateInit; null and the empty
    string both mean the end of candidates.

    Raises:
        Invalid: `invalid_candidate`, `candidate_too_long`.
    """
    text = "" if candidate is None else candidate
    if not isinstance(text, str) or not (mid is None or isinstance(mid, str)):
        raise Invalid("candidate and sdpMid must be strings", "invalid_candidate")
    if index is None:
        index = 0
    if type(index) is not int or not 0 <= index <= MAX_INDEX:
        raise Invalid("sdpMLineIndex must be an integer from 0 to 65535", "invalid_candidate")
    _check(text, MAX_CANDIDATE, "candidate")
    if mid:
        _check(mid, MAX_CANDIDATE, "candidate")
    return Candidate(text, mid, index)


def check_custom(type: str, data: bytes) -> Custom:
    """Returns a signal of the application's own.

    Raises:
        Invalid: `invalid_type`, `data_too_long`.
    """
    if not 0 < len(type) <= MAX_TYPE:
        raise Invalid(f"type must have 1 to {MAX_TYPE} characters", "invalid_type")
    check_text(type, "type")
    if len(data) > MAX_CUSTOM:
        raise Invalid(f"data is larger than {MAX_CUSTOM} bytes", "data_too_long")
    return Custom(type, data)


def _check(text: str, most: int, what: str) -> None:
    if text.isascii() and len(text) <= most and "\x00" not in text:
        return  # as nearly always
    if len(text.encode(errors="replace")) > most:
        raise Invalid(f"{what} is larger than {most} bytes", f"{what}_too_long")
    check_text(text, what)
