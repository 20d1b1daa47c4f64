"""Frames straight to the transport: when they go out, and when they must not."""

import asyncio
import gc
import weakref

import pytest
import uvicorn
from fastapi import APIRouter, FastAPI, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from starlette.middleware.base import BaseHTTPMiddleware
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode

from hubbub.hub.frames import BINARY, TEXT, frame
from hubbub.hub.writer import FrameWriter

from .wire import (
    PING,
    Impatient,
    Note,
    Place,
    close,
    data,
    everywhere,
    fill,
    over_tcp,
    turns,
    until,
)

BLOCK = frame(bytes(16 * 1024), BINARY)


class BrokenTransport(asyncio.Transport):
    """A transport whose socket is gone, as uvloop's is."""

    def write(self, data: object) -> None:
        raise RuntimeError("unable to perform operation; the handler is closed")


class BrokenLink:
    transport = BrokenTransport()

    def start_closing(self, code: int, reason: str) -> None: ...


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 70000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_frame_is_what_websockets_would_write(size: int, opcode: int) -> None:
    payload = b"x" * size
    assert frame(payload, opcode) == Frame(Opcode(opcode), payload).serialize(mask=False)


def test_a_write_that_raises_neither_raises_to_the_fan_out_nor_is_tried_again() -> None:
    writer = FrameWriter(BrokenLink())
    writer.writable = True
    assert writer.write(b"x") is False
    assert not writer.writable
    assert writer.closed


@everywhere
async def test_frames_stand_in_order_beside_uvicorns_own(place: Place) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        assert note.writer.write(frame(b"one") + frame(b"two"))
        await note.send({"type": "websocket.send", "text": "three"})
        assert note.writer.write(frame(b"four", BINARY))
        peer.send(data(PING, b"five"))
        received = [await peer.frame() for _ in range(5)]
        assert [payload for _, payload in received] == [b"one", b"two", b"three", b"four", b"five"]


@everywhere
async def test_nothing_is_written_before_the_handshake_is_accepted(place: Place) -> None:
    class Refused(Note):
        async def accept(self, scope, send):
            self.early = self.writer.writable, self.writer.write(frame(b"early"))
            await super().accept(scope, send)

    note = Refused()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        assert note.early == (False, False)
        assert note.writer.write(frame(b"first"))
        assert await peer.frame() == (TEXT, b"first")


@everywhere
async def test_nothing_is_written_after_our_close_frame(place: Place) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        note.writer.close(4003, "out")
        assert (note.writer.writable, note.writer.closed) == (False, True)
        assert note.writer.write(frame(b"late")) is False
        peer.send(data(PING, b"late"), close(4003))
        assert await peer.close_frame() == (4003, "out")
        assert await peer.rest() == b""


@everywhere
async def test_nothing_is_written_after_the_answer_to_the_clients_close(place: Place) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        peer.send(close(1000, "bye"))
        await until(lambda: note.writer.closed)
        assert note.writer.write(frame(b"late")) is False
        assert await peer.close_frame() == (1000, "bye")
        assert await peer.rest() == b""


@everywhere
async def test_a_lost_socket_does_not_raise_to_the_fan_out(place: Place) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        peer.reset()
        while note.writer.write(BLOCK):
            await asyncio.sleep(0)
        await note.disconnected()
        assert note.writer.closed
        assert note.writer.write(BLOCK) is False
        assert note.writer.buffered() == 0
        note.writer.close(1000, "")
        assert served.trouble() == []


@everywhere
async def test_a_slow_reader_fills_no_more_than_the_high_water_mark(place: Place) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        peer.freeze()
        written = await fill(note.writer, BLOCK)
        assert 16 * 1024 < note.writer.buffered() <= 64 * 1024 + 2 * len(BLOCK)
        assert note.writer.write(BLOCK) is False

        drained = asyncio.Event()
        note.writer.on_writable = drained.set
        peer.thaw()
        received = await peer.reader.readexactly(len(written))
        await asyncio.wait_for(drained.wait(), 10)
        assert note.writer.writable
        assert received == written


@everywhere
async def test_what_the_kernel_holds_for_a_slow_reader_is_counted(place: Place) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        peer.freeze()
        written = await fill(note.writer, BLOCK)
        assert note.writer.unread() > note.writer.buffered() > 0
        peer.thaw()
        await peer.reader.readexactly(len(written))
        await until(lambda: note.writer.unread() == 0)
    assert note.writer.unread() == 0


@everywhere
async def test_a_connection_that_is_closing_does_not_ask_for_more(place: Place) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        peer.freeze()
        written = await fill(note.writer, BLOCK)
        asked = []
        note.writer.on_writable = lambda: asked.append(1)
        note.writer.close(4200, "slow")
        peer.thaw()
        assert await peer.reader.readexactly(len(written)) == written
        assert await peer.close_frame() == (4200, "slow")
        await turns()
        assert not asked
        assert not note.writer.writable


@everywhere
async def test_a_lost_connection_leaves_no_reference_cycle(place: Place) -> None:
    gone = []

    class Watched(Note):
        async def __call__(self, scope, receive, send):
            gone.append(weakref.ref(receive.__self__))
            gone.append(weakref.ref(receive.__self__.conn))
            await super().__call__(scope, receive, send)

    note = Watched()
    async with place.serve(note, ws=Impatient) as served:
        gc.collect()
        gc.disable()
        try:
            peer = await served.connect()
            await note.opened.wait()
            note.writer.on_writable = note.opened.set
            peer.send(close(1000))
            await note.disconnected()
            await until(lambda: not served.state.connections and not served.state.tasks)
            note.send = None
            await until(lambda: not any(reference() for reference in gone))
            assert note.writer.closed
        finally:
            gc.enable()


@everywhere
async def test_a_lost_connection_does_not_keep_its_writer(place: Place) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        gc.collect()
        gc.disable()
        try:
            protocol = served.protocol
            writer = weakref.ref(note.writer)
            del note.writer
            peer.send(close(1000))
            await note.disconnected()
            await until(lambda: not served.state.connections and not served.state.tasks)
            await until(lambda: writer() is None)
            assert protocol.disconnected
        finally:
            gc.enable()


@over_tcp
async def test_uncompressed_frames_do_not_corrupt_a_compressed_stream(place: Place) -> None:
    note = Note()
    async with (
        place.serve(note, ws_per_message_deflate=True) as served,
        connect(f"ws://127.0.0.1:{served.port}") as client,
    ):
        assert "permessage-deflate" in client.response.headers["Sec-WebSocket-Extensions"]
        await note.opened.wait()
        for number in range(10):
            await note.send({"type": "websocket.send", "text": f"compressed {number} " * 20})
            assert note.writer.write(frame(f"plain {number} ".encode() * 20))
            assert await client.recv() == f"compressed {number} " * 20
            assert await client.recv() == f"plain {number} " * 20


@over_tcp
async def test_a_close_before_the_handshake_is_accepted_does_nothing(place: Place) -> None:
    class Eager(Note):
        async def accept(self, scope, send):
            self.writer.close(4000, "early")
            await super().accept(scope, send)

    note = Eager()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        assert note.writer.write(frame(b"open"))
        assert await peer.frame() == (TEXT, b"open")


@over_tcp
async def test_frameworks_and_their_middleware_do_not_lose_the_writer(place: Place) -> None:
    router = APIRouter()

    @router.websocket("/inner")
    async def inner(websocket: WebSocket) -> None:
        await websocket.accept()
        websocket.scope["extensions"]["hubbub.writer"].write(frame(b"straight"))
        await websocket.receive()

    mounted = FastAPI()
    mounted.include_router(router, prefix="/routed")
    app = FastAPI()
    app.mount("/mounted", mounted)
    app.add_middleware(BaseHTTPMiddleware, dispatch=lambda request, call_next: call_next(request))
    app.add_middleware(CORSMiddleware, allow_origins=["*"])
    app.add_middleware(GZipMiddleware)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["test"])
    async with place.serve(app) as served:
        peer = await served.connect("/mounted/routed/inner")
        assert await peer.frame() == (TEXT, b"straight")


def test_uvicorn_finds_the_protocols_by_name() -> None:
    async def app(scope, receive, send): ...

    config = uvicorn.Config(
        app,
        ws="hubbub.hub.server:HubbubWebSocketProtocol",
        http="hubbub.hub.http:HubbubHttpProtocol",
        log_config=None,
    )
    config.load()
    assert config.ws_protocol_class.__name__ == "HubbubWebSocketProtocol"
    assert config.http_protocol_class.__name__ == "HubbubHttpProtocol"
