"""The front door of every WebSocket, on a real server."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.server import Account, Server, running_server
from tests.support.sockets import closed, hear, hear_type, native, opened, person, refused, say

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.system]

PATHS = ["/ws/v1", "/ws/auth", "/ws/room/{room}", "/conversations/{room}/ws", "/ws"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    """A closed server that many sockets may be opened to."""
    env = {"HUBBUB_SOCKETS_PER_USER": "20", "HUBBUB_SOCKETS_PER_ADDRESS": "0"}
    async with running_server(env=env) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dev() -> AsyncIterator[Server]:
    """A server in development mode."""
    async with running_server(dev=True) as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("way", ["query", "ticket", "header", "subprotocol"])
async def test_a_token_is_taken_in_each_of_four_ways_on_every_path(
    server: Server, path: str, way: str
) -> None:
    alice = await person(server, "alice")
    room = await server.channel(alice, "four ways")
    path = path.format(room=room)
    options: dict[str, Any] = {}
    match way:
        case "query":
            path += f"/?token={alice.token}"
        case "ticket":
            answer = await server.http.post("/api/v1/tickets", headers=alice.headers)
            path += f"?ticket={answer.json()['ticket']}"
        case "header":
            options["additional_headers"] = alice.headers
        case "subprotocol":
            options["subprotocols"] = ["bearer", alice.token]
    async with opened(server, path, **options) as socket:
        assert socket.subprotocol == ("bearer" if way == "subprotocol" else None)
        if path.startswith("/ws/v1"):
            answer = await native(socket)
            assert answer["result"]["user"] == {"id": alice.id, "name": "alice"}
        else:
            assert (await hear(socket))["user_id"] == alice.id


async def test_a_ticket_opens_one_socket(server: Server) -> None:
    alice = await person(server, "alice")
    answer = await server.http.post("/api/v1/tickets", headers=alice.headers)
    path = f"/ws/auth?ticket={answer.json()['ticket']}"
    async with opened(server, path) as socket:
        await hear_type(socket, "connection_established")
        assert await refused(server, path) == 4001


@pytest.mark.parametrize("path", ["/ws/auth", "/ws/room/1", "/conversations/1/ws"])
async def test_no_token_and_a_bad_one_are_4001(server: Server, path: str) -> None:
    assert await refused(server, path) == 4001
    assert await refused(server, path + "?token=bad") == 4001
    assert await refused(server, path, subprotocols=["bearer", "bad"]) == 4001


async def test_a_native_socket_with_a_bad_token_is_told_and_closed(server: Server) -> None:
    assert await refused(server, "/ws/v1?token=bad") == 4001
    async with opened(server, "/ws/v1") as socket:
        await say(socket, id=1, type="connect", token="bad")
        assert (await hear(socket))["error"]["code"] == "token_invalid"
        assert await closed(socket) == 4001


async def test_nothing_goes_before_connect(server: Server) -> None:
    alice = await person(server, "alice")
    async with opened(server, f"/ws/v1?token={alice.token}") as socket:
        await say(socket, id=1, type="send", channel=1, content="early")
        assert (await hear(socket))["error"]["code"] == "not_connected"
        await native(socket)
        await say(socket, id=2, type="connect")
        assert (await hear(socket))["error"]["code"] == "already_connected"


async def test_strangers_of_a_private_channel_are_4003_and_unknown_channels_4004(
    server: Server,
) -> None:
    alice, mallory = await person(server, "alice"), await person(server, "mallory")
    private = await server.channel(alice, "private", private=True)
    public = await server.channel(alice, "public")
    token = f"?token={mallory.token}"
    assert await refused(server, f"/ws/room/{private}{token}") == 4003
    assert await refused(server, f"/conversations/{private}/ws{token}") == 4003
    assert await refused(server, f"/conversations/{public}/ws{token}") == 4003
    for name in ("987654321", "no-such-key", "%20", "x" * 200, "9" * 40):
        assert await refused(server, f"/ws/room/{name}{token}") == 4004
        assert await refused(server, f"/conversations/{name}/ws{token}") == 4004
    assert await refused(server, f"/ws/room{token}") == 4004
    assert await refused(server, "/somewhere/else") == 4004


BAD_ORIGINS = [
    "https://evil.example",
    "null",
    "http://127.0.0.1.evil.example",
    "http://127.0.0.1:1",
    "https://127.0.0.1:{port}",
    "http://127.0.0.1:{port}.evil.example",
    "http://evil@127.0.0.1:{port}",
    "http://127.0.0.1:{port}/",
    "file://",
    "",
]


@pytest.mark.parametrize("origin", BAD_ORIGINS)
@pytest.mark.parametrize("path", ["/ws", "/ws/echo", "/ws/v1", "/conversations/1/ws"])
async def test_a_foreign_origin_is_403_before_accept(
    server: Server, path: str, origin: str
) -> None:
    headers = {"Origin": origin.format(port=server.port)}
    with pytest.raises(InvalidStatus) as refusal:
        async with opened(server, path, additional_headers=headers):
            pass
    assert refusal.value.response.status_code == 403


async def test_the_servers_own_origin_is_welcome(server: Server) -> None:
    async with opened(server, "/ws/echo", origin=server.url):
        pass


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=::1"}],
)
async def test_development_mode_serves_this_machine_alone(
    dev: Server, headers: dict[str, str]
) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with connect(dev.ws + "/ws", proxy=None, additional_headers=headers):
            pass
    assert refusal.value.response.status_code == 403
    assert json.loads(refusal.value.response.body)["code"] == "loopback_only"


async def test_logging_out_closes_that_logins_sockets_and_no_others(server: Server) -> None:
    first, second = await server.account("erin"), await server.account("erin")
    room = await server.channel(first, "two logins")
    query = f"?token={first.token}"
    async with (
        opened(server, f"/ws/room/{room}{query}") as rooms,
        opened(server, f"/conversations/{room}/ws{query}") as conversation,
        opened(server, "/ws/v1") as late,
        opened(server, f"/ws/auth?token={second.token}") as other,
    ):
        await native(late, token=first.token)
        await hear_type(rooms, "message_history")
        await hear_type(conversation, "connection")
        await hear_type(other, "connection_established")
        await server.http.post("/api/v1/auth/logout", headers=first.headers)
        for socket in (rooms, conversation, late):
            assert await closed(socket) == 4001
        assert await refused(server, f"/ws/auth{query}") == 4001
        await say(other, type="ping")
        assert await hear(other) == {"type": "pong"}


async def test_leaving_over_rest_takes_the_users_sockets_out(server: Server) -> None:
    alice, bob = await person(server, "alice"), await person(server, "bob")
    room = await server.channel(alice, "to be left", [bob])
    query = f"?token={bob.token}"
    async with (
        opened(server, f"/ws/room/{room}?token={alice.token}") as stays,
        opened(server, f"/ws/room/{room}{query}") as bound,
        opened(server, f"/ws/auth{query}") as free,
        opened(server, f"/ws/v1{query}") as late,
    ):
        await hear_type(stays, "message_history")
        await hear_type(bound, "message_history")
        await say(free, type="join_room", room_id=room)
        await hear_type(free, "message_history")
        await native(late, room)
        await server.http.post(f"/api/rooms/{room}/leave/", headers=bob.headers)
        assert await closed(bound) == 4003
        left = await hear_type(free, "room_left")
        assert left == {"type": "room_left", "room_id": room, "room_name": "to be left"}
        assert (await hear_type(late, "unsubscribed"))["channel"] == room
        gone = await hear_type(stays, "user_left")
        assert gone == {
            "type": "user_left", "room_id": room, "user_id": bob.id, "username": "bob"
        }  # fmt: skip


async def test_a_kicked_member_hears_nothing_more_and_cannot_post(server: Server) -> None:
    alice, bob = await person(server, "alice"), await person(server, "bob")
    room = await server.channel(alice, "kicking", [bob], private=True)
    async with opened(server, f"/ws/v1?token={bob.token}") as socket:
        await native(socket, room)
        kicked = await server.http.delete(
            f"/api/v1/channels/{room}/members/bob", headers=alice.headers
        )
        assert kicked.is_success
        await server.http.post(
            f"/api/v1/channels/{room}/messages", json={"content": "x"}, headers=alice.headers
        )
        await hear_type(socket, "unsubscribed")
        await say(socket, id=2, type="send", channel=room, content="still here?")
        answer = await hear(socket)
        assert answer["id"] == 2
        assert answer["error"]["code"] == "not_a_member"


async def test_the_others_hear_of_a_users_first_and_last_socket_only(server: Server) -> None:
    alice, bob = await person(server, "alice"), await person(server, "bob")
    room = await server.channel(alice, "presence", [bob])
    async with opened(server, f"/conversations/{room}/ws?token={alice.token}") as watcher:
        await hear_type(watcher, "connection")
        path = f"/ws/room/{room}?token={bob.token}"
        async with opened(server, path) as first:
            await hear_type(first, "message_history")
            async with opened(server, path) as second:
                await hear_type(second, "message_history")
            await say(first, type="message", content="between")
            await hear_type(first, "message")
        assert await hear(watcher) == {
            "type": "user_joined", "user_id": bob.id, "username": "bob"
        }  # fmt: skip
        assert (await hear(watcher))["content"] == "between"
        assert await hear(watcher) == {
            "type": "user_left", "user_id": bob.id, "username": "bob"
        }  # fmt: skip


async def test_who_posts_from_outside_a_room_hears_of_it_alone_and_once(server: Server) -> None:
    alice, bob = await person(server, "alice"), await person(server, "bob")
    room = await server.channel(alice, "general", [bob])
    async with (
        opened(server, f"/ws/auth?token={alice.token}") as outside,
        opened(server, f"/ws/room/{room}?token={bob.token}") as inside,
    ):
        await hear_type(inside, "message_history")
        await hear_type(outside, "connection_established")
        await say(outside, type="message", room_id=room, content="from outside")
        echoed = await hear(outside)
        assert echoed == await hear(inside)
        assert (echoed["type"], echoed["content"]) == ("message", "from outside")
        await say(outside, type="join_room", room_id=room)
        await hear_type(outside, "message_history")
        await say(outside, type="message", room_id=room, content="from inside")
        await say(outside, type="ping")
        assert (await hear(outside))["type"] == "pong"
        assert (await hear(outside))["content"] == "from inside"
        await say(outside, type="ping")
        assert (await hear(outside))["type"] == "pong"


async def test_guests_are_in_the_lobby_and_nowhere_else(dev: Server) -> None:
    async with opened(dev, "/ws") as first:
        # In the lobby from the greeting on: only who came before hears of who comes.
        me = await hear(first)
        assert me["user_id"] < 0
        async with opened(dev, "/ws/") as second:
            assert (await hear(second))["user_id"] not in (0, me["user_id"])
            await hear_type(first, "user_joined")
            await say(first, type="message", content="hello, lobby")
            heard = await hear_type(second, "message")
            assert (heard["user_id"], heard["content"]) == (me["user_id"], "hello, lobby")
            for frame in (
                {"type": "join_room", "room_id": 1},
                {"type": "message", "room_id": 1, "content": "x"},
                {"type": "message", "room_id": "room123", "content": "x"},
            ):
                await say(second, **frame)
                assert (await hear(second))["code"] == "guests_not_allowed"
    assert await refused(dev, "/ws/room/1") == 4001
    assert await refused(dev, "/ws/auth") == 4001


async def test_closed_ws_answers_ping_and_refuses_the_rest(server: Server) -> None:
    async with opened(server, "/ws") as socket:
        greeting = await hear(socket)
        assert set(greeting) == {"type", "connection_id"}
        await say(socket, type="message", content="hello")
        assert (await hear(socket))["code"] == "unauthenticated"
        await say(socket, type="join_room", room_id=1)
        assert (await hear(socket))["code"] == "unauthenticated"
        await say(socket, type="ping")
        assert await hear(socket) == {"type": "pong"}


async def test_echo_returns_text_and_binary_unchanged(server: Server) -> None:
    async with opened(server, "/ws/echo") as socket:
        for message in ("text", b"\x00\xff", "", b"", "ü" * 50_000):
            await socket.send(message)
            assert await socket.recv() == message


@pytest.mark.parametrize("path", ["/ws", "/ws/v1", "/ws/echo"])
async def test_a_message_over_the_limit_is_1009(server: Server, path: str) -> None:
    async with opened(server, path) as socket:
        await socket.send("x" * (256 * 1024 + 1))
        assert await closed(socket) == 1009


@pytest.mark.parametrize(
    "frame",
    [
        b"binary",
        "",
        "nonsense",
        "[]",
        "null",
        "1",
        '{"type":1}',
        "{" * 5000,
        '{"content":{}}',
        '{"content":"\\u0000"}',
        '{"content":"\\ud800"}',
        '{"content":" "}',
        '{"type":"nope"}',
        '{"content":"' + "x" * 4001 + '"}',
        '{"type":"message","content":"x","room_id":1e99}',
    ],
)
async def test_bad_input_is_an_error_and_the_socket_stays_open(
    server: Server, frame: str | bytes
) -> None:
    alice = await person(server, "alice")
    room = await server.channel(alice, "bad input")
    query = f"?token={alice.token}"
    for path in (f"/ws/room/{room}", "/ws/auth", f"/conversations/{room}/ws", "/ws/v1"):
        async with opened(server, path + query) as socket:
            if path == "/ws/v1":
                await native(socket, room)
            await socket.send(frame)
            assert (await hear_type(socket, "error"))["type"] == "error"
            pong = await socket.ping()
            await pong


async def test_the_message_rate_is_an_error_and_a_flood_of_frames_is_1008() -> None:
    env = {"HUBBUB_MESSAGE_BURST": "3", "HUBBUB_MESSAGE_RATE": "1", "HUBBUB_FRAME_RATE": "40"}
    async with running_server(env=env) as server:
        alice = await person(server, "alice")
        room = await server.channel(alice, "rates")
        async with opened(server, f"/ws/v1?token={alice.token}") as socket:
            await native(socket, room)
            for number in range(10, 20):
                await say(socket, id=number, type="send", channel=room, content="x")
            answers = []
            while len(answers) < 10:
                frame = await hear(socket)
                if "id" in frame and "type" not in frame:
                    answers.append(frame)
            limited = [a for a in answers if "error" in a]
            assert len(limited) >= 5
            assert {a["error"]["code"] for a in limited} == {"rate_limited"}
            assert all(a["error"]["temporary"] and a["error"]["retry_after"] for a in limited)
            with suppress(ConnectionClosed):
                for _ in range(100):
                    await say(socket, id=1, type="ping")
            assert await closed(socket) == 1008


async def test_one_socket_too_many_is_1013(server: Server) -> None:
    many = await person(server, "many")
    path = f"/ws/auth?token={many.token}"
    sockets = [await connect(server.ws + path, proxy=None) for _ in range(20)]
    for socket in sockets:
        await hear(socket)
    assert await refused(server, path) == 1013
    await sockets.pop().close()
    async with asyncio.timeout(10):
        while True:
            async with opened(server, path) as socket:
                try:
                    await socket.recv()
                except ConnectionClosed:
                    continue
                break
    for socket in sockets:
        await socket.close()


async def test_connections_are_recorded_and_a_crash_leaves_none() -> None:
    async with running_server() as server:
        alice, bob = await person(server, "alice"), await person(server, "bob")
        room = await server.channel(alice, "recorded")

        async def listed(account: Account) -> list[str]:
            answer = await server.http.get("/api/connections", headers=account.headers)
            return [row["username"] for row in answer.json()]

        async with (
            opened(server, f"/ws/room/{room}?token={alice.token}") as socket,
            opened(server, f"/ws/auth?token={bob.token}") as other,
        ):
            await hear(socket)
            await hear(other)
            assert await listed(alice) == ["alice"]
            assert await listed(bob) == ["bob"]
            await server.kill9()
        await server.start()
        assert await listed(alice) == []


async def test_no_token_reaches_a_log_line() -> None:
    async with running_server(env={"HUBBUB_LOG_LEVEL": "debug"}) as server:
        alice = await person(server, "alice")
        room = await server.channel(alice, "canary")
        ticket = (await server.http.post("/api/v1/tickets", headers=alice.headers)).json()["ticket"]
        canary = "CANARY-5f2b"
        for path in ("/ws/v1", "/ws/auth", f"/ws/room/{room}", "/conversations/1/ws", "/x", "/ws"):
            for query in (f"token={alice.token}", f"%74oken={canary}", f"ticket={canary}"):
                async with opened(server, f"{path}?{query}"):
                    pass
            async with opened(server, path, subprotocols=["bearer", alice.token]):
                pass
            await server.http.get(f"{path}?token={canary}")
        async with opened(server, f"/ws/auth?ticket={ticket}"):
            pass
        headers = {"Origin": "https://evil.example"}
        with pytest.raises(InvalidStatus):
            async with opened(server, f"/ws?token={canary}", additional_headers=headers):
                pass
        await server.stop()
        printed = server.printed()
        assert "/ws/auth" in printed
        for secret in (alice.token, alice.token.rpartition(".")[2], canary, ticket):
            assert secret not in printed


async def test_sigterm_closes_every_socket_1012_and_ends_cleanly() -> None:
    async with running_server() as server:
        alice = await person(server, "alice")
        room = await server.channel(alice, "ending")
        query = f"?token={alice.token}"
        async with (
            opened(server, f"/ws/room/{room}{query}") as rooms,
            opened(server, f"/ws/v1{query}") as late,
            opened(server, "/ws/echo") as echo,
            opened(server, "/ws/v1") as unconnected,
        ):
            await hear(rooms)
            await native(late, room)
            stopping = asyncio.create_task(server.stop())
            for socket in (rooms, late, echo, unconnected):
                assert await closed(socket) == 1012
            await stopping
        assert "Traceback" not in server.printed()
