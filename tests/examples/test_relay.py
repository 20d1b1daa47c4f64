"""Document 000: its two message formats, at its two paths."""

import json

import pytest

from tests.examples.printed import objects, printed
from tests.examples.told import check_message
from tests.support.server import Server
from tests.support.sockets import arrived, hear, opened, person, say

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

SDP = {"type": "offer", "sdp": "v=0\r\n"}
CANDIDATE = {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0}
DATA: dict[str, object] = {
    "offer": SDP,
    "answer": {**SDP, "type": "answer"},
    "ice-candidate": CANDIDATE,
    "hang-up": {"reason": "tea"},
    "call-declined": {},
}
"""The types that the document lists and clients may send."""


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_chat_format_reaches_every_device_of_the_recipient(
    dev: Server, slash: str
) -> None:
    path = f"/ws/chat/recipient_id{slash}"
    async with (
        opened(dev, path) as first,
        opened(dev, path) as second,
        opened(dev, f"/ws/chat/sender_id{slash}") as sender,
    ):
        for socket in (first, second, sender):
            await arrived(socket)
        await sender.send(printed("relay/chat"))
        for socket in (first, second):
            check_message(await hear(socket), "sender_id", "recipient_id", "Hello!")
        # The sender hears nothing of its own: the answer comes first.
        await first.send(printed("relay/chat", recipient_id="sender_id"))
        check_message(await hear(sender), "recipient_id", "sender_id", "Hello!")


async def test_ids_may_be_numbers(dev: Server) -> None:
    async with opened(dev, "/ws/chat/7/") as seven, opened(dev, "/ws/chat/8/") as eight:
        await arrived(seven)
        await arrived(eight)
        await say(eight, to_user_id=7, content="a number")
        check_message(await hear(seven), "8", "7", "a number")
        await say(seven, to_user_id="8", content="a string")
        check_message(await hear(eight), "7", "8", "a string")


async def test_a_message_between_accounts_is_stored_whether_the_recipient_is_there_or_not(
    dev: Server,
) -> None:
    alice, testuser = await person(dev, "alice"), await person(dev, "testuser")
    async with opened(dev, "/ws/chat/testuser/") as sender:
        await sender.send(printed("relay/chat", recipient_id="alice"))
        await say(sender, to_user_id="alice", content="Are you there?")
        # What comes next is carried out when these are: the error says that they were.
        await say(sender, to_user_id="nobody-at-all", content="Hello!")
        assert (await hear(sender))["type"] == "error"
        async with opened(dev, "/ws/chat/alice/") as late:
            await arrived(late)
            await say(sender, to_user_id="alice", content="There you are!")
            check_message(await hear(late), "testuser", "alice", "There you are!")
    for account in (alice, testuser):
        rows = (await dev.http.get("/api/v1/channels", headers=account.headers)).json()
        (direct,) = [row for row in rows if row["kind"] == "direct"]
        answer = await dev.http.get(
            f"/conversations/{direct['id']}/messages", headers=account.headers
        )
        said = [(row["sender_name"], row["content"]) for row in answer.json()]
        contents = ("Hello!", "Are you there?", "There you are!")
        assert said == [("testuser", content) for content in contents]


async def test_a_recipient_who_is_nobody_is_an_error_to_the_sender(dev: Server) -> None:
    async with opened(dev, "/ws/chat/sender_id/") as sender:
        for frame in (
            printed("relay/chat", recipient_id="nobody-at-all"),
            '{"to_user_id": 987654321, "content": "Hello!"}',
            '{"content": "Hello!"}',
            "Hello!",
        ):
            await sender.send(frame)
            heard = await hear(sender)
            assert heard == {"type": "error", "message": heard["message"]}


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_video_format_reaches_the_peer_and_nobody_else(dev: Server, slash: str) -> None:
    room = {"room_id": f"a-room{slash.replace('/', '-slashed')}"}
    path = f"/ws/video/{room['room_id']}/"
    async with opened(dev, f"{path}caller_id{slash}") as caller:
        await arrived(caller)
        async with opened(dev, f"{path}peer_id{slash}") as peer:
            assert await hear(caller) == {"type": "user-joined", **room, "user_id": "peer_id"}
            async with opened(dev, f"{path}third_id{slash}") as third:
                for socket in (caller, peer):
                    joined = {"type": "user-joined", **room, "user_id": "third_id"}
                    assert await hear(socket) == joined
                for type, data in DATA.items():
                    filling = {"offer": type, "{...sdp_or_candidate...}": json.dumps(data)}
                    (frame,) = objects(printed("relay/video", **filling))
                    await say(caller, **frame)
                    assert await hear(peer) == {**frame, **room, "from_user_id": "caller_id"}
                for type in ("user-joined", "user-left"):
                    await say(caller, type=type, to_user_id="peer_id", data={})
                    assert (await hear(caller))["type"] == "error"
                await say(caller, type="offer", data=SDP)
                for socket, name in ((peer, "peer_id"), (third, "third_id")):
                    assert await hear(socket) == {
                        "type": "offer",
                        **room,
                        "from_user_id": "caller_id",
                        "to_user_id": name,
                        "data": SDP,
                    }
            for socket in (caller, peer):
                left = {"type": "user-left", **room, "user_id": "third_id"}
                assert await hear(socket) == left
        assert await hear(caller) == {"type": "user-left", **room, "user_id": "peer_id"}


async def test_numbers_call_each_other_and_so_do_accounts(dev: Server) -> None:
    for one, other, to in (("1", "2", 2), ("testuser", "alice", "alice")):
        async with opened(dev, f"/ws/video/42/{one}/") as caller:
            await arrived(caller)
            async with opened(dev, f"/ws/video/42/{other}/") as peer:
                joined = {"type": "user-joined", "room_id": "42", "user_id": other}
                assert await hear(caller) == joined
                await say(caller, type="ice-candidate", to_user_id=to, data=CANDIDATE)
                assert await hear(peer) == {
                    "type": "ice-candidate",
                    "room_id": "42",
                    "from_user_id": one,
                    "to_user_id": other,
                    "data": CANDIDATE,
                }
                await say(caller, type="offer", to_user_id="somebody else", data=SDP)
                assert (await hear(caller))["type"] == "error"
