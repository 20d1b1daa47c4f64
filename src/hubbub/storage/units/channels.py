"""Channels and membership: finding, making, deciding, storing."""

import secrets
import uuid
from collections.abc import Sequence
from typing import TypeVar, assert_never

from sqlalchemy import Connection, case, delete, func, insert, or_, select, update

from hubbub.core.channels import Channel, Kind, Membership, Phase, Role
from hubbub.core.commands import (
    AddMember,
    ChannelChange,
    CreateChannel,
    JoinChannel,
    LeaveChannel,
    RemoveMember,
    SetRole,
)
from hubbub.core.decide import ChannelState, check_guests, decide
from hubbub.core.errors import Conflict, NotFound
from hubbub.core.events import (
    ChannelChanged,
    Durable,
    Envelope,
    MemberChanged,
    MemberJoined,
    MemberLeft,
    MessagePosted,
)
from hubbub.core.ids import ChannelId, ChannelRef, Person, UserId, Who
from hubbub.core.policy import Action, authorize
from hubbub.storage.base import ChannelView, Member
from hubbub.storage.rows import describe, to_channel, to_membership
from hubbub.storage.tables import channels, journal, members, users
from hubbub.storage.units.transaction import Transaction

T = TypeVar("T")


def find(connection: Connection, ref: ChannelRef) -> Channel | None:
    """The channel of that id or key."""
    column = channels.c.id if isinstance(ref, int) else channels.c.key
    row = connection.execute(select(channels).where(column == ref)).first()
    return None if row is None else to_channel(row)


def get(connection: Connection, ref: ChannelRef) -> Channel:
    """Like `find`, for a channel that has to exist.

    Raises:
        NotFound: `unknown_channel`.
    """
    channel = find(connection, ref)
    if channel is None:
        raise NotFound("there is no such channel", "unknown_channel")
    return channel


def membership(connection: Connection, channel: ChannelId, user: UserId) -> Membership | None:
    """Somebody's standing in a channel."""
    row = connection.execute(
        select(members).where(members.c.channel_id == channel, members.c.user_id == user)
    ).first()
    return None if row is None else to_membership(row)


def readable(
    connection: Connection, who: Who, ref: ChannelRef
) -> tuple[Channel, Membership | None]:
    """A channel that `who` may read, and their membership.

    Raises:
        NotFound, Forbidden, NotAMember: as `authorize` says.
    """
    channel = get(connection, ref)
    mine = membership(connection, channel.id, who.id)
    authorize(who, Action.READ, channel, mine)
    return channel, mine


def create(tx: Transaction, who: Who, command: CreateChannel) -> Channel:
    """Makes a channel; its first events tell who is in it."""
    others = [user for user in dict.fromkeys(command.members) if user != who.id]
    private = command.private or command.kind is not Kind.ROOM
    check_guests(private=private, guests=command.guests)
    people = _people(tx.connection, others)
    channel = insert_channel(
        tx,
        kind=command.kind,
        name=command.name,
        description=command.description,
        private=private,
        guests=command.guests,
        created_by=who.id,
    )
    me = Person(who.id, who.name)
    events: list[Durable] = [MemberJoined(channel.id, me, Role.OWNER, None, tx.now)]
    events += [MemberJoined(channel.id, p, Role.MEMBER, me, tx.now) for p in people]
    return record(tx, channel, who, events)


def direct(tx: Transaction, who: Who, other: UserId) -> Channel:
    """The direct chat of two accounts, found or made. One that is there outlives an account."""
    found = _paired(tx.connection, who.id, other)
    if found is not None:
        return found
    [person] = _people(tx.connection, [other])
    return direct_with(tx, who, person)


def direct_with(tx: Transaction, who: Who, other: Person) -> Channel:
    """The direct chat of two people, found or made. One of them may be a guest, whom the chat is
    named after and who is a member of nothing."""
    if other.id == who.id:
        raise Conflict("a direct chat takes two people", "direct_with_self")
    found = _paired(tx.connection, who.id, other.id)
    if found is not None:
        return found
    people = (who.person, other)
    accounts = [person for person in people if person.id > 0]
    guests = [person for person in people if person.id < 0]
    channel = insert_channel(
        tx,
        kind=Kind.DIRECT,
        name=guests[0].name if guests else f"{who.name}, {other.name}",
        private=True,
        created_by=None if who.guest else who.id,
        pair=_pair(who.id, other.id),
    )
    me = Person(who.id, who.name)
    joined: list[Durable] = [
        MemberJoined(channel.id, person, Role.MEMBER, None if person.id == who.id else me, tx.now)
        for person in accounts
    ]
    return record(tx, channel, who, joined)


def _pair(one: UserId, other: UserId) -> str:
    return f"{min(one, other)}:{max(one, other)}"


def _paired(connection: Connection, one: UserId, other: UserId) -> Channel | None:
    row = connection.execute(select(channels).where(channels.c.pair == _pair(one, other))).first()
    return None if row is None else to_channel(row)


def ensure(tx: Transaction, key: str, name: str, guests: bool) -> Channel:
    """The public room with this key, found or made; nobody owns it."""
    channel = find(tx.connection, key)
    return channel or insert_channel(
        tx, kind=Kind.ROOM, name=name, private=False, key=key, guests=guests
    )


def change(tx: Transaction, who: Who, command: ChannelChange) -> Sequence[Durable]:
    """Loads what the command names, decides, and stores what happens."""
    connection = tx.connection
    column = channels.c.id if isinstance(command.channel, int) else channels.c.key
    row = connection.execute(
        select(channels).where(column == command.channel).with_for_update()
    ).first()
    if row is None:
        raise NotFound("there is no such channel", "unknown_channel")
    channel = to_channel(row)
    target = theirs = None
    if isinstance(command, AddMember | RemoveMember | SetRole):
        theirs = membership(connection, channel.id, command.user)
        target = _target(connection, command.user, member=theirs is not None)
    mine = membership(connection, channel.id, who.id)
    owners, heir = 0, None
    if isinstance(command, JoinChannel | LeaveChannel | SetRole):
        owners = _owners(connection, channel.id)
    if isinstance(command, LeaveChannel):
        heir = _heir(connection, channel.id, who.id)
    state = ChannelState(channel, mine, target, theirs, owners, heir)
    events = decide(state, who, command, tx.now)
    record(tx, channel, who, events)
    return events


def record(tx: Transaction, channel: Channel, who: Who, events: Sequence[Durable]) -> Channel:
    """Stores events with the channel's next numbers, and what they change; the channel comes back
    as it is then."""
    if not events:
        return channel
    seq = channel.seq
    rows = []
    for event in events:
        seq += 1
        kind, data = describe(event)
        rows.append(
            {
                "id": tx.take_id(),
                "channel_id": channel.id,
                "seq": seq,
                "kind": kind,
                "sender_id": who.id,
                "sender_name": who.name,
                "data": data,
                "created_at": event.at,
            }
        )
        _apply(tx.connection, channel.id, event, seq)
        tx.published.append(Envelope(channel.id, event, seq, channel.epoch))
    tx.connection.execute(insert(journal), rows)
    tx.connection.execute(update(channels).where(channels.c.id == channel.id).values(seq=seq))
    tx.touched.add(channel.id)
    return get(tx.connection, channel.id)


def _apply(connection: Connection, channel: ChannelId, event: Durable, seq: int) -> None:
    match event:
        case MemberJoined(user=user, role=role, at=at):
            # What was said before somebody joined does not count as unread.
            connection.execute(
                insert(members).values(
                    channel_id=channel,
                    user_id=user.id,
                    role=role,
                    joined_at=at,
                    read_seq=seq,
                    delivered_seq=seq,
                )
            )
        case MemberLeft(user=user):
            connection.execute(
                delete(members).where(members.c.channel_id == channel, members.c.user_id == user.id)
            )
        case MemberChanged(user=user, role=role):
            connection.execute(
                update(members)
                .where(members.c.channel_id == channel, members.c.user_id == user.id)
                .values(role=role)
            )
        case ChannelChanged(name=name, description=about, private=private, guests=guests):
            connection.execute(
                update(channels)
                .where(channels.c.id == channel)
                .values(name=name, description=about, private=private, guests=guests)
            )
        case MessagePosted():
            raise ValueError("messages are appended, not recorded")
        case _:
            assert_never(event)


def view(connection: Connection, who: Who, ref: ChannelRef) -> ChannelView:
    """A channel and its members, for somebody who may read it."""
    channel, mine = readable(connection, who, ref)
    return _views(connection, [channel], {} if mine is None else {channel.id: mine})[0]


def views(connection: Connection, who: Who, joined: bool) -> Sequence[ChannelView]:
    """The channels of `who`; without `joined` every public room, too."""
    mine = {
        row.channel_id: to_membership(row)
        for row in connection.execute(select(members).where(members.c.user_id == who.id))
    }
    query = select(channels).order_by(channels.c.id)
    query = query.where(channels.c.phase != Phase.ENDED)
    own = channels.c.id.in_(select(members.c.channel_id).where(members.c.user_id == who.id))
    query = query.where(own if joined else or_(own, channels.c.private.is_(False)))
    return _views(connection, [to_channel(row) for row in connection.execute(query)], mine)


def _views(
    connection: Connection, found: Sequence[Channel], mine: dict[ChannelId, Membership]
) -> Sequence[ChannelView]:
    people: dict[ChannelId, list[Member]] = {channel.id: [] for channel in found}
    creators: dict[UserId, str] = {}
    names = select(members, users.c.username).join(users, users.c.id == members.c.user_id)
    for batch in _batches([channel.id for channel in found]):
        query = names.where(members.c.channel_id.in_(batch))
        for row in connection.execute(query.order_by(members.c.joined_at, members.c.user_id)):
            people[row.channel_id].append(
                Member(row.user_id, row.username, Role(row.role), row.joined_at)
            )
    for ids in _batches(list({c.created_by for c in found if c.created_by is not None})):
        for row in connection.execute(
            select(users.c.id, users.c.username).where(users.c.id.in_(ids))
        ):
            creators[row.id] = row.username
    return [
        ChannelView(
            channel,
            mine.get(channel.id),
            None if channel.created_by is None else creators.get(channel.created_by),
            people[channel.id],
        )
        for channel in found
    ]


def _batches(ids: Sequence[T]) -> list[Sequence[T]]:
    return [ids[start : start + 500] for start in range(0, len(ids), 500)]


def _people(connection: Connection, ids: Sequence[UserId]) -> list[Person]:
    found = {
        row.id: Person(UserId(row.id), row.username)
        for batch in _batches(list(ids))
        for row in connection.execute(
            select(users.c.id, users.c.username).where(
                users.c.id.in_(batch), users.c.disabled.is_(False)
            )
        )
    }
    for user in ids:
        if user not in found:
            raise NotFound("there is no such user", "unknown_user")
    return [found[user] for user in ids]


def _target(connection: Connection, user: UserId, *, member: bool) -> Person | None:
    """Whom a command names. A disabled account cannot be brought in, only taken out."""
    query = select(users.c.username).where(users.c.id == user)
    if not member:
        query = query.where(users.c.disabled.is_(False))
    name = connection.execute(query).scalar()
    return None if name is None else Person(user, name)


def _owners(connection: Connection, channel: ChannelId) -> int:
    return connection.execute(
        select(func.count()).where(members.c.channel_id == channel, members.c.role == Role.OWNER)
    ).scalar_one()


def _heir(connection: Connection, channel: ChannelId, leaving: UserId) -> Person | None:
    row = connection.execute(
        select(users.c.id, users.c.username)
        .join(members, members.c.user_id == users.c.id)
        .where(members.c.channel_id == channel, members.c.user_id != leaving)
        .order_by(
            users.c.disabled,
            case((members.c.role == Role.MODERATOR, 0), else_=1),
            members.c.joined_at,
            members.c.user_id,
        )
        .limit(1)
    ).first()
    return None if row is None else Person(UserId(row.id), row.username)


def insert_channel(
    tx: Transaction,
    *,
    kind: Kind,
    name: str,
    private: bool,
    description: str = "",
    key: str | None = None,
    guests: bool = False,
    created_by: UserId | None = None,
    pair: str | None = None,
    phase: Phase = Phase.OPEN,
) -> Channel:
    """A new channel, with nobody in it and no event yet. Without a `key` it gets one nobody can
    guess."""
    row = tx.connection.execute(
        insert(channels)
        .values(
            key=key or str(uuid.uuid4()),
            kind=kind,
            name=name,
            description=description,
            private=private,
            guests=guests,
            created_by=created_by,
            created_at=tx.now,
            epoch=secrets.token_hex(6),
            seq=0,
            pair=pair,
            phase=phase,
        )
        .returning(channels)
    ).one()
    return to_channel(row)
