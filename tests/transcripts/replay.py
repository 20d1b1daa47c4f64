"""What clients and server say to one another, line by line, as JSON.

A line is `[mark, payload]`, or `[mark, payload, actor]` where the actor is not `testuser`:

    ["#", "text"]                        a remark
    ["=", "/ws/room/<room>"]             the actor opens a socket on this path
    [">", {…}]                           client to server; a string is sent as it is
    ["<", {…}]                           server to client: the next frame of this actor
    ["!", ["POST", "/path", {…}]]        the actor makes a request
    ["x", null]                          the client closes
    ["x", 4003]                          the server has closed with this code

An actor is a username, or a username, a slash and anything for a further socket of theirs.
`nobody` has no token. Each actor has a socket of their own, and every frame a socket gets is
listed.

`<int>`, `<str>`, `<time>` (RFC 3339) and `<plain time>` (of conversations) stand for any such
value. Other names in angle brackets are variables: bound by whoever replays (`<room>`, a public
room named General; `<conversation>`, between testuser and alice; `<lobby>`; `<alice>`, the id of
a user; `<alice token>`) or else by the first frame that holds them.

A transcript in a folder named `closed` wants a server in closed mode, the others an open one.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

FOLDER = Path(__file__).parent
TRANSCRIPTS = sorted(FOLDER.rglob("*.jsonl"))

_VARIABLE = re.compile(r"<[a-z0-9 ]+>")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_PLAIN_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a transcript."""

    mark: str
    payload: Any
    actor: str = "testuser"


class Stage(Protocol):
    """Where a transcript is played: the dialects alone, or a server."""

    async def open(self, actor: str, path: str) -> None:
        """Opens the actor's socket."""

    async def send(self, actor: str, text: str) -> None:
        """Sends a text message."""

    async def receive(self, actor: str) -> object:
        """The next JSON object that came to the actor's socket."""

    async def request(self, actor: str, method: str, path: str, body: object) -> None:
        """Makes an HTTP request, which succeeds."""

    async def close(self, actor: str) -> None:
        """Closes the actor's socket; the others have been told when this returns."""

    async def close_code(self, actor: str) -> int:
        """The code with which the server closed the actor's socket, once it has."""


def load(path: Path) -> Sequence[Line]:
    """The lines of a transcript, without remarks."""
    lines = [Line(*json.loads(text)) for text in path.read_text().splitlines() if text]
    return [line for line in lines if line.mark != "#"]


def title(path: Path) -> str:
    """How tests name a transcript."""
    return str(path.relative_to(FOLDER).with_suffix(""))


async def replay(path: Path, stage: Stage, variables: dict[str, Any]) -> None:
    """Plays a transcript, failing at the first frame that is another than listed."""
    bound = dict(variables)
    for line in load(path):
        actor, payload = line.actor, line.payload
        if line.mark == "<":
            frame = await stage.receive(actor)
            assert_matches(payload, frame, bound, f"{title(path)}, to {actor}: {frame}")
            continue
        payload = fill(payload, bound)
        match line.mark:
            case "=":
                await stage.open(actor, payload)
            case ">":
                text = payload if isinstance(payload, str) else json.dumps(payload)
                await stage.send(actor, text)
            case "!":
                method, url, body = payload
                await stage.request(actor, method, url, body)
            case "x" if payload is None:
                await stage.close(actor)
            case "x":
                assert await stage.close_code(actor) == payload, f"{title(path)}, {actor}"
            case mark:
                raise ValueError(f"{title(path)}: unknown mark {mark}")


def fill(value: Any, bound: dict[str, Any]) -> Any:
    """`value` with what its variables are bound to."""
    match value:
        case str() if value in bound:
            return bound[value]
        case str():
            return _VARIABLE.sub(lambda found: str(bound.get(found[0], found[0])), value)
        case list():
            return [fill(item, bound) for item in value]
        case dict():
            return {key: fill(item, bound) for key, item in value.items()}
    return value


def assert_matches(expected: Any, actual: Any, bound: dict[str, Any], where: str) -> None:
    """Fails unless `actual` is what `expected` says: no field more or less, in its order.

    Binds the variables met for the first time.
    """
    match expected:
        case dict():
            assert isinstance(actual, dict), where
            assert list(actual) == list(expected), where
            for key, item in expected.items():
                assert_matches(item, actual[key], bound, f"{where}: {key}")
        case list():
            assert isinstance(actual, list), where
            assert len(actual) == len(expected), where
            for wanted, found in zip(expected, actual, strict=True):
                assert_matches(wanted, found, bound, where)
        case "<int>":
            assert type(actual) is int, where
        case "<str>":
            assert isinstance(actual, str), where
            assert actual, where
        case "<time>":
            assert _TIME.fullmatch(actual), where
        case "<plain time>":
            assert _PLAIN_TIME.fullmatch(actual), where
        case str() if _VARIABLE.fullmatch(expected):
            assert actual == bound.setdefault(expected, actual), where
        case _:
            assert (type(actual), actual) == (type(expected), expected), where
