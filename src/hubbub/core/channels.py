"""Channels and membership: what a room, a conversation, a direct chat have in common."""

from dataclasses import dataclass
from enum import StrEnum

from hubbub.core.ids import ChannelId, UserId


class Kind(StrEnum):
    """What a channel was made as. The kinds differ in settings and in who may change them only."""

    ROOM = "room"
    CONVERSATION = "conversation"
    DIRECT = "direct"


class Role(StrEnum):
    """What a member may do, from most to least."""

    OWNER = "owner"
    MODERATOR = "moderator"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as stored. `seq` is the number of its newest durable event, 0 before the first;
    `epoch` names the numbering itself. `created_at` is in milliseconds since 1970, UTC."""

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


@dataclass(frozen=True, slots=True)
class Membership:
    """One person's standing in one channel. Both cursors are sequence numbers."""

    user: UserId
    role: Role
    joined_at: int
    read: int = 0
    delivered: int = 0
