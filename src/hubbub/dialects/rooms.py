"""The protocol of the document FastAPI WebSocket Chat Application: rooms with presence.

`docs/protocol/rooms.md` describes it to authors of clients.
"""
# ruff: noqa: ARG002  The signatures are those of every dialect.

from collections.abc import Sequence
from typing import Protocol, assert_never

import msgspec

from hubbub.core.answers import Answer, Entered, Exited
from hubbub.core.commands import Command, Enter, Exit, Ping, SendMessage, SetTyping
from hubbub.core.errors import DomainError, Invalid, Unauthenticated
from hubbub.core.events import (
    ChannelChanged,
    CursorMoved,
    Departure,
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
from hubbub.core.ids import ChannelId, ChannelRef, parse_ref
from hubbub.core.messages import check_content
from hubbub.core.times import rfc3339
from hubbub.dialects.base import (
    Link,
    Named,
    Quiet,
    Reader,
    Refused,
    Request,
    check_ref,
    usable_client_id,
)

HISTORY = 50
"""How many of the latest messages somebody gets who comes into a room."""


class _Frame(Protocol):
    def command(self, link: Link) -> Command:
        """What the frame asks for.

        Raises:
            Invalid: when it names no room it may name, or holds what cannot be sent.
        """


class _SendMessage(msgspec.Struct, tag="message"):
    content: str
    room_id: Named = None
    client_id: object = None

    def command(self, link: Link) -> Command:
        room, client_id = _room(self.room_id, link), usable_client_id(self.client_id)
        return SendMessage(room, check_content(self.content), client_id, echo=True)


class _JoinRoom(msgspec.Struct, tag="join_room"):
    room_id: Named = None

    def command(self, link: Link) -> Command:
        return _enter(_room(self.room_id, link), link)


class _LeaveRoom(msgspec.Struct, tag="leave_room"):
    room_id: Named = None

    def command(self, link: Link) -> Command:
        return Exit(_room(self.room_id, link))


class _Typing(msgspec.Struct, tag="typing"):
    room_id: Named = None

    def command(self, link: Link) -> Command:
        return SetTyping(_room(self.room_id, link))


class _Ping(msgspec.Struct, tag="ping"):
    def command(self, _link: Link) -> Command:
        return Ping()


class _Established(msgspec.Struct, tag="connection_established", omit_defaults=True):
    connection_id: str
    user_id: int | None = None
    username: str | None = None


class _RoomJoined(msgspec.Struct, tag="room_joined"):
    room_id: int
    room_name: str


class _RoomLeft(msgspec.Struct, tag="room_left"):
    room_id: int
    room_name: str


class _Message(msgspec.Struct):
    id: int
    room_id: int
    user_id: int
    username: str
    content: str
    created_at: str


class _LiveMessage(_Message, tag="message"):
    pass


class _History(msgspec.Struct, tag="message_history"):
    room_id: int
    messages: list[_Message]


class _UserJoined(msgspec.Struct, tag="user_joined"):
    room_id: int
    user_id: int
    username: str


class _UserLeft(msgspec.Struct, tag="user_left"):
    room_id: int
    user_id: int
    username: str


class _UserDisconnected(msgspec.Struct, tag="user_disconnected"):
    room_id: int
    user_id: int
    username: str


class _UserTyping(msgspec.Struct, tag="user_typing"):
    room_id: int
    user_id: int
    username: str


class _Pong(msgspec.Struct, tag="pong"):
    pass


class _Error(msgspec.Struct, tag="error"):
    message: str
    code: str


_to_json = msgspec.json.Encoder().encode
_FRAMES = (_SendMessage, _JoinRoom, _LeaveRoom, _Typing, _Ping)
_read = Reader[_Frame](*_FRAMES).read


class Rooms(Quiet):
    """One instance serves every socket of `/ws`, `/ws/auth` and `/ws/room/{room_id}`."""

    name = "rooms"
    client_frames = _FRAMES
    server_frames = (
        _Established,
        _RoomJoined,
        _RoomLeft,
        _LiveMessage,
        _History,
        _UserJoined,
        _UserLeft,
        _UserDisconnected,
        _UserTyping,
        _Pong,
        _Error,
    )

    def decode(self, text: str, link: Link) -> Sequence[Request | Refused]:
        frame = _read(text)
        if isinstance(frame, Refused):
            return (frame,)
        if link.who is None and not isinstance(frame, _Ping):
            return (Refused(Unauthenticated("a token is needed for anything but ping")),)
        try:
            return (Request(frame.command(link)),)
        except Invalid as error:
            return (Refused(error),)

    def encode(self, envelope: Envelope) -> bytes | None:
        event = envelope.event
        match event:
            case MessagePosted():
                return _to_json(_told(_LiveMessage, event))
            case UserCame(channel, user):
                return _to_json(_UserJoined(channel, user.id, user.name))
            case UserWent(channel, user, why):
                frame = _UserLeft if why is Departure.LEFT else _UserDisconnected
                return _to_json(frame(channel, user.id, user.name))
            case TypingChanged(channel, user, typing):
                # The document has a word for somebody who types, none for somebody who stops.
                return _to_json(_UserTyping(channel, user.id, user.name)) if typing else None
            case (
                MemberJoined()
                | MemberLeft()
                | MemberChanged()
                | ChannelChanged()
                | CursorMoved()
                | PeerJoined()
                | PeerLeft()
                | Signalled()
                | MessagePassed()
                | Passed()
            ):
                return None
            case _:
                assert_never(event)

    def greet(self, link: Link) -> Sequence[bytes]:
        if link.who is None:
            return (_to_json(_Established(link.connection)),)
        return (_to_json(_Established(link.connection, link.who.id, link.who.name)),)

    def opening(self, link: Link) -> Command | None:
        if link.channel is not None:
            return _enter(link.channel, link)
        if link.fallback is not None:
            return Enter(link.fallback)
        return None

    def answer(self, request: Request, answer: Answer, link: Link) -> Sequence[bytes]:
        match request.command, answer:
            case Enter(history=0), Entered():
                # The fallback's opening: a guest is in the lobby from the greeting on, unannounced.
                return ()
            case _, Entered(channel=channel, history=history):
                messages = [
                    _told(_Message, envelope.event)
                    for envelope in history
                    if isinstance(envelope.event, MessagePosted)
                ]
                return (
                    _to_json(_RoomJoined(channel.id, channel.name)),
                    _to_json(_History(channel.id, messages)),
                )
            case _, Exited(channel=left, name=name):
                return (_to_json(_RoomLeft(left, name)),)
            case Ping(), _:
                return (_to_json(_Pong()),)
            case _:
                return ()

    def refuse(self, error: DomainError, id: int | None) -> bytes:
        return _to_json(_Error(error.message, error.code))

    def oust(self, link: Link, channel: ChannelId, name: str, error: DomainError) -> bytes | None:
        return _to_json(_RoomLeft(channel, name)) if link.channel is None else None


def _told(frame: type[_Message], posted: MessagePosted) -> _Message:
    sender = posted.sender
    return frame(
        posted.id, posted.channel, sender.id, sender.name, posted.content, rfc3339(posted.at)
    )


def _enter(room: ChannelRef, link: Link) -> Enter:
    """Coming into a public room makes a member of everybody but guests, who are never members."""
    return Enter(room, join=link.who is not None and not link.who.guest, history=HISTORY)


def _room(named: object, link: Link) -> ChannelRef:
    """The room a frame is about.

    Raises:
        Invalid: when it names none on a socket without one, or another than the socket's.
    """
    if named is None:
        room = link.fallback if link.channel is None else link.channel
        if room is None:
            raise Invalid("room_id is missing", "missing_room")
        return room
    room = check_ref(parse_ref(named) if isinstance(named, str) else named, "invalid_room")
    if link.channel is None:
        return room
    if room not in (link.channel, link.key):
        raise Invalid("this socket belongs to another room", "wrong_room")
    return link.channel
