"""The batched paths of the journal on SQLite: posts, cursors, and the record of live sockets.

Lives in the writer thread and speaks to the driver directly: at this rate an expression language
costs more than the database. Because every write of the process goes through that thread, what is
remembered here (numbers, memberships) is the truth until a unit touches it.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hubbub.core.answers import Done, Posted
from hubbub.core.channels import Channel, Membership, Role
from hubbub.core.commands import MoveCursor, SendMessage
from hubbub.core.errors import DomainError, NotAMember, NotFound
from hubbub.core.events import CursorMoved, Envelope, MessagePosted
from hubbub.core.ids import ChannelId, ChannelRef, MessageId, Person, UserId, Who
from hubbub.core.policy import Action, authorize
from hubbub.storage.base import ConnectionRow
from hubbub.storage.rows import MESSAGE, to_channel

_MOST_HEADS = 20_000
_MOST_MEMBERS = 50_000

_INSERT = (
    "INSERT INTO journal (id, channel_id, seq, kind, sender_id, sender_name, client_id, content,"
    " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_KNOWN = (
    "SELECT k.key, j.id, j.seq, j.created_at, j.content"
    " FROM json_each(?) AS k JOIN journal AS j"
    " ON j.channel_id = json_extract(k.value, '$[0]')"
    " AND j.sender_id = json_extract(k.value, '$[1]')"
    " AND j.client_id = json_extract(k.value, '$[2]') AND j.client_id IS NOT NULL"
)

Key = tuple[ChannelId, UserId, str]


@dataclass(slots=True)
class _Head:
    """A channel as the writer knows it; `seq` is ahead of `channel.seq`."""

    channel: Channel
    seq: int
    members: dict[UserId, Membership | None] = field(default_factory=dict)


class Appender:
    """Appends to an open transaction of the writer's connection.

    After a rollback the caller must call `forget()`; after a unit touched channels,
    `forget_channel()` for each.
    """

    def __init__(self, raw: sqlite3.Connection, last_id: int) -> None:
        self._raw = raw
        self._last_id = last_id
        self._heads: dict[ChannelRef, _Head] = {}

    def take_id(self) -> int:
        """The next id of the journal. An id taken by what was rolled back is never used."""
        self._last_id += 1
        return self._last_id

    def forget(self) -> None:
        """Drops everything remembered."""
        self._heads.clear()

    def forget_channel(self, channel: ChannelId) -> None:
        """Drops what is remembered of one channel."""
        head = self._heads.pop(channel, None)
        if head is not None:
            self._heads.pop(head.channel.key, None)

    def posts(
        self, posts: Sequence[tuple[Who, SendMessage]], now: int, published: list[Envelope]
    ) -> list[Posted | DomainError]:
        """Appends messages in order; one answer each, in the same order. What is new is added to
        `published`."""
        if len(self._heads) > _MOST_HEADS:
            self.forget()
        admitted = [self._admit(who, command.channel) for who, command in posts]
        known = self._known(posts, admitted)
        answers: list[Posted | DomainError] = []
        rows = []
        moved: dict[ChannelId, _Head] = {}
        for (who, command), head in zip(posts, admitted, strict=True):
            if isinstance(head, DomainError):
                answers.append(head)
                continue
            channel = head.channel.id
            client_id = command.client_id
            key = None if client_id is None else (channel, who.id, client_id)
            first = None if key is None else known.get(key)
            if first is not None:
                answers.append(first)
                continue
            head.seq = seq = head.seq + 1
            self._last_id = id_ = self._last_id + 1
            answer = Posted(channel, MessageId(id_), seq, now, command.content)
            answers.append(answer)
            if key is not None:
                known[key] = answer
            moved[channel] = head
            content = command.content
            rows.append((id_, channel, seq, MESSAGE, who.id, who.name, client_id, content, now))
            pair = head.channel.pair
            to = None if pair is None else self._other(head.channel, pair, who.id)
            event = MessagePosted(
                channel,
                MessageId(id_),
                Person(who.id, who.name, who.subject),
                content,
                client_id,
                now,
                to,
            )
            published.append(Envelope(channel, event, seq, head.channel.epoch))
        if rows:
            self._raw.executemany(_INSERT, rows)
            self._raw.executemany(
                "UPDATE channels SET seq = ? WHERE id = ?",
                [(head.seq, channel) for channel, head in moved.items()],
            )
        return answers

    def moves(
        self, moves: Iterable[tuple[Who, MoveCursor]], published: list[Envelope]
    ) -> list[Done | DomainError]:
        """Moves cursors forward. Of several by one member in one channel the last position counts,
        and is told once."""
        answers: list[Done | DomainError] = []
        changed: dict[tuple[ChannelId, UserId], tuple[Who, Membership]] = {}
        for who, command in moves:
            try:
                head = self._head(command.channel)
                # What this batch has moved is not in the database yet, and the cache may overflow.
                _, mine = changed.get((head.channel.id, who.id)) or (
                    who,
                    self._membership(head, who.id),
                )
                if mine is None:
                    raise NotAMember("only members have read and delivered cursors")
            except DomainError as error:
                answers.append(error)
                continue
            answers.append(Done())
            read = max(mine.read, min(command.read, head.seq))
            delivered = max(mine.delivered, read, min(command.delivered, head.seq))
            if (read, delivered) != (mine.read, mine.delivered):
                mine = replace(mine, read=read, delivered=delivered)
                head.members[who.id] = mine
                changed[head.channel.id, who.id] = (who, mine)
        if changed:
            self._raw.executemany(
                "UPDATE members SET read_seq = ?, delivered_seq = ?"
                " WHERE channel_id = ? AND user_id = ?",
                [
                    (m.read, m.delivered, channel, user)
                    for (channel, user), (_, m) in changed.items()
                ],
            )
        for (channel, user), (who, mine) in changed.items():
            moved = CursorMoved(channel, Person(user, who.name), mine.read, mine.delivered)
            published.append(Envelope(channel, moved))
        return answers

    def sockets(self, sockets: Mapping[str, ConnectionRow | None]) -> None:
        """Records sockets that opened, and forgets those (with None) that closed."""
        opened = [row for row in sockets.values() if row is not None]
        self._raw.executemany(
            "INSERT INTO connections (id, user_id, username, dialect, channel, address,"
            " connected_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (r.id, r.user, r.username, r.dialect, r.channel, r.address, r.connected_at)
                for r in opened
            ],
        )
        closed = [(id_,) for id_, row in sockets.items() if row is None]
        self._raw.executemany("DELETE FROM connections WHERE id = ?", closed)

    def _admit(self, who: Who, ref: ChannelRef) -> _Head | DomainError:
        try:
            head = self._head(ref)
            authorize(who, Action.POST, head.channel, self._membership(head, who.id))
        except DomainError as error:
            return error
        return head

    def _known(
        self,
        posts: Sequence[tuple[Who, SendMessage]],
        admitted: Sequence[_Head | DomainError],
    ) -> dict[Key, Posted]:
        """The answers already given under the client ids that come now."""
        keys: list[Key] = [
            (head.channel.id, who.id, command.client_id)
            for (who, command), head in zip(posts, admitted, strict=True)
            if command.client_id is not None and not isinstance(head, DomainError)
        ]
        if not keys:
            return {}
        found = self._raw.execute(_KNOWN, (json.dumps(keys),))
        return {
            keys[index]: Posted(keys[index][0], MessageId(id_), seq, at, content)
            for index, id_, seq, at, content in found
        }

    def _head(self, ref: ChannelRef) -> _Head:
        head = self._heads.get(ref)
        if head is None:
            column = "id" if isinstance(ref, int) else "key"
            cursor = self._raw.execute(f"SELECT * FROM channels WHERE {column} = ?", (ref,))  # noqa: S608
            row = cursor.fetchone()
            if row is None:
                raise NotFound("there is no such channel", "unknown_channel")
            names = [column[0] for column in cursor.description]
            channel = to_channel(_Named(dict(zip(names, row, strict=True))))
            head = _Head(channel, channel.seq)
            self._heads[channel.id] = self._heads[channel.key] = head
        return head

    def _other(self, channel: Channel, pair: tuple[UserId, UserId], user: UserId) -> Person:
        """The other one of a direct chat."""
        other = pair[1] if pair[0] == user else pair[0]
        if other < 0:
            return Person(other, channel.name)  # a chat with a guest is named after the guest
        row = self._raw.execute(
            "SELECT username, subject FROM users WHERE id = ?", (other,)
        ).fetchone()
        return Person(other, *row)

    def _membership(self, head: _Head, user: UserId) -> Membership | None:
        members = head.members
        if user in members:
            return members[user]
        row = self._raw.execute(
            "SELECT role, joined_at, read_seq, delivered_seq FROM members"
            " WHERE channel_id = ? AND user_id = ?",
            (head.channel.id, user),
        ).fetchone()
        if len(members) > _MOST_MEMBERS:
            members.clear()
        members[user] = found = (
            None if row is None else Membership(user, Role(row[0]), row[1], row[2], row[3])
        )
        return found


class _Named:
    """A driver's row read by column names, as rows of SQLAlchemy are."""

    def __init__(self, values: dict[str, object]) -> None:
        self.__dict__.update(values)
