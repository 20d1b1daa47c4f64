"""The two backends of docs/external-identity.md, as the page prints them, each beside a closed
server with the page's settings. Only hosts, ports and the secret are filled in."""

import asyncio
import os
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.examples.printed import filled
from tests.support.server import PASSWORD, Server, free_port, running_server

PAGE = (Path(__file__).parents[2] / "docs" / "external-identity.md").read_text()
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
SITE, CHAT = "https://www.example.com", "wss://chat.example.com"
DEADLINE = 40

# What the page takes for granted: a Django project as `startproject` makes it, with a page, and the
# view that whoever uses SimpleJWT has.
DJANGO_SETTINGS = """
INSTALLED_APPS += ["rest_framework"]
"""
DJANGO_URLS = """
from django.http import HttpResponse
from django.urls import path
from rest_framework_simplejwt.views import TokenObtainPairView

urlpatterns = [
    path("", lambda request: HttpResponse('<link rel="icon" href="data:,">')),
    path("api/token/", TokenObtainPairView.as_view()),
]
"""
DJANGO_PEOPLE = f"""
from django.contrib.auth.models import User

User.objects.create_user("alice", password={PASSWORD!r}, id=7, is_staff=True)
User.objects.create_user("bob", password={PASSWORD!r}, id=8)
"""
FASTAPI_USERS = """
from dataclasses import dataclass
from typing import Annotated

from fastapi import Cookie


@dataclass
class User:
    id: int
    name: str
    roles: list[str]


PEOPLE = {"alice": User(7, "alice", ["editor", "admin"]), "bob": User(8, "bob", ["editor"])}


def current_user(session: Annotated[str, Cookie()]) -> User:
    return PEOPLE[session]
"""


def block(language: str, having: str) -> str:
    """The page's one block of a language that has these words."""
    (found,) = [text for name, text in BLOCKS if name == language and having in text]
    return found


def command(pattern: str) -> list[str]:
    """A command that the page prints."""
    (found,) = re.findall(pattern, PAGE, re.MULTILINE)
    return shlex.split(found)


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend, and the server that takes its tokens."""

    http: httpx2.AsyncClient
    server: Server

    @property
    def url(self) -> str:
        """The origin of the backend's pages."""
        return str(self.http.base_url).rstrip("/")

    def of_a_page(self, token: str) -> dict[str, Any]:
        """How a browser opens a socket for the backend's pages."""
        return {"subprotocols": ["bearer", token], "origin": self.url}


async def who(server: Server, token: str) -> httpx2.Response:
    """Who a token is of, as a server says."""
    return await server.http.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})


@asynccontextmanager
async def running_django(folder: Path) -> AsyncIterator[Backend]:
    """Django with SimpleJWT, alice (7, staff) and bob (8), whose password is `PASSWORD`."""
    line = command(r"^    (python3 -c .*)$")
    secret = run(*line[1:], cwd=folder).strip()
    run("-m", "django", "startproject", "backend", str(folder), cwd=folder)
    with (folder / "backend" / "settings.py").open("a") as settings:
        settings.write(DJANGO_SETTINGS + block("python", "# settings.py"))
    (folder / "backend" / "urls.py").write_text(DJANGO_URLS)
    (folder / "accounts").mkdir()
    (folder / "accounts" / "__init__.py").touch()
    (folder / "accounts" / "tokens.py").write_text(block("python", "# accounts/tokens.py"))
    env = {"CHAT_JWT_SECRET": secret}
    run("manage.py", "migrate", cwd=folder, env=env)
    run("manage.py", "shell", "-c", DJANGO_PEOPLE, cwd=folder, env=env)
    port = free_port()
    serve = ("manage.py", "runserver", "--noreload", f"127.0.0.1:{port}")
    async with (
        serving(*serve, cwd=folder, port=port, env=env) as http,
        trusting(port, folder, "HUBBUB_JWT_SECRET", {"<the secret>": secret}) as server,
    ):
        yield Backend(http, server)


@asynccontextmanager
async def running_fastapi(folder: Path) -> AsyncIterator[Backend]:
    """FastAPI with a key of its own; alice has the role `admin`, bob has not."""
    port = free_port()
    make_key(folder)
    async with (
        serving_fastapi(folder, port) as http,
        trusting(port, folder, "HUBBUB_JWT_JWKS_URL") as server,
    ):
        yield Backend(http, server)


def make_key(folder: Path) -> None:
    """Makes a key as the page does, in place of the one there is."""
    subprocess.run(command(r"`(openssl [^`]+)`"), cwd=folder, check=True, capture_output=True)


@asynccontextmanager
async def serving_fastapi(
    folder: Path, port: int, changes: Mapping[str, str] | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """The process alone, with the key that is there, and a client of it."""
    source = filled(block("python", "FastAPI()"), {SITE: site(port), **(changes or {})})
    (folder / "main.py").write_text(source)
    (folder / "users.py").write_text(FASTAPI_USERS)
    serve = ("-m", "uvicorn", "main:app", "--port", str(port))
    async with serving(*serve, cwd=folder, port=port) as http:
        yield http


@asynccontextmanager
async def trusting(
    port: int, folder: Path, having: str, placeholders: Mapping[str, str] | None = None
) -> AsyncIterator[Server]:
    """A closed server, with the page's settings in the `.env` file of its working folder."""
    data = folder / "hubbub"
    data.mkdir()
    settings = filled(block("sh", having), {SITE: site(port), **(placeholders or {})})
    (data / ".env").write_text(settings)
    async with running_server(data=data) as server:
        yield server


def site(port: int) -> str:
    """The origin of a backend on this machine."""
    return f"http://127.0.0.1:{port}"


def run(*words: str, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """What Python prints until it ends, which it does well."""
    done = subprocess.run(
        [sys.executable, *words], cwd=cwd, env={**os.environ, **(env or {})},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@asynccontextmanager
async def serving(
    *words: str, cwd: Path, port: int, env: Mapping[str, str] | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """Python as a server, from when it answers on, and a client of it."""
    log = cwd / "backend.log"
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *words, cwd=cwd, env={**os.environ, **(env or {})},
            stdout=output, stderr=output,
        )  # fmt: skip
    try:
        async with httpx2.AsyncClient(
            base_url=site(port), trust_env=False, timeout=DEADLINE
        ) as http:
            async with asyncio.timeout(DEADLINE):
                while not await answers(http):
                    assert process.returncode is None, log.read_text()
                    await asyncio.sleep(0.05)
            yield http
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def answers(http: httpx2.AsyncClient) -> bool:
    """Whether anybody listens there."""
    try:
        await http.get("/")
    except httpx2.TransportError:
        return False
    return True
