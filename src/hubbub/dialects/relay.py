"""The two protocols of the document FastAPI WebSocket Server: direct messages, and video calls.

`docs/protocol/relay.md` describes them to authors of clients.
"""
# ruff: noqa: ARG002  The signatures are those of every dialect.

from collections.abc import Sequence
from typing import assert_never

import msgspec
from msgspec import UNSET, Raw, UnsetType

from hubbub.core.commands import Command, Enter, OpenInbox, PeerKind, SendDirect, Signal
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
from hubbub.core.ids import Person
from hubbub.core.messages import check_content
from hubbub.core.signals import Body, check_custom
from hubbub.core.times import rfc3339
from hubbub.dialects.base import Link, Named, Quiet, Reader, Refused, Request
from hubbub.dialects.signals import (
    ENDINGS,
    NEGOTIATION,
    check_theirs,
    quoted,
    read_again,
    read_name,
    read_negotiation,
    room_of,
    worded,
)

VIDEO = "relay-video"


class _Direct(msgspec.Struct):
    """Whatever `type` says: a frame is read by its content."""

    to_user_id: Named
    content: object


class _Signal(msgspec.Struct):
    type: str
    to_user_id: Named = None
    room_id: Named = None
    data: Raw | UnsetType = UNSET


class _Message(msgspec.Struct, tag="message"):
    id: str
    from_user_id: str
    to_user_id: str
    content: str
    created_at: str


class _Signalled(msgspec.Struct):
    type: str
    room_id: str
    from_user_id: str
    to_user_id: str
    data: Raw


class _UserJoined(msgspec.Struct, tag="user-joined"):
    room_id: str
    user_id: str


class _UserLeft(msgspec.Struct, tag="user-left"):
    room_id: str
    user_id: str


class _Error(msgspec.Struct, tag="error"):
    message: str


_to_json = msgspec.json.Encoder().encode
_read_direct = Reader(_Direct).read
_read_signal = Reader(_Signal).read


class _Relay(Quiet):
    """What both protocols have in common."""

    def refuse(self, error: DomainError, id: int | None) -> bytes:
        return _to_json(_Error(error.message))


class RelayChat(_Relay):
    """One instance serves every socket of `/ws/chat/{user_id}/`: messages to one person."""

    name = "relay-chat"
    client_frames = (_Direct,)
    server_frames = (_Message, _Error)

    def decode(self, text: str, link: Link) -> Sequence[Request | Refused]:
        frame = _read_direct(text)
        if isinstance(frame, Refused):
            return (frame,)
        try:
            to = read_name(frame.to_user_id, "to_user_id")
            if to is None:
                raise Invalid("to_user_id is missing", "missing_to_user_id")
            return (Request(SendDirect(to, check_content(frame.content))),)
        except Invalid as error:
            return (Refused(error),)

    def encode(self, envelope: Envelope) -> bytes | None:
        event = envelope.event
        match event:
            case MessagePosted(to=Person() as to) | MessagePassed(to=to):
                sender, at = event.sender.handle, rfc3339(event.at)
                return _to_json(_Message(str(event.id), sender, to.handle, event.content, at))
            case (
                MessagePosted()
                | UserCame()
                | UserWent()
                | MemberJoined()
                | MemberLeft()
                | MemberChanged()
                | ChannelChanged()
                | TypingChanged()
                | CursorMoved()
                | PeerJoined()
                | PeerLeft()
                | Signalled()
                | Passed()
            ):
                return None
            case _:
                assert_never(event)

    def opening(self, link: Link) -> Command | None:
        return OpenInbox()


class RelayVideo(_Relay):
    """One instance serves every socket of `/ws/video/{room_id}/{user_id}/`: signals in a room.

    The path names the room by its key: `link.channel` is never None here.
    """

    name = VIDEO
    client_frames = (_Signal,)
    server_frames = (_Signalled, _UserJoined, _UserLeft, _Error)

    def decode(self, text: str, link: Link) -> Sequence[Request | Refused]:
        frame = _read_signal(text)
        if isinstance(frame, Refused):
            return (frame,)
        try:
            room = room_of(frame.room_id, link)
            to = read_name(frame.to_user_id, "to_user_id")
            body, data = _read_body(frame)
            return (Request(Signal(room, body, to, False, (VIDEO, data))),)
        except Invalid as error:
            return (Refused(error),)

    def encode(self, envelope: Envelope) -> bytes | None:
        event = envelope.event
        if isinstance(event, Signalled):
            words = worded(event.body, quoted(event, VIDEO))
            if words is None:
                return None
            type, data = words
            told = _Signalled(type, event.room, event.sender.id, event.target.id, Raw(data))
            return _to_json(told)
        match event:
            case PeerJoined(room=room, peer=peer):
                return _to_json(_UserJoined(room, peer.id))
            case PeerLeft(room=room, peer=peer):
                return _to_json(_UserLeft(room, peer.id))
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
        return Enter(link.channel, presence=False, call=PeerKind.USER, meeting=True)


def _read_body(frame: _Signal) -> tuple[Body, bytes]:
    """What is said, and the same as its sender put it.

    Raises:
        Invalid: it may not be said, or is outside the limits.
    """
    if frame.type in NEGOTIATION:
        if isinstance(frame.data, UnsetType):
            raise Invalid("data is missing", "missing_data")
        return read_negotiation(frame.type, bytes(frame.data))
    check_theirs(frame.type)
    data = b"null" if isinstance(frame.data, UnsetType) else read_again(bytes(frame.data))[1]
    custom = check_custom(frame.type, data)
    return ENDINGS.get(frame.type, custom), data
