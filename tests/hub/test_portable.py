"""The wire over plain ASGI: the same behaviour for more work, and an end whatever the peer does."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.dialects.base import Link
from hubbub.hub import portable
from hubbub.hub.connection import Connection
from hubbub.hub.frames import BINARY, frame
from hubbub.hub.portable import PortableWriter, messages
from tests.hub.fakes import FakeServer, Plain, turns, until

KIB = 1024


def texts(server: FakeServer) -> list[str]:
    return [message["text"] for message in server.sent if message["type"] == "websocket.send"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen peer is given up at once, so that a test need not wait."""
    monkeypatch.setattr(portable, "CLOSE_SECONDS", 0.05)


# Frames back into messages


@settings(deadline=None, derandomize=True)
@given(st.lists(st.text(max_size=300), max_size=20))
def test_frames_laid_end_to_end_are_the_messages_they_were_made_of(words: list[str]) -> None:
    assert messages(b"".join(frame(text.encode()) for text in words)) == words


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 300_000])
def test_messages_of_every_size_are_found_again(size: int) -> None:
    text = "x" * size
    assert messages(frame(text.encode()) + frame(b"next")) == [text, "next"]


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, "8100"),
        (125, "817d"),
        (126, "817e007e"),
        (65_535, "817effff"),
        (65_536, "817f0000000000010000"),
    ],
)
def test_a_frame_has_the_head_that_rfc_6455_says(size: int, head: str) -> None:
    made = frame(b"x" * size)
    assert made == bytes.fromhex(head) + b"x" * size
    assert frame(b"", BINARY) == b"\x82\x00"


# Writing


async def test_what_is_written_is_sent_message_by_message_in_order() -> None:
    server = FakeServer()
    async with PortableWriter(server.send) as writer:
        assert writer.write(frame(b"a") + frame(b"b"))
        assert writer.write(frame(b"c"))
        assert server.sent == []
        await until(lambda: len(server.sent) == 3)
        assert writer.write(frame("é".encode()))
        await until(lambda: len(server.sent) == 4)
    assert texts(server) == ["a", "b", "c", "é"]


async def test_a_slow_reader_fills_the_wire_and_writing_goes_on_when_it_reads() -> None:
    server = FakeServer()
    calls: list[int] = []
    async with PortableWriter(server.send) as writer:
        writer.on_writable = lambda: calls.append(len(server.sent))
        with server.stalled():
            written = 0
            while writer.writable:
                assert writer.write(frame(b"x" * KIB))
                written += 1
                await turns()
            assert 60 <= written <= 70
            assert not writer.write(frame(b"y"))
            assert calls == []
        await until(lambda: len(server.sent) == written)
        assert len(calls) == 1
        assert writer.writable
        assert not writer.closed
        assert writer.write(frame(b"z"))
        await until(lambda: len(server.sent) == written + 1)
    assert texts(server)[-1] == "z"


async def test_what_the_server_has_not_taken_is_counted() -> None:
    server = FakeServer()
    async with PortableWriter(server.send) as writer:
        assert writer.unread() == 0
        with server.stalled():
            for _ in range(3):
                writer.write(frame(b"x" * KIB))
                await turns()
            assert writer.unread() == 3 * len(frame(b"x" * KIB))
        await until(lambda: writer.unread() == 0)
        assert len(server.sent) == 3


async def test_an_outbox_over_it_loses_nothing_and_keeps_order() -> None:
    server = FakeServer()
    async with PortableWriter(server.send) as writer:
        connection = Connection(Link("c1", None), Plain(), writer, "", lambda connection: None)
        with server.stalled():
            for number in range(500):
                connection.queue(frame(str(number).encode() + b"." * KIB))
                connection.flush(0)
                if number % 50 == 0:
                    await turns()
            assert connection.waiting > 300 * KIB
        await until(lambda: len(server.sent) == 500)
        assert connection.waiting == 0
    assert [text.rstrip(".") for text in texts(server)] == [str(n) for n in range(500)]


# Closing


async def test_a_close_comes_behind_what_was_written() -> None:
    server = FakeServer()
    async with PortableWriter(server.send) as writer:
        writer.write(frame(b"last words"))
        writer.close(4003, "out")
        writer.close(1012, "restart")
        assert not writer.write(frame(b"too late"))
    assert server.sent == [
        {"type": "websocket.send", "text": "last words"},
        {"type": "websocket.close", "code": 4003, "reason": "out"},
    ]
    assert (writer.closed, writer.writable) == (True, False)


async def test_without_a_close_the_end_sends_none() -> None:
    server = FakeServer()
    async with PortableWriter(server.send) as writer:
        writer.write(frame(b"a"))
        await until(lambda: server.sent)
    writer.close(1000, "")
    assert not writer.write(frame(b"b"))
    await turns()
    assert texts(server) == ["a"]
    assert len(server.sent) == 1


async def test_a_peer_that_is_gone_closes_the_wire() -> None:
    server = FakeServer()
    server.fault = RuntimeError("the peer is gone")
    async with PortableWriter(server.send) as writer:
        writer.on_writable = lambda: pytest.fail("nobody is there to write to")
        writer.write(frame(b"a"))
        await until(lambda: writer.closed)
        assert not writer.writable
        assert not writer.write(frame(b"b"))
        writer.close(1000, "")
    assert server.sent == []


async def test_a_frozen_peer_does_not_hold_up_the_end() -> None:
    server = FakeServer()
    with server.stalled():
        async with asyncio.timeout(10), PortableWriter(server.send) as writer:
            writer.write(frame(b"a"))
            await turns()
            writer.close(1012, "restart")
        assert server.sent == []


async def test_a_frozen_peer_that_is_cut_off_does_not_hold_up_the_session() -> None:
    server = FakeServer()
    ended: list[str] = []
    with server.stalled():
        async with asyncio.timeout(10), PortableWriter(server.send) as writer:
            try:
                writer.write(frame(b"a"))
                await turns()
                writer.close(4200, "too slow")
                await server.receive()  # a frozen peer says nothing, not even goodbye
            finally:
                ended.append("session")
    assert ended == ["session"]


async def test_a_peer_that_answers_the_close_in_time_ends_the_session_itself() -> None:
    server = FakeServer()
    async with PortableWriter(server.send) as writer:
        writer.close(4003, "out")
        await until(lambda: server.sent)
        server.incoming.put_nowait({"type": "websocket.disconnect", "code": 4003})
        heard = await server.receive()
    assert heard["code"] == 4003


async def test_what_a_session_raises_is_not_swallowed() -> None:
    async def fail(error: Exception) -> None:
        async with PortableWriter(FakeServer().send) as writer:
            writer.close(1000, "")
            raise error

    for error in (ZeroDivisionError(), TimeoutError()):
        with pytest.raises(type(error)):
            await fail(error)


async def test_a_session_that_is_cancelled_is_cancelled() -> None:
    server = FakeServer()

    async def serve() -> None:
        async with PortableWriter(server.send):
            await server.receive()

    task = asyncio.create_task(serve())
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_no_task_is_left_behind() -> None:
    before = asyncio.all_tasks()
    server = FakeServer()
    with server.stalled():
        async with PortableWriter(server.send) as writer:
            writer.write(frame(b"a"))
            await turns()
    await turns()
    assert asyncio.all_tasks() == before
