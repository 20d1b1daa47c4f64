"""Rooms that are marked for guests, on real servers in both open modes."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.server import Account, Server, running_server
from tests.support.sockets import arrived, closed, hear, hear_type, opened, person, refused, say

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.system]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["loopback", "force"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """An open server."""
    dev = request.param == "loopback"
    env = {} if dev else {"HUBBUB_OPEN": "force"}
    async with running_server(dev=dev, env=env) as running:
        yield running


async def room(server: Server, owner: Account, **settings: Any) -> dict[str, Any]:
    """A new room of the owner's, as document 001 has it."""
    body = {"name": "Open house", **settings}
    made = await server.http.post("/api/rooms/", json=body, headers=owner.headers)
    return dict(made.raise_for_status().json())


async def edit(server: Server, owner: Account, id: int, **settings: Any) -> None:
    path = f"/api/v1/channels/{id}"
    changed = await server.http.patch(path, json=settings, headers=owner.headers)
    changed.raise_for_status()


async def test_guests_enter_a_room_that_is_marked_for_them_and_no_other(server: Server) -> None:
    alice = await person(server, "alice")
    theirs, ours = await room(server, alice, guests=True), await room(server, alice)
    key = theirs["room_id"]
    async with opened(server, f"/ws/{key}") as guest:
        assert (await hear(guest))["room_id"] == key
        async with opened(server, f"/ws/video/{key}/somebody/") as relay:
            assert await hear(guest) == {
                "type": "user-joined", "user_id": "somebody", "room_id": key
            }  # fmt: skip
            await arrived(relay)
            listed = (await server.http.get(f"/rooms/{key}")).json()
            assert "somebody" in listed["participants"]
    async with opened(server, f"/ws/{ours['room_id']}") as guest:
        assert (await hear(guest))["type"] == "error"
        assert await closed(guest) == 4003
    assert await refused(server, f"/ws/video/{ours['room_id']}/somebody/") == 4003


async def test_guests_speak_in_a_room_that_is_marked_for_them(server: Server) -> None:
    alice = await person(server, "alice")
    theirs, ours = await room(server, alice, guests=True), await room(server, alice)
    async with (
        opened(server, "/ws") as guest,
        opened(server, f"/ws/room/{theirs['id']}?token={alice.token}") as account,
    ):
        me = (await hear(guest))["user_id"]
        await hear_type(account, "message_history")
        await say(guest, type="join_room", room_id=ours["id"])
        assert (await hear_type(guest, "error"))["code"] == "guests_not_allowed"
        await say(guest, type="join_room", room_id=theirs["id"])
        assert (await hear_type(guest, "room_joined"))["room_id"] == theirs["id"]
        await say(guest, type="message", room_id=theirs["id"], content="Hello!")
        heard = await hear_type(account, "message")
        assert (heard["user_id"], heard["content"]) == (me, "Hello!")
        members = (
            await server.http.get(f"/api/rooms/{theirs['id']}", headers=alice.headers)
        ).json()
        assert members["participants"] == ["alice"]


@pytest.mark.parametrize("settings", [{"guests": False}, {"guests": False, "private": True}])
async def test_guests_are_taken_out_when_they_are_no_longer_welcome(
    server: Server, settings: dict[str, bool]
) -> None:
    alice = await person(server, "alice")
    theirs = await room(server, alice, guests=True)
    key = theirs["room_id"]
    async with (
        opened(server, "/ws") as chat,
        opened(server, f"/ws/{key}") as conference,
        opened(server, f"/ws/video/{key}/somebody/") as relay,
        opened(server, f"/ws/{key}?token={alice.token}") as account,
    ):
        await say(chat, type="join_room", room_id=theirs["id"])
        await hear_type(chat, "message_history")
        for socket in (conference, account):
            await hear_type(socket, "connected")
        await relay.send("?")
        await hear_type(relay, "error")
        await edit(server, alice, theirs["id"], **settings)
        assert (await hear_type(chat, "room_left"))["room_id"] == theirs["id"]
        assert [await closed(conference), await closed(relay)] == [4003, 4003]
        # The rest of the guest's connection goes on, and so do members.
        await say(chat, type="ping")
        await hear_type(chat, "pong")
        await say(account, type="offer", data="nobody is left to be offered anything")
        assert (await hear_type(account, "error"))["message"]
    assert await refused(server, f"/ws/video/{key}/somebody/") == 4003


async def test_an_account_that_is_no_member_goes_on_listening_without_guests(
    server: Server,
) -> None:
    alice, carol = await person(server, "alice"), await person(server, "carol")
    theirs = await room(server, alice, guests=True)
    path = f"/api/rooms/{theirs['id']}/messages"
    said = {"content": "Hello!"}
    assert (await server.http.post(path, json=said, headers=carol.headers)).status_code == 201
    async with opened(server, f"/ws/{theirs['room_id']}?token={carol.token}") as listener:
        await hear_type(listener, "connected")
        await edit(server, alice, theirs["id"], guests=False)
        late = await server.http.post(path, json=said, headers=carol.headers)
        assert (late.status_code, late.json()["code"]) == (403, "not_a_member")
        async with opened(server, f"/ws/{theirs['room_id']}?token={alice.token}"):
            await hear_type(listener, "user-joined")
