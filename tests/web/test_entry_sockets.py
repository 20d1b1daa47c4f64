"""Documents 000, 002 and 003 where not everybody gets in: the same frames, and a token."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.server import Server, running_server
from tests.support.sockets import arrived, hear, opened, person, refused, say

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.system]

SDP = {"type": "offer", "sdp": "v=0\r\n"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def closed() -> AsyncIterator[Server]:
    async with running_server() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def forced() -> AsyncIterator[Server]:
    async with running_server(env={"HUBBUB_OPEN": "force"}) as running:
        yield running


async def told_and_refused(server: Server, path: str) -> int | None:
    """The close code after the one frame that document 002's clients are told before."""
    async with opened(server, path) as socket:
        error = await hear(socket)
        assert error == {"type": "error", "message": error["message"]}
        await socket.wait_closed()
        return socket.close_code


@pytest.mark.parametrize("token", ["", "?token=bad"])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_without_a_token_nobody_comes_into_a_closed_server(
    closed: Server, slash: str, token: str
) -> None:
    for path in (
        "/ws/chat/alice",
        "/ws/chat/nobody",
        "/ws/video/a-room/alice",
        "/ws/video/a-room/nobody",
        "/ws/signaling/a-room",
    ):
        assert await refused(closed, path + slash + token) == 4001
    assert await told_and_refused(closed, f"/ws/a-room{slash}{token}") == 4001
    for method, path in (("POST", "/create-room"), ("GET", "/rooms"), ("GET", "/rooms/a-room")):
        answer = await closed.http.request(method, path + slash)
        assert answer.status_code == 401


async def test_nobody_comes_by_somebody_elses_path(closed: Server) -> None:
    alice, bob = await person(closed, "alice"), await person(closed, "bob")
    for name in (bob.name, str(alice.id), "nobody"):
        assert await refused(closed, f"/ws/chat/{name}/?token={alice.token}") == 4003
        assert await refused(closed, f"/ws/video/a-room/{name}/?token={alice.token}") == 4003
    # The refusals made no meeting.
    rows = await closed.http.get("/rooms", headers=alice.headers)
    assert rows.json() == []


async def test_messages_to_one_person_are_the_same_with_a_token(closed: Server) -> None:
    alice, bob = await person(closed, "alice"), await person(closed, "bob")
    async with (
        opened(closed, f"/ws/chat/alice/?token={alice.token}") as sender,
        opened(closed, "/ws/chat/bob/", subprotocols=["bearer", bob.token]) as recipient,
    ):
        await arrived(recipient)
        await say(sender, to_user_id="bob", content="Hello!")
        heard = await hear(recipient)
        assert heard == {
            "type": "message", "id": heard["id"], "from_user_id": "alice", "to_user_id": "bob",
            "content": "Hello!", "created_at": heard["created_at"],
        }  # fmt: skip
        await say(sender, to_user_id="nobody", content="Hello!")
        assert (await hear(sender))["type"] == "error"


async def test_calls_are_the_same_with_a_token(closed: Server) -> None:
    alice, bob = await person(closed, "alice"), await person(closed, "bob")
    carol = await person(closed, "carol")
    body = {"name": "A room"}
    made = await closed.http.post("/api/rooms/", json=body, headers=carol.headers)
    room = made.json()["room_id"]
    async with opened(
        closed, f"/ws/signaling/{room}", additional_headers=carol.headers
    ) as signaling:
        await arrived(signaling)
        async with opened(closed, f"/ws/video/{room}/alice/?token={alice.token}") as relay:
            assert await hear(signaling) == {
                "type": "user_joined", "username": "alice", "room_id": room
            }  # fmt: skip
            async with opened(closed, f"/ws/{room}?token={bob.token}") as conference:
                me = (await hear(conference))["user_id"]
                joined = {"user_id": me, "room_id": room}
                assert await hear(relay) == {"type": "user-joined", **joined}
                assert await hear(signaling) == {
                    "type": "user_joined", "username": me, "room_id": room
                }  # fmt: skip
                await say(conference, type="offer", room_id=room, data=SDP)
                assert await hear(signaling) == {
                    "type": "offer", "sender": me, "target": "carol", "sdp": SDP["sdp"]
                }  # fmt: skip
                assert await hear(relay) == signalled("offer", room, me, "alice", SDP)
                answer = {**SDP, "type": "answer"}
                await say(relay, type="answer", to_user_id=me, data=answer)
                assert await hear(conference) == {
                    "type": "answer", "room_id": room, "sender_id": "alice", "data": answer
                }  # fmt: skip
                await say(signaling, type="answer", target="alice", sdp=SDP["sdp"])
                assert await hear(relay) == signalled("answer", room, "carol", "alice", answer)


def signalled(type: str, room: str, sender: str, to: str, data: Any) -> dict[str, Any]:
    """A signal as document 000 has it."""
    return {
        "type": type, "room_id": room, "from_user_id": sender, "to_user_id": to, "data": data
    }  # fmt: skip


async def test_strangers_are_guests_by_names_that_are_nobodys(forced: Server) -> None:
    alice = await person(forced, "alice")
    for name in ("alice", "ALICE"):
        assert await refused(forced, f"/ws/chat/{name}/") == 4001
        assert await refused(forced, f"/ws/video/a-room/{name}/") == 4001
    async with (
        opened(forced, "/ws/chat/a-stranger/") as stranger,
        opened(forced, f"/ws/chat/alice/?token={alice.token}") as account,
    ):
        await arrived(account)
        await say(stranger, to_user_id="alice", content="Hello!")
        heard = await hear(account)
        assert (heard["from_user_id"], heard["to_user_id"]) == ("a-stranger", "alice")
        await say(account, to_user_id="a-stranger", content="Hello, stranger!")
        assert (await hear(stranger))["content"] == "Hello, stranger!"
    # The digits of an account's id are a guest's name, and no way to the account.
    async with (
        opened(forced, f"/ws/chat/{alice.id}/") as number,
        opened(forced, f"/ws/chat/alice/?token={alice.token}") as account,
        opened(forced, "/ws/chat/a-stranger/") as stranger,
    ):
        for socket in (number, account):
            await arrived(socket)
        await say(stranger, to_user_id=alice.id, content="to the number")
        assert (await hear(number))["content"] == "to the number"
        await say(stranger, to_user_id="alice", content="to the account")
        assert (await hear(account))["content"] == "to the account"


async def test_a_name_that_somebody_takes_is_no_guests_any_more(forced: Server) -> None:
    async with opened(forced, "/ws/chat/dora/") as guest:
        await arrived(guest)
    await person(forced, "dora")
    assert await refused(forced, "/ws/chat/dora/") == 4001


async def test_a_forced_server_has_meetings_for_strangers_and_no_samples(forced: Server) -> None:
    key = (await forced.http.post("/create-room")).json()["room_id"]
    async with opened(forced, f"/ws/{key}") as socket:
        assert (await hear(socket))["type"] == "connected"
        async with opened(forced, f"/ws/video/{key}/a-stranger/") as other:
            assert (await hear(socket))["user_id"] == "a-stranger"
            await arrived(other)
    # Without sample data there is no such room.
    assert await told_and_refused(forced, "/ws/room123") == 4004
    assert await refused(forced, "/ws/signaling/room123") == 4001
