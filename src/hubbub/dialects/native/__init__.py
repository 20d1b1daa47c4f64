"""The protocol of our own, `hubbub.v1`: one socket, many channels, cursors and acknowledgements.

`docs/protocol/native.md` is its contract.
"""
# ruff: noqa: ARG002  The signatures are those of every dialect.

from collections.abc import Sequence
from typing import cast

import msgspec
from msgspec import UNSET, UnsetType

from hubbub.core.answers import Answer
from hubbub.core.commands import Command
from hubbub.core.errors import BadFrame, DomainError, Invalid
from hubbub.core.events import Envelope, MessagePassed, Passed
from hubbub.core.ids import ChannelId
from hubbub.dialects.base import Dialect, Link, Refused, Request
from hubbub.dialects.native.events import EVENTS, told
from hubbub.dialects.native.reading import FRAMES, read
from hubbub.dialects.native.replies import REPLIES, Failed, Failure, Reply, failure, result

MAX_LINES = 256
"""Commands in one frame: four times what is carried out at once, and few enough that reading them
keeps nobody else waiting."""


class Ping(msgspec.Struct, tag="ping"):
    """The server lives; where `channels` moved, their top `seq`."""

    channels: dict[ChannelId, int] | UnsetType = UNSET


class Unsubscribed(msgspec.Struct, tag="unsubscribed"):
    """The user is no longer in the channel."""

    channel: int
    error: Failure


class Error(msgspec.Struct, tag="error"):
    """Something without an `id` was refused."""

    error: Failure


_FOREIGN = (MessagePassed, Passed)
"""What other protocols pass on, to addresses of their own."""

_to_json = msgspec.json.Encoder().encode


class Native(Dialect):
    """One instance serves every socket of `/ws/v1`.

    Whether a command may come before `connect` is for the session to say: the order of commands
    within a frame is not known here.
    """

    name = "native"
    lines = True
    pings = True
    client_frames = cast(Sequence[type[msgspec.Struct]], FRAMES)
    server_frames = (*REPLIES, Failed, *EVENTS, Ping, Unsubscribed, Error)

    def decode(self, text: str, link: Link) -> Sequence[Request | Refused]:
        if "\n" not in text:
            return (read(text),)
        lines = [line for line in text.split("\n") if line and not line.isspace()]
        if len(lines) > MAX_LINES:
            error = Invalid(f"a frame holds at most {MAX_LINES} commands", "too_many_commands")
            return (Refused(error),)
        return [read(line) for line in lines] or (Refused(BadFrame("the frame is empty")),)

    def encode(self, envelope: Envelope) -> bytes | None:
        """Every event of a channel has a word here."""
        if isinstance(envelope.event, _FOREIGN):
            return None
        return _to_json(told(envelope))

    def greet(self, link: Link) -> Sequence[bytes]:
        return ()

    def opening(self, link: Link) -> Command | None:
        return None

    def turn_away(self, error: DomainError) -> Sequence[bytes]:
        return ()

    def answer(self, request: Request, answer: Answer, link: Link) -> Sequence[bytes]:
        return () if request.id is None else (_to_json(Reply(request.id, result(answer))),)

    def refuse(self, error: DomainError, id: int | None) -> bytes:
        problem = failure(error)
        return _to_json(Error(problem) if id is None else Failed(id, problem))

    def oust(self, link: Link, channel: ChannelId, name: str, error: DomainError) -> bytes:
        """Never None: the socket may be in other channels."""
        return _to_json(Unsubscribed(channel, failure(error)))

    def ping(self, moved: dict[ChannelId, int]) -> bytes:
        return _to_json(Ping(moved or UNSET))
