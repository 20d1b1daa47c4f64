"""Messages given to the application without a turn of the loop: only whole ones, only while it
waits for one, and in order with all others."""

import asyncio
import random
from typing import Any

import pytest

from hubbub.hub.frames import BINARY, TEXT

from .wire import (
    CONT,
    PING,
    PONG,
    Impatient,
    Note,
    Place,
    close,
    data,
    everywhere,
    over_tcp,
    text,
    turns,
    until,
)


class Hearer(Note):
    """Listens while it waits for a message, and notes what it heard and in which order all came.
    It takes what it hears while `takes` is true."""

    def __init__(self) -> None:
        super().__init__()
        self.takes = True
        self.heard: list[str] = []
        self.offered: list[str] = []
        self.all: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def listening() -> Any:
            self.writer.on_text = self._take
            event = await receive()
            assert self.writer.on_text is None
            if event["type"] == "websocket.receive":
                self.all.append(event.get("text", event.get("bytes")))
            return event

        self.writer = scope["extensions"]["hubbub.writer"]
        first = True

        async def received() -> Any:
            nonlocal first
            if first:
                first = False
                return await receive()
            return await listening()

        await super().__call__(scope, received, send)

    def _take(self, words: str) -> bool:
        self.offered.append(words)
        if self.takes:
            self.heard.append(words)
            self.all.append(words)
        return self.takes


@everywhere
@pytest.mark.parametrize("size", [0, 1, 2, 125, 126, 127, 4000, 65535])
async def test_a_whole_message_is_heard(place: Place, size: int) -> None:
    note = Hearer()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        protocol = served.protocol
        words = "é" * (size // 2) + "x" * (size % 2)
        # In one piece whatever the kernel would make of it.
        protocol.data_received(_masked(words))
        assert note.heard == [words]
        peer.send(text("next"))
        await until(lambda: note.all == [words, "next"])
        assert note.messages + note.heard == note.all


@over_tcp
async def test_the_longest_are_received(place: Place) -> None:
    note = Hearer()
    async with place.serve(note) as served:
        await served.connect()
        await note.opened.wait()
        served.protocol.data_received(_masked("x" * 65536))
        await until(lambda: note.all)
        assert (note.heard, note.messages) == ([], ["x" * 65536])


@over_tcp
async def test_what_is_not_taken_is_received_and_so_is_all_behind_it(place: Place) -> None:
    note = Hearer()
    note.takes = False
    async with place.serve(note) as served:
        await served.connect()
        await note.opened.wait()
        for word in ("one", "two", "three"):
            served.protocol.data_received(text(word))
            note.takes = True
        assert (note.offered, note.heard) == (["one"], [])
        await until(lambda: len(note.all) == 3)
        assert note.messages == ["one", "two", "three"]
        await turns()
        served.protocol.data_received(text("four"))
        assert note.heard == ["four"]


@over_tcp
async def test_a_reader_that_is_busy_hears_nothing(place: Place) -> None:
    note = Hearer()
    async with place.serve(note) as served:
        await served.connect()
        await note.opened.wait()
        await turns()
        note.open.clear()
        served.protocol.data_received(data(BINARY, b"busy"))
        await until(lambda: note.all)
        served.protocol.data_received(text("meanwhile"))
        note.open.set()
        await until(lambda: len(note.all) == 2)
        assert (note.heard, note.all) == ([], [b"busy", "meanwhile"])


@over_tcp
async def test_what_was_held_back_comes_before_what_is_read_later(place: Place) -> None:
    note = Hearer()
    async with place.serve(note) as served:
        await served.connect()
        await note.opened.wait()
        await turns()
        note.open.clear()
        sent = [str(number) for number in range(200)]
        served.protocol.data_received(data(BINARY, b"") + b"".join(map(text, sent)))
        assert served.protocol.read_paused
        note.open.set()
        await until(lambda: len(note.all) == 201)
        assert note.all == [b"", *sent]


@over_tcp
@pytest.mark.parametrize(
    "pieces",
    [
        [data(TEXT, b"a", fin=False), data(CONT, b"b")],
        [data(TEXT, b"a", fin=False), data(PING, b"!"), data(CONT, b"b")],
        [data(TEXT, b"ab")[:1], data(TEXT, b"ab")[1:]],
        [data(TEXT, b"ab")[:7], data(TEXT, b"ab")[7:]],
        [data(TEXT, b"ab") + data(PING, b"!")],
    ],
    ids=["fragments", "ping between fragments", "cut head", "cut payload", "two frames"],
)
async def test_what_is_not_one_whole_message_goes_through_the_parser(
    place: Place, pieces: list[bytes]
) -> None:
    note = Hearer()
    async with place.serve(note) as served:
        peer = await served.connect()
        await note.opened.wait()
        await turns()
        for piece in pieces:
            served.protocol.data_received(piece)
        await until(lambda: note.all)
        assert (note.heard, note.messages) == ([], ["ab"])
        await turns()
        served.protocol.data_received(text("whole"))
        assert note.heard == ["whole"]
        if any(data(PING, b"!") in piece for piece in pieces):
            assert await peer.frame() == (PONG, b"!")


@over_tcp
async def test_a_long_message_is_read_wherever_it_is_cut(place: Place) -> None:
    words = "x" * 70_000
    sent = _masked(words)
    for cut in [*range(1, 16), 20, 125, 126, 127, 131, 132, 133, 134, 135, 140]:
        note = Hearer()
        async with place.serve(note) as served:
            await served.connect()
            await note.opened.wait()
            await turns()
            served.protocol.data_received(sent[:cut])
            served.protocol.data_received(sent[cut:])
            await until(lambda note=note: note.all)
            assert (note.heard, note.all) == ([], [words]), cut


@over_tcp
async def test_a_payload_that_looks_like_a_message_is_a_payload(place: Place) -> None:
    note = Hearer()
    async with place.serve(note) as served:
        await served.connect()
        await note.opened.wait()
        await turns()
        inside = text("inside")
        head = data(BINARY, inside)[: -len(inside)]
        served.protocol.data_received(head)
        served.protocol.data_received(inside)
        await until(lambda: note.all)
        assert (note.heard, note.all) == ([], [inside])


@over_tcp
@pytest.mark.parametrize(
    ("before", "sent", "code"),
    [
        (b"", data(TEXT, b"\xff\xfe"), 1007),
        (b"", text("x" * 1001), 1009),
        (data(TEXT, b"a", fin=False), text("and"), 1002),
        (b"", text("x")[:2].replace(b"\x81\x81", b"\x81\x01") + b"xxxxxx", 1002),
        (b"", data(TEXT, b"x", rsv1=True), 1002),
    ],
    ids=["utf-8", "too large", "no continuation", "unmasked", "reserved bit"],
)
async def test_what_is_bad_closes_as_ever(
    place: Place, before: bytes, sent: bytes, code: int
) -> None:
    note = Hearer()
    async with place.serve(note, ws=Impatient, ws_max_size=1000) as served:
        peer = await served.connect()
        await note.opened.wait()
        await turns()
        if before:
            served.protocol.data_received(before)
        served.protocol.data_received(sent)
        assert (await peer.close_frame())[0] == code
        assert await peer.rest() == b""
        assert (await note.disconnected())[0] == code
        assert note.all == []
        assert served.trouble() == []


@over_tcp
async def test_nothing_is_heard_once_the_end_has_begun(place: Place) -> None:
    note = Hearer()
    async with place.serve(note) as served:
        await served.connect()
        await note.opened.wait()
        await turns()
        protocol = served.protocol
        note.writer.close(4000, "enough")
        assert await note.disconnected() == (4000, "enough")
        note.writer.on_text = note._take
        protocol.data_received(text("late"))
        assert note.all == []


@everywhere
async def test_however_it_is_cut_everything_comes_once_and_in_order(place: Place) -> None:
    chance = random.Random(7)
    for _ in range(20):
        note = Hearer()
        async with place.serve(note) as served:
            peer = await served.connect()
            await note.opened.wait()
            protocol = served.protocol
            sent: list[Any] = []
            stream: list[bytes] = []
            for number in range(60):
                words = str(number) * chance.choice((1, 10, 200))
                sent.append(words)
                match chance.randrange(4):
                    case 0:
                        half = chance.randrange(len(words))
                        stream.append(data(TEXT, words[:half].encode(), fin=False))
                        stream.append(data(CONT, words[half:].encode()))
                    case 1:
                        sent[-1] = words.encode()
                        stream.append(data(BINARY, words.encode()))
                    case _:
                        stream.append(text(words))
            for piece in _cut(stream, chance):
                note.takes = chance.random() < 0.8
                protocol.data_received(piece)
                for _ in range(chance.randrange(3)):
                    await asyncio.sleep(0)
            await until(lambda note=note: len(note.all) == 60)
            assert note.all == sent
            assert note.heard
            peer.send(close(1000))
            await note.disconnected()


def _cut(frames: list[bytes], chance: random.Random) -> list[bytes]:
    """Most frames alone, some together, some in two."""
    pieces: list[bytes] = []
    for sent in frames:
        choice = chance.random()
        if choice < 0.2 and pieces:
            pieces[-1] += sent
        elif choice < 0.3:
            half = chance.randrange(1, len(sent))
            pieces += [sent[:half], sent[half:]]
        else:
            pieces.append(sent)
    return pieces


def _masked(words: str) -> bytes:
    """A text frame whose mask is not all zeros (RFC 6455 5.3)."""
    mask = b"\x01\x80\x37\xff"
    plain = text(words)
    payload = words.encode()
    start = len(plain) - len(payload)
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return plain[: start - 4] + mask + masked
