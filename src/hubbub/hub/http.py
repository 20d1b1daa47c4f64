"""uvicorn's HTTP protocol with time limits on requests, and without queries in its log."""

import asyncio
import json
import logging
from asyncio import TimerHandle
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.datastructures import Headers
from websockets.http11 import MAX_LINE_LENGTH, MAX_NUM_HEADERS, Request

from hubbub.hub.server import HubbubWebSocketProtocol

_BODY = (b"content-length", b"transfer-encoding")
_MAX_HEADER = MAX_LINE_LENGTH - len(": \r\n")
_MAX_TARGET = MAX_LINE_LENGTH - len("GET  HTTP/1.1\r\n")
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n"


def _last_words(status: str, detail: str, code: str) -> bytes:
    body = json.dumps({"detail": detail, "code": code})
    head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close"
    return f"HTTP/1.1 {status}\r\n{head}\r\n\r\n{body}".encode()


_TOO_SLOW = _last_words("408 Request Timeout", "the request took too long to come", "timeout")
_RESTARTS = _last_words("503 Service Unavailable", "the server restarts", "unavailable")


class _PathOnly(logging.LoggerAdapter[logging.Logger]):
    """The access log with each path cut before its query: tokens travel in queries."""

    def info(self, msg: object, *args: object, **kwargs: Any) -> None:
        client, method, path, *rest = args
        super().info(msg, client, method, str(path).partition("?")[0], *rest, **kwargs)


class HubbubHttpProtocol(HttpToolsProtocol):
    """One HTTP connection; give it to uvicorn as `http`.

    A connection whose next request head is not complete `head_timeout` seconds after it was made,
    or after the head's first byte on a connection kept alive, is closed; so is one whose head is
    larger than `max_head`. Under TLS the time starts after the TLS handshake, which has its own
    limit (`ssl_handshake_timeout` of the event loop). A request whose body pauses for
    `body_timeout` seconds is answered 408, one whose body is not there when the server is to end
    503: nothing of it has been carried out.
    """

    head_timeout = 10.0
    """Seconds a request head may take."""
    body_timeout = 30.0
    """Seconds that a request body may pause."""
    max_head = 64 * 1024
    """Bytes after which an incomplete head is refused (431)."""
    abort_after = 5.0
    """Seconds that an unread response may take to leave once the connection is closed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access_logger = _PathOnly(self.access_logger)  # type: ignore[assignment]  # info alone
        self.head_timer: TimerHandle | None = None
        self.body_timer: TimerHandle | None = None
        self.head_size = 0
        self.in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as stock
        super().connection_made(transport)
        self.head_timer = self.loop.call_later(self.head_timeout, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._cancel_head_timer()
        self._cancel_body_timer()

    def shutdown(self) -> None:
        if self.in_body and not self.pipeline and not self.cycle.response_started:
            # Stock waits for it until the application is cancelled, which looks like its fault.
            self._abandon(_RESTARTS)
        else:
            super().shutdown()

    def on_headers_complete(self) -> None:
        self.head_size = 0
        self.in_body = True
        self._cancel_head_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.in_body = False
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.parser is None or self.transport.is_closing():
            return
        self._cancel_body_timer()
        if self.in_body:
            self._watch_body()
        if self.in_body or self._busy():
            return
        # Anything but a whole head, blank lines too, has taken stock's keep-alive timer away.
        if self.head_timer is None:
            self.head_timer = self.loop.call_later(self.head_timeout, self._give_up)
        self.head_size += len(data)
        if self.head_size > self.max_head:
            self.transport.write(_TOO_LARGE)
            self._give_up()

    def handle_websocket_upgrade(self) -> None:
        if self._busy():
            # The response would end up between frames, and its task never hear of the end.
            self.send_400_response("Upgrade before the last response.")
            return
        request = self._handshake()
        kind = self.ws_protocol_class
        if request is None or kind is None or not issubclass(kind, HubbubWebSocketProtocol):
            super().handle_websocket_upgrade()
        else:
            self.connections.discard(self)
            protocol = kind(
                config=self.config, server_state=self.server_state, app_state=self.app_state
            )
            protocol.connection_made(self.transport)
            protocol.handle_connect(request)
            self.transport.set_protocol(protocol)
        if self.flow.write_paused:
            self.transport.get_protocol().pause_writing()
        # This protocol and its parser hold one another.
        self.parser = None  # type: ignore[assignment]  # as stock does when the connection is lost

    def _handshake(self) -> Request | None:
        """The head as websockets would have it, None for one that it would look at twice.

        Stock writes the head out again for websockets to parse: a third of what a connection
        costs.
        """
        found = list(self.scope["headers"])
        plain = self.scope["method"] == "GET" and len(found) <= MAX_NUM_HEADERS
        if not plain or len(self.url) > _MAX_TARGET:
            return None
        headers = Headers()
        for name, value in found:
            if name in _BODY or len(name) + len(value) > _MAX_HEADER:
                return None
            headers[name.decode("ascii")] = value.decode("latin-1")
        return Request(self.url.decode("ascii"), headers)

    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _cancel_head_timer(self) -> None:
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None

    def _cancel_body_timer(self) -> None:
        if self.body_timer is not None:
            self.body_timer.cancel()
            self.body_timer = None

    def _watch_body(self) -> None:
        self.body_timer = self.loop.call_later(self.body_timeout, self._body_pauses)

    def _body_pauses(self) -> None:
        if self.flow.read_paused:
            self._watch_body()  # it is the application that is slow
        else:
            self._abandon(_TOO_SLOW)

    def _abandon(self, words: bytes) -> None:
        """Ends a connection whose request's body does not come."""
        self._cancel_body_timer()
        if not self.cycle.response_started:
            self.transport.write(words)
        self._give_up()

    def _give_up(self) -> None:
        self._cancel_head_timer()
        self.head_timer = self.loop.call_later(self.abort_after, self.transport.abort)
        self.transport.close()
