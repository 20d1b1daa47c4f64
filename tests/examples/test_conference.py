"""Document 002: its curl lines, its Python and browser examples, and the frames it prints."""

import ast
import json
import re
import shlex
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest

from tests.examples.conftest import OpenConsole, running_script
from tests.examples.printed import like, objects, printed
from tests.support.server import Server
from tests.support.sockets import hear, opened

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NAIVE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")


async def create(dev: Server) -> str:
    """A new meeting's id."""
    return str((await dev.http.post("/create-room")).json()["room_id"])


def connected(shape: dict[str, Any], heard: dict[str, Any], room: str) -> str:
    """Checks the confirmation; the user id in it comes back."""
    assert heard == {**shape, "user_id": heard["user_id"], "room_id": room}
    assert UUID.fullmatch(heard["user_id"])
    return str(heard["user_id"])


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_curl_lines_are_answered_as_printed(dev: Server, slash: str) -> None:
    lines = printed("conference/curl", **{"localhost:8000": f"localhost:{dev.port}"}).splitlines()
    room = ""
    answers = []
    async with httpx2.AsyncClient() as http:
        for line in lines:
            _, *options, url = shlex.split(line.replace("{room_id}", room))
            assert options in ([], ["-X", "POST"])
            answer = await http.request(options[-1] if options else "GET", url + slash)
            assert answer.status_code == 200, line
            answers.append(answer.json())
            room = room or answer.json()["room_id"]
    created, listed, read = answers
    (shape,) = objects(printed("conference/create-room"))
    assert created == {key: value.replace(shape["room_id"], room) for key, value in shape.items()}
    assert list(created) == list(shape)
    assert UUID.fullmatch(room)
    ((row_shape,),) = objects(printed("conference/rooms"))
    (row,) = [each for each in listed if each["room_id"] == room]
    assert list(row) == list(row_shape)
    assert row == {**row_shape, **row, "room_id": room, "participant_count": 0}
    assert NAIVE_TIME.fullmatch(row["created_at"])
    assert read == {**row, "participants": []}


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_root_is_about_the_api(dev: Server, slash: str) -> None:
    answer = await dev.http.get(f"http://localhost:{dev.port}{slash}")
    assert answer.status_code == 200
    assert isinstance(answer.json(), dict)


async def test_the_link_to_join_is_a_page(dev: Server) -> None:
    created = (await dev.http.post("/create-room/")).json()
    for slash in ("", "/"):
        answer = await dev.http.get(created["join_link"] + slash)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")


async def test_the_python_example_joins_the_room(dev: Server) -> None:
    room = await create(dev)
    welcome, joined, left, _, _ = shapes()
    source = printed(
        "conference/python",
        **{"localhost:8000": f"localhost:{dev.port}", "your-room-id-here": room},
    )
    async with opened(dev, f"/ws/{room}") as other:
        connected(welcome, await hear(other), room)
        async with running_script(source) as script:
            label, _, said = (await script.printed()).partition(": ")
            assert label == "Received"
            me = connected(welcome, json.loads(said), room)
            label, _, sent = (await script.printed()).partition(": ")
            assert label == "Sent"
            assert await hear(other) == {**joined, "user_id": me, "room_id": room}
            assert await hear(other) == {**ast.literal_eval(sent), "sender_id": me}
            listed = (await dev.http.get(f"/rooms/{room}")).json()
            assert listed["participant_count"] == 2
            await other.send(printed("conference/test-message", **{"your-room-id": room}))
            said = (await script.printed()).partition(": ")[2]
            assert json.loads(said)["type"] == "join"
        assert await hear(other) == {**left, "user_id": me, "room_id": room}


async def test_the_python_example_ends_when_the_server_closes(dev: Server) -> None:
    source = printed(
        "conference/python",
        **{"localhost:8000": f"localhost:{dev.port}", "your-room-id-here": "no-such-room"},
    )
    async with running_script(source) as script:
        label, _, said = (await script.printed()).partition(": ")
        assert label == "Received"
        assert like(json.loads(said), shapes()[-1])
    assert await refused_with_error(dev, "/ws/no-such-room/") == 4004


async def test_the_browser_example_joins_the_room(
    dev: Server, frontend: str, open_console: OpenConsole
) -> None:
    room = await create(dev)
    welcome, joined, left, _, _ = shapes()
    code = printed(
        "conference/browser",
        **{"localhost:8000": f"localhost:{dev.port}", "your-room-id-here": room},
    )
    async with opened(dev, f"/ws/{room}/") as other:
        connected(welcome, await hear(other), room)
        console = await open_console(frontend)
        await console.run(code)
        assert await console.logged() == ["Connected"]
        label, heard = await console.logged()
        assert label == "Received:"
        me = connected(welcome, heard, room)
        assert await hear(other) == {**joined, "user_id": me, "room_id": room}
        assert await hear(other) == {"type": "join", "room_id": room, "sender_id": me}
        await console.run("ws.close()")
        assert await console.logged() == ["Disconnected"]
        assert await hear(other) == {**left, "user_id": me, "room_id": room}


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_frames_are_the_printed_ones(dev: Server, slash: str) -> None:
    room = await create(dev)
    welcome, joined, left, signal, error = shapes()
    path = f"/ws/{room}{slash}"
    frames = objects(printed("conference/from-clients", **{PRINTED_ROOM: room}))
    async with opened(dev, path) as first:
        a = connected(welcome, await hear(first), room)
        async with AsyncExitStack() as others:
            second = await others.enter_async_context(opened(dev, path))
            b = connected(welcome, await hear(second), room)
            assert await hear(first) == {**joined, "user_id": b, "room_id": room}
            third = await others.enter_async_context(opened(dev, path))
            c = connected(welcome, await hear(third), room)
            for socket in (first, second):
                assert await hear(socket) == {**joined, "user_id": c, "room_id": room}
            assert len({a, b, c}) == 3
            for frame in frames:
                await first.send(json.dumps(frame))
                for socket in (second, third):
                    heard = await hear(socket)
                    assert list(heard) == list(signal)
                    assert heard == {**frame, "sender_id": a}
            await second.send('{"type": "offer", "data": "no object"}')
            assert like(await hear(second), error)
            # What comes next proves that nobody but the sender heard of the error.
            await second.send(printed("conference/test-message", **{"your-room-id": room}))
            for socket in (first, third):
                heard = await hear(socket)
                assert heard == {"type": "join", "room_id": room, "sender_id": b}
        gone = [await hear(first), await hear(first)]
        gone.sort(key=lambda frame: frame["user_id"] != b)
        assert gone == [{**left, "user_id": who, "room_id": room} for who in (b, c)]


async def test_a_room_that_everybody_left_is_gone(dev: Server) -> None:
    room = await create(dev)
    async with opened(dev, f"/ws/{room}") as socket:
        await hear(socket)
        rows = (await dev.http.get("/rooms")).json()
        assert [row["participant_count"] for row in rows if row["room_id"] == room] == [1]
    assert await refused_with_error(dev, f"/ws/{room}") == 4004
    assert (await dev.http.get(f"/rooms/{room}")).status_code == 404


PRINTED_ROOM = "550e8400-e29b-41d4-a716-446655440000"


def shapes() -> list[dict[str, Any]]:
    """Confirmation, joined, left, a signal, and an error, as they are printed."""
    found: list[dict[str, Any]] = objects(printed("conference/from-server", **{"{ ... }": "{}"}))
    return found


async def refused_with_error(dev: Server, path: str) -> int:
    """The close code, after the one frame that this document's clients are told before."""
    async with opened(dev, path) as socket:
        assert like(await hear(socket), shapes()[-1])
        await socket.wait_closed()
    assert socket.close_code is not None
    return socket.close_code
