"""uvicorn's WebSocket protocol with the fast lane, and guarded against what clients do to it.

What is overridden here is there for a fault of uvicorn 0.54 or websockets 17, and has a test in
`tests/hub/test_writer*.py` that names it. It leans on their insides: look through it with every
new version of either.
"""

import asyncio
from asyncio import TimerHandle
from asyncio.transports import BaseTransport
from collections.abc import Callable, Generator
from struct import Struct
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import (  # type: ignore[attr-defined]  # the `apply_mask` that it uses
    CloseCode,
    Frame,
    apply_mask,
)
from websockets.http11 import Request
from websockets.protocol import Protocol, State
from websockets.streams import StreamReader

from hubbub.hub.lazy import Gate, Inbox
from hubbub.hub.writer import GONE, FrameWriter

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent, WebSocketScope

EXTENSION = "hubbub.writer"
"""The key of the connection's `FrameWriter` in the ASGI scope's `extensions`."""

_FINAL_TEXT = 0x81
_MASKED = 0x80
_EXTENDED = _MASKED | 126
"""The second byte of a masked frame whose length stands in the next two."""
_SHORTEST = 6
"""A masked frame of nothing."""
_head = Struct("!BBH").unpack_from
_MAX_REASON = 123
"""Bytes of a close frame's payload behind its code (RFC 6455 5.5, 5.5.1)."""


class _FrameReader(StreamReader):
    """Hands the parser one frame at a time.

    The stock parser reads all it is given before anybody looks: thousands of events from one
    segment, and the answer to a CLOSE ahead of the complaint about the message before it.
    `between` says that the parser waits for the first byte of a frame.
    """

    between = False

    def at_eof(self) -> Generator[None, None, bool]:
        # The parser asks this between frames, and only there.
        self.between = True
        yield
        self.between = False
        return (yield from super().at_eof())


class HubbubWebSocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket connection; give it to uvicorn as `ws`.

    The application finds a `FrameWriter` in the scope's `extensions`. What it sends over ASGI and
    what goes through the writer may be mixed freely, in the order written. When the application
    ends without closing, the connection closes 1000, and 1011 if it raised.
    """

    high_water = 64 * 1024
    """Bytes in the transport past which the writer is not writable; again under a quarter."""
    abort_after = 5.0
    """Seconds from the first sign of an end until the transport is aborted."""
    quiet = 0.1
    """Seconds without a byte after which a peer that broke the protocol has stopped sending."""
    max_fragments = 1024
    """Frames in one message, past which the connection closes 1008."""
    max_queued = 64
    """Messages read ahead of the application."""
    max_held = 64 * 1024
    """Bytes of messages read ahead of the application, the last message not counted."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # With debugging on, websockets logs heads and frames, and tokens travel in both.
        self.conn.debug = False
        self.queue: Inbox[ASGIReceiveEvent] = Inbox()  # type: ignore[assignment]  # the part used
        self.writable: Gate = Gate()  # type: ignore[assignment]  # the part used
        self.writer = GONE
        self.accepted = False
        self.closed_by_app = False
        self.deaf = False
        self.held = 0
        self.early = b""
        self.take: Callable[[str], bool] | None = None
        self.largest = self.conn.max_message_size or 0xFFFF
        self.between = False
        self.owed_pong = b""
        self.heard = True
        self.linger_timer: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=self.high_water)
        self.writer = FrameWriter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.accepted and not self.close_sent:
            # Stock says 1005 then, as if the peer had closed without a code (RFC 6455 7.1.5).
            self._disconnect(CloseCode.ABNORMAL_CLOSURE, "")
        super().connection_lost(exc)
        # Here every cycle through this connection is cut, so that it dies at once: writer and
        # protocol, and websockets' connection and its parser.
        self.writer.release()
        self.writer = GONE
        self.conn.parser.close()
        self.deaf = True
        self.frames = []
        if self.linger_timer is not None:
            self.linger_timer.cancel()
            self.linger_timer = None

    def eof_received(self) -> None:
        # The transport closes itself after this, for ever if it is full and the peer frozen.
        self._seal()

    def pause_writing(self) -> None:
        self.writer.writable = False
        if not self.writer.closed:
            self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()
        writer = self.writer
        if not self.accepted or writer.closed:
            return
        writer.writable = True
        if self.owed_pong:
            pong, self.owed_pong = self.owed_pong, b""
            self.transport.write(pong)
        if writer.on_writable is not None:
            writer.on_writable()

    def shutdown(self) -> None:
        # Stock hangs up without hearing the answer, and raises if the client was first to close.
        if self.accepted:
            self.start_closing(CloseCode.SERVICE_RESTART, "")
        else:
            self.send_500_response()
            self._hang_up()

    def data_received(self, data: bytes) -> None:
        if self.take is not None and self.between and self._take_whole(data, self.take):
            return
        if self.deaf:
            self.heard = True
        elif self.accepted:
            self.conn.reader.feed_data(data)
            self._read_frames()
        elif self.handshake_initiated:
            # Stock would answer frames before it has answered the handshake.
            self.early += data
            self._pause_reading()
        else:
            super().data_received(data)
            if not self.handshake_initiated:
                self._refuse_head()

    def _take_whole(self, data: bytes, take: Callable[[str], bool]) -> bool:
        """Gives the application, which waits for a message, what was read, if that is one whole
        text message: most often so, and the parser costs five times as much. False, and nothing
        done, with anything else. For the caller to see to: the parser is between messages."""
        if len(data) < _SHORTEST:
            return False
        # A final text frame, no extension's bits, of under 64 KiB (RFC 6455 5.2).
        first, second, length = _head(data)
        start = 8
        if second != _EXTENDED:
            if second > _EXTENDED:
                return False  # eight bytes of length follow
            length, start = second - _MASKED, 6  # unmasked is less than nothing, and does not fit
        if first != _FINAL_TEXT or len(data) != start + length or length > self.largest:
            return False
        try:
            text = apply_mask(data[start:], data[start - 4 : start]).decode()
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA, "invalid UTF-8")
            return True
        if not take(text):
            self._give({"type": "websocket.receive", "text": text})
            self.held += length
        return True

    def _read_frames(self) -> None:
        """Reads on until the bytes run out or the application has enough to do."""
        self._parse()
        conn = self.conn
        self.between = (
            conn.reader.between  # type: ignore[attr-defined]  # our own, since `_open`
            and not conn.reader.buffer
            and conn.current_size is None  # not amid fragments
            and not self.writer.closed
        )

    def _parse(self) -> None:
        conn = self.conn
        while conn.reader.buffer and not self.deaf:
            if self._has_enough():
                self._pause_reading()
                return
            conn.receive_data(b"")
            if conn.parser_exc is not None:
                self.handle_parser_exception()
            elif not conn.events:
                return
            else:
                self.handle_events()

    def _has_enough(self) -> bool:
        # After a close only the peer's answer matters, and messages are not queued.
        return not self.close_sent and (
            self.queue.qsize() >= self.max_queued or self.held > self.max_held
        )

    def _pause_reading(self) -> None:
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        """Goes on with what was read and put aside, then with the transport. What came before the
        handshake is accepted stays aside, and nothing more is read."""
        if not self.read_paused or not self.accepted:
            return
        self.read_paused = False
        self._read_frames()
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    async def receive(self) -> "ASGIReceiveEvent":
        writer = self.writer
        try:
            if self.queue.empty():
                self.take = writer.on_text
            message = await self.queue.get()
        finally:
            self.take = writer.on_text = None
        if self.queue.empty():
            self.held = 0
            self._resume_reading()
        return message

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= self.max_fragments:
            self._fail(CloseCode.POLICY_VIOLATION, "too many fragments")
        else:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        frames, self.frames = self.frames, []
        if self.close_sent:
            return
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        if self.curr_msg_data_type == "text":
            try:
                text = data.decode()
            except UnicodeDecodeError:
                self._fail(CloseCode.INVALID_DATA, "invalid UTF-8")
                return
            self._give({"type": "websocket.receive", "text": text})
        else:
            self._give({"type": "websocket.receive", "bytes": data})
        self.held += len(data)

    def handle_ping(self) -> None:
        pong = b"".join(self.conn.data_to_send())
        if self.close_sent:
            return
        if self.writable.is_set():
            self.transport.write(pong)
        else:
            # Pongs to a peer that does not read would pile up; the latest is enough (5.5.3).
            self.owed_pong = pong

    def handle_close(self, event: Frame) -> None:  # noqa: ARG002 (stock's signature)
        if not self.close_sent:
            # Stock leaves `close_sent` unset here, and `shutdown` then raises InvalidState.
            self.close_sent = True
            close = self.conn.close_rcvd
            assert close is not None
            self._disconnect(close.code, close.reason)
            self._flush()
        self._hang_up()

    def handle_parser_exception(self) -> None:
        """The connection has been failed (RFC 6455 7.1.7), by the parser or by us."""
        if not self.close_sent:
            self.close_sent = True
            close = self.conn.close_sent
            assert close is not None
            self._disconnect(close.code, close.reason)
            self._flush()
        self.deaf = True
        self._seal()
        self._resume_reading()
        self._linger()

    def keepalive_timeout(self) -> None:
        # Stock queues no disconnect here, and a frozen peer outlives its `transport.close()`.
        if self.read_paused and self.writer.writable:
            # The pong may be among what we have not read: the application is slow, not the peer.
            assert self.ping_timeout is not None
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
            return
        self.pong_timer = None
        self.pending_ping_payload = None
        if not self.close_sent and not self.transport.is_closing():
            self._fail(CloseCode.INTERNAL_ERROR, "keepalive ping timeout")

    def start_closing(self, code: int, reason: str) -> None:
        """Sends a close frame, tells the application, and gives the peer `abort_after` seconds."""
        if not self.accepted or self.writer.closed:
            return
        self.conn.send_close(code, reason.encode()[:_MAX_REASON].decode(errors="ignore"))
        self.close_sent = True
        self._flush()
        self._seal()
        self._disconnect(code, reason)
        # The peer's answer may stand behind messages that are now of no interest.
        self._resume_reading()

    def _fail(self, code: CloseCode, reason: str) -> None:
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    def _flush(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"".join(self.conn.data_to_send()))

    def _disconnect(self, code: int, reason: str) -> None:
        self._give({"type": "websocket.disconnect", "code": code, "reason": reason})

    def _give(self, event: "ASGIReceiveEvent") -> None:
        """Has the application receive an event; what follows it is received as well."""
        self.take = None
        self.queue.put_nowait(event)

    def _seal(self) -> None:
        """The end has begun: nothing is written any more, nobody waits to write, and the transport
        is aborted in time. A transport that merely closes waits for a frozen peer for ever."""
        self.writer.seal()
        self.between = False
        self.stop_keepalive()
        self.writable.set()
        if self.close_timer is None and not self.disconnected:
            self.close_timer = self.loop.call_later(self.abort_after, self.transport.abort)

    def _hang_up(self) -> None:
        self.deaf = True
        self._seal()
        # Never twice: asyncio's TLS transport can no longer be aborted after a second close.
        if not self.transport.is_closing():
            self.transport.close()

    def _linger(self) -> None:
        """Hangs up once the peer has stopped sending. Closing over bytes unread makes the kernel
        reset the connection, and a reset can overtake the close frame."""
        if not self.heard:
            self._hang_up()
            return
        self.heard = False
        self.linger_timer = self.loop.call_later(self.quiet, self._linger)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        del self.request
        if self.transport.is_closing():
            self._seal()

    def _refuse_head(self) -> None:
        """Stock answers nothing, and keeps the connection for ever, when websockets finds too many
        or too long headers, or a body, in what the HTTP parser let pass."""
        answer = b"".join(self.conn.data_to_send())
        self.transport.write(answer or self.conn.reject(400, "Bad handshake.\n").serialize())
        self._hang_up()

    def _take_scope(self) -> "WebSocketScope":
        """The scope, for the application alone to keep. What remains is what uvicorn logs, and so
        no query: tokens travel in it."""
        scope = self.scope
        scope["extensions"][EXTENSION] = self.writer  # type: ignore[assignment]  # an object, no dict
        self.scope = cast(
            "WebSocketScope",
            {
                "client": scope["client"],
                "path": scope["path"],
                "query_string": b"",
                "subprotocols": scope["subprotocols"],
            },
        )
        return scope

    async def run_asgi(self) -> None:
        # Stock hangs up without a close frame, and logs a traceback when it is cancelled.
        code = CloseCode.INTERNAL_ERROR
        try:
            result = await self.app(self._take_scope(), self.receive, self.send)
            code = CloseCode.NORMAL_CLOSURE
            if not self.handshake_complete and self.initial_response is None:
                self.logger.error("ASGI callable returned without completing handshake.")
            elif result is not None:
                self.logger.error("ASGI callable should return None, but returned '%s'.", result)
        except ClientDisconnected:
            pass
        except asyncio.CancelledError:
            code = CloseCode.SERVICE_RESTART
            raise
        except Exception:
            self.logger.exception("Exception in ASGI application\n")
        finally:
            if self.accepted:
                self.start_closing(code, "")
            else:
                self.send_500_response()
                self._hang_up()

    def send_500_response(self) -> None:
        if not self.transport.is_closing():
            super().send_500_response()

    async def send(self, message: "ASGISendEvent") -> None:
        if not self.accepted:
            await self._answer(message)
        elif message["type"] == "websocket.close":
            self._close_for_app(message.get("code", 1000), message.get("reason") or "")
        else:
            # A close never waits; what else is sent waits for the reader, until the end has begun.
            await self.writable.wait()
            if self.writer.closed and not self.closed_by_app:
                raise ClientDisconnected()
            await super().send(message)

    def _close_for_app(self, code: int, reason: str) -> None:
        if self.disconnected:
            raise ClientDisconnected()
        if self.closed_by_app:
            raise RuntimeError("Unexpected ASGI message 'websocket.close', after sending the same.")
        self.start_closing(code, reason)
        self.closed_by_app = True

    async def _answer(self, message: "ASGISendEvent") -> None:
        """Sends what comes before the handshake is complete."""
        if self.transport.is_closing() and not self.close_sent:
            raise ClientDisconnected()
        if message["type"] == "websocket.accept":
            chosen = message.get("subprotocol")
            if chosen and chosen not in self.scope["subprotocols"]:
                # Stock sends it all the same, and the client must then fail (RFC 6455 4.1).
                raise RuntimeError(f"The client did not offer the subprotocol {chosen!r}.")
        await super().send(message)
        if self.conn.state is State.OPEN:
            self._open()
        elif self.transport.is_closing():
            self._seal()

    def _open(self) -> None:
        """The handshake is complete. Lets go of all that it needed, the parser's frame and the
        request in it included."""
        self.accepted = True
        del self.scope, self.response
        self.conn.reader = _FrameReader()
        self.conn.parser = Protocol.parse(self.conn)
        next(self.conn.parser)
        self.writer.writable = self.writable.is_set()
        early, self.early = self.early, b""
        if early:
            self.conn.reader.feed_data(early)
        self.between = not early
        self._resume_reading()
