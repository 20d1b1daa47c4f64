"""Which WebSocket path leads where."""

import pytest

from hubbub.core.ids import RESERVED_KEYS
from hubbub.web.doors import NOWHERE, Door, route

MEETING = "550e8400-e29b-41d4-a716-446655440000"


@pytest.mark.parametrize(
    ("path", "door"),
    [
        ("/ws", Door("rooms", anonymous=True)),
        ("/ws/auth", Door("rooms")),
        ("/ws/v1", Door("native", late=True)),
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


@pytest.mark.parametrize("path", ["/ws/a b", "/ws/video/a b/bob", "/ws/room/a b", "/ws/é"])
def test_what_can_be_no_key_leads_to_no_channel(path: str) -> None:
    found = route(path)
    assert found is not None
    assert found.channel == NOWHERE


@pytest.mark.parametrize("key", sorted(RESERVED_KEYS - {"auth", "v1"}))
def test_the_name_of_a_route_is_no_meeting(key: str) -> None:
    assert route(f"/ws/{key}") is None
    door = route(f"/ws/video/{key}/bob")
    assert door is not None
    assert door.channel == NOWHERE


@pytest.mark.parametrize("path", ["/", "/ws/chat", "/ws/video/r", "/ws/room/1/2", "/ws/a/b", "/x"])
def test_other_paths_lead_nowhere(path: str) -> None:
    assert route(path) is None
