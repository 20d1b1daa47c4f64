"""What the hub is handed: the services it dispatches to, and the wire of each socket."""

from collections.abc import Callable, Sequence
from typing import Protocol

from hubbub.core.answers import Claimed, Done, Entered, Messages, Posted, Present
from hubbub.core.channels import Channel
from hubbub.core.commands import (
    Claim,
    Enter,
    GiveUpClaim,
    KeepClaim,
    ListPresent,
    MoveCursor,
    Pass,
    ReadHistory,
    SendDirect,
    SendMessage,
    Signal,
)
from hubbub.core.errors import DomainError
from hubbub.core.events import Departure, Envelope
from hubbub.core.ids import ChannelId, ChannelRef, UserId, Who
from hubbub.core.signals import Peer


class Identity(Protocol):
    """Whose token it is; `expires_at` is seconds since 1970."""

    @property
    def who(self) -> Who:
        """The person."""

    @property
    def expires_at(self) -> float:
        """When the token ends."""


class Services(Protocol):
    """The services as sockets use them. Every refusal is a `DomainError`.

    `post` and `move` never wait: they call back on the event loop, once, after the commit or with
    the refusal. Commands given to them in an order are carried out in it.
    """

    def post(
        self, who: Who, command: SendMessage, done: Callable[[Posted | DomainError], None], /
    ) -> None:
        """Posts a message."""

    def move(
        self, who: Who, command: MoveCursor, done: Callable[[Done | DomainError], None], /
    ) -> None:
        """Moves a member's cursors."""

    def typing(self, channel: ChannelId, who: Who, typing: bool, /) -> None:
        """Tells the others in a channel that `who`, who may post there, is typing."""

    async def resolve(self, ref: ChannelRef, /) -> ChannelId:
        """The id of the channel that somebody named."""

    async def locate(self, who: Who, command: Enter, address: str, /) -> ChannelId:
        """The id of the channel that somebody, from a network address, wants to enter, which is
        made where the command says so. It cannot end before the caller has noted, in the same
        turn, that somebody comes."""

    def join_call(self, channel: Channel, peer: Peer, connection: str, /) -> None:
        """A socket is in the channel's call as `peer`, unless this is refused."""

    def leave_call(self, channel: ChannelId, peer: Peer, connection: str, /) -> None:
        """A socket that was is no longer."""

    def peers(self, channel: ChannelId, but: Peer, /) -> Sequence[Peer]:
        """The other peers of a call."""

    def signal(self, channel: ChannelId, sender: Peer, command: Signal, /) -> None:
        """Passes a signal on."""

    async def send_direct(self, who: Who, command: SendDirect, /) -> None:
        """Writes to somebody directly."""

    async def claim(self, who: Who, connection: str, address: str, command: Claim, /) -> Claimed:
        """A socket of `who`, from a network address, has an id from here on."""

    def pass_on(self, connection: str, command: Pass | KeepClaim | GiveUpClaim, /) -> None:
        """Does what a socket with an id asks for."""

    async def backfill(self, channel: ChannelId, after: int, upto: int, /) -> Sequence[Envelope]:
        """Reads the events after one `seq` up to another, for the server itself."""

    async def identify(self, token: str) -> Identity:
        """Whose token it is."""

    async def enter(self, who: Who, command: Enter) -> Entered:
        """Reads what entering a channel needs, as of one moment."""

    async def read(self, who: Who, command: ReadHistory | ListPresent) -> Messages | Present:
        """Answers a question about a channel."""

    def opened(self, who: Who, connection: str, dialect: str, channel: str, address: str) -> None:
        """A socket of `who` is open. `channel` is what its path names, empty if nothing."""

    def closed(self, connection: str, why: Departure) -> None:
        """A socket that was `opened` is gone."""

    def come(self, channel: ChannelId, who: Who, connection: str) -> None:
        """A socket is in a channel."""

    def go(self, channel: ChannelId, user: UserId, connection: str, why: Departure) -> None:
        """A socket is out of a channel."""


class Sink(Protocol):
    """The wire of one socket. Takes frames as they go on the wire (RFC 6455 5.2)."""

    writable: bool
    closed: bool
    on_writable: Callable[[], None] | None
    on_text: Callable[[str], bool] | None
    """What the socket's reader may be given a message with while it waits for one; whether it took
    it comes back. A wire need not make use of it."""

    def write(self, frames: bytes) -> bool:
        """Puts frames on the wire; False, and nothing written, unless `writable`. Never waits,
        never raises."""

    def unread(self) -> int:
        """Bytes of what was written that the peer has not taken, as far as can be seen from here.
        While it takes any the number falls, in steps."""

    def close(self, code: int, reason: str) -> None:
        """Starts the closing handshake behind what was written. Never waits; closing again does
        nothing."""
