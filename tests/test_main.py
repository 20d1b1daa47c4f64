"""What runs beside the requests."""

import asyncio

import pytest

from hubbub import main


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
