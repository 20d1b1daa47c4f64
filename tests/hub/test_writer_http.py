"""Before a WebSocket: half-open handshakes and requests end, and no token reaches the log."""

import asyncio
import gc
import json
import logging
import weakref
from typing import Any

import pytest

from hubbub.hub.frames import BINARY, TEXT, frame
from hubbub.hub.http import HubbubHttpProtocol

from .wire import Note, Place, Served, everywhere, fill, over_tcp, text, turns, until, upgrade

SECRET = "canary-5f2a"


class Hasty(HubbubHttpProtocol):
    """Waits for a request head no longer than a test can."""

    head_timeout = 0.05
    body_timeout = 0.05
    abort_after = 0.05


class Watched(HubbubHttpProtocol):
    """Lets a test see whether its timer runs."""

    instances: list[HubbubHttpProtocol]

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.instances.append(self)


class Page:
    """An HTTP application that answers `hello` when `open` is set, after the whole body."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.body = b""
        self.asked = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        more = True
        while more:
            event = await receive()
            self.body += event.get("body", b"")
            more = event.get("more_body", False)
        await self.open.wait()
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", b"5")],
            }
        )
        await send({"type": "http.response.body", "body": b"hello"})


def get(path: str = "/") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode()


async def gone(served: Served) -> None:
    await until(lambda: not served.state.connections)


@everywhere
@pytest.mark.parametrize(
    "sent",
    [b"", b"\r\n", b"GET /ws HTTP/1.1\r\nHost: t", upgrade()[:-2]],
    ids=["nothing", "blank line", "half a head", "half an upgrade"],
)
async def test_a_half_open_handshake_does_not_stay_open(place: Place, sent: bytes) -> None:
    async with place.serve(Page(), http=Hasty) as served:
        peer = await served.tcp()
        peer.send(sent)
        assert await peer.rest() == b""
        await gone(served)


@over_tcp
@pytest.mark.parametrize("sent", [b"\r\n", b"GET /again"], ids=["blank line", "half a head"])
async def test_a_half_open_handshake_on_a_connection_kept_alive_does_not_stay_open(
    place: Place, sent: bytes
) -> None:
    async with place.serve(Page(), http=Hasty, timeout_keep_alive=1000) as served:
        peer = await served.tcp()
        peer.send(get())
        await peer.head()
        assert await peer.reader.readexactly(5) == b"hello"
        peer.send(sent)
        assert await peer.rest() == b""
        await gone(served)


@over_tcp
async def test_a_head_that_never_ends_does_not_fill_the_memory(place: Place) -> None:
    async with place.serve(Page()) as served:
        peer = await served.tcp()
        peer.send(b"GET / HTTP/1.1\r\n", *[b"X: y\r\n"] * 20_000)
        assert "431" in (await peer.head()).splitlines()[0]
        await peer.rest()
        await gone(served)


@over_tcp
async def test_a_half_open_handshake_behind_an_unread_response_does_not_stay_open(
    place: Place,
) -> None:
    size = 1_000_000

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(size)})

    async with place.serve(app, http=Hasty) as served:
        peer = await served.tcp()
        peer.freeze()
        peer.send(get())
        await until(lambda: served.state.total_requests)
        peer.send(b"GET /again")
        await gone(served)


@over_tcp
async def test_a_slow_answer_is_not_cut_by_the_limit_on_heads(place: Place) -> None:
    Watched.instances = []
    page = Page()
    page.open.clear()
    async with place.serve(page, http=Watched) as served:
        peer = await served.tcp()
        peer.send(get()[:10])
        await until(lambda: Watched.instances[0].head_size)
        assert Watched.instances[0].head_timer is not None
        peer.send(get()[10:])
        await until(lambda: page.asked)
        assert Watched.instances[0].head_timer is None
        peer.send(b"\r\n")
        await turns()
        assert Watched.instances[0].head_timer is None
        page.open.set()
        assert "200" in await peer.head()


@over_tcp
async def test_a_slow_body_is_not_cut_by_the_limit_on_heads(place: Place) -> None:
    Watched.instances = []
    page = Page()
    async with place.serve(page, http=Watched) as served:
        peer = await served.tcp()
        peer.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 6\r\n\r\nabc")
        await until(lambda: page.body == b"abc")
        assert Watched.instances[0].head_timer is None
        peer.send(b"def")
        assert "200" in await peer.head()
        assert page.body == b"abcdef"


HALF = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 6\r\n\r\nabc"


@everywhere
@pytest.mark.parametrize("sent", [HALF, HALF[:-3]], ids=["half", "nothing"])
async def test_a_body_that_does_not_come_does_not_stay_open(place: Place, sent: bytes) -> None:
    async with place.serve(Page(), http=Hasty) as served:
        peer = await served.tcp()
        peer.send(sent)
        status, _, body = (await peer.rest()).decode().partition("\r\n\r\n")
        assert "408" in status.splitlines()[0]
        assert json.loads(body)["code"] == "timeout"
        await gone(served)
        assert not served.trouble()


@over_tcp
async def test_a_body_behind_an_answer_that_did_not_wait_for_it_does_not_stay_open(
    place: Place,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 404, "headers": headers})
        await send({"type": "http.response.body"})

    async with place.serve(app, http=Hasty, timeout_keep_alive=1000) as served:
        peer = await served.tcp()
        peer.send(HALF)
        answer = await peer.rest()
        assert b"404" in answer
        assert b"408" not in answer
        await gone(served)


@over_tcp
async def test_an_application_that_reads_slowly_is_not_taken_for_a_slow_client(
    place: Place,
) -> None:
    read = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read.wait()
        await Page()(scope, receive, send)

    class Counting(Hasty):
        watched = 0

        def _watch_body(self) -> None:
            Counting.watched += 1
            super()._watch_body()

    Counting.watched = 0
    async with place.serve(app, http=Counting) as served:
        peer = await served.tcp()
        size = 1_000_000
        peer.send(f"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: {size}\r\n\r\n".encode())
        peer.send(bytes(size))
        await until(lambda: served.protocol.flow.read_paused)
        before = Counting.watched
        await until(lambda: Counting.watched > before + 1)
        read.set()
        assert "200" in await peer.head()


@everywhere
async def test_a_body_that_has_not_come_when_the_server_ends_is_answered_at_once(
    place: Place,
) -> None:
    page = Page()
    async with place.serve(page) as served:
        peer = await served.tcp()
        peer.send(HALF)
        await until(lambda: page.body == b"abc")
        served.protocol.shutdown()
        status, _, body = (await peer.rest()).decode().partition("\r\n\r\n")
        assert "503" in status.splitlines()[0]
        assert json.loads(body) == {"detail": "the server restarts", "code": "unavailable"}
        await gone(served)


@over_tcp
async def test_an_answer_that_is_being_made_when_the_server_ends_is_given(place: Place) -> None:
    page = Page()
    page.open.clear()
    async with place.serve(page) as served:
        peer = await served.tcp()
        peer.send(HALF, b"def")
        await until(lambda: page.body == b"abcdef")
        served.protocol.shutdown()
        await turns()
        page.open.set()
        assert (await peer.rest()).endswith(b"hello")
        assert page.body == b"abcdef"


@over_tcp
async def test_a_large_body_nobody_reads_is_not_taken_for_a_head(place: Place) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 404, "headers": headers})
        await send({"type": "http.response.body"})

    async with place.serve(app) as served:
        peer = await served.tcp()
        size = 500_000
        peer.send(f"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: {size}\r\n\r\n".encode())
        assert "404" in await peer.head()
        peer.send(bytes(size), get())
        assert "404" in await peer.head()


@everywhere
async def test_an_open_websocket_is_not_cut_by_the_limit_on_heads(place: Place) -> None:
    Watched.instances = []
    note = Note()
    async with place.serve(note, http=Watched) as served:
        peer = await served.connect()
        assert Watched.instances[0].head_timer is None
        peer.send(text("hello"))
        await until(lambda: note.events)
        assert note.writer.write(frame(b"hello"))
        assert await peer.frame() == (TEXT, b"hello")


@over_tcp
async def test_an_upgrade_before_the_last_response_is_refused(place: Place) -> None:
    page = Page()
    page.open.clear()
    async with place.serve(page) as served:
        peer = await served.tcp()
        peer.send(get())
        await until(lambda: page.asked)
        peer.send(upgrade())
        assert "400" in (await peer.head()).splitlines()[0]
        await gone(served)
        page.open.set()


@over_tcp
async def test_a_writer_does_not_start_writable_over_an_unread_response(place: Place) -> None:
    note = Note()
    size = 1_000_000

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            return await note(scope, receive, send)
        headers = [(b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        return await send({"type": "http.response.body", "body": bytes(size)})

    async with place.serve(app) as served:
        peer = await served.tcp()
        peer.freeze()
        peer.send(get())
        await until(lambda: served.state.total_requests)
        peer.send(upgrade())
        await until(lambda: served.state.tasks)
        await turns()
        assert not note.opened.is_set()
        assert not note.writer.writable
        peer.thaw()
        await peer.head()
        await peer.reader.readexactly(size)
        assert "101" in await peer.head()
        await note.opened.wait()
        assert await fill(note.writer, frame(bytes(1024), BINARY))


@over_tcp
async def test_a_writer_does_not_start_writable_over_an_unread_handshake(place: Place) -> None:
    class Wordy(Note):
        async def accept(self, scope: Any, send: Any) -> None:
            await send({"type": "websocket.accept", "headers": [(b"x", b"y" * 1_000_000)]})

    note = Wordy()
    async with place.serve(note) as served:
        peer = await served.tcp()
        peer.freeze()
        peer.send(upgrade())
        await note.opened.wait()
        assert not note.writer.writable
        peer.reset()
        await note.disconnected()


@everywhere
async def test_the_http_protocol_does_not_outlive_the_upgrade(place: Place) -> None:
    Watched.instances = []
    async with place.serve(Note(), http=Watched) as served:
        gc.disable()
        try:
            await served.connect()
            protocol = weakref.ref(Watched.instances.pop())
            await until(lambda: protocol() is None)
        finally:
            gc.enable()


def logged(served: Served) -> str:
    return "\n".join(record.getMessage() for record in served.log)


@over_tcp
async def test_no_token_in_a_query_reaches_the_log(place: Place) -> None:
    note = Note()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            return await Page()(scope, receive, send)
        assert SECRET in scope["query_string"].decode()
        if scope["path"] == "/refused":
            return await send({"type": "websocket.close"})
        return await note(scope, receive, send)

    async with place.serve(app, level=logging.DEBUG) as served:
        peer = await served.tcp()
        peer.send(get(f"/page%3Fx?token={SECRET}"))
        assert "200" in await peer.head()
        peer = await served.tcp()
        peer.send(upgrade(f"/refused?token={SECRET}"))
        assert "403" in await peer.head()
        peer = await served.connect(
            f"/taken?token={SECRET}",
            f"Authorization: Bearer {SECRET}",
            f"Sec-WebSocket-Protocol: bearer, {SECRET}",
        )
        peer.send(text(SECRET))
        await until(lambda: note.events)
        log = logged(served)
        assert SECRET not in log
        assert '"GET /page%3Fx HTTP/1.1" 200' in log
        assert '"WebSocket /refused" 403' in log
        assert '"WebSocket /taken" [accepted]' in log


@everywhere
async def test_a_handshake_that_is_refused_in_words_is_no_trouble(place: Place) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/plain")]
        start = {"type": "websocket.http.response.start", "status": 403, "headers": headers}
        await send(start)
        await send({"type": "websocket.http.response.body", "body": b"not from there"})

    async with place.serve(app) as served:
        peer = await served.tcp()
        peer.send(upgrade())
        answer = await peer.rest()
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert answer.endswith(b"\r\n\r\nnot from there")
        await gone(served)
        assert served.trouble() == []


@over_tcp
async def test_the_access_log_keeps_the_fields_that_uvicorn_formats(place: Place) -> None:
    async with place.serve(Page()) as served:
        peer = await served.tcp()
        peer.send(get("/a?b"))
        await peer.head()
        (record,) = [r for r in served.log if r.name == "uvicorn.access"]
        assert record.args is not None
        assert tuple(record.args)[1:] == ("GET", "/a", "1.1", 200)
