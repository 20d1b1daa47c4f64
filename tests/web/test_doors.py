"""Which WebSocket path leads where."""

import ast
import inspect
from typing import Any

import pytest

from hubbub.core.ids import RESERVED_KEYS
from hubbub.web import doors, sockets
from hubbub.web.doors import ECHO, NOWHERE, WAYS, Door, segments
from tests.web.asgi import http_scope

MEETING = "550e8400-e29b-41d4-a716-446655440000"


def route(path: str) -> Door | None:
    return doors.route(segments(http_scope("GET", path, [])))


@pytest.mark.parametrize(
    ("path", "door"),
    [
        ("/ws", Door("rooms", anonymous=True)),
        ("/ws/auth", Door("rooms")),
        ("/ws/v1", Door("native", late=True)),
        ("/ws/echo", Door(ECHO, anonymous=True)),
        ("/peerjs/peerjs", Door("peerjs", secret=True)),
        ("/ws/room/1", Door("rooms", 1)),
        ("/ws/room/room123", Door("rooms", "room123")),
        ("/conversations/1/ws", Door("conversations", 1)),
        ("/ws/signaling/room123", Door("signaling", "room123")),
        ("/ws/signaling/12", Door("signaling", 12)),
        ("/ws/chat/alice", Door("relay-chat", guests=True, claims="alice")),
        ("/ws/chat/auth0|5", Door("relay-chat", guests=True, claims="auth0|5")),
        ("/ws/video/r/alice", Door("relay-video", "r", guests=True, claims="alice")),
        (f"/ws/{MEETING}", Door("conference", MEETING, guests=True)),
    ],
)
def test_a_path_leads_to_its_protocol(path: str, door: Door) -> None:
    assert route(path) == door


def test_digits_are_a_key_where_only_keys_are_named() -> None:
    assert route("/ws/video/1/bob") == Door("relay-video", "1", guests=True, claims="bob")
    assert route("/ws/1") == Door("conference", "1", guests=True)


@pytest.mark.parametrize(
    "path", ["/ws/a%20b", "/ws/video/a%2Fb/bob", "/ws/room/a%2Fb", "/ws/%C3%A9"]
)
def test_what_can_be_no_key_leads_to_no_channel(path: str) -> None:
    found = route(path)
    assert found is not None
    assert found.channel == NOWHERE


@pytest.mark.parametrize("key", sorted(RESERVED_KEYS - {"auth", "echo", "v1"}))
def test_the_name_of_a_route_is_no_meeting(key: str) -> None:
    assert route(f"/ws/{key}") is None
    door = route(f"/ws/video/{key}/bob")
    assert door is not None
    assert door.channel == NOWHERE


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/ws/chat",
        "/ws/chat/",
        "/ws/chat//",
        "/ws/video/r",
        "/ws/video//bob",
        "/ws/room/1/2",
        "/ws/a/b",
        "/ws//",
        "//ws",
        "/ws%2Fv1",
        "/x",
    ],
)
def test_other_paths_lead_nowhere(path: str) -> None:
    assert route(path) is None


def test_no_path_is_written_down_but_in_the_table() -> None:
    for module in (doors, sockets):
        written = {
            str(node.value)
            for node in ast.walk(ast.parse(inspect.getsource(module)))
            if isinstance(node, ast.Constant)
            and str(node.value).startswith("/")
            and node.value != "/"
        }
        assert written <= {way.path for way in WAYS}


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_encoded_slash_is_a_part_of_a_name(slash: str) -> None:
    person = {"guests": True, "claims": "idp/7"}
    assert route(f"/ws/chat/idp%2F7{slash}") == Door("relay-chat", **person)
    assert route(f"/ws/video/r/idp%2f7{slash}") == Door("relay-video", "r", **person)
    last = route(f"/ws/chat/idp%2F{slash}")
    assert last is not None
    assert last.claims == "idp/"


@pytest.mark.parametrize(
    ("scope", "parts"),
    [
        ({"path": "/ws/chat/a/b", "raw_path": b"/ws/chat/a%2Fb"}, ["ws", "chat", "a/b"]),
        ({"path": "/ws/chat/a%2Fb", "raw_path": b"/ws/chat/a%252Fb"}, ["ws", "chat", "a%2Fb"]),
        # Without a `raw_path`, or with one that is of another path, nobody can know.
        ({"path": "/ws/chat/a/b"}, ["ws", "chat", "a", "b"]),
        ({"path": "/ws/chat/a/b", "raw_path": None}, ["ws", "chat", "a", "b"]),
        ({"path": "/ws/v1", "raw_path": b"/ws/chat/a%2Fb"}, ["ws", "v1"]),
        (
            {"path": "/sub/ws/chat/a/b/", "raw_path": b"/sub/ws/chat/a%2Fb/", "root_path": "/sub"},
            ["ws", "chat", "a/b"],
        ),
        ({"path": "/a b/ws/", "raw_path": b"/a%20b/ws/", "root_path": "/a b/"}, ["ws"]),
        # Some servers leave `root_path` out of the path.
        ({"path": "/ws/v1", "raw_path": b"/ws/v1", "root_path": "/sub"}, ["ws", "v1"]),
        ({"path": "/subway/ws", "root_path": "/sub"}, ["subway", "ws"]),
        ({"path": "/ws/\ufffd", "raw_path": b"/ws/%FF"}, ["ws", "\ufffd"]),
        ({"path": "/"}, [""]),
        ({"path": ""}, []),
    ],
)
def test_a_path_is_taken_apart_before_it_is_decoded(scope: Any, parts: list[str]) -> None:
    assert segments(scope) == parts
