import json
from typing import Any

import pytest

from hubbub.core.answers import (
    Answer,
    Connected,
    Done,
    Entered,
    Exited,
    Messages,
    Posted,
    Present,
    Recovery,
    Refreshed,
)
from hubbub.core.channels import Channel, Kind
from hubbub.core.commands import (
    Command,
    Connect,
    Enter,
    Exit,
    ListPresent,
    MoveCursor,
    Ping,
    ReadHistory,
    Refresh,
    SendMessage,
    SetTyping,
)
from hubbub.core.errors import NotAMember, NotFound, TooMany
from hubbub.core.events import Envelope, MemberLeft, MessagePosted
from hubbub.core.ids import MAX_INTEGER, ChannelId, Cursor, MessageId, Person, UserId, Who
from hubbub.dialects.base import Link, Refused, Request
from hubbub.dialects.native import MAX_LINES, Native

NATIVE = Native()
LINK = Link("c", Who(UserId(1), "testuser", "s"))
AT = 1_795_257_000_123
ALICE = Person(UserId(2), "alice")
ROOM = ChannelId(5)
CHANNEL = Channel(ROOM, "general", Kind.ROOM, "General", "", False, False, None, AT, "a1b2", 14)
MESSAGE = Envelope(ROOM, MessagePosted(ROOM, MessageId(9), ALICE, "Hello", None, AT), 14, "a1b2")
MESSAGE_JSON = {
    "type": "message", "channel": 5, "seq": 14, "id": 9, "sender": {"id": 2, "name": "alice"},
    "content": "Hello", "created_at": "2026-11-21T10:30:00.123Z",
}  # fmt: skip
SUBSCRIPTION_JSON = {
    "channel": 5, "key": "general", "name": "General", "epoch": "a1b2", "seq": 14
}  # fmt: skip


def decode(frame: dict[str, Any]) -> Request | Refused:
    (decoded,) = NATIVE.decode(json.dumps(frame), LINK)
    return decoded


def result(answer: Answer) -> object:
    (frame,) = NATIVE.answer(Request(Ping(), 7), answer, LINK)
    reply = json.loads(frame)
    assert list(reply) == ["id", "result"]
    assert reply["id"] == 7
    return reply["result"]


@pytest.mark.parametrize(
    ("frame", "command"),
    [
        ({"type": "connect"}, Connect(None)),
        ({"type": "connect", "token": "t", "channels": []}, Connect("t")),
        (
            {
                "type": "connect",
                "channels": [
                    {"channel": 5, "cursor": {"epoch": "a1b2", "seq": 12}},
                    {"channel": "general", "presence": True, "join": True},
                ],
            },
            Connect(
                None,
                (
                    Enter(5, Cursor("a1b2", 12), presence=False),
                    Enter("general", join=True, presence=True),
                ),
            ),
        ),
        ({"type": "refresh", "token": "t"}, Refresh("t")),
        ({"type": "ping"}, Ping()),
        ({"type": "subscribe", "channel": 5}, Enter(5, presence=False)),
        (
            {"type": "subscribe", "channel": 5, "cursor": {"epoch": "a1b2", "seq": 0},
             "presence": True, "join": True},
            Enter(5, Cursor("a1b2", 0), join=True, presence=True),
        ),
        ({"type": "subscribe", "channel": 5, "cursor": None}, Enter(5, presence=False)),
        ({"type": "unsubscribe", "channel": 5}, Exit(5)),
        ({"type": "send", "channel": 5, "content": "Hello"}, SendMessage(5, "Hello")),
        (
            {"type": "send", "channel": "general", "content": "Hello", "client_id": "c-1"},
            SendMessage("general", "Hello", "c-1"),
        ),
        ({"type": "history", "channel": 5}, ReadHistory(5)),
        (
            {"type": "history", "channel": 5, "before": 9, "limit": 200},
            ReadHistory(5, before=9, limit=200),
        ),
        ({"type": "history", "channel": 5, "after": 3}, ReadHistory(5, after=3)),
        ({"type": "typing", "channel": 5}, SetTyping(5)),
        ({"type": "typing", "channel": 5, "typing": False}, SetTyping(5, False)),
        ({"type": "read", "channel": 5, "seq": 14}, MoveCursor(5, read=14)),
        ({"type": "delivered", "channel": 5, "seq": 14}, MoveCursor(5, delivered=14)),
        ({"type": "presence", "channel": 5}, ListPresent(5)),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_frame_is_read_as_its_command(frame: dict[str, Any], command: Command) -> None:
    assert decode(frame) == Request(command)
    assert decode({**frame, "id": 7}) == Request(command, 7)
    assert decode({**frame, "id": MAX_INTEGER}) == Request(command, MAX_INTEGER)


def test_a_string_of_digits_is_a_key_and_not_an_id() -> None:
    assert decode({"type": "unsubscribe", "channel": "5"}) == Request(Exit("5"))


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"type": "ping", "id": "1"}, "invalid_id"),
        ({"type": "ping", "id": 1.0}, "invalid_id"),
        ({"type": "ping", "id": True}, "invalid_id"),
        ({"type": "ping", "id": 0}, "invalid_id"),
        ({"type": "ping", "id": -1}, "invalid_id"),
        ({"type": "ping", "id": MAX_INTEGER + 1}, "invalid_id"),
        ({"type": "ping", "id": 10**40}, "invalid_id"),
    ],
)
def test_an_id_that_cannot_be_used_is_refused_without_one(frame: dict[str, Any], code: str) -> None:
    refused = decode(frame)
    assert isinstance(refused, Refused)
    assert (refused.error.code, refused.id) == (code, None)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"type": "dance"}, "unknown_type"),
        ({}, "missing_type"),
        ({"type": "connect", "token": 5}, "invalid_token"),
        ({"type": "connect", "token": "\x00"}, "invalid_token"),
        ({"type": "connect", "token": "\ud800"}, "invalid_token"),
        ({"type": "connect", "channels": {}}, "invalid_channels"),
        ({"type": "connect", "channels": [5]}, "invalid_channels"),
        ({"type": "connect", "channels": [{}]}, "invalid_channels"),
        ({"type": "connect", "channels": [{"channel": 5}] * 129}, "invalid_channels"),
        ({"type": "connect", "channels": [{"\ud800": 5}]}, "invalid_channels"),
        ({"type": "connect", "channels": [{"channel": "a b"}]}, "invalid_channel"),
        ({"type": "refresh"}, "missing_token"),
        ({"type": "refresh", "token": "\ud800"}, "invalid_token"),
        ({"type": "subscribe"}, "missing_channel"),
        ({"type": "history", "channel": 5, "before": 9, "after": 3}, "invalid_page"),
        ({"type": "subscribe", "channel": None}, "invalid_channel"),
        ({"type": "subscribe", "channel": 5.0}, "invalid_channel"),
        ({"type": "subscribe", "channel": True}, "invalid_channel"),
        ({"type": "subscribe", "channel": -1}, "invalid_channel"),
        ({"type": "subscribe", "channel": MAX_INTEGER + 1}, "invalid_channel"),
        ({"type": "subscribe", "channel": 10**400}, "invalid_channel"),
        ({"type": "subscribe", "channel": ""}, "invalid_channel"),
        ({"type": "subscribe", "channel": "a\x00"}, "invalid_channel"),
        ({"type": "subscribe", "channel": "\ud800"}, "invalid_channel"),
        ({"type": "subscribe", "channel": 5, "cursor": 12}, "invalid_cursor"),
        ({"type": "subscribe", "channel": 5, "cursor": {"seq": 1}}, "invalid_cursor"),
        ({"type": "subscribe", "channel": 5, "cursor": {"epoch": "a"}}, "invalid_cursor"),
        (
            {"type": "subscribe", "channel": 5, "cursor": {"epoch": "a", "seq": -1}},
            "invalid_cursor",
        ),
        (
            {"type": "subscribe", "channel": 5, "cursor": {"epoch": "\x00", "seq": 1}},
            "invalid_cursor",
        ),
        (
            {"type": "subscribe", "channel": 5, "cursor": {"epoch": "x" * 65, "seq": 1}},
            "invalid_cursor",
        ),
        ({"type": "subscribe", "channel": 5, "presence": 1}, "invalid_presence"),
        ({"type": "subscribe", "channel": 5, "join": "yes"}, "invalid_join"),
        ({"type": "send", "channel": 5}, "missing_content"),
        ({"type": "send", "channel": 5, "content": ""}, "empty_content"),
        ({"type": "send", "content": "Hello"}, "missing_channel"),
        ({"type": "send", "channel": 5, "content": "x", "client_id": ""}, "invalid_client_id"),
        ({"type": "send", "channel": 5, "content": "x", "client_id": 5}, "invalid_client_id"),
        (
            {"type": "send", "channel": 5, "content": "x", "client_id": "x" * 65},
            "invalid_client_id",
        ),
        (
            {"type": "send", "channel": 5, "content": "x", "client_id": "\ud800"},
            "invalid_client_id",
        ),
        ({"type": "history", "channel": 5, "limit": 0}, "invalid_limit"),
        ({"type": "history", "channel": 5, "limit": 201}, "invalid_limit"),
        ({"type": "history", "channel": 5, "before": "9"}, "invalid_before"),
        ({"type": "history", "channel": 5, "after": -1}, "invalid_after"),
        ({"type": "typing", "channel": 5, "typing": None}, "invalid_typing"),
        ({"type": "read", "channel": 5}, "missing_seq"),
        ({"type": "read", "channel": 5, "seq": 1.5}, "invalid_seq"),
        ({"type": "delivered", "channel": 5, "seq": MAX_INTEGER + 1}, "invalid_seq"),
    ],
    ids=str,
)
def test_a_refusal_names_the_fault_and_carries_the_id(frame: dict[str, Any], code: str) -> None:
    with_id = json.dumps(frame)[:-1] + (', "id": 7}' if frame else '"id": 7}')
    (refused,) = NATIVE.decode(with_id, LINK)
    assert isinstance(refused, Refused)
    assert (refused.error.code, refused.id) == (code, 7)
    told = json.loads(NATIVE.refuse(refused.error, refused.id))
    assert told["id"] == 7
    assert told["error"]["code"] == code


def test_a_frame_nested_too_deep_is_refused_with_its_id_where_that_can_be_read() -> None:
    for depth, number in ((40, 7), (100_000, None)):
        (refused,) = NATIVE.decode(f'{{"id":7,"x":{"[" * depth}{"]" * depth}}}', LINK)
        assert isinstance(refused, Refused)
        assert (refused.error.code, refused.id) == ("too_deep", number)


def test_lines_are_read_one_by_one_and_a_bad_one_harms_no_other() -> None:
    lines = ['{"type":"ping","id":1}\r', "", "  ", "x", '{"type":"ping","id":2}', "{}", ""]
    text = "\n".join(lines)
    first, second, third, fourth = NATIVE.decode(text, LINK)
    assert (first, third) == (Request(Ping(), 1), Request(Ping(), 2))
    assert isinstance(second, Refused)
    assert (second.error.code, second.id) == ("bad_frame", None)
    assert isinstance(fourth, Refused)
    assert (fourth.error.code, fourth.id) == ("missing_type", None)


def test_a_frame_of_empty_lines_is_refused_once() -> None:
    (refused,) = NATIVE.decode("\n\n \n", LINK)
    assert isinstance(refused, Refused)
    assert refused.error.code == "bad_frame"


def test_a_frame_of_too_many_lines_is_refused_as_a_whole() -> None:
    line = '{"type":"ping"}'
    assert len(NATIVE.decode("\n".join([line] * MAX_LINES), LINK)) == MAX_LINES
    (refused,) = NATIVE.decode("\n".join([line] * (MAX_LINES + 1)), LINK)
    assert isinstance(refused, Refused)
    assert refused.error.code == "too_many_commands"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            Posted(ROOM, MessageId(9), 14, AT, "Hello"),
            {"id": 9, "seq": 14, "created_at": "2026-11-21T10:30:00.123Z"},
        ),
        (Entered(CHANNEL, 14), SUBSCRIPTION_JSON),
        (
            Entered(CHANNEL, 14, recovery=Recovery.RECOVERED, events=[MESSAGE]),
            SUBSCRIPTION_JSON | {"recovery": "recovered", "events": [MESSAGE_JSON]},
        ),
        (
            Entered(CHANNEL, 14, recovery=Recovery.RECOVERED),
            SUBSCRIPTION_JSON | {"recovery": "recovered", "events": []},
        ),
        (
            Entered(CHANNEL, 14, recovery=Recovery.TRUNCATED, events=[MESSAGE]),
            SUBSCRIPTION_JSON | {"recovery": "truncated", "oldest": 14, "events": [MESSAGE_JSON]},
        ),
        (
            Entered(CHANNEL, 14, recovery=Recovery.TRUNCATED),
            SUBSCRIPTION_JSON | {"recovery": "truncated", "oldest": 15, "events": []},
        ),
        (
            Entered(CHANNEL, 14, recovery=Recovery.RESET),
            SUBSCRIPTION_JSON | {"recovery": "reset", "events": []},
        ),
        (Exited(ROOM, "General"), {}),
        (Messages(ROOM, [MESSAGE]), {"messages": [MESSAGE_JSON]}),
        (Messages(ROOM, []), {"messages": []}),
        (Present(ROOM, [ALICE]), {"users": [{"id": 2, "name": "alice"}]}),
        (
            Connected(
                "c", Who(UserId(2), "alice", "s", admin=True), 1800, 25,
                [(5, Entered(CHANNEL, 14)), ("x", NotFound("there is none", "unknown_channel"))],
            ),
            {
                "connection_id": "c", "user": {"id": 2, "name": "alice"}, "ttl": 1800, "ping": 25,
                "channels": [
                    SUBSCRIPTION_JSON,
                    {
                        "channel": "x",
                        "error": {
                            "code": "unknown_channel", "message": "there is none",
                            "temporary": False,
                        },
                    },
                ],
            },
        ),
        (
            Connected("c", Who(UserId(-1), "guest"), None, 25, []),
            {
                "connection_id": "c", "user": {"id": -1, "name": "guest"}, "ttl": None,
                "ping": 25, "channels": [],
            },
        ),
        (Refreshed(1800), {"ttl": 1800}),
        (Done(), {}),
    ],
)  # fmt: skip
def test_an_answer_is_the_result_of_the_command(answer: Answer, expected: object) -> None:
    assert result(answer) == expected


def test_a_command_without_an_id_is_answered_by_nothing() -> None:
    assert NATIVE.answer(Request(Ping()), Done(), LINK) == ()


def test_missed_events_are_told_in_the_same_words_as_live_ones() -> None:
    left = Envelope(ROOM, MemberLeft(ROOM, ALICE, None, AT), 15, "a1b2")
    entered = Entered(CHANNEL, 15, recovery=Recovery.RECOVERED, events=[MESSAGE, left])
    (frame,) = NATIVE.answer(Request(Enter(ROOM), 1), entered, LINK)
    assert b'"events":[' + NATIVE.encode(MESSAGE) + b"," + NATIVE.encode(left) + b"]" in frame


def test_an_error_tells_whether_and_when_trying_again_helps() -> None:
    error = TooMany("you are posting too fast", retry_after=3)
    problem = {
        "code": "rate_limited", "message": "you are posting too fast", "temporary": True,
        "retry_after": 3,
    }  # fmt: skip
    assert json.loads(NATIVE.refuse(error, 7)) == {"id": 7, "error": problem}
    assert json.loads(NATIVE.refuse(error, None)) == {"type": "error", "error": problem}


def test_somebody_no_longer_in_a_channel_keeps_the_socket() -> None:
    told = NATIVE.oust(LINK, ROOM, "General", NotAMember("you were removed"))
    assert json.loads(told) == {
        "type": "unsubscribed",
        "channel": 5,
        "error": {"code": "not_a_member", "message": "you were removed", "temporary": False},
    }


def test_a_ping_names_the_channels_that_moved_and_only_where_some_did() -> None:
    assert NATIVE.ping({}) == b'{"type":"ping"}'
    assert NATIVE.ping({ChannelId(5): 14}) == b'{"type":"ping","channels":{"5":14}}'


def test_a_socket_is_told_nothing_and_enters_nothing_by_itself() -> None:
    link = Link("c", None)
    assert NATIVE.greet(link) == ()
    assert NATIVE.opening(link) is None
