"""Document 001: its JavaScript example, in a browser."""

import pytest

from tests.examples.conftest import OpenConsole
from tests.examples.printed import printed
from tests.support.server import Server
from tests.support.sockets import hear, hear_type, opened, person, say

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def test_the_example_talks_in_the_room(
    dev: Server, frontend: str, open_console: OpenConsole
) -> None:
    testuser, alice = await person(dev, "testuser"), await person(dev, "alice")
    host = f"localhost:{dev.port}"
    code = printed("rooms/javascript", **{"localhost:8000": host, "your_jwt_token": testuser.token})
    console = await open_console(frontend)
    await console.run(code)

    assert await console.logged() == ["Connection opened"]
    label, greeting = await console.logged()
    assert label == "Received:"
    assert greeting == {
        "type": "connection_established",
        "connection_id": greeting["connection_id"],
        "user_id": testuser.id,
        "username": "testuser",
    }
    _, joined = await console.logged()
    assert joined == {"type": "room_joined", "room_id": 1, "room_name": joined["room_name"]}
    _, history = await console.logged()
    assert history == {"type": "message_history", "room_id": 1, "messages": history["messages"]}
    _, message = await console.logged()
    assert message == {
        "type": "message",
        "id": message["id"],
        "room_id": 1,
        "user_id": testuser.id,
        "username": "testuser",
        "content": "Hello, WebSocket!",
        "created_at": message["created_at"],
    }
    assert await console.logged() == ["testuser: Hello, WebSocket!"]

    async with opened(dev, f"/ws/room/1/?token={alice.token}") as other:
        assert (await hear_type(other, "message_history"))["messages"][-1] == {
            key: value for key, value in message.items() if key != "type"
        }
        named = {"room_id": 1, "user_id": alice.id, "username": "alice"}
        assert await console.logged() == ["Received:", {"type": "user_joined", **named}]
        assert await console.logged() == ["alice joined the room"]

        await console.run("sendTypingNotification()")
        named = {"room_id": 1, "user_id": testuser.id, "username": "testuser"}
        assert await hear(other) == {"type": "user_typing", **named}
        await say(other, type="message", content="Hello, browser!")
        assert (await console.logged())[1]["content"] == "Hello, browser!"
        assert await console.logged() == ["alice: Hello, browser!"]
        await hear_type(other, "message")

        await console.run("socket.close(1000, 'that is all')")
        assert await console.logged() == ["Connection closed:", 1000, "that is all"]
        assert await hear(other) == {"type": "user_disconnected", **named}
