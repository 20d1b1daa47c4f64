"""What a command is answered with: one frozen type per kind of answer."""

from collections.abc import Sequence
from enum import StrEnum

from hubbub.core.channels import Channel, Role
from hubbub.core.errors import DomainError
from hubbub.core.events import Envelope, Passed
from hubbub.core.ids import ChannelId, ChannelRef, MessageId, Person, Who
from hubbub.core.records import record
from hubbub.core.signals import Peer


@record
class Posted:
    """The message is committed. A repetition under the same `client_id` gets the same answer, with
    the `content` that was stored first."""

    channel: ChannelId
    id: MessageId
    seq: int
    at: int
    content: str


class Recovery(StrEnum):
    """How catching up from a cursor went."""

    RECOVERED = "recovered"
    TRUNCATED = "truncated"
    RESET = "reset"


@record
class Entered:
    """The socket is in the channel.

    `seq` is the position from which live events go on. `events` are the missed ones, oldest first,
    all of them when `recovery` is `RECOVERED`, the newest part when `TRUNCATED`. `history` are the
    latest messages, oldest first, as many as were asked for. `role` is None for whoever is not a
    member.
    """

    channel: Channel
    seq: int
    role: Role | None = None
    recovery: Recovery | None = None
    events: Sequence[Envelope] = ()
    history: Sequence[Envelope] = ()


@record
class Exited:
    """The socket is out of the channel. `name` is the channel's."""

    channel: ChannelId
    name: str


@record
class Messages:
    """Messages of one channel, each a `MessagePosted`, oldest first."""

    channel: ChannelId
    messages: Sequence[Envelope]


@record
class Present:
    """Everybody with a socket in the channel."""

    channel: ChannelId
    users: Sequence[Person]


@record
class InCall:
    """The socket is in the call as `peer`, with the others there are."""

    peer: Peer
    others: Sequence[Peer]


@record
class Connected:
    """The native socket is identified. `entries` answer the channels asked for, in order; `ttl` is
    in seconds, None for guests; `ping` the seconds between the server's pings."""

    connection: str
    who: Who
    ttl: int | None
    ping: int
    entries: Sequence[tuple[ChannelRef, Entered | DomainError]]


@record
class Refreshed:
    """The newer token counts from now on, for `ttl` seconds."""

    ttl: int


@record
class Claimed:
    """The socket has the id. `waiting` is what was said to it while it was absent, in order."""

    id: str
    waiting: Sequence[Passed]


@record
class Done:
    """It is done, and there is nothing to tell."""


Answer = (
    Posted | Entered | Exited | InCall | Messages | Present | Connected | Refreshed | Done | Claimed
)
