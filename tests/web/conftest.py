"""One application in closed mode for the tests of the REST, and four people in it.

Tests make channels of their own and leave the people as they are.
"""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.app import AppClient, app_client

session_wide = pytest_asyncio.fixture(scope="session", loop_scope="session")


@session_wide
async def anyone() -> AsyncIterator[AppClient]:
    """Somebody without a token."""
    # Mail is taken, and goes nowhere: nobody listens there.
    options = {"smtp_server": "127.0.0.1", "smtp_port": 9}
    async with app_client(message_rate=0, admin="root", login_failures=0, **options) as client:
        yield client


@session_wide
async def alice(anyone: AppClient) -> AppClient:
    return await anyone.register("alice")


@session_wide
async def bob(anyone: AppClient) -> AppClient:
    return await anyone.register("bob")


@session_wide
async def carol(anyone: AppClient) -> AppClient:
    return await anyone.register("carol")


@session_wide
async def root(anyone: AppClient) -> AppClient:
    """An administrator."""
    return await anyone.log_in("root")
