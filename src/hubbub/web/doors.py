"""Which WebSocket path leads where, and who may come in without a token.

`WAYS` is the one list of them: sockets are routed by it, `/asyncapi.json` is written from it, and
`tests/web/matrix.py` has to have a row for each of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from starlette.types import Scope

from hubbub.core.ids import RESERVED_KEYS, ChannelRef, parse_ref, valid_key

NOWHERE = 0
"""The id that no channel has: where a path leads that can be no channel's name."""

ECHO = "echo"
"""What is no dialect: every message comes back."""


@dataclass(frozen=True, slots=True)
class Door:
    """What a path opens: a dialect, perhaps the channel the path names, and who may come in
    without a token. `anonymous`: everybody, somewhat. `guests`: everybody in open mode. `late`:
    whoever brings it in a frame. `secret`: in open mode whoever brings a word of their own for one,
    by which they are known. `claims` is the person that the path says is coming."""

    dialect: str
    channel: ChannelRef | None = None
    anonymous: bool = False
    guests: bool = False
    late: bool = False
    secret: bool = False
    claims: str | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """A path, and the door at it. A segment in braces is one of the client's: a channel, or with
    `{user_id}` a person. `keys`: the channel is always named by its key, of digits too, so that
    they lead to nobody's private conversation."""

    name: str
    path: str
    door: Door
    keys: bool = False


WAYS = (
    Way("native", "/ws/v1", Door("native", late=True)),
    Way("room", "/ws/room/{room_id}", Door("rooms")),
    Way("rooms", "/ws/auth", Door("rooms")),
    Way("public", "/ws", Door("rooms", anonymous=True)),
    Way("echo", "/ws/echo", Door(ECHO, anonymous=True)),
    Way("conversation", "/conversations/{conversation_id}/ws", Door("conversations")),
    Way("relay_chat", "/ws/chat/{user_id}", Door("relay-chat", guests=True)),
    Way(
        "relay_video",
        "/ws/video/{room_id}/{user_id}",
        Door("relay-video", guests=True),
        keys=True,
    ),
    Way("conference", "/ws/{room_id}", Door("conference", guests=True), keys=True),
    Way("signaling", "/ws/signaling/{room_id}", Door("signaling")),
    Way("peerjs", "/peerjs/peerjs", Door("peerjs", secret=True)),
)


_PATTERNS = tuple((way, way.path.split("/")[1:]) for way in WAYS if "{" in way.path)
_FIXED = {tuple(way.path.split("/")[1:]): way.door for way in WAYS if "{" not in way.path}


def route(path: Sequence[str]) -> Door | None:
    """The door at a path, of which these are the segments."""
    fixed = _FIXED.get(tuple(path))
    if fixed is not None:
        return fixed
    for way, pattern in _PATTERNS:
        found = _match(pattern, path)
        if found is None:
            continue
        claims = found.pop("user_id", None)
        channel = next((_channel(text, keys=way.keys) for text in found.values()), None)
        return replace(way.door, channel=channel, claims=claims)
    return None


def segments(scope: Scope) -> Sequence[str]:
    """The path of a handshake below the place where the server is mounted, without its last slash.
    An encoded slash is a part of its segment, where the ASGI server tells what was encoded."""
    path: str = scope["path"]
    raw: bytes = scope.get("raw_path") or b""
    parts = path.split("/")
    if b"%" in raw:
        told = [unquote(part) for part in raw.decode("latin-1").split("/")]
        if "/".join(told) == path:  # nobody on the way here has changed the path alone
            parts = told
    if len(parts) > 2 and not parts[-1]:
        del parts[-1]
    root = scope.get("root_path", "").rstrip("/").split("/")
    return parts[len(root) :] if parts[: len(root)] == root else parts[1:]


def _match(pattern: Sequence[str], path: Sequence[str]) -> dict[str, str] | None:
    """What a path has where the pattern has braces, if it is of this pattern."""
    if len(pattern) != len(path):
        return None
    found: dict[str, str] = {}
    for wanted, given in zip(pattern, path, strict=True):
        if wanted.startswith("{"):
            found[wanted.strip("{}")] = given
        elif wanted != given:
            return None
    return found if all(found.values()) and not _is_route(pattern, path) else None


def _is_route(pattern: Sequence[str], path: Sequence[str]) -> bool:
    """Whether the second segment, though the client's, is the name of a route."""
    return len(pattern) == 2 and pattern[1].startswith("{") and path[1] in RESERVED_KEYS


def _channel(text: str, *, keys: bool) -> ChannelRef:
    ref = text if keys else parse_ref(text)
    return ref if isinstance(ref, int) or valid_key(ref) else NOWHERE
