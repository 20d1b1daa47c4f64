"""What happened. Past tense; two closed unions.

An event carries all that any dialect prints, so nothing is looked up on its way out. Times are
milliseconds since 1970, UTC.
"""

from dataclasses import dataclass
from enum import StrEnum

from hubbub.core.channels import Role
from hubbub.core.ids import ChannelId, MessageId, Person, UserId


@dataclass(frozen=True, slots=True)
class MessagePosted:
    """A message was committed."""

    channel: ChannelId
    id: MessageId
    sender: Person
    content: str
    client_id: str | None
    at: int


@dataclass(frozen=True, slots=True)
class MemberJoined:
    """Somebody became a member, by themselves (`by` is None) or added by somebody."""

    channel: ChannelId
    user: Person
    role: Role
    by: Person | None
    at: int


@dataclass(frozen=True, slots=True)
class MemberLeft:
    """A membership ended, by the member (`by` is None) or by somebody else."""

    channel: ChannelId
    user: Person
    by: Person | None
    at: int


@dataclass(frozen=True, slots=True)
class MemberChanged:
    """A member has another role."""

    channel: ChannelId
    user: Person
    role: Role
    at: int


@dataclass(frozen=True, slots=True)
class ChannelChanged:
    """The channel's settings are now these."""

    channel: ChannelId
    name: str
    description: str
    private: bool
    at: int


class Departure(StrEnum):
    """Why a user's last socket is no longer in a channel."""

    LEFT = "left"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class UserCame:
    """The first socket of a user is in the channel. Told to the others."""

    channel: ChannelId
    user: Person


@dataclass(frozen=True, slots=True)
class UserWent:
    """The last socket of a user is out of the channel. Told to the others."""

    channel: ChannelId
    user: Person
    why: Departure


@dataclass(frozen=True, slots=True)
class TypingChanged:
    """A user is, or is no longer, typing. Told to the others."""

    channel: ChannelId
    user: Person
    typing: bool


@dataclass(frozen=True, slots=True)
class CursorMoved:
    """A member has read, and has been delivered, everything up to these sequence numbers."""

    channel: ChannelId
    user: Person
    read: int
    delivered: int


Durable = MessagePosted | MemberJoined | MemberLeft | MemberChanged | ChannelChanged
Ephemeral = UserCame | UserWent | TypingChanged | CursorMoved
Event = Durable | Ephemeral


@dataclass(frozen=True, slots=True)
class SessionRevoked:
    """A login ended: its sockets are to be closed."""

    session: str


@dataclass(frozen=True, slots=True)
class AccountDisabled:
    """An account is gone or disabled: its sockets are to be closed."""

    user: UserId


Notice = SessionRevoked | AccountDisabled
"""What the server tells itself; no client hears of it as such."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event on its way to the sockets.

    `seq` is 0 for ephemeral events, otherwise the event's place in its channel's sequence;
    `epoch` says which numbering. The sockets of the user `but` are passed over.
    """

    channel: ChannelId
    event: Event
    seq: int = 0
    epoch: str = ""
    but: UserId | None = None
