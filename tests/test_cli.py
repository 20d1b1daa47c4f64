"""The command line and the ways of starting, with real processes."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support.server import HUBBUB, PASSWORD, Server, free_port, running_server

pytestmark = pytest.mark.system

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


async def run(
    *arguments: str, folder: Path, given: str = "", env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Runs `hubbub` to its end; its exit code and all it printed."""
    process = await asyncio.create_subprocess_exec(
        HUBBUB,
        *arguments,
        cwd=folder,
        env=ENVIRONMENT | dict(env or {}),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        printed, _ = await process.communicate(given.encode())
    assert process.returncode is not None
    return process.returncode, printed.decode()


async def log_in(server: Server, name: str) -> dict[str, str]:
    answer = await server.http.post(
        "/api/v1/auth/login", json={"username": name, "password": PASSWORD}
    )
    answer.raise_for_status()
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def test_an_administrator_is_made_with_the_server_stopped_and_can_disable(
    tmp_path: Path,
) -> None:
    code, printed = await run(
        "admin", "create", "root", "--data", str(tmp_path), folder=tmp_path, given=PASSWORD + "\n"
    )
    assert (code, "root administers" in printed) == (0, True)
    async with running_server(data=tmp_path) as server:
        root = await log_in(server, "root")
        mallory = await server.account("mallory")
        async with connect(f"{server.ws}/ws/auth?token={mallory.token}", proxy=None) as socket:
            await socket.recv()
            answer = await server.http.patch(
                f"/api/v1/admin/users/{mallory.id}", json={"disabled": True}, headers=root
            )
            assert answer.is_success
            async with asyncio.timeout(10):
                await socket.wait_closed()
            assert socket.close_code == 4000
        async with connect(f"{server.ws}/ws/auth?token={mallory.token}", proxy=None) as socket:
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 4000


async def test_a_second_process_is_kept_from_the_data(tmp_path: Path) -> None:
    async with running_server(data=tmp_path) as server:
        for command in (
            ("migrate",),
            ("admin", "create", "root"),
            ("serve", "--port", str(free_port())),
        ):
            code, printed = await run(
                *command, "--data", str(tmp_path), folder=tmp_path, given=PASSWORD + "\n"
            )
            assert code != 0, command
            assert f"process {server.pid}" in printed, command
            assert "Traceback" not in printed


async def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    code, printed = await run("migrate", "--data", str(tmp_path), folder=tmp_path)
    assert (code, "migrated to" in printed) == (0, True)
    code, printed = await run("migrate", "--data", str(tmp_path), folder=tmp_path)
    assert (code, "already at" in printed) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "env", "named"),
    [
        (("--dev", "--host", "0.0.0.0"), {}, "HOST"),
        (("--dev", "--open"), {}, "--dev"),
        ((), {"SECRET_KEY": "yoursecretkey"}, "SECRET_KEY"),
        (("--open",), {"SECRET_KEY": "xyzzy-17"}, "SECRET_KEY"),
        ((), {"ALGORITHM": "none"}, "ALGORITHM"),
        ((), {"DATABASE_URL": "postgresql://localhost/x"}, "DATABASE_URL"),
        ((), {"REDIS_URL": "redis://localhost:1"}, "REDIS_URL"),
        ((), {"HUBBUB_ORIGINS": "*"}, "HUBBUB_ORIGINS"),
        (("--port", "99999"), {}, "PORT"),
    ],
)
async def test_a_bad_setting_ends_the_start_with_a_sentence_that_names_it(
    tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], named: str
) -> None:
    code, printed = await run("serve", *arguments, folder=tmp_path, env=env)
    assert code == 1
    assert named in printed
    assert "Traceback" not in printed
    for value in env.values():
        if named == "SECRET_KEY":
            assert value not in printed


async def test_forced_mode_lets_guests_into_the_lobby_and_has_no_samples(tmp_path: Path) -> None:
    env = {"HUBBUB_OPEN": "force"}
    async with running_server(data=tmp_path, env=env) as server:
        headers = {"X-Forwarded-For": "203.0.113.7", "Host": "chat.example"}
        async with connect(server.ws + "/ws", proxy=None, additional_headers=headers) as socket:
            assert json.loads(await socket.recv())["user_id"] < 0
            await socket.send('{"type":"message","content":"hello"}')
            assert json.loads(await socket.recv())["content"] == "hello"
        answer = await server.http.post(
            "/auth/token", data={"username": "testuser", "password": PASSWORD}
        )
        assert answer.status_code == 401


@asynccontextmanager
async def under_plain_uvicorn(folder: Path) -> AsyncIterator[str]:
    """`uvicorn hubbub.main:app`, as its documentation says; the address comes back."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "uvicorn", "hubbub.main:app", "--port", str(port),
        cwd=folder,
        env=ENVIRONMENT | {"HUBBUB_OPEN": "loopback"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(60), httpx2.AsyncClient() as client:
            while True:
                assert process.returncode is None
                try:
                    ready = await client.get(f"http://127.0.0.1:{port}/readyz")
                except httpx2.TransportError:
                    await asyncio.sleep(0.05)
                    continue
                assert ready.status_code == 200
                break
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()
    assert process.returncode in (0, -15)


async def test_under_plain_uvicorn_the_portable_writer_serves_every_protocol(
    tmp_path: Path,
) -> None:
    async with under_plain_uvicorn(tmp_path) as address, asyncio.timeout(30):
        credentials = {"username": "testuser", "password": PASSWORD}
        async with httpx2.AsyncClient() as client:
            answer = await client.post(f"http://{address}/auth/token", data=credentials)
        token = answer.json()["access_token"]
        async with (
            connect(f"ws://{address}/ws/v1?token={token}", proxy=None) as native,
            connect(f"ws://{address}/ws/room/1?token={token}", proxy=None) as rooms,
            connect(f"ws://{address}/conversations/1/ws?token={token}", proxy=None) as talk,
            connect(f"ws://{address}/ws/room/999?token={token}", proxy=None) as unknown,
        ):
            await native.send('{"id":1,"type":"connect","channels":[{"channel":1}]}')
            assert json.loads(await native.recv())["result"]["channels"][0]["channel"] == 1
            for _ in range(3):
                await rooms.recv()
            await talk.recv()
            for number in range(20):
                await talk.send(json.dumps({"content": f"number {number}"}))
            heard: list[str] = []
            while len(heard) < 20:
                lines = str(await native.recv()).split("\n")
                heard += [json.loads(line)["content"] for line in lines]
            assert heard == [f"number {number}" for number in range(20)]
            assert [json.loads(await rooms.recv())["content"] for _ in range(20)] == heard
            await unknown.wait_closed()
            assert unknown.close_code == 4004


async def test_under_plain_uvicorn_a_message_that_is_too_large_is_1009(tmp_path: Path) -> None:
    async with under_plain_uvicorn(tmp_path) as address, asyncio.timeout(30):
        for path in ("/ws/echo", "/ws"):
            async with connect(f"ws://{address}{path}", proxy=None) as socket:
                await socket.send("x" * (256 * 1024 + 1))
                await socket.wait_closed()
                assert socket.close_code == 1009


async def test_development_mode_prints_where_everything_is(tmp_path: Path) -> None:
    async with running_server(data=tmp_path, dev=True) as server:
        for place in ("/static/chat.html", "/docs", "/dev/mail"):
            assert f"{server.url}{place}\n" in server.printed()
            assert (await server.http.get(place)).status_code == 200
    async with running_server(data=tmp_path) as server:
        assert "/dev/mail" not in server.printed().rpartition("is ready")[2]


async def test_a_body_that_does_not_come_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async with running_server(data=tmp_path) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = "POST /api/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        # What is sent after it has arrived after it: another connection's request is answered.
        await server.http.get("/healthz")
        await server.stop()
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'"code": "unavailable"' in answer
        assert "Traceback" not in server.printed()
