"""What a stage is furnished with: the people, the channels, and which path opens what."""

import json
from collections import deque
from dataclasses import dataclass, field

from hubbub.core.calls import Call
from hubbub.core.channels import Channel, Kind
from hubbub.core.events import CursorMoved, Envelope
from hubbub.core.ids import ChannelId, Person, UserId, Who, parse_ref
from hubbub.core.limits import TokenBucket
from hubbub.core.signals import Peer
from hubbub.dialects.base import Dialect, Link
from hubbub.dialects.conference import Conference
from hubbub.dialects.conversations import Conversations
from hubbub.dialects.native import Native
from hubbub.dialects.relay import RelayChat, RelayVideo
from hubbub.dialects.rooms import Rooms
from hubbub.dialects.signaling import Signaling

NATIVE, ROOMS, CONVERSATIONS = Native(), Rooms(), Conversations()
CHAT, VIDEO, CONFERENCE, SIGNALING = RelayChat(), RelayVideo(), Conference(), Signaling()
PEOPLE = {"testuser": UserId(1), "alice": UserId(2), "mallory": UserId(3)}
ROOM, CONVERSATION, LOBBY, DIRECT = ChannelId(5), ChannelId(6), ChannelId(7), ChannelId(8)
ROOM_KEY = "0d9be6a1-4f43-4dcf-b9c1-ffdc2ae8ca6b"
NOW = 1_795_257_000_123
TTL = 1800
PING = 25


@dataclass(eq=False)
class Socket:
    """One socket and what came to it. `entered` are its channels, each with whether it hears of
    presence there; `addresses` what it gets beside, `peers` what it is in calls."""

    dialect: Dialect
    link: Link
    connected: bool
    inbox: deque[object] = field(default_factory=deque)
    entered: dict[ChannelId, bool] = field(default_factory=dict)
    addresses: set[str] = field(default_factory=set)
    peers: dict[ChannelId, Peer] = field(default_factory=dict)
    code: int | None = None

    def tell(self, frame: bytes) -> None:
        """A frame is on the wire."""
        assert b"\n" not in frame
        self.inbox.append(json.loads(frame))


@dataclass
class Place:
    """A channel, its members, its log and its call."""

    channel: Channel
    call: Call
    members: dict[UserId, CursorMoved] = field(default_factory=dict)
    log: list[Envelope] = field(default_factory=list)


def place(id: ChannelId, kind: Kind, key: str, name: str, *members: str) -> Place:
    """A channel with these members and nothing said yet."""
    channel = Channel(
        id=id,
        key=key,
        kind=kind,
        name=name,
        description="",
        private=kind is not Kind.ROOM,
        guests=key == "lobby",
        created_by=None,
        created_at=NOW,
        epoch="a1b2",
        seq=0,
    )
    people = [Person(PEOPLE[member], member) for member in members]
    call = Call(id, key, TokenBucket(0, 0, 0))
    return Place(channel, call, {person.id: CursorMoved(id, person, 0, 0) for person in people})


def socket_at(path: str, connection: str, who: Who | None) -> Socket:
    """A socket on that path, of the dialect that is spoken there."""
    match path.strip("/").split("/"):
        case ["ws", "v1"]:
            return Socket(NATIVE, Link(connection, who), connected=False)
        case ["ws", "room", ref]:
            return Socket(ROOMS, Link(connection, who, parse_ref(ref)), connected=True)
        case ["conversations", ref, "ws"]:
            return Socket(CONVERSATIONS, Link(connection, who, parse_ref(ref)), connected=True)
        case ["ws"] | ["ws", "auth"]:
            return Socket(ROOMS, Link(connection, who), connected=True)
        case ["ws", "chat", _]:
            return Socket(CHAT, Link(connection, who), connected=True)
        case ["ws", "video", key, _]:
            return Socket(VIDEO, Link(connection, who, key), connected=True)
        case ["ws", "signaling", ref]:
            return Socket(SIGNALING, Link(connection, who, parse_ref(ref)), connected=True)
        case ["ws", key]:
            return Socket(CONFERENCE, Link(connection, who, key), connected=True)
    raise ValueError(path)
