"""The wire under any ASGI server: frames become messages again, sent by one task."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CLOSE_SECONDS = 5.0
"""How long a reader that takes nothing may hold up a close."""

_HIGH = 64 * 1024


class PortableWriter:
    """A `Sink` over ASGI's `send`. Does the same as the direct writer, for more work.

    It works inside `async with`, which ends when what was asked to be closed is closed. A block
    that has not ended `CLOSE_SECONDS` after `close` is cancelled: a frozen peer never says goodbye.
    """

    def __init__(self, send: Send) -> None:
        self.writable = True
        self.closed = False
        self.on_writable: Callable[[], None] | None = None
        self.on_text: Callable[[str], bool] | None = None
        self._send = send
        self._frames: deque[bytes] = deque()
        self._size = 0
        self._close: tuple[int, str] | None = None
        self._wake = asyncio.Event()

    def write(self, frames: bytes) -> bool:
        """Takes frames for the task to send."""
        if not self.writable:
            return False
        self._frames.append(frames)
        self._size += len(frames)
        self.writable = self._size < _HIGH
        self._wake.set()
        return True

    def unread(self) -> int:
        """Bytes that the server has not taken yet."""
        return self._size

    def close(self, code: int, reason: str) -> None:
        """Closes once what was written has been sent."""
        if self._close is None and not self.closed:
            self._close = (code, reason)
            self.writable = False
            self._wake.set()
            self._patience.reschedule(asyncio.get_running_loop().time() + CLOSE_SECONDS)

    async def __aenter__(self) -> "PortableWriter":
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._patience = await asyncio.timeout(None).__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> bool:
        if self._close is None:
            self._end()
        try:
            await self._patience.__aexit__(*raised)
            await asyncio.wait([self._task], timeout=CLOSE_SECONDS)
        except TimeoutError:
            return True
        finally:
            self._task.cancel()
        return False

    def _end(self) -> None:
        self.closed = True
        self.writable = False
        self._wake.set()

    async def _run(self) -> None:
        try:
            while not self.closed:
                await self._wake.wait()
                self._wake.clear()
                await self._send_waiting()
                if self._close is not None and not self.closed:
                    code, reason = self._close
                    await self._send({"type": "websocket.close", "code": code, "reason": reason})
                    self._end()
        except Exception:
            # How a server says that the peer is gone differs; the reader hears of it as well.
            self._end()

    async def _send_waiting(self) -> None:
        while self._frames and not self.closed:
            frames = self._frames.popleft()
            for text in messages(frames):
                await self._send({"type": "websocket.send", "text": text})
            self._size -= len(frames)
            if not self.writable and self._close is None and self._size < _HIGH:
                self.writable = True
                if self.on_writable is not None:
                    self.on_writable()


def messages(frames: bytes) -> list[str]:
    """The payloads of whole, unmasked text frames laid end to end (RFC 6455 5.2)."""
    texts = []
    start = 0
    while start < len(frames):
        size = frames[start + 1]
        start += 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size = int.from_bytes(frames[start : start + width])
            start += width
        texts.append(frames[start : start + size].decode())
        start += size
    return texts
