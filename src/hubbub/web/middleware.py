"""The guards in front of every route: pure ASGI, each of them small.

From the outside in: `SecurityHeaders`, `LoopbackGuard`, `OriginGuard`, `PathNormaliser`,
`HeadAsGet`, `WholeFiles`, `BodyLimit`, `Failsafe`. `Origins` and `from_loopback` also serve the
WebSocket door.
"""

import ipaddress
import logging
import re
from collections.abc import Iterable, Iterator

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hubbub.web.errors import PLAIN, internal, refusal

log = logging.getLogger(__name__)

OTHER_MACHINE = ("this server answers this machine only", "loopback_only")
FOREIGN_ORIGIN = ("pages of this origin may not do this", "foreign_origin")

MAX_BODY = 1024 * 1024
CSP = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
DOCS_CSP = {
    "/docs": f"{CSP}; img-src 'self' data:",
    "/redoc": f"{CSP}; img-src 'self' data:; worker-src blob:; style-src 'self'"
    " 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    " 'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='",
}
"""What the two pages of the API documentation cannot do without."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def headers_named(scope: Scope, name: bytes) -> Iterator[str]:
    """Every value of a header, in order."""
    return (value.decode("latin-1") for key, value in scope["headers"] if key == name)


def only_header(scope: Scope, name: bytes) -> str | None:
    """The value of a header that occurs exactly once."""
    values = list(headers_named(scope, name))
    return values[0] if len(values) == 1 else None


def route_path(scope: Scope) -> str:
    """The path below the place where the server is mounted, which ASGI calls `root_path` and
    leaves in `path`."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    return path[len(root) :] if path.startswith(f"{root}/") else path


def normalise(path: str) -> str:
    """The path under which a route is declared: without its last slash (contract, first table).

    `/` and files keep theirs: a page's relative links depend on it.
    """
    if len(path) > 1 and path.endswith("/") and not path.startswith("/static/"):
        return path[:-1]
    return path


def from_loopback(scope: Scope) -> bool:
    """Whether a request or WebSocket handshake comes from this machine and was meant for it.

    The peer and the `Host` are loopback, and no proxy forwarded it: what a browser was tricked
    into sending (DNS rebinding) or a tunnel let through is not.
    """
    for key, _ in scope["headers"]:
        if key == b"forwarded" or key.startswith(b"x-forwarded-"):
            return False
    client = scope.get("client")
    host = only_header(scope, b"host")
    if not client or host is None:
        return False
    name = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(:[0-9]{1,5})?", host)
    return name is not None and _is_loopback(name[1].strip("[]")) and _is_loopback(client[0])


def _is_loopback(name: str) -> bool:
    if name.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback


_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[^\s/?#@:\[\]]+)(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Origins:
    """Which web pages may speak to this server (RFC 6454).

    Its own, those of `HUBBUB_ORIGINS`, and in open loopback mode every page on this machine. Exact
    comparison of scheme, host and port; never `null`, which any sandboxed page can be.
    """

    def __init__(self, allowed: Iterable[str], *, loopback: bool) -> None:
        self._allowed = frozenset(filter(None, map(_parse_origin, allowed)))
        self._loopback = loopback

    def allow(self, scope: Scope) -> bool:
        """Whether a request or WebSocket handshake may come from where it says it does.

        One without an `Origin` comes from no page, and may.
        """
        values = list(headers_named(scope, b"origin"))
        if not values:
            return True
        origin = _parse_origin(values[0]) if len(values) == 1 else None
        if origin is None:
            return False
        if self._loopback and origin[0] in _DEFAULT_PORTS and origin[1] in _LOCAL_HOSTS:
            return True
        return origin in self._allowed or origin == _own_origin(scope)


def _parse_origin(text: str) -> tuple[str, str, str] | None:
    """Scheme, host and port; the port of http and https is explicit."""
    match = _ORIGIN.fullmatch(text.lower())
    if match is None:
        return None
    scheme, host, port = match.groups()
    return scheme, host, port or _DEFAULT_PORTS.get(scheme, "")


def _own_origin(scope: Scope) -> tuple[str, str, str] | None:
    host = only_header(scope, b"host")
    secure = scope.get("scheme") in ("https", "wss")
    return None if host is None else _parse_origin(f"{'https' if secure else 'http'}://{host}")


class SecurityHeaders:
    """Tells browsers what pages of this server may do, and caches what they may keep."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on; the answer gets the headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = normalise(route_path(scope))
        files = path in DOCS_CSP or path.startswith("/static/")

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = DOCS_CSP.get(path, CSP)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers.setdefault("Cache-Control", "no-cache" if files else "no-store")
            await send(message)

        await self.app(scope, receive, with_headers)


class LoopbackGuard:
    """Refuses other machines (contract, 2): what open loopback mode believes, it believes of this
    machine alone."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what comes from this machine."""
        if scope["type"] == "http" and not from_loopback(scope):
            await refusal(403, *OTHER_MACHINE)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


PREFLIGHT = Response(
    status_code=204,
    headers={
        "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Max-Age": "600",
    },
)


class OriginGuard:
    """CORS for the origins that are allowed; for others no reading, and no writing at all."""

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        self.app = app
        self.origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers preflights, refuses writing from foreign pages, passes the rest on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        origin = next(headers_named(scope, b"origin"), None)
        allowed = self.origins.allow(scope)
        preflight = (
            scope["method"] == "OPTIONS"
            and origin is not None
            and only_header(scope, b"access-control-request-method") is not None
        )

        async def with_cors(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Origin")
                if origin is not None and allowed:
                    headers["Access-Control-Allow-Origin"] = origin
                    headers["Access-Control-Allow-Credentials"] = "true"
                    headers["Access-Control-Expose-Headers"] = "Retry-After, WWW-Authenticate"
            await send(message)

        app = self.app
        if not allowed and (preflight or scope["method"] not in SAFE_METHODS):
            app = refusal(403, *FOREIGN_ORIGIN)
        elif preflight:
            app = PREFLIGHT
        await app(scope, receive, with_cors)


class PathNormaliser:
    """Makes every path work with and without its last slash, without a redirect."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on under its path without the slash."""
        if scope["type"] == "http" and normalise(path := route_path(scope)) != path:
            scope = {**scope, "path": scope["path"][:-1]}
        await self.app(scope, receive, send)


class HeadAsGet:
    """Answers HEAD like GET, without the content (RFC 9110, 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a HEAD on as a GET, of whose answer the content is dropped."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def without_content(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self.app({**scope, "method": "GET"}, receive, without_content)


class WholeFiles:
    """Answers every request as if it named no range, as any server may (RFC 9110, 14.2): files are
    small here, and the framework's refusals of bad ranges are in a shape of their own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on without its `Range`; the answer promises none."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = [pair for pair in scope["headers"] if pair[0] != b"range"]

        async def without_ranges(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                if "accept-ranges" in answered:
                    answered["accept-ranges"] = "none"
            await send(message)

        await self.app({**scope, "headers": headers}, receive, without_ranges)


class BodyLimit:
    """Refuses bodies over 1 MiB: by their declared length, else as soon as more has come."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on with a `receive` that counts; what reads too much gets a 413."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        left = self.limit
        declared = next(headers_named(scope, b"content-length"), "0")
        if declared.isdecimal() and (len(declared) > 15 or int(declared) > left):
            # The rest is not read: only a new connection can make sense of what follows.
            answer = refusal(413, *PLAIN[413], {"Connection": "close"})
            await answer(scope, receive, send)
            return

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, headers={"Connection": "close"})
            return message

        await self.app(scope, counted, send)


class Failsafe:
    """Turns what nobody foresaw into a 500 with fixed words, and logs it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on. An answer that has begun when it fails ends there."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception:
            log.exception("! %s %r failed", scope["method"], scope["path"])
            if begun:
                raise
            await internal()(scope, receive, send)
