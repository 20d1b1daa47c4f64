"""The protocol of the document WebSocket Real-Time Messaging: one conversation per socket.

`docs/protocol/conversations.md` describes it to authors of clients.
"""
# ruff: noqa: ARG002  The signatures are those of every dialect.

from collections.abc import Sequence
from typing import assert_never

import msgspec

from hubbub.core.answers import Answer, Entered
from hubbub.core.commands import Command, Enter, SendMessage
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
from hubbub.core.ids import parse_ref
from hubbub.core.messages import check_content
from hubbub.core.times import plain
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


class _Content(msgspec.Struct):
    """Whatever `type` says: a frame is read by its content."""

    content: str
    client_id: object = None
    conversation_id: Named = None
    room_id: Named = None


class _Connection(msgspec.Struct, tag="connection"):
    status: str
    conversation_id: int
    user_id: int


class _Message(msgspec.Struct, tag="message"):
    id: int
    content: str
    sender_id: int
    sender_name: str
    conversation_id: int
    created_at: str


class _UserJoined(msgspec.Struct, tag="user_joined"):
    user_id: int
    username: str


class _UserLeft(msgspec.Struct, tag="user_left"):
    user_id: int
    username: str


class _Error(msgspec.Struct, tag="error"):
    message: str


_to_json = msgspec.json.Encoder().encode
_read = Reader(_Content).read


class Conversations(Quiet):
    """One instance serves every socket of `/conversations/{id}/ws`.

    The path names the conversation and the token the person: `link.channel` and `link.who` are
    never None here.
    """

    name = "conversations"
    client_frames = (_Content,)
    server_frames = (_Connection, _Message, _UserJoined, _UserLeft, _Error)

    def decode(self, text: str, link: Link) -> Sequence[Request | Refused]:
        frame = _read(text)
        if isinstance(frame, Refused):
            return (frame,)
        if link.channel is None:
            return (Refused(Invalid("this socket is in no conversation", "no_conversation")),)
        try:
            if frame.conversation_id is not None or frame.room_id is not None:
                _check_named(frame, link)
            client_id = usable_client_id(frame.client_id)
            command = SendMessage(link.channel, check_content(frame.content), client_id)
            return (Request(command),)
        except Invalid as error:
            return (Refused(error),)

    def encode(self, envelope: Envelope) -> bytes | None:
        event = envelope.event
        match event:
            case MessagePosted(id=id, sender=sender):
                return _to_json(
                    _Message(
                        id, event.content, sender.id, sender.name, event.channel, plain(event.at)
                    )
                )
            case UserCame(user=user):
                return _to_json(_UserJoined(user.id, user.name))
            case UserWent(user=user):
                return _to_json(_UserLeft(user.id, user.name))
            case (
                MemberJoined()
                | MemberLeft()
                | MemberChanged()
                | ChannelChanged()
                | TypingChanged()
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

    def opening(self, link: Link) -> Command | None:
        return None if link.channel is None else Enter(link.channel, members_only=True)

    def answer(self, request: Request, answer: Answer, link: Link) -> Sequence[bytes]:
        if isinstance(answer, Entered) and link.who is not None:
            return (_to_json(_Connection("connected", answer.channel.id, link.who.id)),)
        return ()

    def refuse(self, error: DomainError, id: int | None) -> bytes:
        return _to_json(_Error(error.message))


def _check_named(frame: _Content, link: Link) -> None:
    """Refuses what was meant for another conversation, instead of posting it here.

    Raises:
        Invalid: when the frame names another than the path does.
    """
    for named in (frame.conversation_id, frame.room_id):
        if named is None:
            continue
        ref = parse_ref(named) if isinstance(named, str) else named
        if check_ref(ref, "invalid_conversation") not in (link.channel, link.key):
            raise Invalid("this socket belongs to another conversation", "wrong_conversation")
