"""Meetings: making, finding, ending."""

import uuid
from collections.abc import Sequence

from sqlalchemy import Connection, delete, exists, select, update

from hubbub.core.channels import Channel, Kind, Phase
from hubbub.core.ids import ChannelId, UserId
from hubbub.storage.rows import to_channel
from hubbub.storage.tables import channels, journal, members
from hubbub.storage.units.channels import find, insert_channel
from hubbub.storage.units.transaction import Transaction


def open_meeting(tx: Transaction, key: str | None, creator: UserId | None) -> Channel:
    """The channel with this key, or a new meeting: with a key it has begun, without one it gets
    a key nobody can guess and waits for people to come."""
    if key is not None:
        channel = find(tx.connection, key)
        if channel is not None:
            return channel
    phase = Phase.AWAITED if key is None else Phase.OPEN
    return insert_channel(
        tx,
        kind=Kind.MEETING,
        name="Meeting",
        private=False,
        guests=True,
        key=key,
        created_by=creator,
        phase=phase,
    )


def live_meetings(connection: Connection, most: int | None) -> Sequence[Channel]:
    """The meetings that have not ended, or the newest `most` of them, oldest first."""
    query = select(channels).where(channels.c.kind == Kind.MEETING, channels.c.phase != Phase.ENDED)
    newest = connection.execute(query.order_by(channels.c.id.desc()).limit(most))
    return [to_channel(row) for row in newest][::-1]


def begin(tx: Transaction, meeting: ChannelId) -> None:
    """Somebody has come."""
    tx.connection.execute(
        update(channels)
        .where(channels.c.id == meeting, channels.c.phase == Phase.AWAITED)
        .values(phase=Phase.OPEN)
    )
    tx.touched.add(meeting)


def end(tx: Transaction, meeting: ChannelId) -> None:
    """Ends a meeting: its key is free again. One in which nothing was stored leaves nothing."""
    tx.touched.add(meeting)
    stored = [exists().where(table.c.channel_id == channels.c.id) for table in (journal, members)]
    ours = (channels.c.id == meeting) & (channels.c.kind == Kind.MEETING)
    gone = tx.connection.execute(delete(channels).where(ours, *[~rows for rows in stored]))
    if not gone.rowcount:
        tx.connection.execute(
            update(channels).where(ours).values(phase=Phase.ENDED, key=str(uuid.uuid4()))
        )
