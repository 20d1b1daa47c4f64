"""People, channels and events to test with."""

from hubbub.core.channels import Channel, Kind, Membership, Role
from hubbub.core.events import (
    ChannelChanged,
    CursorMoved,
    Durable,
    Envelope,
    MemberJoined,
    MemberLeft,
    MessagePosted,
    TypingChanged,
)
from hubbub.core.ids import ChannelId, MessageId, Person, UserId, Who

EPOCH = "e1"
NOW = 1_795_257_000_123

ALICE = Who(UserId(1), "alice", "alice's login")
BOB = Who(UserId(2), "bob", "bob's login")
CAROL = Who(UserId(3), "carol", "carol's login")
DAVE = Who(UserId(4), "dave", "dave's login")
GUEST = Who(UserId(-7), "guest-7")


def person(who: Who) -> Person:
    """Somebody as events print them."""
    return Person(who.id, who.name)


def channel(
    id: int = 1,
    kind: Kind = Kind.ROOM,
    *,
    private: bool | None = None,
    guests: bool = False,
    seq: int = 0,
    name: str = "General",
) -> Channel:
    """A channel; rooms are public unless `private` says otherwise, the others never."""
    return Channel(
        id=ChannelId(id),
        key=f"key-{id}",
        kind=kind,
        name=name,
        description="",
        private=kind is not Kind.ROOM if private is None else private,
        guests=guests,
        created_by=ALICE.id,
        created_at=NOW,
        epoch=EPOCH,
        seq=seq,
    )


def membership(who: Who, role: Role = Role.MEMBER) -> Membership:
    """A standing that began at the time of all samples."""
    return Membership(who.id, role, NOW)


def said(content: str = "hi", who: Who = ALICE, *, in_channel: int = 1) -> MessagePosted:
    """A message."""
    return MessagePosted(ChannelId(in_channel), MessageId(0), person(who), content, None, NOW)


def came_in(who: Who, *, in_channel: int = 1) -> MemberJoined:
    """Somebody became a member by themselves."""
    return MemberJoined(ChannelId(in_channel), person(who), Role.MEMBER, None, NOW)


def went_out(who: Who, *, in_channel: int = 1) -> MemberLeft:
    """Somebody's membership ended."""
    return MemberLeft(ChannelId(in_channel), person(who), None, NOW)


def changed(
    *, private: bool = False, guests: bool = False, name: str = "General", in_channel: int = 1
) -> ChannelChanged:
    """The channel's settings are now these."""
    return ChannelChanged(ChannelId(in_channel), name, "", private, guests, NOW)


def numbered(seq: int, event: Durable) -> Envelope:
    """An event in its place."""
    return Envelope(event.channel, event, seq, EPOCH)


def posted(seq: int, content: str | None = None, *, in_channel: int = 1) -> Envelope:
    """A message of Alice's in its place, which it names if it says nothing else."""
    text = f"message {seq}" if content is None else content
    return numbered(seq, said(text, in_channel=in_channel))


def typing(who: Who, *, in_channel: int = 1) -> Envelope:
    """Somebody types, as told to the others."""
    id = ChannelId(in_channel)
    return Envelope(id, TypingChanged(id, person(who), True), but=who.id)


def receipt(who: Who, read: int, *, in_channel: int = 1) -> Envelope:
    """Somebody has read everything up to a `seq`."""
    id = ChannelId(in_channel)
    return Envelope(id, CursorMoved(id, person(who), read, read))
