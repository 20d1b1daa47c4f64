"""The whole application in this process, without a socket.

async with app_client(dev=True) as client:
    alice = await client.register("alice")
    answer = await alice.get("/api/users/me")
"""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import httpx2

from hubbub import main
from hubbub.auth.passwords import Parameters, Passwords
from hubbub.config import Settings
from hubbub.storage.sqlite import SqliteStorage
from hubbub.web.deps import Services

PASSWORD = "TestPassword123"
CHEAP = Parameters(memory=64, passes=1, lanes=1)
SECRET = "a secret of thirty-two bytes and more"


class AppClient(httpx2.AsyncClient):
    """Sends requests to an application. `app` is the application, `id` and `name` are whose token
    it carries: 0 and nothing as long as it carries none."""

    def __init__(self, app: main.Hubbub, token: str | None = None, **options: Any) -> None:
        super().__init__(
            transport=httpx2.ASGITransport(app),
            base_url="http://127.0.0.1:8000",
            headers={} if token is None else {"Authorization": f"Bearer {token}"},
            **options,
        )
        self.app = app
        self.id = 0
        self.name = ""
        self.tokens: dict[str, Any] = {}

    @property
    def services(self) -> Services:
        """What the routes work with."""
        services = self.app.api.state.services
        assert isinstance(services, Services)
        return services

    async def register(self, name: str) -> Self:
        """Makes an account with the password `PASSWORD`; a client that is logged in comes back."""
        body = {"username": name, "password": PASSWORD}
        assert (await self.post("/api/users", json=body)).status_code == 201
        return await self.log_in(name)

    async def log_in(self, name: str, password: str = PASSWORD) -> Self:
        """A client that is logged in; this one stays what it is."""
        body = {"username": name, "password": password}
        answer = await AppClient(self.app).post("/api/token", json=body)
        assert answer.status_code == 200, answer.text
        client = type(self)(self.app, answer.json()["access_token"])
        me = (await client.get("/api/v1/me")).json()
        client.id, client.name, client.tokens = me["id"], me["username"], answer.json()
        return client

    async def channel(self, *members: str, kind: str = "room", private: bool = False) -> int:
        """Makes a channel with these people in it; its id comes back."""
        body = {"kind": kind, "name": "General", "private": private, "members": members}
        answer = await self.post("/api/v1/channels", json=body)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])


@asynccontextmanager
async def app_client(
    *, dev: bool = False, data: Path | None = None, admin: str | None = None, **settings: Any
) -> AsyncIterator[AppClient]:
    """A running application, in open loopback mode when `dev`, and a client without a token.
    `admin` is the name of an administrator to make first, with the password `PASSWORD`.

    Passwords are hashed cheaply: what a hash costs is no matter of the routes.
    """
    with tempfile.TemporaryDirectory() as folder:
        given = {"secret_key": SECRET, "data_dir": data or Path(folder), **settings}
        if dev:
            given["open"] = "loopback"
        app = main.create_app(Settings(**given))
        if admin is not None:
            await _add_admin(app.settings, admin)
        with patch.object(main, "Passwords", lambda: Passwords(CHEAP)):
            async with app.running(), AppClient(app) as client:
                yield client


async def _add_admin(settings: Settings, name: str) -> None:
    passwords = Passwords(CHEAP)
    storage = await SqliteStorage.open(settings.database, lambda _: None)
    await storage.add_account(name, await passwords.hash(PASSWORD), None, admin=True)
    await storage.close()
    passwords.close()
