"""Every connection ends in time, and with a close frame where one can be sent."""

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.utils import ClientDisconnected
from websockets.exceptions import ProtocolError

from hubbub.hub.frames import BINARY, frame
from hubbub.hub.http import HubbubHttpProtocol

from .wire import (
    DEADLINE,
    PING,
    Impatient,
    Note,
    Peer,
    Place,
    Served,
    certificates,
    close,
    data,
    everywhere,
    fill,
    listener,
    over_tcp,
    text,
    turns,
    until,
    upgrade,
)

BLOCK = frame(bytes(16 * 1024), BINARY)


async def frozen(served: Served, note: Note) -> Peer:
    """A peer that does not read, with the transport full of what it should."""
    peer = await served.connect()
    await note.opened.wait()
    peer.freeze()
    await fill(note.writer, BLOCK)
    return peer


async def gone(served: Served) -> None:
    await until(lambda: not served.state.connections and not served.state.tasks)


@everywhere
async def test_closing_a_frozen_reader_does_not_wait_for_it(place: Place) -> None:
    note = Note()
    async with place.serve(note, ws=Impatient) as served:
        await frozen(served, note)
        note.writer.close(4200, "slow")
        assert await note.disconnected() == (4200, "slow")
        await gone(served)


@everywhere
async def test_a_close_overtakes_nothing(place: Place) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        peer.freeze()
        written = await fill(note.writer, BLOCK)
        note.writer.close(4200, "slow")
        peer.thaw()
        assert await peer.reader.readexactly(len(written)) == written
        assert await peer.close_frame() == (4200, "slow")
        peer.send(close(4200))
        assert await peer.rest() == b""
        await gone(served)


@everywhere
async def test_closing_twice_sends_one_close_frame(place: Place) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        note.writer.close(4001, "first")
        note.writer.close(4002, "second")
        await note.send({"type": "websocket.close", "code": 4003})
        assert await peer.close_frame() == (4001, "first")
        peer.send(close(4001))
        assert await peer.rest() == b""
        assert await note.disconnected() == (4001, "first")


@over_tcp
async def test_messages_received_before_the_close_are_not_lost(place: Place) -> None:
    note = Note()
    note.open.clear()
    async with place.serve(note) as served:
        peer = await served.connect()
        peer.send(text("one"), text("two"))
        await until(lambda: served.protocol.queue.qsize() >= 2)
        note.writer.close(4001, "")
        peer.send(text("late"), close(4001))
        await peer.close_frame()
        assert await peer.rest() == b""
        note.open.set()
        assert await note.disconnected() == (4001, "")
        assert note.messages == ["one", "two"]


@over_tcp
async def test_the_peers_answer_is_found_behind_messages_read_ahead(place: Place) -> None:
    note = Note()
    note.open.clear()
    async with place.serve(note) as served:
        peer = await served.connect()
        peer.send(*[text(str(n)) for n in range(200)], close(1001))
        await until(lambda: served.protocol.read_paused)
        note.writer.close(4001, "")
        assert await peer.close_frame() == (4001, "")
        assert await peer.rest() == b""
        note.open.set()
        assert await note.disconnected() == (4001, "")


@over_tcp
async def test_a_reason_that_is_too_long_is_cut_between_characters(place: Place) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        note.writer.close(4000, "x" + "é" * 100)
        assert await peer.close_frame() == (4000, "x" + "é" * 61)


@over_tcp
async def test_a_code_that_no_frame_may_carry_is_refused_and_nothing_is_closed(
    place: Place,
) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        with pytest.raises(ProtocolError):
            note.writer.close(1006, "")
        assert note.writer.write(frame(b"still open"))
        assert (await peer.frame())[1] == b"still open"


@everywhere
async def test_closing_over_asgi_does_not_hang_on_a_frozen_reader(place: Place) -> None:
    note = Note()
    async with place.serve(note, ws=Impatient) as served:
        await frozen(served, note)
        async with asyncio.timeout(DEADLINE):
            await note.send({"type": "websocket.close", "code": 4001, "reason": "enough"})
        assert await note.disconnected() == (4001, "enough")
        await gone(served)


@everywhere
async def test_a_send_that_waits_for_a_frozen_reader_ends_when_the_connection_is_closed(
    place: Place,
) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await frozen(served, note)
        send = asyncio.ensure_future(note.send({"type": "websocket.send", "text": "late"}))
        await turns()
        assert not send.done()
        note.writer.close(4200, "slow")
        with pytest.raises(ClientDisconnected):
            await send
        with pytest.raises(ClientDisconnected):
            await note.send({"type": "websocket.send", "text": "later"})
        assert served.state.connections
        peer.reset()
        await gone(served)


@over_tcp
async def test_a_transport_that_fills_up_with_the_close_frame_makes_nobody_wait(
    place: Place,
) -> None:
    note = Note()
    async with place.serve(note) as served:
        await served.connect()
        await note.opened.wait()
        note.writer.close(4200, "slow")
        served.protocol.pause_writing()
        with pytest.raises(ClientDisconnected):
            async with asyncio.timeout(DEADLINE):
                await note.send({"type": "websocket.send", "text": "late"})


class Failing(Note):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await super().__call__(scope, receive, send)

    async def accept(self, scope: Any, send: Any) -> None:
        await super().accept(scope, send)
        self.opened.set()
        raise ValueError("a bug")


@everywhere
async def test_an_application_that_raises_does_not_end_in_1006(place: Place) -> None:
    async with place.serve(Failing()) as served:
        peer = await served.connect()
        assert await peer.close_frame() == (1011, "")
        peer.send(close(1011))
        assert await peer.rest() == b""
        await gone(served)
        assert served.trouble() == ["Exception in ASGI application\n"]


@everywhere
async def test_an_application_that_returns_does_not_end_in_1006(place: Place) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})

    async with place.serve(app) as served:
        peer = await served.connect()
        assert await peer.close_frame() == (1000, "")
        peer.send(close(1000))
        assert await peer.rest() == b""
        await gone(served)
        assert served.trouble() == []


@everywhere
async def test_an_application_that_ends_does_not_leave_a_frozen_reader_behind(
    place: Place,
) -> None:
    class Filling(Note):
        async def accept(self, scope: Any, send: Any) -> None:
            await super().accept(scope, send)
            self.opened.set()
            await self.open.wait()
            await fill(self.writer, BLOCK)
            raise ValueError("a bug")

    note = Filling()
    note.open.clear()
    async with place.serve(note, ws=Impatient) as served:
        peer = await served.connect()
        peer.freeze()
        note.open.set()
        await gone(served)


@over_tcp
async def test_a_cancelled_application_closes_its_connection_without_a_traceback(
    place: Place,
) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        (task,) = served.state.tasks
        task.cancel()
        assert await peer.close_frame() == (1012, "")
        assert served.trouble() == []


@everywhere
async def test_a_client_that_closes_with_a_backlog_does_not_break_the_shutdown(
    place: Place,
) -> None:
    note = Note()
    async with place.serve(note, ws=Impatient) as served:
        peer = await frozen(served, note)
        peer.send(close(1000, "bye"))
        assert await note.disconnected() == (1000, "bye")
        assert served.protocol.close_sent
        for connection in list(served.state.connections):
            connection.shutdown()
        await gone(served)


@everywhere
async def test_a_client_that_closes_with_a_backlog_and_freezes_is_not_kept(place: Place) -> None:
    note = Note()
    async with place.serve(note, ws=Impatient) as served:
        peer = await frozen(served, note)
        peer.send(close(1000))
        await gone(served)


@over_tcp
async def test_a_client_that_shuts_its_half_with_a_backlog_and_freezes_is_not_kept(
    place: Place,
) -> None:
    note = Note()
    async with place.serve(note, ws=Impatient) as served:
        peer = await frozen(served, note)
        peer.writer.write_eof()
        await until(lambda: note.writer.closed)
        assert note.writer.write(BLOCK) is False
        await gone(served)


@everywhere
async def test_a_client_that_answers_our_close_and_freezes_is_not_kept(place: Place) -> None:
    note = Note()
    async with place.serve(note, ws=Impatient) as served:
        peer = await frozen(served, note)
        note.writer.close(4001, "")
        peer.send(close(4001))
        await gone(served)


@everywhere
async def test_a_client_silent_past_the_keepalive_is_not_kept_because_it_is_frozen(
    place: Place,
) -> None:
    note = Note()
    options = {"ws_ping_interval": 0.02, "ws_ping_timeout": 0.02}
    async with place.serve(note, ws=Impatient, **options) as served:
        await frozen(served, note)
        assert await note.disconnected() == (1011, "keepalive ping timeout")
        await gone(served)


@everywhere
async def test_a_frozen_client_of_a_busy_application_is_not_spared_by_the_keepalive(
    place: Place,
) -> None:
    note = Note()
    note.open.clear()
    options = {"ws_ping_interval": 0.1, "ws_ping_timeout": 0.1}
    async with place.serve(note, ws=Impatient, **options) as served:
        peer = await frozen(served, note)
        peer.send(*[text("busy")] * 100)
        await until(lambda: served.protocol.read_paused)
        protocol = served.protocol
        await until(lambda: protocol.close_sent)
        assert not protocol.read_paused
        note.open.set()
        assert await note.disconnected() == (1011, "keepalive ping timeout")
        await gone(served)


@everywhere
async def test_a_client_silent_past_the_keepalive_is_told_1011(place: Place) -> None:
    note = Note()
    options = {"ws_ping_interval": 0.02, "ws_ping_timeout": 0.02}
    async with place.serve(note, ws=Impatient, **options) as served:
        peer = await served.connect()
        assert (await peer.frame())[0] == PING
        assert await peer.close_frame() == (1011, "keepalive ping timeout")
        assert await peer.rest() == b""
        await gone(served)


@everywhere
async def test_shutdown_closes_1012_and_waits_for_the_answer(place: Place) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        served.protocol.shutdown()
        assert await peer.close_frame() == (1012, "")
        await turns()
        assert served.state.connections
        peer.send(close(1012))
        assert await peer.rest() == b""
        assert await note.disconnected() == (1012, "")
        await gone(served)


@everywhere
async def test_shutdown_does_not_wait_for_a_handshake(place: Place) -> None:
    class Slow(Note):
        async def accept(self, scope: Any, send: Any) -> None:
            await self.open.wait()
            await super().accept(scope, send)

    note = Slow()
    note.open.clear()
    async with place.serve(note) as served:
        peer = await served.tcp()
        peer.send(upgrade())
        await until(lambda: served.state.tasks)
        served.protocol.shutdown()
        assert "500 Internal Server Error" in await peer.head()
        await peer.rest()
        note.open.set()
        await gone(served)
        assert served.trouble() == []


@everywhere
async def test_a_frozen_peer_does_not_keep_the_lifespan_from_shutting_down(place: Place) -> None:
    note = Note()
    said: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            return await note(scope, receive, send)
        for stage in ("startup", "shutdown"):
            await receive()
            said.append(stage)
            await send({"type": f"lifespan.{stage}.complete"})
        return None

    sock = listener()
    tls: Any = {}
    inside, outside = certificates()
    config = uvicorn.Config(
        app,
        http=HubbubHttpProtocol,
        ws=Impatient,
        lifespan="on",
        log_config=None,
        timeout_graceful_shutdown=int(DEADLINE),
        **tls,
    )
    config.load()
    if place.tls:
        config.ssl = inside
    server = uvicorn.Server(config)
    running = asyncio.ensure_future(server.serve(sockets=[sock]))
    await until(lambda: server.started)
    served = Served(sock.getsockname()[1], outside if place.tls else None, server.server_state)
    peer = await frozen(served, note)
    peer.send(close(1000))
    await until(lambda: note.writer.closed)
    other = await served.connect()
    other.freeze()
    await fill(note.writer, BLOCK)
    server.should_exit = True
    async with asyncio.timeout(DEADLINE / 2):
        await running
    assert said == ["startup", "shutdown"]
    assert not server.server_state.tasks
    for each in served.peers:
        each.writer.transport.abort()
    await turns()


@over_tcp
async def test_a_ping_after_our_close_frame_is_not_answered(place: Place) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        note.writer.close(4001, "")
        peer.send(data(PING, b"?"), close(4001))
        assert await peer.close_frame() == (4001, "")
        assert await peer.rest() == b""
