"""What is measured against what, and what each ratio is to be."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.measure import Kind, Sample, Subject, Workload

IDLE_SOCKETS = (80, 100)
CONNECTIONS = (20, 100)
SIGNAL_RATE = 5000
"""Signals a second, from all senders together."""

_NAMES = {
    Subject.CONFERENCE: "conference",
    Subject.RELAY: "relay",
    Subject.PEERJS: "peerjs",
    Subject.NATIVE: "native",
    Subject.PEER: "npm's peer",
    Subject.TUTORIAL: "FastAPI relay",
}

Figure = Callable[[Sample], float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A figure of `subject`, which is Hubbub where there is a target, over one of another subject's
    in the same round, or alone when there is no other. `limit` is the target: the most, or with
    `at_least` the least; None is for information."""

    label: str
    workload: Workload
    unit: str
    figure: Figure
    against: Subject | None = None
    against_figure: Figure | None = None
    limit: float | None = None
    at_least: bool = False
    subject: Subject = Subject.HUBBUB


@dataclass(frozen=True, slots=True)
class Result:
    """Medians over the rounds; `ratio` is the median of the rounds' ratios, from `low` to `high`.
    Without another subject it is the figure itself."""

    label: str
    unit: str
    value: float
    against: str | None
    other: float | None
    ratio: float
    low: float
    high: float
    limit: float | None
    at_least: bool
    rounds: int

    @property
    def met(self) -> bool | None:
        """Whether the target is met, None when there is none."""
        if self.limit is None:
            return None
        return self.ratio >= self.limit if self.at_least else self.ratio <= self.limit


def cpu_per_delivery(sample: Sample) -> float:
    """Microseconds of the server's CPU per message and receiver."""
    return sample.cpu / sample.deliveries * 1e6


def cpu_per_message(sample: Sample) -> float:
    """Microseconds of the server's CPU per message, everything included."""
    return sample.cpu / sample.messages * 1e6


def rate(sample: Sample) -> float:
    """Messages a second."""
    return sample.messages / sample.seconds


def cpu_per_connection(sample: Sample) -> float:
    """Microseconds of the server's CPU per connection."""
    return sample.cpu / sample.connections * 1e6


def memory(sample: Sample) -> float:
    """KiB of resident memory per connection."""
    return sample.grown / sample.connections / 1024


def median_latency(sample: Sample) -> float:
    """The median latency of a signal, in microseconds."""
    return sample.median * 1e6


def p99_latency(sample: Sample) -> float:
    """The latency of a signal that one in a hundred exceeds, in microseconds."""
    return sample.p99 * 1e6


def comparisons(*, quick: bool = False, peer: bool = True) -> Sequence[Comparison]:
    """Everything that is compared; `quick` opens fewer sockets, without `peer` the server from npm
    is left out."""
    rooms, members = (20, 100) if quick else IDLE_SOCKETS
    dials = (5, 100) if quick else CONNECTIONS
    idle = f"idle socket, one of {rooms * members:,}"
    connect = Workload(Kind.CONNECT, (Subject.HUBBUB, Subject.BARE), *dials)
    return [
        *_fan_out(1, 2.0, None),
        *_fan_out(4, 2.4, 1 / 4),
        *_fan_out(16, 2.8, 1 / 8),
        Comparison(
            "100 rooms of 5, 4 in flight, a message",
            Workload(Kind.ROOMS, (Subject.HUBBUB, Subject.FLOOR_PER_MESSAGE), 100, 5, 4),
            "µs",
            cpu_per_message,
            Subject.FLOOR_PER_MESSAGE,
            cpu_per_delivery,
            20.0,
        ),
        Comparison(
            "100 rooms of 2, 8 in flight",
            Workload(Kind.ROOMS, (Subject.HUBBUB, Subject.BASELINE), 100, 2, 8),
            "messages/s",
            rate,
            Subject.BASELINE,
            rate,
            20.0,
            at_least=True,
        ),
        Comparison(
            idle,
            Workload(Kind.IDLE, (Subject.HUBBUB,), rooms, members),
            "KiB",
            memory,
            limit=20.0,
        ),
        Comparison(
            f"{idle}, a browser's headers",
            Workload(Kind.IDLE, (Subject.HUBBUB,), rooms, members, headers="browser"),
            "KiB",
            memory,
        ),
        Comparison(
            "connecting with a token",
            connect,
            "µs",
            cpu_per_connection,
            Subject.BARE,
            cpu_per_connection,
            1.4,
        ),
        *_signals(peer=peer),
    ]


def _signals(*, peer: bool) -> Sequence[Comparison]:
    """Latency within one subject, and CPU against what else relays signals. The others' latency
    tells how much of Hubbub's is the machine's doing."""
    others = (Subject.PEER, Subject.TUTORIAL) if peer else (Subject.TUTORIAL,)
    judged = (Subject.CONFERENCE, Subject.RELAY, Subject.PEERJS, Subject.NATIVE)
    workload = Workload(Kind.SIGNALS, (*judged, *others), 100, 4, rate=SIGNAL_RATE)
    found = []
    for subject in (*judged, *others):
        name = f"signals, {_NAMES[subject]}"
        found.append(
            Comparison(
                f"{name}, p99 to its median",
                workload,
                "µs",
                p99_latency,
                subject,
                median_latency,
                3.0 if subject in judged else None,
                subject=subject,
            )
        )
        if subject in others:
            continue
        found += [
            Comparison(
                f"{name}, CPU each",
                workload,
                "µs",
                cpu_per_delivery,
                other,
                cpu_per_delivery,
                1.0,
                subject=subject,
            )
            for other in others
        ]
    return found


def _fan_out(in_flight: int, to_floor: float, to_baseline: float | None) -> Sequence[Comparison]:
    subjects = (Subject.HUBBUB, Subject.FLOOR, Subject.BASELINE)
    workload = Workload(Kind.FANOUT, subjects, 1, 500, in_flight)
    limits = {Subject.FLOOR: to_floor, Subject.BASELINE: to_baseline}
    return [
        Comparison(
            f"room of 500, {in_flight} in flight, a delivery",
            workload,
            "µs",
            cpu_per_delivery,
            against,
            cpu_per_delivery,
            limit,
        )
        for against, limit in limits.items()
    ]


def evaluate(comparison: Comparison, rounds: Sequence[Mapping[Subject, Sample]]) -> Result:
    """The result of the rounds, each with a sample per subject of the comparison's workload."""
    values = [comparison.figure(samples[comparison.subject]) for samples in rounds]
    others: list[float] = []
    ratios = values
    if comparison.against is not None and comparison.against_figure is not None:
        others = [comparison.against_figure(samples[comparison.against]) for samples in rounds]
        ratios = [value / other for value, other in zip(values, others, strict=True)]
    return Result(
        comparison.label,
        comparison.unit,
        median(values),
        comparison.against,
        median(others) if others else None,
        median(ratios),
        min(ratios),
        max(ratios),
        comparison.limit,
        comparison.at_least,
        len(rounds),
    )
