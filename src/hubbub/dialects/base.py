"""What a protocol has to be able to say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hubbub.core.answers import Answer
from hubbub.core.commands import Command
from hubbub.core.errors import DomainError
from hubbub.core.events import Envelope
from hubbub.core.ids import ChannelId, ChannelRef, Who


@dataclass(slots=True)
class Link:
    """What one socket is bound to.

    `who` is None while a native socket has not connected, and for good on a socket that nobody
    stands behind. `channel` is the channel the path names, None where frames name theirs; after
    entering it is the channel's id. `fallback` is the channel of frames that name none.
    """

    connection: str
    who: Who | None
    channel: ChannelRef | None = None
    fallback: ChannelRef | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A command as it came: `id` is the client's own number for it, where the protocol has one."""

    command: Command
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A frame, or one of its lines, that holds no command. The socket stays open."""

    error: DomainError
    id: int | None = None


class Dialect(Protocol):
    """One wire protocol. Pure: the same input always gives the same output.

    Frames are UTF-8 JSON without a newline in them.
    """

    name: str
    """As in the contract: `rooms`, `conversations`, `native`."""

    lines: bool
    """Whether several objects may share one WebSocket message, separated by newlines."""

    pings: bool
    """Whether the server sends this protocol's own ping, and the token's expiry is enforced on
    open sockets (true of `native` alone)."""

    def decode(self, text: str, link: Link) -> Sequence[Request | Refused]:
        """Reads one WebSocket message. Never raises: what cannot be read comes back refused."""

    def encode(self, envelope: Envelope) -> bytes | None:
        """The frame that tells this event, None where the protocol has no word for it. The same
        for every receiver."""

    def greet(self, link: Link) -> Sequence[bytes]:
        """What a socket is told as soon as it is open."""

    def opening(self, link: Link) -> Command | None:
        """What opening this socket asks for by itself, such as entering the path's channel. When
        it is refused the socket is closed."""

    def answer(self, request: Request, answer: Answer, link: Link) -> Sequence[bytes]:
        """What the sender of a command is told when it succeeded."""

    def refuse(self, error: DomainError, id: int | None) -> bytes:
        """What the sender is told when it was refused."""

    def oust(self, link: Link, channel: ChannelId, name: str, error: DomainError) -> bytes | None:
        """What a socket is told whose user is no longer in the channel; None closes it instead."""

    def ping(self, moved: dict[ChannelId, int]) -> bytes:
        """The protocol's own ping, with the top `seq` of channels that moved."""
