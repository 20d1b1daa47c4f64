"""What the server tells: one struct per event, named as in `docs/protocol/native.md`."""

from typing import assert_never

import msgspec
from msgspec import UNSET, UnsetType

from hubbub.core import events as core
from hubbub.core.channels import Role
from hubbub.core.times import rfc3339
from hubbub.dialects.native import calls
from hubbub.dialects.native.structures import User, user


class Message(msgspec.Struct, tag="message"):
    """A message was posted."""

    channel: int
    seq: int
    id: int
    sender: User
    content: str
    created_at: str
    client_id: str | UnsetType = UNSET


class MemberJoined(msgspec.Struct, tag="member_joined"):
    """Somebody became a member."""

    channel: int
    seq: int
    user: User
    role: Role
    created_at: str


class MemberLeft(msgspec.Struct, tag="member_left"):
    """A membership ended."""

    channel: int
    seq: int
    user: User
    created_at: str
    removed_by: User | UnsetType = UNSET


class MemberChanged(msgspec.Struct, tag="member_changed"):
    """A member has another role."""

    channel: int
    seq: int
    user: User
    role: Role
    created_at: str


class ChannelChanged(msgspec.Struct, tag="channel_changed"):
    """The channel's settings are now these."""

    channel: int
    seq: int
    name: str
    description: str
    private: bool
    guests: bool
    created_at: str


class Presence(msgspec.Struct, tag="presence"):
    """Somebody's first socket came, or their last one went."""

    channel: int
    user: User
    state: str


class Typing(msgspec.Struct, tag="typing"):
    """Somebody types, or no longer."""

    channel: int
    user: User
    typing: bool


class Receipt(msgspec.Struct, tag="receipt"):
    """How far a member has read, and been delivered."""

    channel: int
    user: User
    read: int
    delivered: int


EVENTS = (
    Message,
    MemberJoined,
    MemberLeft,
    MemberChanged,
    ChannelChanged,
    Presence,
    Typing,
    Receipt,
    *calls.EVENTS,
)


def told(envelope: core.Envelope) -> msgspec.Struct:
    """The event as clients get it, live or from the past."""
    event, seq = envelope.event, envelope.seq
    # The frequent ones by hand: a pattern costs three times as much, one with six parts a
    # microsecond.
    if isinstance(event, core.MessagePosted):
        sender, mark = event.sender, event.client_id
        return Message(
            event.channel,
            seq,
            event.id,
            User(sender.id, sender.name),
            event.content,
            rfc3339(event.at),
            UNSET if mark is None else mark,
        )
    if isinstance(event, core.Signalled):
        return calls.signalled(event)
    match event:
        case core.MemberJoined(channel, person, role, _, at):
            return MemberJoined(channel, seq, user(person), role, rfc3339(at))
        case core.MemberLeft(channel, person, by, at):
            remover = UNSET if by is None else user(by)
            return MemberLeft(channel, seq, user(person), rfc3339(at), remover)
        case core.MemberChanged(channel, person, role, at):
            return MemberChanged(channel, seq, user(person), role, rfc3339(at))
        case core.ChannelChanged(channel, name, about, private, guests, at):
            return ChannelChanged(channel, seq, name, about, private, guests, rfc3339(at))
        case core.UserCame(channel, person):
            return Presence(channel, user(person), "online")
        case core.UserWent(channel, person):
            return Presence(channel, user(person), "offline")
        case core.TypingChanged(channel, person, typing):
            return Typing(channel, user(person), typing)
        case core.CursorMoved(channel, person, read, delivered):
            return Receipt(channel, user(person), read, delivered)
        case core.PeerJoined(channel, _, peer):
            return calls.PeerJoined(channel, calls.peer(peer))
        case core.PeerLeft(channel, _, peer):
            return calls.PeerLeft(channel, calls.peer(peer))
        case core.MessagePassed() | core.Passed():
            raise ValueError("what is passed on belongs to no channel")
        case _:
            assert_never(event)
