"""Document 004: its JavaScript and Python examples, and the frames it prints."""

import ast
import json
import re

import pytest

from tests.examples.conftest import OpenConsole, running_script
from tests.examples.printed import like, objects, printed
from tests.support.server import Server
from tests.support.sockets import hear, opened, person

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


async def test_the_javascript_example_talks_in_the_conversation(
    dev: Server, open_console: OpenConsole
) -> None:
    testuser, alice = await person(dev, "testuser"), await person(dev, "alice")
    host = f"localhost:{dev.port}"
    code = printed("conversations/javascript", **{"localhost:8000": host})
    # What opens the socket and what needs it open are steps of their own in the document.
    connecting, sending = code.split("// 5. ")
    console = await open_console(f"http://{host}/static/chat.html")
    await console.run(connecting)
    assert await console.logged() == ["Connected!"]
    confirmation = {
        "type": "connection",
        "status": "connected",
        "conversation_id": 1,
        "user_id": testuser.id,
    }
    assert await console.logged() == ["Connection confirmed:", confirmation]

    async with opened(dev, f"/conversations/1/ws/?token={alice.token}") as other:
        assert (await hear(other))["type"] == "connection"
        await console.run(f"// 5. {sending}")
        heard = await hear(other)
        assert heard["content"] == "Hello, WebSocket!"
        assert heard["sender_id"] == testuser.id
        assert await console.logged() == ["New message:", "Hello, WebSocket!"]
        assert await console.logged() == ["From:", "testuser"]
        assert await console.logged() == ["At:", heard["created_at"]]
        assert TIME.fullmatch(heard["created_at"])
        await console.run("ws.close(1000)")
        assert await console.logged() == ["Disconnected:", 1000, ""]
        left = {"type": "user_left", "user_id": testuser.id, "username": "testuser"}
        assert await hear(other) == left


async def test_the_python_example_talks_in_the_conversation(dev: Server) -> None:
    testuser, alice = await person(dev, "testuser"), await person(dev, "alice")
    source = printed(
        "conversations/python",
        **{"localhost:8000": f"localhost:{dev.port}", "YOUR_JWT_TOKEN": testuser.token},
    )
    async with opened(dev, f"/conversations/1/ws?token={alice.token}") as other:
        assert (await hear(other))["type"] == "connection"
        async with running_script(source) as script:
            label, _, said = (await script.printed()).partition(": ")
            assert label == "Connected"
            assert json.loads(said)["user_id"] == testuser.id
            label, _, own = (await script.printed()).partition(": ")
            assert label == "Received"
            assert (await hear(other))["type"] == "user_joined"
            assert ast.literal_eval(own) == await hear(other)
            assert ast.literal_eval(own)["content"] == "Hello from Python!"
            (frame,) = objects(printed("conversations/from-clients"))
            await other.send(json.dumps(frame))
            told = ast.literal_eval((await script.printed()).partition(": ")[2])
            assert (told["content"], told["sender_name"]) == ("Your message here", "alice")
            await hear(other)
        left = {"type": "user_left", "user_id": testuser.id, "username": "testuser"}
        assert await hear(other) == left


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_frames_are_the_printed_ones(dev: Server, slash: str) -> None:
    testuser, alice = await person(dev, "testuser"), await person(dev, "alice")
    confirmed, message, left, refused = objects(printed("conversations/from-server"))
    path = f"/conversations/1/ws{slash}?token="
    async with opened(dev, path + testuser.token) as socket:
        heard = await hear(socket)
        assert like(heard, confirmed)
        assert heard == {**confirmed, "user_id": testuser.id}
        async with opened(dev, path + alice.token) as other:
            assert like(await hear(other), confirmed)
            # The document promises to tell of joining, and prints only leaving.
            assert await hear(socket) == {**left, "type": "user_joined", "user_id": alice.id}
            await other.send(printed("conversations/from-clients"))
            heard = await hear(socket)
            assert like(heard, message)
            assert heard == await hear(other)
            assert heard == {
                **message,
                "content": "Your message here",
                "sender_id": alice.id,
                "id": heard["id"],
                "created_at": heard["created_at"],
            }
            await other.send("this is no message")
            assert like(await hear(other), refused)
        assert await hear(socket) == {**left, "user_id": alice.id}


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_rest_fallback_lists_what_the_sockets_heard(dev: Server, slash: str) -> None:
    testuser = await person(dev, "testuser")
    _, message, _, _ = objects(printed("conversations/from-server"))
    answer = await dev.http.post(
        f"/conversations{slash}", json={"title": "A talk", "participants": ["alice"]},
        headers=testuser.headers,
    )  # fmt: skip
    assert answer.status_code == 201
    talk = answer.json()["id"]
    async with opened(dev, f"/conversations/{talk}/ws?token={testuser.token}") as socket:
        await hear(socket)
        path = f"/conversations/{talk}/messages{slash}"
        (frame,) = objects(printed("conversations/from-clients"))
        posted = await dev.http.post(path, json=frame, headers=testuser.headers)
        assert posted.status_code == 201
        heard = await hear(socket)
        assert like(heard, message)
        assert heard["content"] == "Your message here"
        listed = (await dev.http.get(path, headers=testuser.headers)).json()
        assert [row["id"] for row in listed] == [heard["id"]]
        assert listed[0].items() >= {k: v for k, v in heard.items() if k != "type"}.items()
    answer = await dev.http.get(f"/conversations{slash}", headers=testuser.headers)
    assert {1, talk} <= {row["id"] for row in answer.json()}
