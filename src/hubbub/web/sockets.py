"""The front door of every WebSocket: guards, routes, tokens, and then a session.

It stands before the HTTP application and its middleware, and lets go of the request's headers once
the socket is open: an idle socket is to cost little.
"""

import re
import secrets
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from hubbub.auth.tokens import Identity
from hubbub.core.errors import DomainError, TooMany, Unauthenticated
from hubbub.core.ids import ChannelRef, UserId, Who, parse_ref, valid_key
from hubbub.core.limits import TokenBucket
from hubbub.dialects.base import Dialect, Link
from hubbub.hub.base import Sink
from hubbub.hub.connection import Connection
from hubbub.hub.hub import Hub
from hubbub.hub.portable import PortableWriter
from hubbub.hub.server import EXTENSION
from hubbub.hub.session import Session, SocketLimits, close_code
from hubbub.services.accounts import AccountService
from hubbub.web.middleware import Origins, from_loopback, headers_named, normalise

CONNECT_SECONDS = 10
"""How long a native socket may stay unconnected."""

_ROOM = re.compile(r"/ws/room/([^/]+)")
_CONVERSATION = re.compile(r"/conversations/([^/]+)/ws")
_MOST_FIELDS = 32


@dataclass(frozen=True, slots=True)
class Door:
    """What a path opens: a dialect, perhaps the channel the path names, and who may come in
    without a token (`anonymous`: everybody, somewhat; `late`: whoever brings it in a frame)."""

    dialect: str
    channel: ChannelRef | None = None
    anonymous: bool = False
    late: bool = False


def route(path: str) -> Door | None:
    """The door at a path, written without its last slash."""
    match path:
        case "/ws/v1":
            return Door("native", late=True)
        case "/ws":
            return Door("rooms", anonymous=True)
        case "/ws/auth":
            return Door("rooms")
    for pattern, dialect in ((_ROOM, "rooms"), (_CONVERSATION, "conversations")):
        found = pattern.fullmatch(path)
        if found is not None:
            ref = parse_ref(found[1])
            # A path that can be no channel's name leads to the id that no channel has.
            return Door(dialect, ref if isinstance(ref, int) or valid_key(ref) else 0)
    return None


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """What the door has to know: `guard` for open loopback mode, `lobby` the key of the channel
    that guests of `/ws` are in, None in closed mode. Rates as in `SocketLimits`."""

    origins: Origins
    guard: bool
    lobby: str | None
    limits: SocketLimits


class Sockets:
    """An ASGI application for WebSocket scopes.

    Refuses a foreign Origin, and in loopback mode another machine, with 403 before accepting.
    Every other refusal accepts first and then closes with a code that the client can see.
    """

    def __init__(
        self,
        hub: Hub,
        dialects: Mapping[str, Dialect],
        accounts: AccountService,
        settings: DoorSettings,
        now: Callable[[], float],
    ) -> None:
        """`now` is seconds since 1970."""
        self._hub = hub
        self._dialects = dialects
        self._accounts = accounts
        self._settings = settings
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one socket, from handshake to end."""
        await receive()
        settings = self._settings
        if (settings.guard and not from_loopback(scope)) or not settings.origins.allow(scope):
            await send({"type": "websocket.close", "code": 1008})
            return
        path = normalise(scope["path"])
        door = route(path)
        token, kind = _credentials(scope)
        await send({"type": "websocket.accept", "subprotocol": _subprotocol(scope, door, kind)})
        address = scope["client"][0] if scope.get("client") else ""
        direct: Sink | None = scope.get("extensions", {}).get(EXTENSION)
        # Everybody up the stack holds on to the scope; nobody needs these any more.
        scope["headers"], scope["query_string"], scope["subprotocols"] = [], b"", []
        if path == "/ws/echo":
            await self._echo(address, direct, receive, send)
            return
        if door is None:
            await send(_close(4004, "there is nothing here"))
            return
        # Nothing is waited for between this and the hub's knowing of the socket: a login that ends
        # in between would leave it open.
        try:
            identity = await self._identify(door, token, kind)
        except DomainError as error:
            await send(_close(close_code(error), str(error)))
            return
        del token
        link = self._link(door, identity)
        expires = None if identity is None else identity.expires_at
        await self._serve(door, link, expires, address, direct, receive, send)

    async def _identify(self, door: Door, token: str, kind: str) -> Identity | None:
        if token:
            if kind == "ticket":
                return await self._accounts.redeem(token)
            return await self._accounts.authenticate(token)
        if door.late or door.anonymous:
            return None
        raise Unauthenticated("a token is needed", "token_missing")

    def _link(self, door: Door, identity: Identity | None) -> Link:
        who = None if identity is None else identity.who
        fallback = None
        if door.anonymous and self._settings.lobby is not None:
            fallback = self._settings.lobby
            who = who or _guest()
        return Link(str(uuid.uuid4()), who, door.channel, fallback)

    async def _serve(
        self,
        door: Door,
        link: Link,
        expires: float | None,
        address: str,
        direct: Sink | None,
        receive: Receive,
        send: Send,
    ) -> None:
        sink = direct or PortableWriter(send)
        connection = Connection(link, self._dialects[door.dialect], sink, address, self._hub.dirty)
        if door.late:
            connection.deadline = self._hub.clock() + CONNECT_SECONDS
        session = Session(self._hub, connection, self._settings.limits, expires, self._now)
        if isinstance(sink, PortableWriter):
            async with sink:
                await session.run(receive)
        else:
            await session.run(receive)

    async def _echo(self, address: str, direct: Sink | None, receive: Receive, send: Send) -> None:
        """Returns every message unchanged (001, "Echo WebSocket"), as fast as its sender reads."""
        sink = direct or PortableWriter(send)
        link = Link(str(uuid.uuid4()), None)
        connection = Connection(link, self._dialects["rooms"], sink, address, self._hub.dirty)
        frames = TokenBucket(self._settings.limits.frame_rate, 500, self._hub.clock())
        try:
            self._hub.add(connection)
        except TooMany as error:
            await send(_close(close_code(error), str(error)))
            return
        try:
            while (message := await receive())["type"] == "websocket.receive":
                if not frames.take(self._hub.clock()):
                    await send(_close(1008, "too many frames"))
                    return
                await send({**message, "type": "websocket.send"})
        finally:
            self._hub.remove(connection)


def _credentials(scope: Scope) -> tuple[str, str]:
    """The token or ticket of a handshake and where it was: `?token=` or `?ticket=`, then
    `Authorization: Bearer`, then the subprotocol pair `["bearer", token]`."""
    query = scope["query_string"]
    if query:
        with suppress(ValueError):
            for name, value in parse_qsl(
                query.decode("latin-1"), max_num_fields=_MOST_FIELDS, errors="replace"
            ):
                if name in ("token", "ticket"):
                    return value, name
    for header in headers_named(scope, b"authorization"):
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "bearer":
            return value.strip(), "header"
    offered = scope["subprotocols"]
    if len(offered) > 1 and "bearer" in offered[:-1]:
        return offered[offered.index("bearer") + 1], "bearer"
    return "", ""


def _subprotocol(scope: Scope, door: Door | None, kind: str) -> str | None:
    """The one of the offered subprotocols that the server speaks."""
    offered = scope["subprotocols"]
    if kind == "bearer" or "bearer" in offered:
        return "bearer"
    if door is not None and door.dialect == "native" and "hubbub.v1" in offered:
        return "hubbub.v1"
    return None


def _guest() -> Who:
    """Somebody new whom nobody knows. 52 random bits: two guests are never one person."""
    number = secrets.randbits(52) + 1
    return Who(UserId(-number), f"guest-{number:013x}")


def _close(code: int, reason: str) -> dict[str, object]:
    return {"type": "websocket.close", "code": code, "reason": reason}
