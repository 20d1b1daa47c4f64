"""Telling a channel's sockets: one encoding and one run of bytes per protocol."""

from collections.abc import Sequence

from hubbub.core.events import CursorMoved, Envelope, UserCame, UserWent
from hubbub.dialects.base import Dialect
from hubbub.hub.connection import Class
from hubbub.hub.feed import Feed
from hubbub.hub.frames import frame

MOST_IN_A_MESSAGE = 32 * 1024
"""Lines are gathered into messages of about this size: clients limit what they accept."""


def tell_everybody(feed: Feed, batch: Sequence[Envelope], *, alone: bool) -> None:
    """Gives durable events to every socket in the channel. This is the hot path: whatever is done
    here is done for every delivery.

    `alone` says that no other channel has anything to tell in this turn: then a socket for which
    nothing is queued is written to at once, which is its one write of the turn.
    """
    for dialect, group in feed.subscribers.values():
        frames = encode(dialect, batch)
        if not frames:
            continue
        if alone:
            for connection in group:
                if (
                    connection.out
                    or connection.backlog is not None
                    or connection.corked
                    or not connection.sink.write(frames)
                ):
                    connection.queue(frames)
        else:
            for connection in group:
                connection.queue(frames)


def tell_fleeting(feed: Feed, envelope: Envelope) -> None:
    """Offers an ephemeral event to the sockets it is for: presence to those that asked for it, and
    nothing to the user it passes over."""
    event = envelope.event
    presence = isinstance(event, UserCame | UserWent)
    kind, key = Class.FLEETING, None
    if isinstance(event, CursorMoved):
        kind, key = Class.LATEST, (event.channel, event.user.id)
    for dialect, group in feed.subscribers.values():
        frames = encode(dialect, (envelope,))
        if not frames:
            continue
        for connection, subscription in group.items():
            if presence and not subscription.presence:
                continue
            who = connection.link.who
            if envelope.but is not None and who is not None and who.id == envelope.but:
                continue
            connection.offer(frames, kind, key)


def encode(dialect: Dialect, batch: Sequence[Envelope]) -> bytes:
    """The frames that tell these events, joined; empty where the dialect has no words for them."""
    if len(batch) == 1:
        words = dialect.encode(batch[0])
        return b"" if words is None else frame(words)
    payloads = [words for e in batch if (words := dialect.encode(e)) is not None]
    if not dialect.lines:
        return b"".join([frame(words) for words in payloads])
    frames, lines, size = [], [], 0
    for words in payloads:
        lines.append(words)
        size += len(words)
        if size > MOST_IN_A_MESSAGE:
            frames.append(frame(b"\n".join(lines)))
            lines, size = [], 0
    if lines:
        frames.append(frame(b"\n".join(lines)))
    return b"".join(frames)
