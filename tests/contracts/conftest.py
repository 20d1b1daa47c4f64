"""The adapters that have to pass."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hubbub.storage.migrate import migrate
from hubbub.storage.sqlite import writing_engine
from tests.contracts.stored import SqliteAdapter, Stored


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database with nothing in it."""
    path = tmp_path_factory.mktemp("template") / "hubbub.db"
    migrate(writing_engine(path))
    return path


@pytest_asyncio.fixture(loop_scope="function", params=["sqlite"])
async def stored(
    request: pytest.FixtureRequest, tmp_path: Path, template: Path
) -> AsyncIterator[Stored]:
    """An open storage of each adapter."""
    adapters = {"sqlite": SqliteAdapter}
    stored = Stored(adapters[request.param](tmp_path, template))
    await stored.open()
    yield stored
    stored.clock.release()
    await stored.storage.close()
