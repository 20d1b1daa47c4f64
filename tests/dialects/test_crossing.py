"""Every event in every dialect: the exact frame, or that it has no word for it."""

from typing import get_args

import pytest

from hubbub.core.channels import Role
from hubbub.core.claims import PassKind
from hubbub.core.events import (
    Addressed,
    ChannelChanged,
    CursorMoved,
    Departure,
    Durable,
    Envelope,
    Ephemeral,
    Event,
    MemberChanged,
    MemberJoined,
    MemberLeft,
    MessagePassed,
    MessagePosted,
    Passed,
    PeerJoined,
    PeerLeft,
    Signalled,
    TypingChanged,
    UserCame,
    UserWent,
)
from hubbub.core.ids import ChannelId, MessageId, Person, UserId
from hubbub.core.signals import Peer
from hubbub.dialects.base import Dialect
from hubbub.dialects.conference import Conference
from hubbub.dialects.conversations import Conversations
from hubbub.dialects.native import Native
from hubbub.dialects.peerjs import PeerJs
from hubbub.dialects.relay import RelayChat, RelayVideo
from hubbub.dialects.rooms import Rooms
from hubbub.dialects.signaling import Signaling

DIALECTS: tuple[Dialect, ...] = (Native(), Rooms(), Conversations())
OTHERS: tuple[Dialect, ...] = (RelayChat(), RelayVideo(), Conference(), Signaling(), PeerJs())
"""Of what is for a whole channel they tell nothing."""

ROOM = ChannelId(5)
ALICE = Person(UserId(2), "alice")
BOB = Person(UserId(3), "bob")
GUEST = Person(UserId(-7), "Gäst")
CLARA = Person(UserId(4), "clara", "1042")
AT = 1_795_257_000_123
SEQ = 14

Row = tuple[Event, bytes, bytes | None, bytes | None]

TABLE: dict[str, Row] = {
    "a message": (
        MessagePosted(ROOM, MessageId(123), ALICE, "Message text", None, AT),
        b'{"type":"message","channel":5,"seq":14,"id":123,"sender":{"id":2,"name":"alice"},'
        b'"content":"Message text","created_at":"2026-11-21T10:30:00.123Z"}',
        b'{"type":"message","id":123,"room_id":5,"user_id":2,"username":"alice",'
        b'"content":"Message text","created_at":"2026-11-21T10:30:00.123Z"}',
        b'{"type":"message","id":123,"content":"Message text","sender_id":2,'
        b'"sender_name":"alice","conversation_id":5,"created_at":"2026-11-21 10:30:00"}',
    ),
    "a message with a client_id, of a guest, of characters that JSON escapes": (
        MessagePosted(ROOM, MessageId(124), GUEST, '"ä"\n\\', "c-1", AT),
        '{"type":"message","channel":5,"seq":14,"id":124,"sender":{"id":-7,"name":"Gäst"},'
        '"content":"\\"ä\\"\\n\\\\","created_at":"2026-11-21T10:30:00.123Z","client_id":"c-1"}'
        "".encode(),
        '{"type":"message","id":124,"room_id":5,"user_id":-7,"username":"Gäst",'
        '"content":"\\"ä\\"\\n\\\\","created_at":"2026-11-21T10:30:00.123Z"}'.encode(),
        '{"type":"message","id":124,"content":"\\"ä\\"\\n\\\\","sender_id":-7,'
        '"sender_name":"Gäst","conversation_id":5,"created_at":"2026-11-21 10:30:00"}'.encode(),
    ),
    "a member joined": (
        MemberJoined(ROOM, ALICE, Role.MEMBER, None, AT),
        b'{"type":"member_joined","channel":5,"seq":14,"user":{"id":2,"name":"alice"},'
        b'"role":"member","created_at":"2026-11-21T10:30:00.123Z"}',
        None,
        None,
    ),
    "a member was added": (
        MemberJoined(ROOM, ALICE, Role.MEMBER, BOB, AT),
        b'{"type":"member_joined","channel":5,"seq":14,"user":{"id":2,"name":"alice"},'
        b'"role":"member","created_at":"2026-11-21T10:30:00.123Z"}',
        None,
        None,
    ),
    "a member left": (
        MemberLeft(ROOM, ALICE, None, AT),
        b'{"type":"member_left","channel":5,"seq":14,"user":{"id":2,"name":"alice"},'
        b'"created_at":"2026-11-21T10:30:00.123Z"}',
        None,
        None,
    ),
    "a member was removed": (
        MemberLeft(ROOM, ALICE, BOB, AT),
        b'{"type":"member_left","channel":5,"seq":14,"user":{"id":2,"name":"alice"},'
        b'"created_at":"2026-11-21T10:30:00.123Z","removed_by":{"id":3,"name":"bob"}}',
        None,
        None,
    ),
    "a member has another role": (
        MemberChanged(ROOM, ALICE, Role.MODERATOR, AT),
        b'{"type":"member_changed","channel":5,"seq":14,"user":{"id":2,"name":"alice"},'
        b'"role":"moderator","created_at":"2026-11-21T10:30:00.123Z"}',
        None,
        None,
    ),
    "the channel changed": (
        ChannelChanged(ROOM, "General", "", True, False, AT),
        b'{"type":"channel_changed","channel":5,"seq":14,"name":"General","description":"",'
        b'"private":true,"guests":false,"created_at":"2026-11-21T10:30:00.123Z"}',
        None,
        None,
    ),
    "somebody came": (
        UserCame(ROOM, ALICE),
        b'{"type":"presence","channel":5,"user":{"id":2,"name":"alice"},"state":"online"}',
        b'{"type":"user_joined","room_id":5,"user_id":2,"username":"alice"}',
        b'{"type":"user_joined","user_id":2,"username":"alice"}',
    ),
    "somebody left": (
        UserWent(ROOM, ALICE, Departure.LEFT),
        b'{"type":"presence","channel":5,"user":{"id":2,"name":"alice"},"state":"offline"}',
        b'{"type":"user_left","room_id":5,"user_id":2,"username":"alice"}',
        b'{"type":"user_left","user_id":2,"username":"alice"}',
    ),
    "somebody's last socket went": (
        UserWent(ROOM, ALICE, Departure.DISCONNECTED),
        b'{"type":"presence","channel":5,"user":{"id":2,"name":"alice"},"state":"offline"}',
        b'{"type":"user_disconnected","room_id":5,"user_id":2,"username":"alice"}',
        b'{"type":"user_left","user_id":2,"username":"alice"}',
    ),
    "somebody's last socket was cut off": (
        UserWent(ROOM, ALICE, Departure.LOST),
        b'{"type":"presence","channel":5,"user":{"id":2,"name":"alice"},"state":"offline"}',
        b'{"type":"user_disconnected","room_id":5,"user_id":2,"username":"alice"}',
        b'{"type":"user_left","user_id":2,"username":"alice"}',
    ),
    "somebody types": (
        TypingChanged(ROOM, ALICE, True),
        b'{"type":"typing","channel":5,"user":{"id":2,"name":"alice"},"typing":true}',
        b'{"type":"user_typing","room_id":5,"user_id":2,"username":"alice"}',
        None,
    ),
    "somebody stopped typing": (
        TypingChanged(ROOM, ALICE, False),
        b'{"type":"typing","channel":5,"user":{"id":2,"name":"alice"},"typing":false}',
        None,
        None,
    ),
    "somebody has read": (
        CursorMoved(ROOM, ALICE, 12, 14),
        b'{"type":"receipt","channel":5,"user":{"id":2,"name":"alice"},"read":12,"delivered":14}',
        None,
        None,
    ),
}

ADDRESSED: dict[str, tuple[Event, dict[str, bytes]]] = {
    "a message in a direct chat": (
        MessagePosted(ROOM, MessageId(123), ALICE, "Hello!", "c-1", AT, CLARA),
        {
            "native": b'{"type":"message","channel":5,"seq":14,"id":123,"sender":{"id":2,'
            b'"name":"alice"},"content":"Hello!","created_at":"2026-11-21T10:30:00.123Z",'
            b'"client_id":"c-1"}',
            "rooms": b'{"type":"message","id":123,"room_id":5,"user_id":2,"username":"alice",'
            b'"content":"Hello!","created_at":"2026-11-21T10:30:00.123Z"}',
            "conversations": b'{"type":"message","id":123,"content":"Hello!","sender_id":2,'
            b'"sender_name":"alice","conversation_id":5,"created_at":"2026-11-21 10:30:00"}',
            "relay-chat": b'{"type":"message","id":"123","from_user_id":"alice",'
            b'"to_user_id":"1042","content":"Hello!","created_at":"2026-11-21T10:30:00.123Z"}',
        },
    ),
    "a message that is kept nowhere": (
        MessagePassed("m-1", GUEST, CLARA, "Hello!", AT),
        {
            "relay-chat": '{"type":"message","id":"m-1","from_user_id":"Gäst","to_user_id":"1042",'
            '"content":"Hello!","created_at":"2026-11-21T10:30:00.123Z"}'.encode(),
        },
    ),
    "what one claimed id says to another": (
        Passed(PassKind.OFFER, "a", "b", b'{"sdp":"v=0"}'),
        {"peerjs": b'{"type":"OFFER","src":"a","dst":"b","payload":{"sdp":"v=0"}}'},
    ),
    "a person is in the call": (
        PeerJoined(ROOM, "room123", Peer("1042", "clara", CLARA)),
        {
            "native": b'{"type":"peer_joined","channel":5,'
            b'"peer":{"id":"1042","user":{"id":4,"name":"clara"}}}',
            "relay-video": b'{"type":"user-joined","room_id":"room123","user_id":"1042"}',
            "conference": b'{"type":"user-joined","user_id":"1042","room_id":"room123"}',
            "signaling": b'{"type":"user_joined","username":"clara","room_id":"room123"}',
        },
    ),
    "a connection is in the call of a room whose key is digits": (
        PeerJoined(ROOM, "123", Peer("c-1", "c-1", ALICE, "c-1")),
        {
            "native": b'{"type":"peer_joined","channel":5,'
            b'"peer":{"id":"c-1","user":{"id":2,"name":"alice"}}}',
            "relay-video": b'{"type":"user-joined","room_id":"123","user_id":"c-1"}',
            "conference": b'{"type":"user-joined","user_id":"c-1","room_id":"123"}',
            "signaling": b'{"type":"user_joined","username":"c-1","room_id":"5"}',
        },
    ),
    "a person is out of the call": (
        PeerLeft(ROOM, "room123", Peer("1042", "clara", CLARA)),
        {
            "native": b'{"type":"peer_left","channel":5,'
            b'"peer":{"id":"1042","user":{"id":4,"name":"clara"}}}',
            "relay-video": b'{"type":"user-left","room_id":"room123","user_id":"1042"}',
            "conference": b'{"type":"user-left","user_id":"1042","room_id":"room123"}',
            "signaling": b'{"type":"user_left","username":"clara","room_id":"room123"}',
        },
    ),
    "a connection is out of the call of a room whose key is digits": (
        PeerLeft(ROOM, "123", Peer("c-1", "c-1", ALICE, "c-1")),
        {
            "native": b'{"type":"peer_left","channel":5,'
            b'"peer":{"id":"c-1","user":{"id":2,"name":"alice"}}}',
            "relay-video": b'{"type":"user-left","room_id":"123","user_id":"c-1"}',
            "conference": b'{"type":"user-left","user_id":"c-1","room_id":"123"}',
            "signaling": b'{"type":"user_left","username":"c-1","room_id":"5"}',
        },
    ),
}
"""What is for somebody in particular. A dialect that is not named has no word for it. What peers
signal is in `test_crossing_calls.py`."""

CASES = [
    pytest.param(dialect, row[0], row[1 + column], id=f"{dialect.name}: {what}")
    for what, row in TABLE.items()
    for column, dialect in enumerate(DIALECTS)
]
CASES += [
    pytest.param(dialect, row[0], None, id=f"{dialect.name}: {what}")
    for what, row in TABLE.items()
    for dialect in OTHERS
]
CASES += [
    pytest.param(dialect, event, frames.get(dialect.name), id=f"{dialect.name}: {what}")
    for what, (event, frames) in ADDRESSED.items()
    for dialect in (*DIALECTS, *OTHERS)
]


@pytest.mark.parametrize(("dialect", "event", "frame"), CASES)
def test_the_event_is_told_in_the_words_of_the_dialect(
    dialect: Dialect, event: Event, frame: bytes | None
) -> None:
    seq = SEQ if isinstance(event, Durable) else 0
    assert dialect.encode(Envelope(ROOM, event, seq, "a1b2")) == frame


def test_every_event_there_is_has_a_row() -> None:
    events = {*get_args(Durable), *get_args(Ephemeral)}
    assert {type(row[0]) for row in TABLE.values()} == events
    direct = {type(event) for event, _ in ADDRESSED.values()}
    assert direct == {*get_args(Addressed), MessagePosted} - {Signalled}


def test_every_departure_there_is_has_a_row() -> None:
    whys = {row[0].why for row in TABLE.values() if isinstance(row[0], UserWent)}
    assert whys == set(Departure)
