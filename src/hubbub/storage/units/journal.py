"""Reading channels back: what entering needs, history, missed events."""

from collections.abc import Sequence

from sqlalchemy import Connection, Select, func, select, text

from hubbub.core.answers import Entered, Messages, Recovery
from hubbub.core.channels import Channel, Phase
from hubbub.core.commands import Enter, ReadHistory
from hubbub.core.errors import NotAMember, NotFound
from hubbub.core.events import Envelope
from hubbub.core.ids import ChannelId, ChannelRef, Cursor, Who
from hubbub.storage.rows import JOURNAL_COLUMNS, MESSAGE, to_envelope
from hubbub.storage.tables import journal
from hubbub.storage.units.channels import get, readable

_columns = [journal.c[name] for name in JOURNAL_COLUMNS.split(", ")]


def enter(connection: Connection, who: Who, command: Enter, most: int, most_bytes: int) -> Entered:
    """Everything a socket needs to go live in a channel, as of one moment."""
    channel, mine = readable(connection, who, command.channel)
    if channel.phase is Phase.ENDED:
        raise NotFound("this meeting is over", "unknown_channel")
    if command.members_only and mine is None:
        raise NotAMember("you are not a member of this channel")
    history: Sequence[Envelope] = ()
    if command.history:
        history = _messages(connection, channel, ReadHistory(channel.id, limit=command.history))
    recovery: Recovery | None = None
    missed: Sequence[Envelope] = ()
    if command.cursor is not None:
        recovery, missed = recover(connection, channel, command.cursor, most, most_bytes)
    role = None if mine is None else mine.role
    return Entered(channel, channel.seq, role, recovery, missed, history)


def recover(
    connection: Connection, channel: Channel, cursor: Cursor, most: int, most_bytes: int
) -> tuple[Recovery, list[Envelope]]:
    """What came after a cursor: all of it, or the newest part that is not too much."""
    if cursor.epoch != channel.epoch or cursor.seq > channel.seq or cursor.seq < 0:
        return Recovery.RESET, []
    newest = _rows(
        connection,
        select(*_columns)
        .where(journal.c.channel_id == channel.id, journal.c.seq > cursor.seq)
        .order_by(journal.c.seq.desc())
        .limit(most),
        channel,
    )
    size = 0
    missed: list[Envelope] = []
    for envelope in newest:
        size += 200 + 3 * len(getattr(envelope.event, "content", ""))
        if size > most_bytes:
            break
        missed.append(envelope)
    missed.reverse()
    if len(missed) < channel.seq - cursor.seq:
        return Recovery.TRUNCATED, missed
    return Recovery.RECOVERED, missed


def history(connection: Connection, who: Who, command: ReadHistory) -> Messages:
    """Messages of a channel that `who` may read."""
    channel, _ = readable(connection, who, command.channel)
    return Messages(channel.id, _messages(connection, channel, command))


def events(
    connection: Connection, who: Who, ref: ChannelRef, after: int, limit: int
) -> Sequence[Envelope]:
    """Durable events after a `seq`, of a channel that `who` may read."""
    channel, _ = readable(connection, who, ref)
    return _between(connection, channel, after, limit)


def backfill(
    connection: Connection, channel: ChannelId, after: int, upto: int
) -> Sequence[Envelope]:
    """Durable events after one `seq` up to another, whoever asks."""
    return _between(connection, get(connection, channel), after, upto - after)


def highest_id(connection: Connection) -> int:
    """The newest id of the journal, 0 when it is empty."""
    return int(connection.execute(select(func.coalesce(func.max(journal.c.id), 0))).scalar_one())


def _between(
    connection: Connection, channel: Channel, after: int, limit: int
) -> Sequence[Envelope]:
    return _rows(
        connection,
        select(*_columns)
        .where(journal.c.channel_id == channel.id, journal.c.seq > after)
        .order_by(journal.c.seq)
        .limit(limit),
        channel,
    )


def _messages(connection: Connection, channel: Channel, command: ReadHistory) -> Sequence[Envelope]:
    query = select(*_columns).where(journal.c.channel_id == channel.id, journal.c.kind == MESSAGE)
    if command.after is not None:
        query = query.where(journal.c.seq > _position(connection, channel.id, command.after))
        if command.before is None:
            return _rows(connection, query.order_by(journal.c.seq).limit(command.limit), channel)
    if command.before is not None:
        # Ids rise with `seq`, so what is older than an id ends where the id before it stands.
        upto = _position(connection, channel.id, command.before - 1)
        query = query.where(journal.c.seq <= upto)
    found = _rows(connection, query.order_by(journal.c.seq.desc()).limit(command.limit), channel)
    found.reverse()
    return found


def _position(connection: Connection, channel: ChannelId, id: int) -> int:
    """The `seq` of the newest row of a channel whose id is at most `id`; 0 before the first.

    The primary key answers when the id is one of the channel's; otherwise the walk goes down the
    index from the channel's newest row.
    """
    exact = connection.execute(
        select(journal.c.seq).where(journal.c.id == id, journal.c.channel_id == channel)
    ).scalar()
    if exact is not None:
        return int(exact)
    found = connection.execute(
        select(journal.c.seq)
        .where(journal.c.channel_id == channel, journal.c.id <= id)
        .order_by(journal.c.seq.desc())
        .limit(1)
    ).scalar()
    return int(found or 0)


def _rows(
    connection: Connection, query: Select[tuple[object, ...]], channel: Channel
) -> list[Envelope]:
    return [to_envelope(row, channel.epoch) for row in connection.execute(query)]


def working(connection: Connection) -> bool:
    """Whether the database answers."""
    return bool(connection.execute(text("SELECT 1")).scalar_one() == 1)
