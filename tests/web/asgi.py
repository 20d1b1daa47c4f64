"""Speaks ASGI to an application directly: headers and bodies that no client library would send."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Scope

Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name.lower()]

    def header(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) < 2, f"{name} came twice"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The slug of a refusal, whose shape is checked by the way."""
        assert self.header("content-type") == "application/json"
        assert set(self.json) == {"detail", "code"}
        assert isinstance(self.json["detail"], str)
        return str(self.json["code"])


def http_scope(
    method: str,
    target: str,
    headers: Pairs,
    *,
    scheme: str = "http",
    client: tuple[str, int] | None = ("127.0.0.1", 5000),
) -> Scope:
    """A scope as uvicorn makes it of a request line and headers."""
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": scheme,
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in headers],
        "client": client,
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


async def converse(
    app: ASGIApp,
    target: str,
    *said: Message,
    headers: Pairs = (),
    extensions: Sequence[str] = (),
    client: tuple[str, int] = ("127.0.0.1", 5000),
) -> list[Message]:
    """A WebSocket whose client says these things and leaves; everything that was sent to it."""
    given = [("host", "127.0.0.1:8000"), *headers]
    scope = http_scope("GET", target, given, scheme="ws", client=client)
    scope |= {"type": "websocket", "subprotocols": []}
    scope["extensions"] = {name: {} for name in extensions}
    incoming = iter([{"type": "websocket.connect"}, *said])
    sent: list[Message] = []

    async def receive() -> Message:
        return next(incoming, {"type": "websocket.disconnect", "code": 1000})

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


async def ask(
    app: ASGIApp,
    method: str,
    target: str,
    headers: Pairs = (),
    body: bytes | Sequence[bytes] = b"",
    **more: Any,
) -> Answer:
    """One request and its answer. `body` comes in as many chunks as it has."""
    given = list(headers)
    if not any(key.lower() == "host" for key, _ in given):
        given.append(("host", "127.0.0.1:8000"))
    chunks = [body] if isinstance(body, bytes) else list(body)
    left = iter(enumerate(chunks, 1))
    sent: list[Message] = []

    async def receive() -> Message:
        number, chunk = next(left, (0, b""))
        if not number:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(http_scope(method, target, given, **more), receive, send)
    [start] = [message for message in sent if message["type"] == "http.response.start"]
    rest = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
    pairs = [(key.decode().lower(), value.decode("latin-1")) for key, value in start["headers"]]
    return Answer(start["status"], pairs, rest)
