"""`make bench`: measures everything, prints the table, writes JSON and a plot.

Exits 1 when a message was lost or doubled or refused; never because something was slow.
"""

import argparse
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import peer
from bench.comparisons import Comparison, comparisons, evaluate
from bench.measure import Bench, Kind, Sample, Subject, Workload, workshop
from bench.plot import draw
from bench.programs import HERE, build
from bench.report import describe, remarks, table, write_json

SPARE_FILES = 200
IDLE_ROUNDS = 2
"""Memory differs little from round to round, and opening thousands of sockets takes its time."""

Round = Mapping[tuple[Workload, Subject], Sample]


@dataclass(frozen=True, slots=True)
class Settings:
    """How thoroughly to measure, and where."""

    rounds: int
    seconds: float
    quick: bool
    server_core: int
    load_core: int


def main(argv: Sequence[str] | None = None) -> int:
    """Run the bench; the exit code."""
    options = _parser().parse_args(argv)
    cores = sorted(os.sched_getaffinity(0))
    settings = Settings(
        rounds=options.rounds or (2 if options.quick else 5),
        seconds=options.seconds or (0.5 if options.quick else 1.5),
        quick=options.quick,
        server_core=cores[0],
        load_core=cores[-1],
    )
    missing = peer.install() if options.only in (None, Kind.SIGNALS) else ""
    if missing:
        print(f"The `peer` server from npm is left out: {missing}.", flush=True)
    wanted = [
        comparison
        for comparison in comparisons(quick=options.quick, peer=not missing)
        if options.only in (None, comparison.workload.kind)
    ]
    _raise_file_limit(max(comparison.workload.connections for comparison in wanted))
    print(
        f"Each server on core {settings.server_core}, all its threads; the load generator on core"
        f" {settings.load_core}. {settings.rounds} rounds, for each measurement a fresh process"
        " and data folder.",
        flush=True,
    )
    with workshop() as folder:
        bench = Bench(build(), folder, (settings.server_core, settings.load_core))
        for workload, subject in _one_each(wanted):
            bench.try_start(workload, subject)
        rounds = [_round(bench, wanted, number, settings) for number in range(settings.rounds)]
    return _report(options.out, settings, wanted, rounds)


def _round(bench: Bench, wanted: Sequence[Comparison], number: int, settings: Settings) -> Round:
    """Every subject of every workload once, one after another, so that a ratio's two sides meet
    the same noise."""
    samples = {}
    for workload in dict.fromkeys(comparison.workload for comparison in wanted):
        if workload.kind is Kind.IDLE and number >= IDLE_ROUNDS:
            continue
        for subject in workload.subjects:
            sample = bench.measure(workload, subject, settings.seconds)
            samples[workload, subject] = sample
            print(f"round {number + 1}: {describe(sample)}", file=sys.stderr, flush=True)
            if sample.faults:
                print(f"LOST OR DOUBLED: {sample.faults}", flush=True)
    return samples


def _one_each(wanted: Sequence[Comparison]) -> Sequence[tuple[Workload, Subject]]:
    """Every subject with one of its workloads."""
    found = {
        subject: comparison.workload
        for comparison in wanted
        for subject in comparison.workload.subjects
    }
    return [(workload, subject) for subject, workload in found.items()]


def _report(
    out: Path, settings: Settings, wanted: Sequence[Comparison], rounds: Sequence[Round]
) -> int:
    results = []
    for comparison in wanted:
        sound = _sound(comparison.workload, rounds)
        if sound:
            results.append(evaluate(comparison, sound))
    samples = [sample for samples in rounds for sample in samples.values()]
    print(f"\n{table(results)}\n")
    for remark in remarks(samples):
        print(remark)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "results.json", asdict(settings), results, samples)
    draw(out / "results.png", results)
    print(f"{out / 'results.json'}, {out / 'results.png'}")
    faulty = sorted({describe(sample) for sample in samples if sample.faults})
    for words in faulty:
        print(f"LOST OR DOUBLED: {words}")
    return 1 if faulty else 0


def _sound(workload: Workload, rounds: Sequence[Round]) -> Sequence[Mapping[Subject, Sample]]:
    """The rounds in which all subjects of the workload were measured and lost nothing."""
    found = []
    for samples in rounds:
        taken = {s: samples[workload, s] for s in workload.subjects if (workload, s) in samples}
        if len(taken) == len(workload.subjects) and not any(s.faults for s in taken.values()):
            found.append(taken)
    return found


def _raise_file_limit(connections: int) -> None:
    """For us and the processes we start.

    Raises:
        SystemExit: the system does not allow as many.
    """
    needed = connections + SPARE_FILES
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SystemExit(f"the limit of open files is {hard}, and {needed} are needed: ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(needed, 1024), hard))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run with fewer sockets")
    parser.add_argument("--only", type=Kind, choices=list(Kind), help="one kind of workload")
    parser.add_argument("--rounds", type=int, help="how often each is measured")
    parser.add_argument("--seconds", type=float, help="how long messages are sent each time")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="where results go")
    return parser


if __name__ == "__main__":
    sys.exit(main())
