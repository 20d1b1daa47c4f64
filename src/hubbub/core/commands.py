"""What clients ask for. Imperative; a closed union for each road a command can take.

`ChannelChange` is decided and stored under the channel's lock. `SendMessage` and `MoveCursor` are
the batched paths of the journal. The rest of `Command` is what only a socket can ask.
"""

from enum import StrEnum

from hubbub.core.channels import Kind, Role
from hubbub.core.claims import PassKind
from hubbub.core.ids import ChannelRef, Cursor, UserId
from hubbub.core.records import record
from hubbub.core.signals import Body, Verbatim


@record
class SendMessage:
    """Post `content`. With `client_id` a repetition gets the first answer again. With `echo` the
    socket it came by is told of the message even if it is not in the channel."""

    channel: ChannelRef
    content: str
    client_id: str | None = None
    echo: bool = False


@record
class MoveCursor:
    """Everything up to `read` has been read, up to `delivered` has arrived; 0 leaves one alone."""

    channel: ChannelRef
    read: int = 0
    delivered: int = 0


@record
class CreateChannel:
    """Make a channel, owned by whoever asks, with `members` (ids of accounts) in it. With `guests`
    everybody may come in, and speak, without becoming a member."""

    kind: Kind
    name: str
    description: str = ""
    private: bool = False
    members: tuple[UserId, ...] = ()
    guests: bool = False


@record
class JoinChannel:
    """Become a member of a public room. Joining again changes nothing."""

    channel: ChannelRef


@record
class LeaveChannel:
    """End one's own membership. An owner's role passes to the next in line."""

    channel: ChannelRef


@record
class AddMember:
    """Make somebody else a member."""

    channel: ChannelRef
    user: UserId


@record
class RemoveMember:
    """End somebody else's membership."""

    channel: ChannelRef
    user: UserId


@record
class SetRole:
    """Give a member another role."""

    channel: ChannelRef
    user: UserId
    role: Role


@record
class EditChannel:
    """Change a channel's settings; None leaves one as it is."""

    channel: ChannelRef
    name: str | None = None
    description: str | None = None
    private: bool | None = None
    guests: bool | None = None


ChannelChange = JoinChannel | LeaveChannel | AddMember | RemoveMember | SetRole | EditChannel


class PeerKind(StrEnum):
    """What a socket is in a call."""

    USER = "user"
    """One of the sockets of its user, who is the peer."""

    CONNECTION = "connection"
    """A peer of its own."""


@record
class Enter:
    """Bring this socket into a channel: from here on it receives the channel's events.

    With a `cursor` what was missed is read first. `join` makes the caller a member of a public
    room, `members_only` refuses everybody else; `history` asks for that many latest messages;
    `presence` for the comings and goings of others. `call` puts it into the channel's call at the
    same time. Where `meeting` is set and no channel has that key, a meeting is made.
    """

    channel: ChannelRef
    cursor: Cursor | None = None
    join: bool = False
    members_only: bool = False
    history: int = 0
    presence: bool = True
    call: PeerKind | None = None
    meeting: bool = False


@record
class Exit:
    """Take this socket out of a channel; membership stays."""

    channel: ChannelRef


@record
class SetTyping:
    """Tell the others that the caller is, or is no longer, typing."""

    channel: ChannelRef
    typing: bool = True


@record
class JoinCall:
    """Put this socket, which is in the channel, into the channel's call."""

    channel: ChannelRef


@record
class LeaveCall:
    """Take this socket out of the call; it stays in the channel."""

    channel: ChannelRef


@record
class Signal:
    """Tell the peer called `to` something, or every other peer when it is None. `by_name` means
    that `to` is a username."""

    channel: ChannelRef
    body: Body
    to: str | None = None
    by_name: bool = False
    verbatim: Verbatim | None = None


@record
class OpenInbox:
    """Give this socket whatever is written to its user directly."""


@record
class SendDirect:
    """Write to the person of that handle: an external subject, else a username."""

    to: str
    content: str


@record
class ReadHistory:
    """Read messages, oldest first: the latest, those after a message id, or those before one."""

    channel: ChannelRef
    before: int | None = None
    after: int | None = None
    limit: int = 50


@record
class ListPresent:
    """Ask who has a socket in the channel."""

    channel: ChannelRef


@record
class Connect:
    """Identify a native socket and enter channels, all in one round trip."""

    token: str | None
    channels: tuple[Enter, ...] = ()


@record
class Refresh:
    """Go on with a newer token of the same user."""

    token: str


@record
class Ping:
    """Answer, to show that the connection lives."""


@record
class Claim:
    """Be reachable under `id` from here on."""

    id: str


@record
class KeepClaim:
    """Show that whoever claimed an id is still there."""


@record
class GiveUpClaim:
    """Be reachable no longer."""


@record
class Pass:
    """Say something to whoever has claimed the id `to`. `payload` is JSON, None for nothing."""

    kind: PassKind
    to: str
    payload: bytes | None = None


Command = (
    SendMessage
    | MoveCursor
    | Enter
    | Exit
    | SetTyping
    | JoinCall
    | LeaveCall
    | Signal
    | OpenInbox
    | SendDirect
    | ReadHistory
    | ListPresent
    | Connect
    | Refresh
    | Ping
    | Claim
    | KeepClaim
    | GiveUpClaim
    | Pass
)
