"""The table, the JSON and the plot of a run."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from bench.comparisons import Result
from bench.measure import Sample
from bench.servers import ROOT

PACKAGES = ("uvicorn", "websockets", "uvloop", "fastapi", "sqlalchemy", "msgspec")
LOUD = 0.25
"""The share of signals left out of a latency from which on that is of too few moments."""
SATURATED = 0.95
"""The share of its core from which on the load generator may be what limits a rate."""


def table(results: Sequence[Result]) -> str:
    """The results in columns: Hubbub's figure, the other's, their ratio and the target."""
    rows: list[tuple[str, ...]] = [
        ("", "hubbub", "against", "ratio", "of the rounds", "target", "")
    ]
    rows += [_row(result) for result in results]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _row(result: Result) -> tuple[str, ...]:
    alone = result.other is None
    sign = "" if alone else " x"
    against = "" if alone else f"{_number(result.other)} {result.unit}, {result.against}"
    target = ""
    if result.limit is not None:
        bound = "≥" if result.at_least else "≤"
        target = f"{bound} {_number(result.limit)}{sign}"
    return (
        result.label,
        f"{_number(result.value)} {result.unit}",
        against,
        f"{_number(result.ratio)}{sign}",
        f"{_number(result.low)} to {_number(result.high)}",
        target,
        {True: "met", False: "NOT MET", None: ""}[result.met],
    )


def _number(value: float | None) -> str:
    assert value is not None
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def remarks(samples: Sequence[Sample]) -> Sequence[str]:
    """What a reader of the table should know."""
    found = _stalls([sample for sample in samples if sample.timed])
    for sample in samples:
        busy = sample.load_cpu / sample.seconds
        if sample.workload.sends and not sample.faults and busy > SATURATED:
            found.append(
                f"{describe(sample)}: the load generator was busy {busy:.0%} of the time; the rate"
                " may be its own"
            )
    return sorted(set(found))


def _stalls(samples: Sequence[Sample]) -> list[str]:
    if any(sample.stalled < 0 for sample in samples):
        return ["latencies are the machine's too: who runs this may not watch it (CAP_SYS_NICE)"]
    shares = [sample.stalled / sample.timed for sample in samples]
    if not any(shares):
        return []
    return [
        f"the machine stood still when {min(shares):.1%} to {max(shares):.1%} of the signals of a"
        f" measurement were sent, in the middle {median(shares):.1%}: their latency does not count",
        *(
            f"{describe(sample)}: {share:.0%} of the signals of a measurement were sent when the"
            " machine stood still; its latency is worth little"
            for sample, share in zip(samples, shares, strict=True)
            if share > LOUD
        ),
    ]


def describe(sample: Sample) -> str:
    """The sample's workload and subject in words."""
    load = sample.workload
    shape = f"{load.rooms} x {load.members}"
    if load.sends:
        shape += f", {load.in_flight} in flight"
    elif load.rate:
        shape += f", {load.rate:,} a second"
    elif load.headers == "browser":
        shape += ", a browser's headers"
    return f"{load.kind} {shape}, {sample.subject}"


def machine() -> dict[str, Any]:
    """Where and with what it was measured."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    git = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False)
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "commit": commit.stdout.strip() if commit.returncode == 0 else None,
    }


def write_json(
    path: Path, settings: dict[str, Any], results: Sequence[Result], samples: Sequence[Sample]
) -> None:
    """Everything, with each single measurement."""
    document = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "settings": settings,
        "results": [asdict(result) | {"met": result.met} for result in results],
        "samples": [asdict(sample) for sample in samples],
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
