"""One development server for all examples, a developer's console, and the Python of the tests."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page

from tests.e2e.browser import browser
from tests.support.server import Server, running_server

__all__ = ["browser"]

EMPTY_PAGE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
    b'<!doctype html><link rel="icon" href="data:,">'
)


class Console:
    """The developer's console of a page: runs code piece by piece, as if it were typed in."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._logged: asyncio.Queue[ConsoleMessage] = asyncio.Queue()
        page.on("console", self._logged.put_nowait)

    async def run(self, code: str) -> None:
        """Types in some code; what it awaits is waited for.

        Raises:
            AssertionError: it threw something.
        """
        session = await self._page.context.new_cdp_session(self._page)
        options = {"expression": code, "replMode": True, "awaitPromise": True}
        result = await session.send("Runtime.evaluate", options)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        await session.detach()

    async def logged(self) -> list[Any]:
        """The arguments of the next call of `console.log` and the like, or what the browser itself
        had to say."""
        async with asyncio.timeout(20):
            message = await self._logged.get()
        if message.args:
            return [await argument.json_value() for argument in message.args]
        return [message.text]


OpenConsole = Callable[[str], Awaitable[Console]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def dev() -> AsyncIterator[Server]:
    """A server in development mode; `localhost` leads there, too."""
    async with running_server(dev=True) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def frontend() -> AsyncIterator[str]:
    """An empty page that somebody else serves on this machine, as who develops a page does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(EMPTY_PAGE)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://localhost:{server.sockets[0].getsockname()[1]}/"


@pytest_asyncio.fixture(loop_scope="session")
async def open_console(browser: Browser) -> AsyncIterator[OpenConsole]:
    """Opens a page, and its console."""
    context = await browser.new_context()

    async def open_at(url: str) -> Console:
        page = await context.new_page()
        await page.goto(url)
        return Console(page)

    yield open_at
    await context.close()


class Script:
    """A Python program that runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def printed(self) -> str:
        """The next line it prints."""
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            return (await self._process.stdout.readline()).decode().rstrip("\n")


@asynccontextmanager
async def running_script(source: str) -> AsyncIterator[Script]:
    """Runs a program in a process of its own, which is ended in the end."""
    env = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-c", source, env=env,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield Script(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
