"""A TCP proxy on loopback that breaks connections exactly where a test wants it.

    async with fault_proxy(server_port) as proxy:
        proxy.next(down=cut_after_bytes(200))
        ...connect to proxy.port...

What happens to a connection is decided by two transforms, one per direction: `down` for what the
server sends, `up` for what the client sends. A transform gets the bytes of one read and yields
what goes on, chunk by chunk; it raises `Cut` to end the connection there. `text_frames` makes one
that understands WebSocket text frames (RFC 6455 section 5.2; no compression, and fragments pass
untouched). A `Link` can be frozen, thawed, reset, and have frames put into it from outside.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

Transform: TypeAlias = Callable[[bytes], Iterable[bytes]]
Edit: TypeAlias = Callable[[str], Sequence[str]]
"""What becomes of the payload of a text frame: the payloads that go on in its place."""

TEXT = 1


class Cut(Exception):
    """Ends the connection on both sides, after what has been yielded; `reset` sends RST."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__("cut")
        self.reset = reset


def unchanged(data: bytes) -> Iterable[bytes]:
    """Passes everything on."""
    return (data,)


def cut_after_bytes(count: int, *, reset: bool = False) -> Transform:
    """Passes exactly `count` bytes on."""
    left = count

    def transform(data: bytes) -> Iterator[bytes]:
        nonlocal left
        passed, left = data[:left], left - len(data)
        if passed:
            yield passed
        if left <= 0:
            raise Cut(reset=reset)

    return transform


def split(size: int = 1) -> Transform:
    """Passes everything on in writes of `size` bytes."""
    return lambda data: (data[at : at + size] for at in range(0, len(data), size))


def text_frames(edit: Edit) -> Transform:
    """Applies `edit` to every text frame after the HTTP head, masked or not."""
    buffer = b""
    in_head = True

    def transform(data: bytes) -> Iterator[bytes]:
        nonlocal buffer, in_head
        buffer += data
        if in_head:
            head, end, rest = buffer.partition(b"\r\n\r\n")
            if not end:
                return
            in_head, buffer = False, rest
            yield head + end
        while size := frame_size(buffer):
            raw, buffer = buffer[:size], buffer[size:]
            if raw[0] != 0x80 | TEXT:
                yield raw
                continue
            for payload in edit(_payload(raw).decode()):
                yield frame(payload, masked=bool(raw[1] & 0x80))

    return transform


def frame_size(data: bytes) -> int:
    """The length of the frame that `data` begins with; 0 when some of it is missing."""
    if len(data) < 2:
        return 0
    length, header = data[1] & 0x7F, 2
    if length >= 126:
        wide = 2 if length == 126 else 8
        if len(data) < header + wide:
            return 0
        length, header = int.from_bytes(data[2 : 2 + wide], "big"), header + wide
    size = header + length + (4 if data[1] & 0x80 else 0)
    return size if len(data) >= size else 0


def _payload(raw: bytes) -> bytes:
    header = {126: 4, 127: 10}.get(raw[1] & 0x7F, 2)
    if not raw[1] & 0x80:
        return raw[header:]
    key, body = raw[header : header + 4], raw[header + 4 :]
    return bytes(byte ^ key[at % 4] for at, byte in enumerate(body))


def frame(payload: str, *, masked: bool = False) -> bytes:
    """A text frame; a client's is masked with a key of zeros, which leaves the payload legible."""
    data = payload.encode()
    mask, key = (0x80, b"\0\0\0\0") if masked else (0, b"")
    if len(data) < 126:
        head = struct.pack("!BB", 0x80 | TEXT, mask | len(data))
    elif len(data) < 1 << 16:
        head = struct.pack("!BBH", 0x80 | TEXT, mask | 126, len(data))
    else:
        head = struct.pack("!BBQ", 0x80 | TEXT, mask | 127, len(data))
    return head + key + data


def on_nth(nth: int, then: Edit, *, containing: str = "") -> Edit:
    """Applies `then` to the `nth` text frame (from 0) that holds a text, and to no other."""
    count = -1

    def edit(payload: str) -> Sequence[str]:
        nonlocal count
        if containing not in payload:
            return (payload,)
        count += 1
        return then(payload) if count == nth else (payload,)

    return edit


def drop(_: str) -> Sequence[str]:
    """The frame does not arrive."""
    return ()


def double(payload: str) -> Sequence[str]:
    """The frame arrives twice."""
    return (payload, payload)


def cut(_: str) -> Sequence[str]:
    """The connection ends in place of the frame."""
    raise Cut


def swap_nth(nth: int, *, containing: str = "") -> Edit:
    """The `nth` text frame (from 0) that holds a text arrives after the next such frame."""
    count = -1
    held: list[str] = []

    def edit(payload: str) -> Sequence[str]:
        nonlocal count
        if containing not in payload:
            return (payload,)
        count += 1
        if count == nth:
            held.append(payload)
            return ()
        frames = (payload, *held)
        held.clear()
        return frames

    return edit


class Link:
    """One proxied connection. `sent` counts the bytes passed to the client."""

    def __init__(self) -> None:
        self.sent = 0
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: list[asyncio.StreamWriter] = []

    def freeze(self) -> None:
        """Nothing is read or passed on in either direction until `thaw`."""
        self._flows.clear()

    def thaw(self) -> None:
        """Goes on where it was frozen."""
        self._flows.set()

    def inject(self, payload: str) -> None:
        """Puts a text frame into what the client gets, between two reads of the server's bytes."""
        self._writers[0].write(frame(payload))

    def end(self, *, reset: bool = False) -> None:
        """Ends both sides: with FIN after what is under way, or at once with RST."""
        for writer in self._writers:
            if reset:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()

    async def run(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        down: Transform,
        up: Transform,
    ) -> None:
        """Passes bytes on until one side ends."""
        self._writers = [client[1], server[1]]
        pumps = [
            asyncio.create_task(self._pump(server[0], client[1], down)),
            asyncio.create_task(self._pump(client[0], server[1], up)),
        ]
        try:
            ended, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            self.end(reset=any(pump.result() for pump in ended))
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for writer in self._writers:
                writer.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, transform: Transform
    ) -> bool:
        """Whether the connection is to be reset."""
        try:
            while data := await reader.read(65536):
                await self._flows.wait()
                for chunk in transform(data):
                    writer.write(chunk)
                    await writer.drain()
                    if writer is self._writers[0]:
                        self.sent += len(chunk)
        except Cut as end:
            return end.reset
        except OSError:
            return True
        return False


class FaultProxy:
    """Connections to `port` go on to the target. `links` has them in the order they came."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.links: list[Link] = []
        self._plans: deque[tuple[Transform, Transform]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def next(self, down: Transform = unchanged, up: Transform = unchanged) -> None:
        """Decides about the next connection nothing has been decided about; the others pass."""
        self._plans.append((down, up))

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes a connection of a client."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        plan = self._plans.popleft() if self._plans else (unchanged, unchanged)
        try:
            server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        link = Link()
        self.links.append(link)
        await link.run((reader, writer), server, *plan)

    async def end(self) -> None:
        """Ends all connections."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def fault_proxy(target: int) -> AsyncIterator[FaultProxy]:
    """A proxy in front of a port of 127.0.0.1, on a free port of its own."""
    proxy = FaultProxy(target)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
        await server.wait_closed()
