"""uvicorn's protocols on real sockets, and a peer that speaks WebSocket byte by byte.

`everywhere` runs a test on asyncio and uvloop, over TCP and TLS.
"""

import asyncio
import contextlib
import functools
import logging
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
import trustme
import uvicorn
import uvloop
from uvicorn.server import ServerState

from hubbub.hub.http import HubbubHttpProtocol
from hubbub.hub.server import HubbubWebSocketProtocol

DEADLINE = 10.0
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

App = Callable[..., Awaitable[None]]


class Patient(HubbubWebSocketProtocol):
    """Leaves the end to the peer, so that a test notices when nothing else ends a connection."""

    abort_after = 60.0


class Impatient(HubbubWebSocketProtocol):
    """Gives up on a frozen peer at once, so that a test need not wait."""

    abort_after = 0.05
    quiet = 0.01


def data(opcode: int, payload: bytes, *, fin: bool = True, rsv1: bool = False) -> bytes:
    """A client's frame, masked with zeros (RFC 6455 5.3 allows any mask)."""
    head = bytes([fin << 7 | rsv1 << 6 | opcode])
    size = len(payload)
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += struct.pack("!BH", 0x80 | 126, size)
    else:
        head += struct.pack("!BQ", 0x80 | 127, size)
    return head + bytes(4) + payload


def text(message: str) -> bytes:
    return data(TEXT, message.encode())


def close(code: int, reason: str = "") -> bytes:
    return data(CLOSE, struct.pack("!H", code) + reason.encode())


def upgrade(path: str = "/", *headers: str) -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: test",
        "Connection: Upgrade",
        "Upgrade: websocket",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


async def until(condition: Callable[[], object]) -> None:
    """Waits for what somebody else on the loop brings about."""
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.001)


async def turns(number: int = 20) -> None:
    """Lets the loop go round, for what must not happen to have had its chance."""
    for _ in range(number):
        await asyncio.sleep(0)


class Peer:
    """One TCP or TLS connection to the server under test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @property
    def tls(self) -> bool:
        return self.writer.get_extra_info("sslcontext") is not None

    def send(self, *chunks: bytes) -> None:
        self.writer.write(b"".join(chunks))

    async def head(self) -> str:
        async with asyncio.timeout(DEADLINE):
            return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    async def frame(self) -> tuple[int, bytes]:
        async with asyncio.timeout(DEADLINE):
            first, size = await self.reader.readexactly(2)
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 0x0F, await self.reader.readexactly(size)

    async def close_frame(self) -> tuple[int, str]:
        opcode, payload = await self.frame()
        assert opcode == CLOSE, (opcode, payload[:80])
        return struct.unpack("!H", payload[:2])[0], payload[2:].decode()

    async def rest(self) -> bytes:
        """All that comes until the server ends the connection, by whatever means."""
        received = b""
        async with asyncio.timeout(DEADLINE):
            with contextlib.suppress(OSError):
                while chunk := await self.reader.read(65536):
                    received += chunk
        return received

    def freeze(self) -> None:
        """Stops reading, as a suspended tab or a stopped process does."""
        transport: Any = self.writer.transport
        transport.pause_reading()
        if self.tls:
            # Else a TLS transport goes on reading until it holds 256 KiB.
            transport.set_read_buffer_limits(high=1)

    def thaw(self) -> None:
        transport: Any = self.writer.transport
        transport.resume_reading()

    def reset(self) -> None:
        """Ends the connection with an RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@dataclass
class Served:
    """A server under test. `log` is what uvicorn logged."""

    port: int
    tls: ssl.SSLContext | None
    state: ServerState
    log: list[logging.LogRecord] = field(default_factory=list)
    peers: list[Peer] = field(default_factory=list)

    @property
    def protocol(self) -> Any:
        """The only connection."""
        (protocol,) = self.state.connections
        return protocol

    def trouble(self) -> list[str]:
        return [r.getMessage() for r in self.log if r.levelno >= logging.WARNING]

    async def tcp(self) -> Peer:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        name = "localhost" if self.tls else None
        peer = Peer(*await asyncio.open_connection(sock=sock, ssl=self.tls, server_hostname=name))
        self.peers.append(peer)
        return peer

    async def connect(self, path: str = "/", *headers: str) -> Peer:
        """A peer whose WebSocket handshake was accepted."""
        peer = await self.tcp()
        peer.send(upgrade(path, *headers))
        assert "101 Switching" in await peer.head()
        return peer


@functools.cache
def certificates() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


class _Records(logging.Handler):
    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self.emit = records.append  # type: ignore[method-assign]


@contextlib.contextmanager
def recorded(level: int) -> Iterable[list[logging.LogRecord]]:  # type: ignore[misc]
    records: list[logging.LogRecord] = []
    handler = _Records(records)
    loggers = [logging.getLogger("uvicorn.error"), logging.getLogger("uvicorn.access")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(level)
    try:
        yield records
    finally:
        for logger, old in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(old)


def listener() -> socket.socket:
    """A free port whose connections have small buffers in the kernel."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    sock.bind(("127.0.0.1", 0))
    return sock


@dataclass(frozen=True)
class Place:
    """An event loop and a transport to run a test on."""

    name: str

    @property
    def tls(self) -> bool:
        return self.name.endswith("tls")

    def loop(self) -> asyncio.AbstractEventLoop:
        uv = self.name.startswith("uvloop")
        return uvloop.new_event_loop() if uv else asyncio.new_event_loop()

    @contextlib.asynccontextmanager
    async def serve(
        self, app: App, *, level: int = logging.INFO, **options: Any
    ) -> AsyncIterator[Served]:
        """Serves `app`; at the end nothing may have reached the loop's exception handler."""
        options = {
            "http": HubbubHttpProtocol,
            "ws": Patient,
            "ws_per_message_deflate": False,
            "ws_ping_interval": None,
        } | options
        config = uvicorn.Config(app, log_config=None, lifespan="off", **options)
        config.load()
        loop = asyncio.get_running_loop()
        faults: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: faults.append(context))
        state = ServerState()
        inside, outside = certificates() if self.tls else (None, None)
        sock = listener()

        def protocol() -> asyncio.Protocol:
            return config.http_protocol_class(config=config, server_state=state, app_state={})  # type: ignore[call-arg]

        server = await loop.create_server(protocol, sock=sock, ssl=inside)
        with recorded(level) as log:
            served = Served(sock.getsockname()[1], outside, state, log)
            try:
                yield served
            finally:
                await _stop(server, served)
        assert not faults

    def __str__(self) -> str:
        return self.name


async def _stop(server: asyncio.Server, served: Served) -> None:
    server.close()
    for peer in served.peers:
        peer.writer.transport.abort()
    for task in list(served.state.tasks):
        task.cancel()
    for connection in list(served.state.connections):
        connection.transport.abort()
    await until(lambda: not served.state.connections and not served.state.tasks)
    await turns()


PLACES = [Place("asyncio"), Place("uvloop"), Place("asyncio-tls"), Place("uvloop-tls")]


def everywhere(test: Callable[..., Awaitable[None]], places: list[Place] = PLACES) -> Any:
    """Runs `test(place, ...)` on every loop and transport."""

    @pytest.mark.parametrize("place", places, ids=str)
    @functools.wraps(test)
    def run(place: Place, **fixtures: Any) -> None:
        with asyncio.Runner(loop_factory=place.loop) as runner:
            runner.run(test(place, **fixtures))  # type: ignore[arg-type]

    return run


def over_tcp(test: Callable[..., Awaitable[None]]) -> Any:
    """Runs `test(place, ...)` where the transport makes no difference."""
    return everywhere(test, PLACES[:2])


class Note:
    """An application that accepts, and notes what it is told until it is disconnected.

    It takes events only while `open` is set. `ended` is set when it has been disconnected.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.opened = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()
        self.ended = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.send = send
        self.writer = scope["extensions"]["hubbub.writer"]
        await receive()
        await self.accept(scope, send)
        self.opened.set()
        while not self.events or self.events[-1]["type"] != "websocket.disconnect":
            await self.open.wait()
            self.events.append(await receive())
        self.ended.set()

    async def accept(self, scope: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    @property
    def messages(self) -> list[Any]:
        return [e.get("text", e.get("bytes")) for e in self.events if e["type"].endswith("receive")]

    async def disconnected(self) -> tuple[int, str]:
        async with asyncio.timeout(DEADLINE):
            await self.ended.wait()
        return self.events[-1]["code"], self.events[-1].get("reason", "")


async def fill(writer: Any, chunk: bytes) -> bytes:
    """Writes until nothing moves any more, the peer being frozen; returns what was written."""
    written = []
    refused = 0
    # What the kernel and the peer's transport still take may drain ours once or twice more.
    while refused < 20 and not writer.closed:
        if writer.write(chunk):
            written.append(chunk)
            refused = 0
            await asyncio.sleep(0)
        else:
            refused += 1
            await asyncio.sleep(0.001)
    return b"".join(written)
