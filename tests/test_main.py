"""What runs beside the requests."""

import asyncio
from typing import Any, NoReturn

import pytest

from hubbub import main
from hubbub.core.errors import Conflict


async def test_what_fails_once_is_done_again_and_stops_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(main, "TICK_SECONDS", 0)
    done: list[str] = []
    enough = asyncio.Event()

    def fails() -> None:
        done.append("failed")
        raise ValueError("a mistake")

    def works() -> None:
        done.append("worked")
        if len(done) == 4:
            enough.set()

    ticking = asyncio.create_task(main._tick(fails, works))
    async with asyncio.timeout(10):
        await enough.wait()
    ticking.cancel()
    await ticking
    assert done[:4] == ["failed", "worked"] * 2
    assert "a mistake" in caplog.text


async def test_a_sample_name_that_is_somebody_elses_keeps_no_server_from_starting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Taken:
        async def ensure_sample_accounts(self, *names: object) -> NoReturn:
            raise Conflict("this username is taken", "username_taken")

    accounts, untouched = Taken(), object()
    await main._add_samples(*_as_any(accounts, untouched))
    assert "no sample data" in caplog.text


def _as_any(*values: object) -> tuple[Any, ...]:
    return values
