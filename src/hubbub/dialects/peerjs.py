"""The protocol of the `peerjs` client: ids, and what is said from one to another.

`docs/protocol/peerjs.md` describes what it meets here.
"""
# ruff: noqa: ARG002  The signatures are those of every dialect.

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from hubbub.core.answers import Answer, Claimed
from hubbub.core.claims import MAX_ID, PassKind, check_claim
from hubbub.core.commands import Claim, Command, GiveUpClaim, KeepClaim, Pass
from hubbub.core.errors import DomainError, Forbidden, Invalid, Unauthenticated
from hubbub.core.events import Envelope, Passed
from hubbub.core.messages import check_text
from hubbub.core.signals import check_candidate, check_sdp
from hubbub.dialects.base import Link, Quiet, Reader, Refused, Request
from hubbub.dialects.signals import is_object, is_plain, on_one_line

KEY = "peerjs"
INCOMPLETE = "No id, token, or key supplied to websocket server"

_KINDS = {kind.value: kind for kind in PassKind}


# Looked at by hand, since what is of another kind is passed over.
_Type = Annotated[
    object, Meta(extra_json_schema={"enum": ["HEARTBEAT", *_KINDS], "description": "What it is."})
]
_Id = Annotated[
    object, Meta(extra_json_schema={"type": "string", "description": "Whom it is for."})
]


class _Frame(msgspec.Struct):
    """Whatever else a frame has is dropped: `src` is what the server knows."""

    type: _Type = None
    dst: _Id = None
    payload: Raw | UnsetType = UNSET


class _Passed(msgspec.Struct):
    type: str
    src: str
    dst: str
    payload: Raw | UnsetType = UNSET


class _Open(msgspec.Struct, tag="OPEN"):
    pass


class _Reason(msgspec.Struct):
    msg: str


class _Refusal(msgspec.Struct):
    type: str
    payload: _Reason


_to_json = msgspec.json.Encoder().encode
_read = Reader(_Frame).read
_read_members = msgspec.json.Decoder(dict[str, Raw]).decode
_read_text = msgspec.json.Decoder(str).decode

OPEN = _to_json(_Open())


class PeerJs(Quiet):
    """One instance serves every socket of `/peerjs/peerjs`.

    `link.asked` is the query's `id` and `key`; `link.who` is None for whoever brings no token.
    """

    name = "peerjs"
    client_frames = (_Frame,)
    server_frames = (_Open, _Passed, _Refusal)

    def decode(self, text: str, link: Link) -> Sequence[Request | Refused]:
        """Reads a frame. What cannot be read, or is of an unknown type, is passed over: so does
        the server that this protocol comes from."""
        frame = _read(text)
        if isinstance(frame, Refused):
            return ()
        try:
            command = _command(frame)
        except Invalid as error:
            return (Refused(error),)
        return () if command is None else (Request(command),)

    def encode(self, envelope: Envelope) -> bytes | None:
        event = envelope.event
        return _told(event) if isinstance(event, Passed) else None

    def opening(self, link: Link) -> Command | None:
        asked = link.asked
        if link.who is None or asked is None or not asked.get("id") or not asked.get("key"):
            raise Unauthenticated(INCOMPLETE, "incomplete")
        if asked["key"] != KEY:
            raise Forbidden("Invalid key provided", "invalid_key")
        return Claim(check_claim(asked["id"]))

    def turn_away(self, error: DomainError) -> Sequence[bytes]:
        kind = "ID-TAKEN" if error.code == "id_taken" else "ERROR"
        return (_to_json(_Refusal(kind, _Reason(error.message))),)

    def answer(self, request: Request, answer: Answer, link: Link) -> Sequence[bytes]:
        if isinstance(answer, Claimed):
            return (OPEN, *(_told(passed) for passed in answer.waiting))
        return ()

    def refuse(self, error: DomainError, id: int | None) -> bytes:
        return _to_json(_Refusal("ERROR", _Reason(error.message)))


def _told(passed: Passed) -> bytes:
    payload = UNSET if passed.payload is None else Raw(passed.payload)
    return _to_json(_Passed(passed.kind, passed.src, passed.dst, payload))


def _command(frame: _Frame) -> Command | None:
    """What a frame asks for, if anything.

    Raises:
        Invalid: what is to be passed on is outside the limits.
    """
    kind = _KINDS.get(frame.type) if isinstance(frame.type, str) else None
    if kind is None:
        return KeepClaim() if frame.type == "HEARTBEAT" else None
    if kind is PassKind.LEAVE and not frame.dst:
        return GiveUpClaim()
    if not isinstance(frame.dst, str) or not 0 < len(frame.dst) <= MAX_ID:
        return None
    check_text(frame.dst, "dst")
    return Pass(kind, frame.dst, _payload(frame.payload))


def _payload(raw: Raw | UnsetType) -> bytes | None:
    """A payload as it came.

    Raises:
        Invalid: a description or a candidate in it is outside the limits.
    """
    if isinstance(raw, UnsetType):
        return None
    payload = on_one_line(bytes(raw))
    if is_plain(payload) or not is_object(payload):
        return payload
    members = _read_members(payload)
    sdp = _text(members.get("sdp"), "sdp")
    if sdp:
        check_sdp(sdp)
    candidate = _text(members.get("candidate"), "candidate")
    if candidate is not None:
        check_candidate(candidate)
    return payload


def _text(raw: Raw | None, member: str) -> str | None:
    """The text that stands there, or in an object there under the name of `member`."""
    if raw is not None and is_object(bytes(raw)):
        raw = _read_members(raw).get(member)
    return None if raw is None or bytes(raw)[:1] != b'"' else _read_text(raw)
