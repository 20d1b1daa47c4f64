"""Document 003: its requests in their order, and the frames it prints."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.examples.printed import filled, like, objects, printed
from tests.support.mail import until
from tests.support.server import Account, Server
from tests.support.sockets import hear, opened, person

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def pairs() -> Iterator[tuple[str, str, str, dict[str, Any] | None]]:
    """Method, path, the text of the request's body, and the printed response where there is one."""
    for block in printed("signaling/requests").split("\n\n"):
        head, *bodies = block.splitlines()
        method, path = head.split(" ")
        said = dict(body.split(": ", 1) for body in bodies)
        response = said.get("Response")
        yield method, path, said.get("Request", ""), response and json.loads(response)


def slashed(path: str, slash: str | None) -> str:
    """A path with or without its last slash; as it is for None."""
    return path if slash is None else path.rstrip("/") + slash


@pytest.mark.parametrize(
    ("slash", "email", "name"),
    [
        (None, "user@example.com", "uniqueusername"),
        ("", "second@example.com", "anotherusername"),
        ("/", "third@example.com", "yetanotherusername"),
    ],
)
async def test_the_requests_are_answered_as_printed_in_their_order(
    dev: Server, slash: str | None, email: str, name: str
) -> None:
    base = f"http://localhost:{dev.port}/api"
    more = {
        "/auth/verify-otp": {"verification_token"},
        "/auth/login": {"expires_in", "refresh_token"},
    }
    headers: dict[str, str] = {}
    room: dict[str, Any] = {}
    asked = []
    for method, path, request, response in pairs():
        asked.append(f"{method} {path}")
        body = request.replace("user@example.com", email).replace("uniqueusername", name)
        if path == "/auth/verify-otp":
            body = filled(body, {"123456": await code(dev, email)})
        url = base + slashed(path, slash).replace("{room_id}", room.get("room_id", ""))
        # Programs keep no cookies.
        dev.http.cookies.clear()
        answer = await dev.http.request(method, url, content=body or None, headers={
            "Content-Type": "application/json", **headers,
        })  # fmt: skip
        assert answer.status_code == (201 if f"{method} {path}" == "POST /rooms/" else 200), url
        got = answer.json()
        if response is not None:
            added = set(got) - set(response)
            assert added == more.get(path, set())
            token = got.get("access_token", "")
            assert {k: got[k] for k in response} == {
                k: v.replace("JWT_TOKEN", token) for k, v in response.items()
            }
            if token:
                headers = {"Authorization": f"Bearer {token}"}
            continue
        match f"{method} {path}":
            case "POST /rooms/":
                room = got
                check_room(room, name)
            case "GET /rooms/":
                assert room in got
            case "GET /rooms/{room_id}" | "POST /rooms/{room_id}/join":
                assert got == room
            case "POST /rooms/{room_id}/leave":
                assert got == {**room, "participants": [], "member_count": 0, "is_member": False}
            case other:
                pytest.fail(f"nothing is known about {other}")
    assert len(asked) == 9
    listed = await dev.http.get(base + slashed("/rooms/", slash) + "?joined=true", headers=headers)
    assert room["id"] not in [row["id"] for row in listed.json()]


async def code(dev: Server, email: str) -> str:
    """The code that the server printed on its console for an address."""
    letter = re.compile(rf"^To: {re.escape(email)}$.*?^Code: (\d{{6}})$", re.DOTALL | re.MULTILINE)
    await until(lambda: letter.search(dev.printed()))
    found = letter.search(dev.printed())
    assert found is not None
    return found[1]


def check_room(room: dict[str, Any], owner: str) -> None:
    """Both documents' fields of a new room."""
    assert room == {
        "id": room["id"],
        "room_id": room["room_id"],
        "name": "Room Name",
        "description": "Room Description",
        "created_at": room["created_at"],
        "created_by": owner,
        "participants": [owner],
        "member_count": 1,
        "is_member": True,
    }
    assert TIME.fullmatch(room["created_at"])


async def test_an_error_has_a_detail(dev: Server) -> None:
    answer = await dev.http.get("/api/rooms/")
    assert answer.status_code == 401
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_frames_are_the_printed_ones(dev: Server, slash: str) -> None:
    testuser, alice = await person(dev, "testuser"), await person(dev, "alice")
    *signals, joined, left, heartbeat, response = objects(
        printed(
            "signaling/frames",
            target_username="alice",
            new_user="alice",
            departing_user="alice",
        )
    )
    async with entered(dev, testuser, slash) as socket:
        # Nothing greets: the answer to the first heartbeat is the first frame.
        await socket.send(json.dumps(heartbeat))
        assert await hear(socket) == response
        async with entered(dev, alice, slash) as other:
            assert await hear(socket) == joined
            for signal in signals:
                # The document's "username" is nobody here: the sender is who the token says.
                await socket.send(json.dumps(signal))
                heard = await hear(other)
                assert like(heard, signal)
                assert heard == {**signal, "sender": "testuser"}
            await other.send(json.dumps(heartbeat))
            assert await hear(other) == response
        assert await hear(socket) == left
        for signal in signals:
            await socket.send(json.dumps(signal))
            error = await hear(socket)
            assert error == {"type": "error", "message": error["message"]}


def entered(dev: Server, account: Account, slash: str) -> Any:
    """A socket in the document's own room, with the token where the document has it."""
    path = f"/ws/signaling/room123{slash}"
    return opened(dev, path, additional_headers=account.headers)
