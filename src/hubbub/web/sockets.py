"""The front door of every WebSocket: guards, routes, tokens, and then a session.

It stands before the HTTP application and its middleware, and lets go of the request's headers once
the socket is open: an idle socket is to cost little.
"""

import uuid
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from hubbub.auth.guests import may_go_by, named_guest, new_guest, secret_guest
from hubbub.auth.tokens import Identity
from hubbub.core.errors import AccountGone, DomainError, Forbidden, TooMany, Unauthenticated
from hubbub.core.ids import Who
from hubbub.core.limits import TokenBucket
from hubbub.dialects.base import Dialect, Link
from hubbub.hub.base import Sink
from hubbub.hub.closing import TOO_LARGE, close_code, too_large
from hubbub.hub.connection import Connection
from hubbub.hub.hub import Hub
from hubbub.hub.portable import PortableWriter
from hubbub.hub.server import EXTENSION
from hubbub.hub.session import Session, SocketLimits
from hubbub.services.accounts import AccountService
from hubbub.storage.base import Account
from hubbub.web.doors import ECHO, Door, route, segments
from hubbub.web.errors import refusal
from hubbub.web.middleware import (
    FOREIGN_ORIGIN,
    OTHER_MACHINE,
    Origins,
    from_loopback,
    headers_named,
)

CONNECT_SECONDS = 10
"""How long a native socket may stay unconnected."""

_MOST_FIELDS = 32
_MOST_CLAIMED = 255


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
        if settings.guard and not from_loopback(scope):
            await _turn_away(scope, receive, send, OTHER_MACHINE)
            return
        if not settings.origins.allow(scope):
            await _turn_away(scope, receive, send, FOREIGN_ORIGIN)
            return
        door = route(segments(scope))
        token, kind = _credentials(scope)
        asked = _asked(scope) if door is not None and door.secret else None
        await send({"type": "websocket.accept", "subprotocol": _subprotocol(scope, door, kind)})
        address = scope["client"][0] if scope.get("client") else ""
        direct: Sink | None = scope.get("extensions", {}).get(EXTENSION)
        # Everybody up the stack holds on to the scope; nobody needs these any more.
        scope["headers"], scope["query_string"], scope["subprotocols"] = [], b"", []
        if door is None:
            await send(_close(4004, "there is nothing here"))
            return
        if door.dialect == ECHO:
            await self._echo(address, direct, receive, send)
            return
        # Nothing is waited for between this and the hub's knowing of the socket: a login that ends
        # in between would leave it open.
        try:
            claimed = await self._claimed(door)
            identity = await self._identify(door, token, kind)
            link = self._link(door, identity, claimed, token)
            link.asked = asked
        except DomainError as error:
            for words in self._dialects[door.dialect].turn_away(error):
                await send({"type": "websocket.send", "text": words.decode()})
            await send(_close(close_code(error), str(error)))
            return
        del token
        expires = None if identity is None else identity.expires_at
        await self._serve(door, link, expires, address, direct, receive, send)

    async def _claimed(self, door: Door) -> Account | None:
        """Whose name it is by which the path says somebody is coming."""
        if door.claims is None:
            return None
        if not 0 < len(door.claims) <= _MOST_CLAIMED or not door.claims.isprintable():
            raise Forbidden("this is nobody's name", "invalid_user")
        return await self._accounts.account_by_handle(door.claims)

    async def _identify(self, door: Door, token: str, kind: str) -> Identity | None:
        if kind == "unread":
            raise Unauthenticated(f"a query has at most {_MOST_FIELDS} fields", "token_invalid")
        if token:
            if kind == "ticket":
                return await self._accounts.redeem(token)
            try:
                return await self._accounts.authenticate(token)
            except AccountGone:
                raise
            except Unauthenticated:
                if door.secret and self._settings.lobby is not None:
                    return None
                raise
        if door.late or door.anonymous or door.secret:
            return None
        if door.guests and self._settings.lobby is not None:
            return None
        raise Unauthenticated("a token is needed", "token_missing")

    def _link(
        self, door: Door, identity: Identity | None, claimed: Account | None, token: str
    ) -> Link:
        who = None if identity is None else identity.who
        fallback = None
        if door.anonymous and self._settings.lobby is not None:
            fallback = self._settings.lobby
            who = who or new_guest()
        elif door.claims is not None:
            if who is None:
                who = self._believe(door.claims, claimed)
            elif not _comes_as(who, door.claims, claimed):
                raise _other_user()
        elif door.guests:
            who = who or new_guest()
        elif door.secret and token and self._settings.lobby is not None:
            who = who or secret_guest(token)
        return Link(str(uuid.uuid4()), who, door.channel, fallback)

    def _believe(self, name: str, account: Account | None) -> Who:
        """Who comes without a token and says so. Of an account that is believed on this machine
        alone; strangers are guests, and have no name that is somebody's."""
        if account is None:
            if not may_go_by(name):
                raise Forbidden("this is no name for a guest", "invalid_user")
            return named_guest(name)
        if not account.is_called(name):
            raise _other_user()
        if not self._settings.guard:
            raise Unauthenticated("a token is needed for this name", "token_missing")
        if account.disabled:
            raise AccountGone("the account is gone or disabled")
        return Who(account.id, account.username, subject=account.subject)

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
        async with sink if isinstance(sink, PortableWriter) else nullcontext():
            try:
                self._hub.add(connection)
            except TooMany as error:
                connection.close(close_code(error), str(error))
                return
            try:
                await self._return_all(connection, receive, send)
            finally:
                self._hub.remove(connection)

    async def _return_all(self, connection: Connection, receive: Receive, send: Send) -> None:
        frames = TokenBucket(self._settings.limits.frame_rate, 500, self._hub.clock())
        while (message := await receive())["type"] == "websocket.receive":
            if connection.closing:
                continue
            if not frames.take(self._hub.clock()):
                connection.close(1008, "too many frames")
            elif too_large(message):
                connection.close(1009, TOO_LARGE)
            else:
                await send({**message, "type": "websocket.send"})


def _comes_as(who: Who, name: str, claimed: Account | None) -> bool:
    """Whether it is by this name, which was `claimed`'s before `who` was identified, that somebody
    with a token comes. A subject needs no look-up: nobody may have been known by it then."""
    if who.subject is not None:
        return who.subject == name
    return claimed is not None and claimed.id == who.id


def _other_user() -> Forbidden:
    return Forbidden("this path is somebody else's", "other_user")


def _credentials(scope: Scope) -> tuple[str, str]:
    """The token or ticket of a handshake and where it was: `?token=` or `?ticket=`, then
    `Authorization: Bearer`, then the subprotocol pair `["bearer", token]`. `unread` is a query of
    too many fields: a token may be among them."""
    query = scope["query_string"]
    if query:
        try:
            fields = parse_qsl(
                query.decode("latin-1"), max_num_fields=_MOST_FIELDS, errors="replace"
            )
        except ValueError:
            return "", "unread"
        for name, value in fields:
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


def _asked(scope: Scope) -> dict[str, str]:
    """What a query says besides the token: the `id` and `key` of PeerJS."""
    query = scope["query_string"].decode("latin-1")
    fields = parse_qsl(query, errors="replace") if query.count("&") < _MOST_FIELDS else ()
    return {name: value for name, value in fields if name in ("id", "key")}


def _subprotocol(scope: Scope, door: Door | None, kind: str) -> str | None:
    """The one of the offered subprotocols that the server speaks."""
    offered = scope["subprotocols"]
    if kind == "bearer" or "bearer" in offered:
        return "bearer"
    if door is not None and door.dialect == "native" and "hubbub.v1" in offered:
        return "hubbub.v1"
    return None


async def _turn_away(scope: Scope, receive: Receive, send: Send, words: tuple[str, str]) -> None:
    """Refuses a handshake with 403, in words where the server can send any."""
    if "websocket.http.response" in scope.get("extensions", {}):
        await refusal(403, *words)(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 1008})


def _close(code: int, reason: str) -> dict[str, object]:
    return {"type": "websocket.close", "code": code, "reason": reason}
