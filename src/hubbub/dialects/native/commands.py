"""What clients say: one struct per `type`, named as in the table of `docs/protocol/native.md`."""

from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from hubbub.core import commands as core
from hubbub.core.errors import Invalid
from hubbub.core.ids import MAX_INTEGER, ChannelRef, Cursor
from hubbub.core.messages import check_client_id, check_content, check_text
from hubbub.dialects.base import check_ref

MAX_CHANNELS = 128
MAX_HISTORY = 200
MAX_EPOCH = 64

Id = Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
Natural = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Channel = Natural | str


class Frame(Protocol):
    """A command as it came."""

    id: Id | None

    def command(self) -> core.Command:
        """What the frame asks for.

        Raises:
            Invalid: when a string in it is outside the limits.
        """


class Position(msgspec.Struct):
    """A cursor."""

    epoch: Annotated[str, Meta(max_length=MAX_EPOCH)]
    seq: Natural


class Entry(msgspec.Struct, kw_only=True):
    """One of the channels of `connect`."""

    channel: Channel
    cursor: Position | None = None
    presence: bool = False
    join: bool = False

    def enter(self) -> core.Enter:
        cursor = None
        if self.cursor is not None:
            check_text(self.cursor.epoch, "cursor")
            cursor = Cursor(self.cursor.epoch, self.cursor.seq)
        return core.Enter(channel_ref(self.channel), cursor, join=self.join, presence=self.presence)


class Connect(msgspec.Struct, tag="connect", kw_only=True):
    """Identify the socket and enter channels."""

    id: Id | None = None
    token: str | None = None
    channels: Annotated[tuple[Entry, ...], Meta(max_length=MAX_CHANNELS)] = ()

    def command(self) -> core.Command:
        if self.token is not None:
            check_text(self.token, "token")
        return core.Connect(self.token, tuple(entry.enter() for entry in self.channels))


class Refresh(msgspec.Struct, tag="refresh", kw_only=True):
    """Go on with a newer token."""

    id: Id | None = None
    token: str

    def command(self) -> core.Command:
        check_text(self.token, "token")
        return core.Refresh(self.token)


class Ping(msgspec.Struct, tag="ping"):
    """Answer me."""

    id: Id | None = None

    def command(self) -> core.Command:
        return core.Ping()


class Subscribe(Entry, tag="subscribe", kw_only=True):
    """Enter a channel."""

    id: Id | None = None

    def command(self) -> core.Command:
        return self.enter()


class InChannel(msgspec.Struct, kw_only=True):
    """What the commands in a channel have in common."""

    id: Id | None = None
    channel: Channel


class Unsubscribe(InChannel, tag="unsubscribe"):
    """Take the socket out of a channel."""

    def command(self) -> core.Command:
        return core.Exit(channel_ref(self.channel))


class Send(InChannel, tag="send", kw_only=True):
    """Post a message."""

    content: str
    client_id: str | None = None

    def command(self) -> core.Command:
        return core.SendMessage(
            channel_ref(self.channel), check_content(self.content), check_client_id(self.client_id)
        )


class History(InChannel, tag="history", kw_only=True):
    """Read messages."""

    before: Natural | None = None
    after: Natural | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_HISTORY)] = 50

    def command(self) -> core.Command:
        if self.before is not None and self.after is not None:
            raise Invalid("give after or before, not both", "invalid_page")
        return core.ReadHistory(channel_ref(self.channel), self.before, self.after, self.limit)


class Typing(InChannel, tag="typing", kw_only=True):
    """Tell the others that one types, or no longer."""

    typing: bool = True

    def command(self) -> core.Command:
        return core.SetTyping(channel_ref(self.channel), self.typing)


class Read(InChannel, tag="read", kw_only=True):
    """Everything up to `seq` has been read."""

    seq: Natural

    def command(self) -> core.Command:
        return core.MoveCursor(channel_ref(self.channel), read=self.seq)


class Delivered(InChannel, tag="delivered", kw_only=True):
    """Everything up to `seq` has arrived."""

    seq: Natural

    def command(self) -> core.Command:
        return core.MoveCursor(channel_ref(self.channel), delivered=self.seq)


class ListPresent(InChannel, tag="presence"):
    """Ask who is there."""

    def command(self) -> core.Command:
        return core.ListPresent(channel_ref(self.channel))


FRAMES: tuple[type[Frame], ...] = (
    Connect,
    Refresh,
    Ping,
    Subscribe,
    Unsubscribe,
    Send,
    History,
    Typing,
    Read,
    Delivered,
    ListPresent,
)


def channel_ref(channel: Channel) -> ChannelRef:
    """What a frame names a channel by.

    Raises:
        Invalid: `invalid_channel`.
    """
    # An integer's range was checked when it was read.
    return channel if type(channel) is int else check_ref(channel, "invalid_channel")
