"""Whatever is sent, decoding returns; and what it returns can be carried out, or told."""

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hubbub.core.commands import Command, Signal
from hubbub.core.events import Envelope, MessagePosted, Signalled
from hubbub.core.ids import MAX_INTEGER, ChannelId, MessageId, Person, UserId, Who, is_key
from hubbub.core.signals import Peer
from hubbub.dialects.base import MAX_DEPTH, Dialect, Link, Refused, Request
from hubbub.dialects.conference import Conference
from hubbub.dialects.conversations import Conversations
from hubbub.dialects.native import Native
from hubbub.dialects.relay import RelayChat, RelayVideo
from hubbub.dialects.rooms import Rooms
from hubbub.dialects.signaling import Signaling

# How long an example takes says more about the machine than about what is tested.
unhurried = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])

CHATS: tuple[Dialect, ...] = (Native(), Rooms(), Conversations(), RelayChat())
CALLS: tuple[Dialect, ...] = (RelayVideo(), Conference(), Signaling())
DIALECTS = CHATS + CALLS
LINKS = (
    Link("c", Who(UserId(1), "testuser"), 5, key="general"),
    Link("c", Who(UserId(1), "testuser"), "general"),
    Link("c", Who(UserId(1), "testuser")),
    Link("c", Who(UserId(-1), "guest"), fallback="lobby"),
    Link("c", None),
)
TYPES = [
    "connect", "refresh", "ping", "subscribe", "unsubscribe", "send", "history", "typing", "read",
    "delivered", "presence", "message", "join_room", "leave_room", "offer", "answer", "candidate",
    "ice-candidate", "hang_up", "hang-up", "call-declined", "decline", "custom", "call_join",
    "user-joined", "connected", "join", "heartbeat",
]  # fmt: skip
FIELDS = [
    "id", "type", "channel", "content", "client_id", "room_id", "conversation_id", "token",
    "channels", "cursor", "epoch", "seq", "presence", "join", "before", "after", "limit", "typing",
    "to", "to_user_id", "target", "target_id", "data", "sdp", "candidate", "sdpMid",
    "sdpMLineIndex", "name", "sender_id",
]  # fmt: skip

any_text = st.text(st.characters(codec=None), max_size=20)
integers = st.one_of(
    st.integers(0, 9),
    st.integers(),
    st.sampled_from([MAX_INTEGER, MAX_INTEGER + 1, 2**63, 2**64, -(2**63) - 1, 10**30]),
)
scalars = st.one_of(st.none(), st.booleans(), integers, st.floats(), any_text)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(FIELDS), any_text), inner, max_size=4),
    ),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(FIELDS), values, max_size=8)
likely = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES)},
    optional={
        "id": integers,
        "channel": st.one_of(integers, st.sampled_from(["general", "5", "a b"]), values),
        "room_id": st.one_of(integers, st.sampled_from(["general", "5", "a b"]), values),
        "content": st.one_of(any_text, values),
        "client_id": st.one_of(any_text, values),
        "token": st.one_of(any_text, values),
        "cursor": st.one_of(st.fixed_dictionaries({"epoch": any_text, "seq": integers}), values),
        "seq": integers,
        "limit": integers,
        "channels": st.one_of(st.lists(objects, max_size=3), values),
        "to_user_id": st.one_of(integers, any_text, values),
        "target": st.one_of(any_text, values),
        "target_id": st.one_of(any_text, values),
        "sdp": st.one_of(any_text, objects),
        "candidate": st.one_of(any_text, objects),
        "data": st.one_of(any_text, objects),
        "name": st.one_of(any_text, values),
    },
)
written = st.one_of(objects, likely, values).flatmap(
    lambda value: st.sampled_from(
        [json.dumps(value), json.dumps(value, ensure_ascii=False), json.dumps(value, indent=1)]
    )
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """JSON with a piece cut out, doubled, or replaced."""
    text = draw(written)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, len(text)))
    return text[:start] + draw(st.one_of(any_text, st.just(text[start:end] * 2))) + text[end:]


frames = st.one_of(any_text, written, damaged(), st.lists(written, max_size=4).map("\n".join))


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@unhurried
@given(text=frames, link=st.sampled_from(LINKS))
def test_decoding_never_raises_and_always_says_something(
    dialect: Dialect, text: str, link: Link
) -> None:
    decoded = dialect.decode(text, link)
    assert decoded
    assert dialect.lines or len(decoded) == 1
    for one in decoded:
        assert one.id is None or 0 < one.id <= MAX_INTEGER
        if isinstance(one, Refused):
            assert str(one.error)
            json.loads(dialect.refuse(one.error, one.id))
        else:
            assert isinstance(one, Request)
            assert isinstance(one.command, get_args(Command))
            assert_storable(one.command)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@unhurried
@given(frame=st.one_of(objects, likely), link=st.sampled_from(LINKS))
def test_many_brackets_change_how_a_frame_is_read_and_not_what_is_read(
    dialect: Dialect, frame: dict[str, Any], link: Link
) -> None:
    # No dialect reads this key, nor passes it on.
    # What is no JSON at all is refused before anything is read.
    assume("Infinity" not in (text := json.dumps(frame)) and "NaN" not in text)
    few_brackets, brackets = {**frame, "sender_id": []}, {**frame, "sender_id": [[]] * MAX_DEPTH}
    (few,) = dialect.decode(json.dumps(few_brackets), link)
    (many,) = dialect.decode(json.dumps(brackets), link)
    if isinstance(few, Refused):
        assert isinstance(many, Refused)
        assert (many.id, many.error.code, str(many.error)) == (
            few.id, few.error.code, str(few.error)
        )  # fmt: skip
    else:
        assert many == few


def assert_storable(value: Any, name: str = "") -> None:
    """Fails where a command holds what some database or index cannot."""
    if is_dataclass(value):
        for field in fields(value):
            assert_storable(getattr(value, field.name), field.name)
    elif isinstance(value, tuple):
        for item in value:
            assert_storable(item)
    elif isinstance(value, str):
        value.encode()
        assert "\x00" not in value
        assert name != "channel" or is_key(value)
    elif isinstance(value, bytes):
        json.loads(value)
        assert b"\n" not in value
    elif value is not None:
        assert isinstance(value, int)
        assert 0 <= value <= MAX_INTEGER


SENDER: dict[str, Callable[[dict[str, Any]], list[object]]] = {
    "native": lambda told: [told["sender"]["id"], told["sender"]["name"]],
    "rooms": lambda told: [told["user_id"], told["username"]],
    "conversations": lambda told: [told["sender_id"], told["sender_name"]],
    "relay-chat": lambda told: [told["from_user_id"], told["to_user_id"]],
}


@pytest.mark.parametrize("dialect", CHATS, ids=lambda dialect: dialect.name)
@unhurried
@given(
    content=st.text(),
    name=st.text(),
    client_id=st.none() | st.text(),
    user=st.integers(-MAX_INTEGER, MAX_INTEGER),
)
def test_whatever_was_posted_is_told_in_one_line_and_reads_back_the_same(
    dialect: Dialect, content: str, name: str, client_id: str | None, user: int
) -> None:
    sender = Person(UserId(user), name)
    to = Person(UserId(1), "testuser")
    posted = MessagePosted(ChannelId(5), MessageId(9), sender, content, client_id, 0, to)
    frame = dialect.encode(Envelope(ChannelId(5), posted, 14, "a1b2"))
    assert frame is not None
    assert b"\n" not in frame
    told = json.loads(frame)
    assert told["content"] == content
    relayed = dialect.name == "relay-chat"
    assert SENDER[dialect.name](told) == ([name, "testuser"] if relayed else [user, name])


@pytest.mark.parametrize("dialect", [Native(), *CALLS], ids=lambda dialect: dialect.name)
@unhurried
@given(text=likely.map(json.dumps))
def test_whatever_was_signalled_is_told_in_one_line_and_as_what_it_is(
    dialect: Dialect, text: str
) -> None:
    for request in dialect.decode(text, LINKS[0]):
        if isinstance(request, Refused) or not isinstance(request.command, Signal):
            continue
        said, here = request.command, ChannelId(5)
        peer = Peer("alice", "alice", Person(UserId(2), "alice"))
        event = Signalled(here, "general", peer, peer, said.body, said.verbatim)
        for other in DIALECTS:
            frame = other.encode(Envelope(here, event))
            assert frame is None or isinstance(json.loads(frame), dict)
            assert frame is None or b"\n" not in frame
        # What is relayed may not name another room or sender, and keeps its type.
        told = json.loads(dialect.encode(Envelope(here, event)) or b"null")
        assert told["type"] == json.loads(text)["type"]
        assert told.get("room_id", "general") == "general"
        assert told.get("sender_id", "alice") == "alice"
