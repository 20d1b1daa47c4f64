"""The end of a run: everything is delivered, the final histories are read, the checker judges."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from tests.chaos.checker import Access, Anomaly, check
from tests.chaos.client import Client
from tests.chaos.record import Item, Record, items_of
from tests.support.server import Account, Server

DRAIN_SECONDS = 30


async def final_histories(server: Server, readers: Mapping[int, Account]) -> dict[int, list[Item]]:
    """Every channel's events, as somebody who may read it gets them."""
    return {ch: list(items_of(await server.events(who, ch))) for ch, who in readers.items()}


async def drained(clients: Iterable[Client], histories: Mapping[int, list[Item]]) -> None:
    """Waits until all clients have been shown everything, or long enough: what is missing then
    is for the checker to report."""
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            for client in clients:
                for ch in client.cursors:
                    await client.reach(ch, histories[ch][-1].seq)


def assert_faultless(
    record: Record, histories: Mapping[int, list[Item]], access: Iterable[Access], folder: Path
) -> None:
    """Fails when the checker finds anything, keeping record and histories in the folder."""
    anomalies = check(record.operations, histories, access)
    if not anomalies:
        return
    record.dump(folder / "record.jsonl")
    final = {ch: [asdict(item) for item in items] for ch, items in histories.items()}
    (folder / "histories.json").write_text(json.dumps(final))
    raise AssertionError(_report(anomalies, folder))


def _report(anomalies: list[Anomaly], folder: Path) -> str:
    shown = "\n".join(map(str, anomalies[:20]))
    return f"{len(anomalies)} anomalies; the record is in {folder}\n{shown}"
