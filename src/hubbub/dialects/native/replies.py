"""What the server answers: a reply with the command's `id`, or an error."""

from collections.abc import Sequence
from typing import Annotated, assert_never

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType, defstruct

from hubbub.core.answers import (
    Answer,
    Claimed,
    Connected,
    Done,
    Entered,
    Exited,
    InCall,
    Messages,
    Posted,
    Present,
    Recovery,
    Refreshed,
)
from hubbub.core.errors import DomainError
from hubbub.core.events import Envelope
from hubbub.core.ids import ChannelRef
from hubbub.core.times import rfc3339
from hubbub.dialects.native import calls
from hubbub.dialects.native.events import told
from hubbub.dialects.native.structures import User, user


class Failure(msgspec.Struct):
    """An error as replies and events carry it."""

    code: str
    message: str
    temporary: bool
    retry_after: int | UnsetType = UNSET


class Reply(msgspec.Struct):
    """A command succeeded."""

    id: int
    result: msgspec.Struct


class Failed(msgspec.Struct):
    """A command was refused."""

    id: int
    error: Failure


class Sent(msgspec.Struct):
    """The result of `send`."""

    id: int
    seq: int
    created_at: str


class Subscription(msgspec.Struct, kw_only=True):
    """The result of `subscribe`; `recovery` and `events` only where there was a cursor."""

    channel: int
    key: str
    name: str
    epoch: str
    seq: int
    recovery: Recovery | UnsetType = UNSET
    oldest: int | UnsetType = UNSET
    events: Sequence[Raw] | UnsetType = UNSET


class NotSubscribed(msgspec.Struct):
    """The place of a channel that `connect` could not enter."""

    channel: ChannelRef
    error: Failure


# A union of structs without tags can be written, and neither read nor described.
Entry = Annotated[
    object,
    Meta(
        description="What `subscribe` answers, or `{channel, error}`.",
        extra_json_schema={"type": "object", "required": ["channel"]},
    ),
]


class Welcome(msgspec.Struct):
    """The result of `connect`."""

    connection_id: str
    user: User
    ttl: int | None
    ping: int
    channels: Sequence[Entry]


class Renewed(msgspec.Struct):
    """The result of `refresh`."""

    ttl: int


class Page(msgspec.Struct):
    """The result of `history`."""

    messages: Sequence[Raw]


class Users(msgspec.Struct):
    """The result of `presence`."""

    users: Sequence[User]


class Nothing(msgspec.Struct):
    """The result of whatever has nothing to tell."""


REPLIES = tuple(
    defstruct(f"{kind.__name__}Reply", [("id", int), ("result", kind)])
    for kind in (Welcome, Renewed, Subscription, Sent, Page, Users, calls.InCall, Nothing)
)
"""`Reply` with each of its results, for whoever describes the protocol."""


_to_json = msgspec.json.Encoder().encode


def result(answer: Answer) -> msgspec.Struct:
    """The `result` of the command that was answered so."""
    match answer:
        case Posted(id=id, seq=seq, at=at):
            return Sent(id, seq, rfc3339(at))
        case Entered():
            return _subscription(answer)
        case InCall(peer=peer, others=others):
            return calls.InCall(calls.peer(peer), [calls.peer(other) for other in others])
        case Messages(messages=messages):
            return Page(_raw(messages))
        case Present(users=users):
            return Users([user(person) for person in users])
        case Connected(connection, who, ttl, ping, entries):
            return Welcome(connection, user(who), ttl, ping, [_entry(*entry) for entry in entries])
        case Refreshed(ttl=ttl):
            return Renewed(ttl)
        case Exited() | Claimed() | Done():
            return Nothing()
        case _:
            assert_never(answer)


def failure(error: DomainError) -> Failure:
    """The `error` that tells of this refusal."""
    wait = UNSET if error.retry_after is None else error.retry_after
    return Failure(error.code, error.message, error.temporary, wait)


def _entry(ref: ChannelRef, answer: Entered | DomainError) -> Subscription | NotSubscribed:
    if isinstance(answer, Entered):
        return _subscription(answer)
    return NotSubscribed(ref, failure(answer))


def _subscription(entered: Entered) -> Subscription:
    channel, events = entered.channel, entered.events
    subscription = Subscription(
        channel=channel.id,
        key=channel.key,
        name=channel.name,
        epoch=channel.epoch,
        seq=entered.seq,
    )
    if entered.recovery is not None:
        subscription.recovery = entered.recovery
        subscription.events = _raw(events)
    if entered.recovery is Recovery.TRUNCATED:
        subscription.oldest = events[0].seq if events else entered.seq + 1
    return subscription


def _raw(envelopes: Sequence[Envelope]) -> Sequence[Raw]:
    return [Raw(_to_json(told(envelope))) for envelope in envelopes]
