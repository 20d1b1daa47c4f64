"""The protocol of the document Video Conferencing Backend: every connection is a peer of its own.

`docs/protocol/conference.md` describes it to authors of clients.
"""
# ruff: noqa: ARG002  The signatures are those of every dialect.

from collections.abc import Sequence
from typing import assert_never

import msgspec
from msgspec import UNSET, Raw, UnsetType

from hubbub.core.answers import Answer, Entered
from hubbub.core.commands import Command, Enter, PeerKind, Signal
from hubbub.core.errors import DomainError, Invalid
from hubbub.core.events import (
    ChannelChanged,
    CursorMoved,
    Envelope,
    MemberChanged,
    MemberJoined,
    MemberLeft,
    MessagePassed,
    MessagePosted,
    Passed,
    PeerJoined,
    PeerLeft,
    Signalled,
    TypingChanged,
    UserCame,
    UserWent,
)
from hubbub.core.signals import (
    Body,
    Custom,
    check_custom,
)
from hubbub.dialects.base import Link, Named, Quiet, Reader, Refused, Request
from hubbub.dialects.signals import (
    ENDINGS,
    NEGOTIATION,
    check_theirs,
    is_object,
    quoted,
    read_name,
    read_negotiation,
    room_of,
    worded,
)

NAME = "conference"
WELCOME = "Successfully connected to room"

_SET_BY_SERVER = frozenset({"type", "room_id", "sender_id", "target_id"})


class _Frame(msgspec.Struct):
    type: str
    room_id: Named = None
    target_id: Named = None
    data: Raw | UnsetType = UNSET


class _Connected(msgspec.Struct, tag="connected"):
    user_id: str
    room_id: str
    message: str


class _UserJoined(msgspec.Struct, tag="user-joined"):
    user_id: str
    room_id: str


class _UserLeft(msgspec.Struct, tag="user-left"):
    user_id: str
    room_id: str


class _Head(msgspec.Struct):
    type: str
    room_id: str
    sender_id: str


class _Signalled(_Head):
    data: Raw


class _Error(msgspec.Struct, tag="error"):
    message: str


_to_json = msgspec.json.Encoder().encode
_read = Reader(_Frame).read
_read_keys = msgspec.json.Decoder(dict[str, object]).decode


class Conference(Quiet):
    """One instance serves every socket of `/ws/{room_id}`.

    The path names the room by its key: `link.channel` is never None here.
    """

    name = NAME
    client_frames = (_Frame,)
    server_frames = (_Connected, _UserJoined, _UserLeft, _Signalled, _Head, _Error)

    def decode(self, text: str, link: Link) -> Sequence[Request | Refused]:
        frame = _read(text)
        if isinstance(frame, Refused):
            return (frame,)
        try:
            room = room_of(frame.room_id, link)
            to = read_name(frame.target_id, "target_id")
            body, said = _read_body(frame, text)
            return (Request(Signal(room, body, to, False, (NAME, said))),)
        except Invalid as error:
            return (Refused(error),)

    def encode(self, envelope: Envelope) -> bytes | None:
        event = envelope.event
        if isinstance(event, Signalled):
            return _signalled(event)
        match event:
            case PeerJoined(room=room, peer=peer):
                return _to_json(_UserJoined(peer.id, room))
            case PeerLeft(room=room, peer=peer):
                return _to_json(_UserLeft(peer.id, room))
            case (
                MessagePosted()
                | MessagePassed()
                | Passed()
                | UserCame()
                | UserWent()
                | MemberJoined()
                | MemberLeft()
                | MemberChanged()
                | ChannelChanged()
                | TypingChanged()
                | CursorMoved()
            ):
                return None
            case _:
                assert_never(event)

    def opening(self, link: Link) -> Command | None:
        if link.channel is None:
            return None
        return Enter(link.channel, presence=False, call=PeerKind.CONNECTION)

    def turn_away(self, error: DomainError) -> Sequence[bytes]:
        return (_to_json(_Error(error.message)),)

    def answer(self, request: Request, answer: Answer, link: Link) -> Sequence[bytes]:
        if isinstance(answer, Entered):
            return (_to_json(_Connected(link.connection, answer.channel.key, WELCOME)),)
        return ()

    def refuse(self, error: DomainError, id: int | None) -> bytes:
        return _to_json(_Error(error.message))


def _read_body(frame: _Frame, text: str) -> tuple[Body, bytes]:
    """What is said, and the sender's own JSON: the `data` of a type that the document names, all
    keys but the server's of any other.

    Raises:
        Invalid: it may not be said, or is outside the limits.
    """
    if frame.type in NEGOTIATION:
        data = b"null" if isinstance(frame.data, UnsetType) else bytes(frame.data)
        if not is_object(data):
            raise Invalid("data must be an object", "invalid_data")
        return read_negotiation(frame.type, data)
    check_theirs(frame.type)
    keys = _keys(text)
    said = _to_json(keys)
    custom = check_custom(frame.type, said)
    if "data" in keys:
        custom = Custom(frame.type, _to_json(keys["data"]))
    return ENDINGS.get(frame.type, custom), said


def _keys(text: str) -> dict[str, object]:
    """What a frame holds beside what the server sets.

    Raises:
        Invalid: it holds what cannot be passed on.
    """
    try:
        frame = _read_keys(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise Invalid("the frame holds what cannot be passed on", "invalid_data") from None
    return {key: value for key, value in frame.items() if key not in _SET_BY_SERVER}


def _signalled(event: Signalled) -> bytes | None:
    said = quoted(event, NAME)
    words = worded(event.body, said)
    if words is None:
        return None
    type, data = words
    if said is None or type in NEGOTIATION:
        return _to_json(_Signalled(type, event.room, event.sender.id, Raw(data)))
    head = _to_json(_Head(type, event.room, event.sender.id))
    return head if said == b"{}" else head[:-1] + b"," + said[1:]
