"""Meetings on the real server: who gets in, when they end, and what is left of them."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.support.server import Account, Server, running_server
from tests.support.sockets import (
    arrived,
    closed,
    hear,
    hear_type,
    native,
    opened,
    person,
    refused,
    say,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.system]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dev() -> AsyncIterator[Server]:
    async with running_server(dev=True) as running:
        yield running


async def create(server: Server) -> str:
    """A new meeting's key."""
    return str((await server.http.post("/create-room")).json()["room_id"])


async def listed(server: Server, key: str) -> dict[str, Any] | None:
    """A meeting's row in the list, None when it is not there."""
    rows = (await server.http.get("/rooms")).json()
    return next((row for row in rows if row["room_id"] == key), None)


async def becomes(condition: Callable[[], Awaitable[bool]]) -> None:
    """Waits for what the server does by itself; well before a lost connection is given up."""
    async with asyncio.timeout(15):
        while not await condition():
            await asyncio.sleep(0.01)


async def is_over(server: Server, key: str) -> None:
    """Waits until a meeting has ended."""

    async def gone() -> bool:
        return (await server.http.get(f"/rooms/{key}")).status_code == 404

    await becomes(gone)
    assert await listed(server, key) is None


async def id_of(server: Server, reader: Account, key: str) -> int:
    """The id of the channel with a key."""
    answer = await server.http.get(f"/api/v1/channels/{key}", headers=reader.headers)
    return int(answer.raise_for_status().json()["id"])


@pytest.mark.parametrize("path", ["/ws/{key}", "/ws/video/{key}/bob/"])
async def test_a_meeting_ends_with_the_last_clean_close_and_its_key_begins_another(
    dev: Server, path: str
) -> None:
    alice, key = await person(dev, "alice"), await create(dev)
    assert await listed(dev, key) is not None
    async with opened(dev, path.format(key=key)) as socket:
        await arrived(socket) if "video" in path else await hear(socket)
        first = await id_of(dev, alice, key)
        async with opened(dev, f"/ws/{key}") as other:
            await hear_type(other, "connected")
        assert await listed(dev, key) is not None
    await is_over(dev, key)
    async with opened(dev, f"/ws/{key}") as socket:
        assert (await hear(socket))["type"] == "error"
    async with opened(dev, f"/ws/video/{key}/bob/") as socket:
        await arrived(socket)
        assert await id_of(dev, alice, key) != first
        row = await listed(dev, key)
        assert row is not None
        assert row["participant_count"] == 1


async def test_a_meeting_waits_for_whoever_was_cut_off(dev: Server) -> None:
    alice, key = await person(dev, "alice"), await create(dev)
    async with opened(dev, f"/ws/{key}") as socket:
        await hear_type(socket, "connected")
        first = await id_of(dev, alice, key)
        socket.transport.abort()

        async def empty() -> bool:
            row = await listed(dev, key)
            assert row is not None, "the meeting has ended"
            return bool(row["participant_count"] == 0)

        await becomes(empty)
    # A clean close of somebody else ends nothing while the other one may come back.
    async with opened(dev, f"/ws/{key}") as socket:
        await hear_type(socket, "connected")
    await becomes(empty)
    async with opened(dev, f"/ws/{key}") as socket:
        await hear_type(socket, "connected")
        assert await id_of(dev, alice, key) == first


async def test_digits_lead_to_a_meeting_and_to_nobodys_conversation(dev: Server) -> None:
    alice = await person(dev, "alice")
    async with opened(dev, f"/conversations/1/ws?token={alice.token}") as private:
        await hear_type(private, "connection")
        async with opened(dev, "/ws/1") as socket:
            assert (await hear(socket))["type"] == "error"
        async with opened(dev, "/ws/video/1/bob/") as bob:
            await arrived(bob)
            async with opened(dev, "/ws/1") as guest:
                assert (await hear(guest))["room_id"] == "1"
                await say(guest, type="offer", data={"sdp": "v=0"})
                assert (await hear_type(bob, "offer"))["room_id"] == "1"
                assert await listed(dev, "1") is not None
            await say(private, content="nobody else is here")
            assert (await hear(private))["content"] == "nobody else is here"


async def test_the_room_id_of_an_answer_leads_into_that_room(dev: Server) -> None:
    alice, testuser = await person(dev, "alice"), await person(dev, "testuser")
    async with opened(dev, "/ws/video/2/alice/") as relay:
        await arrived(relay)
        found = await dev.http.get("/api/v1/channels?joined=false", headers=alice.headers)
        [meeting] = [row["id"] for row in found.json() if row["key"] == "2"]
        joined = await dev.http.post(f"/api/rooms/{meeting}/join", headers=testuser.headers)
        room = joined.json()["room_id"]
        async with opened(dev, f"/ws/signaling/{room}?token={testuser.token}"):
            assert await hear(relay) == {
                "type": "user-joined", "room_id": "2", "user_id": "testuser"
            }  # fmt: skip


async def test_what_was_said_in_a_meeting_stays_with_its_members(dev: Server) -> None:
    alice, testuser = await person(dev, "alice"), await person(dev, "testuser")
    key = await create(dev)
    async with opened(dev, f"/ws/room/{key}?token={alice.token}") as socket:
        await hear_type(socket, "message_history")
        await say(socket, type="message", content="to be kept")
        id = (await hear_type(socket, "message"))["room_id"]
    await is_over(dev, key)

    async def read(path: str, who: Account) -> tuple[int, list[str]]:
        answer = await dev.http.get(path, headers=who.headers)
        kept = answer.json() if answer.is_success else []
        return answer.status_code, [row["content"] for row in kept]

    messages = f"/api/v1/channels/{id}/messages"
    assert await read(messages, alice) == (200, ["to be kept"])
    assert await read(messages, testuser) == (404, [])
    assert (await dev.http.get(messages)).status_code == 401
    assert await read(f"/api/v1/channels/{key}/messages", alice) == (404, [])
    answer = await dev.http.post(messages, json={"content": "late"}, headers=alice.headers)
    assert answer.status_code == 403
    for who in (alice, testuser):
        assert await refused(dev, f"/ws/room/{key}?token={who.token}") == 4004
    assert await refused(dev, f"/ws/room/{id}?token={testuser.token}") == 4004
    assert await refused(dev, f"/ws/room/{id}?token={alice.token}") == 4004


async def test_guests_come_into_meetings_and_the_channels_that_are_for_them(dev: Server) -> None:
    key = await create(dev)
    for room in (key, "lobby"):
        async with opened(dev, f"/ws/video/{room}/a-guest/") as socket:
            await arrived(socket)
            async with opened(dev, f"/ws/{room}") as other:
                assert (await hear(other))["type"] == "connected"
                assert (await hear(socket))["type"] == "user-joined"
    assert await refused(dev, "/ws/video/room123/a-guest/") == 4003
    async with opened(dev, "/ws/room123") as socket:
        assert (await hear(socket))["type"] == "error"
        await socket.wait_closed()
        assert socket.close_code == 4003
    for room in ("room123", "1"):
        assert await refused(dev, f"/ws/signaling/{room}") == 4001
    # The sample accounts are nobody's secret, and may come by their names.
    async with opened(dev, "/ws/video/room123/alice/") as socket:
        await arrived(socket)


async def test_nobody_comes_as_a_peer_who_is_there(dev: Server) -> None:
    key = await create(dev)
    async with opened(dev, f"/ws/{key}") as one:
        await hear_type(one, "connected")
        async with opened(dev, f"/ws/{key}") as other:
            peer = (await hear_type(other, "connected"))["user_id"]
            assert (await hear(one))["user_id"] == peer
            for name in (peer, peer.upper()):
                assert await refused(dev, f"/ws/video/{key}/{name}/") == 4003
            # An account may have taken the id for its name, too.
            account = await person(dev, peer)
            path = f"/ws/video/{key}/{peer}/?token={account.token}"
            assert await refused(dev, path) == 4003
            async with opened(dev, f"/ws/v1?token={account.token}") as socket:
                channel = await id_of(dev, account, key)
                await native(socket, channel)
                await say(socket, id=2, type="call_join", channel=channel)
                while (answer := await hear(socket)).get("id") != 2:
                    pass
                assert answer["error"]["code"] == "peer_name_taken"
            room = (await dev.http.get(f"/rooms/{key}")).json()
            assert len(room["participants"]) == 2
            await say(other, type="offer", data={"sdp": "v=0"})
            assert (await hear(one))["type"] == "offer", "nobody came, and nobody left"
    async with opened(dev, path) as socket:
        await arrived(socket)


async def test_a_meeting_ends_at_once_when_the_server_closed_its_last_socket(dev: Server) -> None:
    key = await create(dev)
    async with opened(dev, f"/ws/{key}", max_size=None) as socket:
        await hear_type(socket, "connected")
        await socket.send("x" * 300_000)
        assert await closed(socket) == 1009
    await is_over(dev, key)


async def test_a_meeting_ends_at_once_when_whoever_was_cut_off_came_back_and_left(
    dev: Server,
) -> None:
    key = f"back-{uuid.uuid4()}"
    async with opened(dev, f"/ws/video/{key}/bob/") as socket:
        await arrived(socket)
        socket.transport.abort()

        async def empty() -> bool:
            row = await listed(dev, key)
            return row is not None and row["participant_count"] == 0

        await becomes(empty)
    async with opened(dev, f"/ws/video/{key}/bob/") as socket:
        await arrived(socket)
    await is_over(dev, key)


async def test_a_path_that_makes_meetings_makes_so_many_and_no_more() -> None:
    async with running_server(env={"HUBBUB_OPEN": "force", "HUBBUB_MEETING_RATE": "2"}) as server:
        await create(server)
        async with opened(server, "/ws/video/a/ann/") as socket:
            await arrived(socket)
            assert await refused(server, "/ws/video/b/ben/") == 1013
            answer = await server.http.post("/create-room")
            assert answer.status_code == 429
            assert 0 < int(answer.headers["Retry-After"]) <= 30
            # To come into what is there makes nothing.
            async with opened(server, "/ws/video/a/cid/") as other:
                await arrived(other)
