"""The protocol of the document WebRTC Backend Integration Details: signals between usernames.

`docs/protocol/signaling.md` describes it to authors of clients.
"""
# ruff: noqa: ARG002  The signatures are those of every dialect.

from collections.abc import Sequence
from typing import Protocol, assert_never

import msgspec
from msgspec import Raw

from hubbub.core.answers import Answer
from hubbub.core.commands import Command, Enter, PeerKind, Ping, Signal
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
from hubbub.core.ids import ChannelRef, parse_ref, path_name
from hubbub.core.signals import (
    Body,
    Candidate,
    Custom,
    Decline,
    Description,
    DescriptionType,
    HangUp,
)
from hubbub.dialects.base import Link, Named, Quiet, Reader, Refused, Request, check_ref
from hubbub.dialects.signals import (
    candidate_init,
    quoted,
    read_candidate,
    read_description,
    read_name,
)

NAME = "signaling"


class _Frame(Protocol):
    def command(self, link: Link) -> Command:
        """What the frame asks for.

        Raises:
            Invalid: when it names another room, or holds what cannot be sent.
        """


class _ToPeer(msgspec.Struct, kw_only=True):
    target: Named = None
    room_id: Named = None

    def signal(self, link: Link, body: Body, said: bytes) -> Command:
        room, to = _room(self.room_id, link), read_name(self.target, "target")
        return Signal(room, body, to, True, (NAME, said))


class _Offer(_ToPeer, tag="offer", kw_only=True):
    sdp: Raw

    def command(self, link: Link) -> Command:
        return self.signal(link, *read_description(DescriptionType.OFFER, bytes(self.sdp)))


class _Answer(_ToPeer, tag="answer", kw_only=True):
    sdp: Raw

    def command(self, link: Link) -> Command:
        return self.signal(link, *read_description(DescriptionType.ANSWER, bytes(self.sdp)))


class _Candidate(_ToPeer, tag="candidate", kw_only=True):
    candidate: Raw

    def command(self, link: Link) -> Command:
        return self.signal(link, *read_candidate(bytes(self.candidate)))


class _Heartbeat(msgspec.Struct, tag="heartbeat"):
    def command(self, _link: Link) -> Command:
        return Ping()


class _Described(msgspec.Struct):
    type: str
    sender: str
    target: str
    sdp: Raw


class _Trickled(msgspec.Struct, tag="candidate"):
    sender: str
    target: str
    candidate: Raw


class _UserJoined(msgspec.Struct, tag="user_joined"):
    username: str
    room_id: str


class _UserLeft(msgspec.Struct, tag="user_left"):
    username: str
    room_id: str


class _HeartbeatResponse(msgspec.Struct, tag="heartbeat_response"):
    pass


class _Error(msgspec.Struct, tag="error"):
    message: str


_to_json = msgspec.json.Encoder().encode
_FRAMES = (_Offer, _Answer, _Candidate, _Heartbeat)
_read = Reader[_Frame](*_FRAMES).read


class Signaling(Quiet):
    """One instance serves every socket of `/ws/signaling/{room_id}`.

    The path names the room: `link.channel` is never None here.
    """

    name = NAME
    client_frames = _FRAMES
    server_frames = (_Described, _Trickled, _UserJoined, _UserLeft, _HeartbeatResponse, _Error)

    def decode(self, text: str, link: Link) -> Sequence[Request | Refused]:
        frame = _read(text)
        if isinstance(frame, Refused):
            return (frame,)
        try:
            return (Request(frame.command(link)),)
        except Invalid as error:
            return (Refused(error),)

    def encode(self, envelope: Envelope) -> bytes | None:
        event = envelope.event
        if isinstance(event, Signalled):
            return _signalled(event)
        match event:
            case PeerJoined(channel, room, peer):
                return _to_json(_UserJoined(peer.name, path_name(channel, room)))
            case PeerLeft(channel, room, peer):
                return _to_json(_UserLeft(peer.name, path_name(channel, room)))
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
        return Enter(link.channel, members_only=True, presence=False, call=PeerKind.USER)

    def answer(self, request: Request, answer: Answer, link: Link) -> Sequence[bytes]:
        return (_to_json(_HeartbeatResponse()),) if isinstance(request.command, Ping) else ()

    def refuse(self, error: DomainError, id: int | None) -> bytes:
        return _to_json(_Error(error.message))


def _signalled(event: Signalled) -> bytes | None:
    body, said = event.body, quoted(event, NAME)
    sender, target = event.sender.name, event.target.name
    match body:
        case Description(type, sdp):
            return _to_json(_Described(type.value, sender, target, Raw(said or _to_json(sdp))))
        case Candidate():
            return _to_json(_Trickled(sender, target, Raw(said or candidate_init(body))))
        case HangUp() | Decline() | Custom():
            return None
        case _:
            assert_never(body)


def _room(named: object, link: Link) -> ChannelRef:
    """The socket's room, which a frame may name by its id or its key.

    Raises:
        Invalid: the frame names another, or the socket is in none.
    """
    if link.channel is None:
        raise Invalid("this socket is in no room", "no_room")
    if named is not None:
        ref = check_ref(parse_ref(named) if isinstance(named, str) else named, "invalid_room")
        if ref not in (link.channel, link.key):
            raise Invalid("this socket belongs to another room", "wrong_room")
    return link.channel
