"""The fast lane: frames joined once and written straight to every transport."""

import asyncio
import fcntl
import sys
import termios
from collections.abc import Callable
from typing import Protocol


class Link(Protocol):
    """The connection under a writer, as far as the writer needs it."""

    transport: asyncio.Transport

    def start_closing(self, code: int, reason: str) -> None:
        """Sends a close frame if the connection is open."""


class FrameWriter:
    """One connection's way out, offered to the application as the ASGI scope's extension
    `hubbub.writer`.

    `writable` is true only while the connection is open, neither side has sent a close frame, and
    the transport holds less than its high-water mark. Past the mark the caller keeps what it has to
    say, and goes on when `on_writable` is called. `closed` is true once `writable` can never be so
    again. The connection sets both; the caller reads them and sets `on_writable`.

    Whoever calls `receive` may set `on_text` before: while nothing is there to be received, a text
    message may then be given to it instead, and it says whether it took it. One it did not take is
    received as ever, and so is one that it is not asked about. When `receive` returns it is unset.

    It is used on the connection's own event loop. It keeps nothing alive once the connection is
    lost, and may be held for as long as one likes.
    """

    __slots__ = ("__weakref__", "_link", "_write", "closed", "on_text", "on_writable", "writable")

    def __init__(self, link: Link | None) -> None:
        self.writable = False
        self.closed = link is None
        self.on_writable: Callable[[], None] | None = None
        self.on_text: Callable[[str], bool] | None = None
        self._link = link
        self._write: Callable[[bytes], object] = _nowhere if link is None else link.transport.write

    def write(self, frames: bytes) -> bool:
        """Puts ready-made frames on the wire in one write. Returns False, and writes nothing,
        unless `writable`; never raises and never waits."""
        if not self.writable:
            return False
        try:
            self._write(frames)
        except Exception:  # one lost socket must not end a loop that writes to hundreds
            self.seal()
            return False
        return True

    def close(self, code: int, reason: str) -> None:
        """Starts the closing handshake (RFC 6455 7.1.2) without waiting, also while the peer does
        not read.

        The close frame goes out behind what the transport already holds; the application's next
        events are what was received before and then `websocket.disconnect` with this code. A peer
        that has not finished the handshake after `abort_after` seconds is cut off. A reason past
        the 123 bytes that fit is cut. Does nothing on a connection that is closing, closed, or not
        accepted yet; a code that no frame may carry (7.4.1) raises `ProtocolError`.
        """
        if self._link is not None:
            self._link.start_closing(code, reason)

    def buffered(self) -> int:
        """Bytes that the transport holds because the kernel would not take them."""
        return 0 if self._link is None else self._link.transport.get_write_buffer_size()

    def unread(self) -> int:
        """Bytes of what was written that the peer has not acknowledged: the transport's, and the
        kernel's, which may hold megabytes and take no more for a minute while a slow peer reads."""
        if self._link is None:
            return 0
        try:
            waiting = fcntl.ioctl(
                self._link.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4)
            )
        except (OSError, ValueError):  # it is being closed
            return 0
        return self.buffered() + int.from_bytes(waiting, sys.byteorder)

    def seal(self) -> None:
        """For the connection: nothing may be written from now on."""
        self.writable = False
        self.closed = True
        self.on_writable = self.on_text = None

    def release(self) -> None:
        """For the connection: it is lost. Leaves no reference to it."""
        self.seal()
        self._link = None
        self._write = _nowhere


def _nowhere(frames: bytes) -> None:
    """Where the writes of a lost connection would go, were they not refused before."""


GONE = FrameWriter(None)
"""The writer of every connection that is lost or not yet made."""
