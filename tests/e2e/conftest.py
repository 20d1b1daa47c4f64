"""The browser, a development server for the tests that leave it running, and people who chat."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext

from tests.e2e.browser import PATIENCE_MS, browser
from tests.e2e.person import Person
from tests.support.server import Server, running_server

__all__ = ["browser"]

Meet = Callable[..., Awaitable[Person]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def dev_server() -> AsyncIterator[Server]:
    """A server in development mode. Tests make conversations of their own in it."""
    async with running_server(dev=True) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def meet(browser: Browser) -> AsyncIterator[Meet]:
    """Opens a browser window of somebody's own: `await meet(server, "alice", conversation=5)` is at
    the login form. Takes the options of a browser context besides."""
    contexts: list[BrowserContext] = []

    async def open_window(
        server: Server, name: str, *, conversation: int | None = None, **options: object
    ) -> Person:
        context = await browser.new_context(**options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        person = Person(server, name, await context.new_page())
        await person.visit(conversation)
        return person

    yield open_window
    for context in contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def talk(dev_server: Server) -> int:
    """A new conversation of testuser and alice."""
    testuser = await dev_server.account("testuser")
    answer = await dev_server.http.post(
        "/conversations/",
        json={"title": "A talk", "participants": ["alice"]},
        headers=testuser.headers,
    )
    answer.raise_for_status()
    return int(answer.json()["id"])
