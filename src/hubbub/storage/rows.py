"""Rows of the database and what they mean."""

import json
from typing import Any, assert_never

from hubbub.core.channels import Channel, Kind, Membership, Phase, Role
from hubbub.core.events import (
    ChannelChanged,
    Durable,
    Envelope,
    MemberChanged,
    MemberJoined,
    MemberLeft,
    MessagePosted,
)
from hubbub.core.ids import ChannelId, MessageId, Person, UserId

MESSAGE = "message"

JOURNAL_COLUMNS = (
    "id, channel_id, seq, kind, sender_id, sender_name, client_id, content, data, created_at"
)
"""The order in which `to_envelope` takes a row of the journal."""


def to_channel(row: Any) -> Channel:
    """A row of `channels`, by column names."""
    return Channel(
        id=ChannelId(row.id),
        key=row.key,
        kind=Kind(row.kind),
        name=row.name,
        description=row.description,
        private=bool(row.private),
        guests=bool(row.guests),
        created_by=row.created_by,
        created_at=row.created_at,
        epoch=row.epoch,
        seq=row.seq,
        phase=Phase(row.phase),
        pair=None if row.pair is None else _pair(row.pair),
    )


def _pair(text: str) -> tuple[UserId, UserId]:
    low, high = text.split(":")
    return UserId(int(low)), UserId(int(high))


def to_membership(row: Any) -> Membership:
    """A row of `members`, by column names."""
    return Membership(
        UserId(row.user_id), Role(row.role), row.joined_at, row.read_seq, row.delivered_seq
    )


def to_envelope(row: Any, epoch: str) -> Envelope:
    """A row of `journal`, by the order of `JOURNAL_COLUMNS`."""
    id_, channel, seq, kind, sender_id, sender_name, client_id, content, data, at = row
    actor = Person(UserId(sender_id), sender_name)
    event: Durable
    if kind == MESSAGE:
        event = MessagePosted(channel, MessageId(id_), actor, content, client_id, at)
    else:
        event = _restore(kind, channel, actor, json.loads(data), at)
    return Envelope(channel, event, seq, epoch)


def describe(event: Durable) -> tuple[str, str | None]:
    """What the columns `kind` and `data` say of an event, other than who caused it and when."""
    match event:
        case MessagePosted():
            return MESSAGE, None
        case MemberJoined(user=user, role=role, by=by):
            return "member_joined", json.dumps([user.id, user.name, role, by is not None])
        case MemberLeft(user=user, by=by):
            return "member_left", json.dumps([user.id, user.name, by is not None])
        case MemberChanged(user=user, role=role):
            return "member_changed", json.dumps([user.id, user.name, role])
        case ChannelChanged(name=name, description=about, private=private, guests=guests):
            return "channel_changed", json.dumps([name, about, private, guests])
        case _:
            assert_never(event)


def _restore(kind: str, channel: ChannelId, actor: Person, data: list[Any], at: int) -> Durable:
    match kind, data:
        case "member_joined", [user_id, name, role, added]:
            user = Person(UserId(user_id), name)
            return MemberJoined(channel, user, Role(role), actor if added else None, at)
        case "member_left", [user_id, name, removed]:
            return MemberLeft(
                channel, Person(UserId(user_id), name), actor if removed else None, at
            )
        case "member_changed", [user_id, name, role]:
            return MemberChanged(channel, Person(UserId(user_id), name), Role(role), at)
        case "channel_changed", [name, about, private, *rest]:
            # Rows from before there was a fourth part are of rooms without guests.
            guests = bool(rest and rest[0])
            return ChannelChanged(channel, name, about, private, guests, at)
    raise ValueError(f"a journal row of an unknown kind: {kind}")
