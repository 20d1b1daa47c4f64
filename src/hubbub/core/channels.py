"""Channels and membership: what a room, a conversation, a direct chat have in common."""

from dataclasses import dataclass
from enum import StrEnum

from hubbub.core.ids import ChannelId, UserId


class Kind(StrEnum):
    """What a channel was made as. The kinds differ in settings and in who may change them only."""

    ROOM = "room"
    CONVERSATION = "conversation"
    DIRECT = "direct"
    MEETING = "meeting"


class Phase(StrEnum):
    """Where a meeting is in its life; whatever is no meeting is always open."""

    AWAITED = "awaited"
    """Made, and nobody has come yet."""

    OPEN = "open"
    ENDED = "ended"
    """Over: it has no key of its own any more, and what was said is its members' to read."""


class Role(StrEnum):
    """What a member may do, from most to least."""

    OWNER = "owner"
    MODERATOR = "moderator"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as stored. `seq` is the number of its newest durable event, 0 before the first;
    `epoch` names the numbering itself. `created_at` is in milliseconds since 1970, UTC. `pair` are
    the two people of a direct chat, one of whom may be a guest; its `name` is the guest's then."""

    id: ChannelId
    key: str
    kind: Kind
    name: str
    description: str
    private: bool
    guests: bool
    created_by: UserId | None
    created_at: int
    epoch: str
    seq: int
    phase: Phase = Phase.OPEN
    pair: tuple[UserId, UserId] | None = None


@dataclass(frozen=True, slots=True)
class Membership:
    """One person's standing in one channel. Both cursors are sequence numbers."""

    user: UserId
    role: Role
    joined_at: int
    read: int = 0
    delivered: int = 0
