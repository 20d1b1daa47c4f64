"""What every test of the hub starts from."""

import logging
from collections.abc import Iterator

import pytest

from tests.hub.conversation import Client


@pytest.fixture(params=[True, False], ids=["heard", "received"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions are given texts as the direct writer does it (True), or receive them all."""
    monkeypatch.setattr(Client, "hears", request.param)


@pytest.fixture(autouse=True)
def no_redaction() -> Iterator[None]:
    """Whatever an application made by another test installed, these tests look at the log lines as
    the protocols write them."""
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "uvicorn.access")]
    filters = [list(logger.filters) for logger in loggers]
    for logger in loggers:
        logger.filters.clear()
    yield
    for logger, before in zip(loggers, filters, strict=True):
        logger.filters[:] = before
