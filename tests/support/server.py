"""The real server, as a process of its own.

    async with running_server(data=tmp_path) as server:
        alice = await server.account("alice")
        room = await server.channel(alice, "general", [await server.account("bob")])
        await server.kill9()
        await server.restart()

It listens on a free port of 127.0.0.1 and keeps its data folder, port and environment over
restarts. Of the environment of the tests it sees nothing that could be a setting.
"""

import asyncio
import os
import random
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

PASSWORD = "TestPassword123"
HUBBUB = Path(sys.executable).with_name("hubbub")
START_SECONDS = 60
STOP_SECONDS = 20
PAGE = 200

NO_LIMITS: Mapping[str, str] = {
    "HUBBUB_MESSAGE_RATE": "0",
    "HUBBUB_MESSAGE_BURST": "0",
    "HUBBUB_FRAME_RATE": "0",
    "HUBBUB_SOCKETS_PER_USER": "0",
    "HUBBUB_SOCKETS_PER_ADDRESS": "0",
}
"""For tests that send faster, or open more sockets, than a person would be allowed to."""

_SEED_SETTINGS = ("DATABASE_URL", "SECRET_KEY", "ALGORITHM", "ACCESS_TOKEN", "REDIS_", "SMTP_")


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody with a password (`PASSWORD`) and an access token."""

    id: int
    name: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """What authenticates a request."""
        return {"Authorization": f"Bearer {self.token}"}


class Server:
    """A server process. `http` sends requests to it; paths are enough."""

    def __init__(
        self,
        port: int,
        data: Path,
        options: Sequence[str],
        env: Mapping[str, str],
        wrap: Sequence[str],
    ) -> None:
        self.port = port
        self.data = data
        self.url = f"http://127.0.0.1:{port}"
        self.ws = f"ws://127.0.0.1:{port}"
        self.http = httpx2.AsyncClient(base_url=self.url, timeout=30)
        self.log = data / "server.log"
        self._command = [
            *wrap, str(HUBBUB), "serve", *options,
            "--host", "127.0.0.1", "--port", str(port), "--data", str(data),
        ]  # fmt: skip
        self._env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HUBBUB_", "EMAIL_", *_SEED_SETTINGS))
        } | {"PYTHONFAULTHANDLER": "1", **env}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process's id; with `wrap`, that of the wrapping program."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Starts the process and waits until `/readyz` says 200.

        Raises:
            RuntimeError: it ended, or did not get ready; with the end of what it printed.
        """
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, cwd=self.data, env=self._env, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self._ready():
                    if self._process.returncode is not None:
                        raise RuntimeError(f"the server ended:\n{self.printed()[-4000:]}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise RuntimeError(f"the server is not ready:\n{self.printed()[-4000:]}") from None

    async def kill9(self) -> None:
        """Kills the process at once, as `kill -9` does, and waits until it is gone."""
        await self._signal(signal.SIGKILL)

    async def stop(self) -> None:
        """Asks the process to end (SIGTERM) and waits for it.

        Raises:
            RuntimeError: it did not end; with where its threads were when it was aborted instead.
        """
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._signal(signal.SIGTERM)
        except TimeoutError:
            await self._signal(signal.SIGABRT)
            raise RuntimeError(
                f"SIGTERM did not end the server:\n{self.printed()[-8000:]}"
            ) from None

    async def restart(self) -> None:
        """Starts the process again on the same data and port, stopping it first if it runs."""
        await self.stop()
        await self.start()

    def printed(self) -> str:
        """Everything the process has printed, over all its starts."""
        return self.log.read_text(errors="replace")

    async def account(self, name: str) -> Account:
        """Registers somebody, if need be, and logs them in."""
        credentials = {"username": name, "password": PASSWORD}
        await self.http.post("/api/users/", json=credentials)
        answer = await self.http.post("/api/v1/auth/login", json=credentials)
        answer.raise_for_status()
        token = answer.json()["access_token"]
        me = await self.http.get("/api/users/me/", headers={"Authorization": f"Bearer {token}"})
        me.raise_for_status()
        return Account(me.json()["id"], name, token)

    async def channel(
        self,
        owner: Account,
        name: str,
        members: Sequence[Account] = (),
        *,
        private: bool = False,
    ) -> int:
        """A room of the owner's with these members besides; returns its id."""
        body = {
            "kind": "room",
            "name": name,
            "private": private,
            "members": [member.name for member in members],
        }
        answer = await self.http.post("/api/v1/channels", json=body, headers=owner.headers)
        answer.raise_for_status()
        return int(answer.json()["id"])

    async def events(self, reader: Account, channel: int, after: int = 0) -> list[dict[str, Any]]:
        """All durable events after a `seq`, oldest first, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            answer = await self.http.get(
                f"/api/v1/channels/{channel}/events",
                params={"after": after, "limit": PAGE},
                headers=reader.headers,
            )
            answer.raise_for_status()
            page = answer.json()
            found += page
            if len(page) < PAGE:
                return found
            after = page[-1]["seq"]

    async def aclose(self) -> None:
        """Stops the process and closes the client."""
        try:
            await self.stop()
        finally:
            await self.http.aclose()

    async def _signal(self, number: signal.Signals) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        os.killpg(self._process.pid, number)
        await self._process.wait()

    async def _ready(self) -> bool:
        try:
            return (await self.http.get("/readyz")).status_code == 200
        except httpx2.TransportError:
            return False


def free_port() -> int:
    """A port of 127.0.0.1 nobody listens on. It is below those the system hands out by itself, so
    that nobody is given it while the server is down."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@asynccontextmanager
async def running_server(
    *,
    dev: bool = False,
    data: Path | None = None,
    port: int | None = None,
    env: Mapping[str, str] | None = None,
    wrap: Sequence[str] = (),
) -> AsyncIterator[Server]:
    """A server that is ready, and is stopped in the end.

    Args:
        dev: development mode (`--dev`), which has the sample data.
        data: its data folder; a temporary one without.
        port: its port; a free one without.
        env: settings, as environment variables.
        wrap: a command that runs the server, such as `strace`.
    """
    with tempfile.TemporaryDirectory(prefix="hubbub-") as temporary:
        folder = (data or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        options = ["--dev"] if dev else []
        server = Server(port or free_port(), folder, options, env or {}, wrap)
        try:
            await server.start()
            yield server
        finally:
            await server.aclose()
