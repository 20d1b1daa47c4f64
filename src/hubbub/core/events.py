"""What happened. Past tense; two closed unions.

An event carries all that any dialect prints, so nothing is looked up on its way out. Times are
milliseconds since 1970, UTC.
"""

from enum import StrEnum

from hubbub.core.channels import Role
from hubbub.core.claims import PassKind
from hubbub.core.ids import ChannelId, MessageId, Person, UserId
from hubbub.core.records import record
from hubbub.core.signals import Body, Peer, Verbatim


@record
class MessagePosted:
    """A message was committed. In a direct chat `to` is the other person, as long as it is news."""

    channel: ChannelId
    id: MessageId
    sender: Person
    content: str
    client_id: str | None
    at: int
    to: Person | None = None


@record
class MemberJoined:
    """Somebody became a member, by themselves (`by` is None) or added by somebody."""

    channel: ChannelId
    user: Person
    role: Role
    by: Person | None
    at: int


@record
class MemberLeft:
    """A membership ended, by the member (`by` is None) or by somebody else."""

    channel: ChannelId
    user: Person
    by: Person | None
    at: int


@record
class MemberChanged:
    """A member has another role."""

    channel: ChannelId
    user: Person
    role: Role
    at: int


@record
class ChannelChanged:
    """The channel's settings are now these."""

    channel: ChannelId
    name: str
    description: str
    private: bool
    guests: bool
    at: int


class Departure(StrEnum):
    """Why a user's last socket is no longer in a channel."""

    LEFT = "left"
    """They took it out."""

    DISCONNECTED = "disconnected"
    """It closed as the protocol wants it."""

    LOST = "lost"
    """It was cut off."""


@record
class UserCame:
    """The first socket of a user is in the channel. Told to the others."""

    channel: ChannelId
    user: Person


@record
class UserWent:
    """The last socket of a user is out of the channel. Told to the others."""

    channel: ChannelId
    user: Person
    why: Departure


@record
class TypingChanged:
    """A user is, or is no longer, typing. Told to the others."""

    channel: ChannelId
    user: Person
    typing: bool


@record
class CursorMoved:
    """A member has read, and has been delivered, everything up to these sequence numbers."""

    channel: ChannelId
    user: Person
    read: int
    delivered: int


@record
class MessagePassed:
    """A message between two people neither of whom has an account: told, and kept nowhere."""

    id: str
    sender: Person
    to: Person
    content: str
    at: int


@record
class PeerJoined:
    """A peer is in the channel's call. Told to the other peers. `room` is the channel's key."""

    channel: ChannelId
    room: str
    peer: Peer


@record
class PeerLeft:
    """A peer is out of the channel's call. Told to the other peers."""

    channel: ChannelId
    room: str
    peer: Peer


@record
class Signalled:
    """One peer of a call said something to another. Told to that one alone."""

    channel: ChannelId
    room: str
    sender: Peer
    target: Peer
    body: Body
    verbatim: Verbatim | None = None


@record
class Passed:
    """What one claimed id said to another, told to that one alone. `payload` is JSON, None for
    nothing."""

    kind: PassKind
    src: str
    dst: str
    payload: bytes | None = None


Durable = MessagePosted | MemberJoined | MemberLeft | MemberChanged | ChannelChanged
Ephemeral = UserCame | UserWent | TypingChanged | CursorMoved
Addressed = PeerJoined | PeerLeft | Signalled | MessagePassed | Passed
Event = Durable | Ephemeral | Addressed


@record
class SessionRevoked:
    """A login ended: its sockets are to be closed."""

    session: str


@record
class AccountDisabled:
    """An account is gone or disabled: its sockets are to be closed."""

    user: UserId


@record
class NameTaken:
    """A new account has this username and, from an external issuer, this `subject`: guests who go
    by either have to go. The account `displaced` was called by that subject, and is called
    otherwise now."""

    username: str
    subject: str | None = None
    displaced: UserId | None = None


Notice = SessionRevoked | AccountDisabled | NameTaken
"""What the server tells itself; no client hears of it as such."""


@record
class Envelope:
    """An event on its way to the sockets.

    `seq` is 0 for ephemeral events, otherwise the event's place in its channel's sequence;
    `epoch` says which numbering. The sockets of the user `but` are passed over.

    With an address `to` it is for the sockets there, except those at `skip`, and not for the
    channel's; `channel` is 0 where there is none.
    """

    channel: ChannelId
    event: Event
    seq: int = 0
    epoch: str = ""
    but: UserId | None = None
    to: str = ""
    skip: str = ""


def inbox_of(user: UserId) -> str:
    """The address of the sockets that want whatever is written to somebody directly."""
    return f"inbox:{user}"


def call_of(channel: ChannelId) -> str:
    """The address of all peers of a channel's call."""
    return f"call:{channel}"


def place_of(channel: ChannelId, peer: Peer) -> str:
    """The address of one peer of a channel's call."""
    return f"call:{channel}:{peer.key}"


def claim_of(id: str) -> str:
    """The address of the socket that has claimed an id."""
    return f"claim:{id}"
