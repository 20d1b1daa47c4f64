"""The fault proxy does to a connection what it says, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.support import proxy as faults
from tests.support.proxy import FaultProxy, fault_proxy

FRAMES = ["a", "b" * 200, "c" * 70_000, "dé", "e"]


async def _push_then_echo(connection: ServerConnection) -> None:
    for text in FRAMES:
        await connection.send(text)
    async for message in connection:
        await connection.send(message)


@asynccontextmanager
async def proxied() -> AsyncIterator[FaultProxy]:
    async with serve(_push_then_echo, "127.0.0.1", 0, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        async with fault_proxy(port) as proxy:
            yield proxy


def client(proxy: FaultProxy) -> AbstractAsyncContextManager[ClientConnection]:
    return connect(f"ws://127.0.0.1:{proxy.port}", compression=None, ping_interval=None)


async def _read_on(socket: ClientConnection) -> None:
    while True:
        await socket.recv()


async def received(proxy: FaultProxy) -> list[str | bytes]:
    """What a client gets until the connection ends, or until its own farewell comes back."""
    got: list[str | bytes] = []
    try:
        async with client(proxy) as socket:
            await socket.send("farewell")
            async for message in socket:
                if message == "farewell":
                    break
                got.append(message)
    except (OSError, WebSocketException):
        pass
    return got


async def test_without_a_fault_everything_passes_both_ways() -> None:
    async with proxied() as proxy:
        assert await received(proxy) == FRAMES


async def test_a_fault_concerns_the_next_connection_alone() -> None:
    async with proxied() as proxy:
        proxy.next(down=faults.cut_after_bytes(10))
        assert await received(proxy) == []
        assert await received(proxy) == FRAMES


@pytest.mark.parametrize("reset", [False, True])
async def test_exactly_so_many_bytes_pass_before_the_cut(reset: bool) -> None:
    async with proxied() as proxy:
        proxy.next(down=faults.cut_after_bytes(777, reset=reset))
        async with client(proxy) as socket:
            with pytest.raises(ConnectionClosed):
                await _read_on(socket)
        assert proxy.links[0].sent == 777


async def test_a_reset_is_seen_as_a_reset() -> None:
    async with proxied() as proxy:
        proxy.next(down=faults.cut_after_bytes(5, reset=True))
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_bytes_that_come_one_by_one_are_the_same_bytes() -> None:
    async with proxied() as proxy:
        proxy.next(down=faults.split(1), up=faults.split(1))
        assert await received(proxy) == FRAMES


@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_frames_are_found_however_the_bytes_are_cut(size: int) -> None:
    seen: list[str] = []

    def note(payload: str) -> tuple[str]:
        seen.append(payload)
        return (payload,)

    transform = faults.text_frames(note)
    data = b"HTTP/1.1 101 Go\r\n\r\n" + b"".join(faults.frame(text) for text in FRAMES)
    ping = b"\x89\x00"
    whole = data + ping + faults.frame("masked", masked=True)
    passed = b"".join(
        chunk for at in range(0, len(whole), size) for chunk in transform(whole[at : at + size])
    )
    assert passed == whole
    assert seen == [*FRAMES, "masked"]


async def test_a_frame_is_dropped() -> None:
    async with proxied() as proxy:
        proxy.next(down=faults.text_frames(faults.on_nth(1, faults.drop)))
        assert await received(proxy) == [FRAMES[0], *FRAMES[2:]]


async def test_a_frame_is_doubled() -> None:
    async with proxied() as proxy:
        proxy.next(down=faults.text_frames(faults.on_nth(0, faults.double, containing="b")))
        assert await received(proxy) == ["a", FRAMES[1], *FRAMES[1:]]


async def test_two_frames_are_swapped() -> None:
    async with proxied() as proxy:
        proxy.next(down=faults.text_frames(faults.swap_nth(3)))
        assert await received(proxy) == [*FRAMES[:3], "e", "dé"]


async def test_the_connection_is_cut_before_a_frame() -> None:
    async with proxied() as proxy:
        proxy.next(down=faults.text_frames(faults.on_nth(2, faults.cut)))
        assert await received(proxy) == FRAMES[:2]


async def test_what_a_client_sends_is_edited_too() -> None:
    async with proxied() as proxy:
        proxy.next(up=faults.text_frames(faults.on_nth(0, lambda _: ("other", "farewell"))))
        assert await received(proxy) == [*FRAMES, "other"]


async def test_a_frame_is_given_to_somebody_else() -> None:
    async with proxied() as proxy, client(proxy) as other:
        assert [await other.recv() for _ in FRAMES] == FRAMES
        link = proxy.links[0]

        def misdeliver(payload: str) -> tuple[str, ...]:
            link.inject(payload)
            return ()

        proxy.next(down=faults.text_frames(faults.on_nth(0, misdeliver)))
        assert await received(proxy) == FRAMES[1:]
        assert await other.recv() == FRAMES[0]


async def test_a_frozen_link_passes_nothing_until_it_thaws() -> None:
    async with proxied() as proxy, client(proxy) as socket:
        assert [await socket.recv() for _ in FRAMES] == FRAMES
        link = proxy.links[0]
        link.freeze()
        sent = link.sent
        await socket.send("later")
        async with client(proxy) as other:
            assert await other.recv() == "a"
        assert link.sent == sent
        link.thaw()
        assert await socket.recv() == "later"


async def test_a_server_that_is_gone_ends_the_clients_connection() -> None:
    async with proxied() as proxy:
        proxy.target = 1
        with pytest.raises((OSError, WebSocketException)):
            async with client(proxy):
                pass
