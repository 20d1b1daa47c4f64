"""What clients send: in order, without loss, bounded; what is bad ends in a close frame."""

import asyncio
import logging
import random
import zlib
from typing import Any

import pytest

from hubbub.hub.frames import BINARY, TEXT, frame

from .wire import (
    CONT,
    PING,
    PONG,
    Impatient,
    Note,
    Patient,
    Place,
    close,
    data,
    everywhere,
    fill,
    over_tcp,
    text,
    turns,
    until,
    upgrade,
)

BAD = b"\xff\xfe"


async def closes(place: Place, sent: list[bytes], code: int, **options: Any) -> Note:
    """Sends `sent` in one segment; the server closes with `code`, and complains to nobody."""
    note = Note()
    async with place.serve(note, ws=Impatient, level=logging.DEBUG, **options) as served:
        peer = await served.connect()
        peer.send(*sent)
        assert (await peer.close_frame())[0] == code
        assert await peer.rest() == b""
        assert (await note.disconnected())[0] == code
        await until(lambda: not served.state.connections and not served.state.tasks)
        assert served.trouble() == []
    return note


@everywhere
async def test_bad_utf8_closes_1007_without_a_traceback(place: Place) -> None:
    note = await closes(place, [text("good"), data(TEXT, BAD), text("late")], 1007)
    assert note.messages == ["good"]


@everywhere
async def test_bad_utf8_followed_by_a_close_in_one_segment_is_no_fatal_error(place: Place) -> None:
    await closes(place, [data(TEXT, BAD), close(1000)], 1007)


@over_tcp
async def test_bad_utf8_across_fragments_closes_1007(place: Place) -> None:
    await closes(place, [data(TEXT, b"\xc3", fin=False), data(CONT, b"\x28")], 1007)


@over_tcp
async def test_a_character_cut_by_a_fragment_is_not_bad(place: Place) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.connect()
        peer.send(data(TEXT, b"\xc3", fin=False), data(PING, b""), data(CONT, b"\xa9"))
        await until(lambda: note.events)
        assert note.messages == ["é"]


@over_tcp
async def test_a_bad_close_frame_is_answered(place: Place) -> None:
    await closes(place, [data(8, b"\x03\xe8" + BAD)], 1007)
    await closes(place, [data(8, b"\x03")], 1002)
    await closes(place, [data(8, b"\x03\xee")], 1002)


@everywhere
async def test_empty_fragments_do_not_pile_up_without_limit(place: Place) -> None:
    pieces = [data(TEXT, b"", fin=False), *[data(CONT, b"", fin=False)] * 5000]
    await closes(place, pieces, 1008)


@over_tcp
async def test_a_message_may_have_as_many_fragments_as_the_limit(place: Place) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.connect()
        peer.send(data(TEXT, b"a", fin=False), *[data(CONT, b"b", fin=False)] * 1022)
        peer.send(data(CONT, b"c"), text("next"))
        await until(lambda: len(note.events) == 2)
        assert note.messages == ["a" + "b" * 1022 + "c", "next"]


@over_tcp
async def test_one_fragment_past_the_limit_closes_1008(place: Place) -> None:
    pieces = [data(TEXT, b"a", fin=False), *[data(CONT, b"b", fin=False)] * 1023, data(CONT, b"c")]
    await closes(place, pieces, 1008)


@everywhere
async def test_a_message_too_large_is_told_1009_and_earlier_ones_are_not_lost(
    place: Place,
) -> None:
    note = await closes(place, [text("before"), text("x" * 1001)], 1009, ws_max_size=1000)
    assert note.messages == ["before"]


@everywhere
async def test_a_peer_still_sending_its_large_message_sees_1009(place: Place) -> None:
    class Steady(Patient):
        quiet = 0.1

    note = Note()
    async with place.serve(note, ws=Steady, ws_max_size=1000) as served:
        peer = await served.connect()
        peer.send(text("x" * 10_000_000)[:10_000])
        protocol = served.protocol
        await until(lambda: protocol.close_sent)
        waits = {protocol.linger_timer}
        async with asyncio.timeout(10):
            while len(waits) < 3:
                peer.send(bytes(1000))
                await asyncio.sleep(0.001)
                waits.add(protocol.linger_timer)
        assert not protocol.transport.is_closing()
        assert len(protocol.conn.reader.buffer) < 20_000
        assert (await peer.close_frame())[0] == 1009
        assert await peer.rest() == b""


@over_tcp
async def test_fragments_that_are_too_large_together_close_1009(place: Place) -> None:
    pieces = [data(BINARY, bytes(400), fin=False), *[data(CONT, bytes(400), fin=False)] * 2]
    await closes(place, pieces, 1009, ws_max_size=1000)


@over_tcp
async def test_a_message_that_inflates_too_far_closes_1009(place: Place) -> None:
    squeeze = zlib.compressobj(wbits=-15)
    bomb = squeeze.compress(bytes(10_000_000)) + squeeze.flush(zlib.Z_SYNC_FLUSH)
    note = Note()
    async with place.serve(
        note, ws=Impatient, ws_per_message_deflate=True, ws_max_size=100_000
    ) as served:
        peer = await served.connect("/", "Sec-WebSocket-Extensions: permessage-deflate")
        peer.send(data(TEXT, bomb[:-4], rsv1=True))
        assert (await peer.close_frame())[0] == 1009


@over_tcp
@pytest.mark.parametrize(
    "sent",
    [
        data(3, b""),
        data(TEXT, b"", rsv1=True),
        data(CONT, b""),
        data(PING, bytes(126)),
        data(TEXT, b"", fin=False) + data(TEXT, b""),
        frame(b"unmasked"),
    ],
    ids=["opcode", "reserved bit", "no start", "long ping", "no continuation", "unmasked"],
)
async def test_a_breach_of_the_protocol_closes_1002(place: Place, sent: bytes) -> None:
    await closes(place, [sent], 1002)


@everywhere
async def test_many_tiny_messages_in_one_read_are_not_all_queued(place: Place) -> None:
    note = Note()
    note.open.clear()
    async with place.serve(note) as served:
        peer = await served.connect()
        sent = [str(number % 10) for number in range(20_000)]
        peer.send(*map(text, sent))
        await until(lambda: served.protocol.read_paused)
        protocol = served.protocol
        longest = 0
        note.open.set()
        async with asyncio.timeout(10):
            while len(note.events) < len(sent):
                longest = max(longest, protocol.queue.qsize())
                await asyncio.sleep(0)
        assert note.messages == sent
        assert longest <= Patient.max_queued


@everywhere
async def test_a_busy_application_is_not_sent_more_bytes_than_it_can_hold(place: Place) -> None:
    note = Note()
    note.open.clear()
    async with place.serve(note) as served:
        peer = await served.connect()
        sent = [str(number) * 15_000 for number in range(10, 50)]
        peer.send(*map(text, sent))
        await until(lambda: served.protocol.read_paused)
        await turns()
        assert served.protocol.queue.qsize() == 3
        note.open.set()
        await until(lambda: len(note.events) == len(sent))
        assert note.messages == sent


@everywhere
async def test_a_close_behind_many_messages_comes_after_them(place: Place) -> None:
    note = Note()
    note.open.clear()
    async with place.serve(note) as served:
        peer = await served.connect()
        sent = [str(number) for number in range(500)]
        peer.send(*map(text, sent), close(1001, "bye"))
        await until(lambda: served.protocol.read_paused)
        note.open.set()
        assert await note.disconnected() == (1001, "bye")
        assert note.messages == sent


@everywhere
async def test_pings_of_a_peer_that_does_not_read_do_not_pile_up(place: Place) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        peer.freeze()
        written = await fill(note.writer, frame(bytes(16 * 1024), BINARY))
        before = note.writer.buffered()
        peer.send(*[data(PING, str(number).encode()) for number in range(5000)], text("end"))
        await until(lambda: note.events)
        assert note.writer.buffered() == before
        peer.thaw()
        await peer.reader.readexactly(len(written))
        assert await peer.frame() == (PONG, b"4999")


@everywhere
async def test_a_busy_application_does_not_get_its_live_client_closed_by_the_keepalive(
    place: Place,
) -> None:
    note = Note()
    note.open.clear()
    options = {"ws_ping_interval": 0.02, "ws_ping_timeout": 0.02}
    async with place.serve(note, **options) as served:
        peer = await served.connect()
        peer.send(*[text("busy")] * 100)
        ping = await peer.frame()
        assert ping[0] == PING
        await until(lambda: served.protocol.read_paused)
        first = served.protocol.pong_timer
        await until(lambda: served.protocol.pong_timer is not first)
        assert note.writer.writable
        peer.send(data(PONG, ping[1]))
        note.open.set()
        assert (await peer.frame())[0] == PING
        assert len(note.messages) == 100


@over_tcp
async def test_receiving_may_be_cancelled_without_losing_a_message(place: Place) -> None:
    received: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        first = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        first.cancel()
        received.extend([await receive(), await receive()])

    async with place.serve(app) as served:
        peer = await served.connect()
        peer.send(text("one"), text("two"))
        await until(lambda: len(received) == 2)
        assert [event["text"] for event in received] == ["one", "two"]


class Slow(Note):
    """Accepts once `open` is set."""

    async def accept(self, scope: Any, send: Any) -> None:
        await self.open.wait()
        await super().accept(scope, send)


class Late(Note):
    """Asks for its first event once `open` is set."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.open.wait()
        await super().__call__(scope, receive, send)


@everywhere
@pytest.mark.parametrize("kind", [Slow, Late])
async def test_frames_before_the_handshake_is_accepted_are_not_answered_before_it(
    place: Place, kind: type[Note]
) -> None:
    note = kind()
    note.open.clear()
    async with place.serve(note) as served:
        peer = await served.tcp()
        peer.send(upgrade())
        await until(lambda: served.state.tasks)
        peer.send(data(PING, b"early"), text("early"))
        await until(lambda: served.protocol.early)
        note.open.set()
        assert "101 Switching" in await peer.head()
        assert await peer.frame() == (PONG, b"early")
        peer.send(text("late"))
        await until(lambda: len(note.events) == 2)
        assert note.messages == ["early", "late"]


@over_tcp
@pytest.mark.parametrize(
    ("early", "code"),
    [(data(TEXT, BAD), 1007), (data(3, b""), 1002), (close(1000), 1000)],
    ids=["bad text", "bad frame", "close"],
)
async def test_bad_frames_before_the_handshake_is_accepted_are_no_fatal_error(
    place: Place, early: bytes, code: int
) -> None:
    note = Slow()
    note.open.clear()
    async with place.serve(note, ws=Impatient) as served:
        peer = await served.tcp()
        peer.send(upgrade())
        await until(lambda: served.state.tasks)
        peer.send(early)
        await until(lambda: served.protocol.early)
        note.open.set()
        await peer.head()
        assert (await peer.close_frame())[0] == code
        assert await peer.rest() == b""
        assert (await note.disconnected())[0] == code


@over_tcp
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([f"X-{n}: y" for n in range(200)], "431"),
        (["X: " + "y" * 10_000], "431"),
        (["Content-Length: 5"], "400"),
        (["Sec-WebSocket-Key: again"], "400"),
    ],
    ids=["many headers", "long header", "body", "two keys"],
)
async def test_an_odd_handshake_is_answered_and_not_kept_open(
    place: Place, headers: list[str], status: str
) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.tcp()
        peer.send(upgrade("/", *headers))
        assert status in (await peer.head()).splitlines()[0]
        await peer.rest()
        await until(lambda: not served.state.connections)
        assert served.trouble() == []


@over_tcp
async def test_a_path_that_is_not_ascii_is_answered_and_not_kept_open(place: Place) -> None:
    note = Note()
    async with place.serve(note) as served:
        peer = await served.tcp()
        peer.send(upgrade().replace(b"GET / ", b"GET /\xc3\xa9 "))
        assert "400" in (await peer.head()).splitlines()[0]
        await peer.rest()
        await until(lambda: not served.state.connections)


@over_tcp
async def test_a_subprotocol_the_client_did_not_offer_is_not_selected(place: Place) -> None:
    class Choosing(Note):
        async def accept(self, scope: Any, send: Any) -> None:
            await send({"type": "websocket.accept", "subprotocol": "c"})

    async with place.serve(Choosing()) as served:
        peer = await served.tcp()
        peer.send(upgrade("/", "Sec-WebSocket-Protocol: a, b"))
        assert "500" in (await peer.head()).splitlines()[0]
        peer = await served.tcp()
        peer.send(upgrade("/", "Sec-WebSocket-Protocol: b, c"))
        assert "Sec-WebSocket-Protocol: c" in await peer.head()


@over_tcp
async def test_a_client_gone_before_the_handshake_is_accepted_is_no_error(place: Place) -> None:
    note = Slow()
    note.open.clear()
    async with place.serve(note) as served:
        peer = await served.tcp()
        peer.send(upgrade())
        await until(lambda: served.state.tasks)
        peer.reset()
        await until(lambda: not served.state.connections)
        note.open.set()
        await until(lambda: not served.state.tasks)
        assert served.trouble() == []


def anything(dice: random.Random) -> bytes:
    """A few frames, good and bad, as no client in its right mind would send them."""
    kinds = [
        lambda: data(
            dice.choice([CONT, TEXT, BINARY, 8, PING, PONG, 3]),
            dice.randbytes(dice.choice([0, 1, 2, 5, 126])),
            fin=dice.random() < 0.7,
            rsv1=dice.random() < 0.1,
        ),
        lambda: text("x" * dice.choice([0, 1, 200, 2000])),
        lambda: data(TEXT, b"", fin=False) + data(CONT, b"", fin=dice.random() < 0.5),
        lambda: close(dice.choice([1000, 1005, 3000, 999])),
        lambda: dice.randbytes(dice.randrange(40)),
    ]
    return b"".join(dice.choice(kinds)() for _ in range(dice.choice([1, 3, 20, 200])))


@everywhere
async def test_no_bytes_from_a_client_are_a_fatal_error(place: Place) -> None:
    for seed in range(12):
        dice = random.Random(seed)
        note = Note()
        if dice.random() < 0.5:
            note.open.clear()
        async with place.serve(note, ws=Impatient, ws_max_size=1000) as served:
            peer = await served.connect()
            for _ in range(3):
                if not peer.writer.transport.is_closing():
                    peer.send(anything(dice))
                await turns(dice.choice([0, 1, 5]))
            note.open.set()
            for connection in list(served.state.connections):
                connection.shutdown()
            await until(lambda: not served.state.connections and not served.state.tasks)
            assert served.trouble() == [], seed
            assert note.writer.closed
