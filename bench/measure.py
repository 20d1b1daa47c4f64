"""One measurement each: a fresh server process, a fresh data folder, one load generator."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from joserfc import jwt
from joserfc.jwk import OctKey

from bench import servers
from bench.fixture import Fixture, prepare
from bench.loader import Answer, Headers, Load, Loader, SignalLoad, Target, Voice, loading
from bench.programs import BUILD, Programs

BASELINE_SECRET = "a key for the baseline alone, 32 bytes and more"
SETTLE = 2.0
"""Seconds an idle server gets before its memory is read."""
WARM_UP = 0.3
"""Seconds of sending before any is measured."""
SIGNAL_WARM_UP = 1.0
"""The same for signals: what runs on a compiler that learns as it goes needs some thousands."""
WARM_SOCKETS = 100
"""Sockets that are opened, and kept, before the opening of any is measured."""
TRIES = 4
"""How often at most the latency of signals is measured, until the machine has been quiet."""
QUIET = 0.03
"""The share of signals that may be sent when it stood still where it was."""
BURSTS = 5
"""The window starts empty so many times in a measurement: how messages bunch up in the first
milliseconds may last until the end, so one start would be one draw."""


class Subject(StrEnum):
    """What can be measured."""

    HUBBUB = "hubbub"
    FLOOR = "C floor, one send a turn"
    FLOOR_PER_MESSAGE = "C floor, one send a message"
    BASELINE = "FastAPI baseline"
    BARE = "bare uvicorn"
    CONFERENCE = "hubbub's conference"
    RELAY = "hubbub's relay"
    NATIVE = "hubbub's native"
    PEERJS = "hubbub's peerjs"
    PEER = "npm's peer"
    TUTORIAL = "FastAPI relay"


VOICES: Mapping[Subject, Voice] = {
    Subject.CONFERENCE: "conference",
    Subject.RELAY: "relay",
    Subject.NATIVE: "native",
    Subject.PEERJS: "peer",
    Subject.PEER: "peer",
    Subject.TUTORIAL: "relay",
}
"""What relays signals, and how it is spoken to."""


class Kind(StrEnum):
    """What a workload does; `--only` takes these."""

    FANOUT = "fanout"
    ROOMS = "rooms"
    IDLE = "idle"
    CONNECT = "connect"
    SIGNALS = "signals"


@dataclass(frozen=True, slots=True)
class Workload:
    """What is asked of each subject. Idle and connecting sockets enter no room; signals are sent at
    a `rate` a second in all, messages with so many in flight."""

    kind: Kind
    subjects: tuple[Subject, ...]
    rooms: int = 1
    members: int = 1
    in_flight: int = 1
    headers: Headers = "minimal"
    rate: int = 0

    @property
    def connections(self) -> int:
        """How many sockets it opens."""
        return self.rooms * self.members

    @property
    def sends(self) -> bool:
        """Whether messages are sent."""
        return self.kind in (Kind.FANOUT, Kind.ROOMS)


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement: what the server spent on it. Times in seconds, memory in bytes.
    `connections` are those that were opened while it was watched, or that took part."""

    workload: Workload
    subject: Subject
    connections: int
    messages: int
    deliveries: int
    seconds: float
    cpu: float
    load_cpu: float
    grown: int
    faults: str
    """Empty when every message and acknowledgement came, once, in order."""
    median: float = 0.0
    p99: float = 0.0
    """Of signals: from the sending of one until its addressee had it."""
    timed: int = 0
    """How many signals that was measured of."""
    stalled: int = 0
    """How many of them were sent when the machine itself stood still, and do not count unless they
    are all; -1 when nobody may watch it."""


class Bench:
    """Takes measurements. Servers run on one core and the load generator on another."""

    def __init__(self, programs: Programs, folder: Path, cores: tuple[int, int]) -> None:
        self._programs = programs
        self._folder = folder
        self._server_core, self._load_core = cores
        self._fixtures: dict[tuple[int, int], tuple[Path, Fixture]] = {}

    def measure(self, workload: Workload, subject: Subject, seconds: float) -> Sample:
        """Measure once. `seconds` is how long messages are sent."""
        with self._arena(workload, subject) as (server, loader):
            if workload.kind is Kind.SIGNALS:
                return _signals(workload, subject, server, loader, seconds)
            if not workload.sends:
                return _hold(workload, subject, server, loader)
            return _traffic(workload, subject, server, loader, seconds)

    def try_start(self, workload: Workload, subject: Subject) -> None:
        """Start the server once and end it, so that none that is measured has to compile."""
        with self._arena(workload, subject):
            pass

    @contextmanager
    def _arena(
        self, workload: Workload, subject: Subject
    ) -> Iterator[tuple[servers.Server, Loader]]:
        with TemporaryDirectory(prefix="run-", dir=self._folder) as name:
            folder = Path(name)
            command, load = self._prepare(workload, subject, folder)
            signals = isinstance(load, SignalLoad)
            program = self._programs.signals if signals else self._programs.load
            with (
                servers.running(command, folder, self._server_core) as server,
                loading(program, load, server.port, folder, self._load_core) as loader,
            ):
                yield server, loader

    def _prepare(
        self, workload: Workload, subject: Subject, folder: Path
    ) -> tuple[servers.Command, Load | SignalLoad]:
        match subject:
            case Subject.HUBBUB:
                data, fixture = self._fixture(workload.rooms, workload.members)
                shutil.copytree(data, folder / "data")
                command = servers.hubbub(folder / "data", fixture.secret)
                rooms = [str(channel) if workload.sends else "-" for channel in fixture.channels]
                plan = _plan(workload, lambda r, m: (rooms[r], fixture.tokens[r][m]))
                return command, _load("native", workload, plan)
            case Subject.FLOOR | Subject.FLOOR_PER_MESSAGE:
                mode = "turn" if subject is Subject.FLOOR else "message"
                plan = _plan(workload, lambda r, _: (str(r + 1), "-"))
                return servers.floor(self._programs.floor, mode), _load("floor", workload, plan)
            case Subject.BASELINE:
                plan = _plan(workload, lambda r, m: (str(r + 1), _baseline_token(r, m)))
                return servers.baseline(BASELINE_SECRET), _load("baseline", workload, plan)
            case Subject.BARE:
                plan = _plan(workload, lambda _, __: ("-", "-"))
                return servers.bare(), _load("bare", workload, plan)
            case Subject.PEER | Subject.TUTORIAL:
                command = servers.peer_server() if subject is Subject.PEER else servers.relay()
                plan = _plan(workload, lambda r, _: (f"bench-{r + 1}", "-"))
                return command, SignalLoad(VOICES[subject], plan, workload.rate)
            case Subject.CONFERENCE | Subject.RELAY | Subject.NATIVE | Subject.PEERJS:
                data, fixture = self._fixture(workload.rooms, workload.members)
                shutil.copytree(data, folder / "data")
                command = servers.hubbub(folder / "data", fixture.secret)
                plan = _plan(workload, lambda r, m: (f"bench-{r + 1}", fixture.tokens[r][m]))
                return command, SignalLoad(VOICES[subject], plan, workload.rate)

    def _fixture(self, rooms: int, members: int) -> tuple[Path, Fixture]:
        """The data folder of that shape, made once and copied for each measurement."""
        if (rooms, members) not in self._fixtures:
            folder = self._folder / f"fixture-{rooms}x{members}"
            self._fixtures[rooms, members] = (folder, prepare(folder, rooms, members))
        return self._fixtures[rooms, members]


@contextmanager
def workshop() -> Iterator[Path]:
    """A folder on the checkout's file system for the data of all servers, deleted afterwards."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="bench-", dir=BUILD) as name:
        yield Path(name)


def _traffic(
    workload: Workload, subject: Subject, server: servers.Server, loader: Loader, seconds: float
) -> Sample:
    loader.open()
    loader.send(seconds=WARM_UP)
    cpu, load_cpu = server.cpu(), loader.cpu()
    bursts = [loader.send(seconds=seconds / BURSTS) for _ in range(BURSTS)]
    cpu, load_cpu = server.cpu() - cpu, loader.cpu() - load_cpu
    end = loader.end()
    faults = ""
    if end.faulty or end.deliveries != end.messages * workload.members:
        faults = f"{end}\n{server.last_words()}"
    return Sample(
        workload,
        subject,
        workload.connections,
        sum(burst.messages for burst in bursts),
        sum(burst.deliveries for burst in bursts),
        sum(burst.seconds for burst in bursts),
        cpu,
        load_cpu,
        0,
        faults,
    )


def _signals(
    workload: Workload, subject: Subject, server: servers.Server, loader: Loader, seconds: float
) -> Sample:
    """CPU first and latency afterwards: what makes this one exact costs some of the other."""
    loader.open()
    loader.send(seconds=SIGNAL_WARM_UP)
    cpu, load_cpu = server.cpu(), loader.cpu()
    sent = loader.send(seconds=seconds)
    cpu, load_cpu = server.cpu() - cpu, loader.cpu() - load_cpu
    timed = _timed(server, loader, seconds)
    end = loader.end()
    faulty = end.faulty or end.deliveries != end.messages
    return Sample(
        workload,
        subject,
        workload.connections,
        sent.messages,
        sent.deliveries,
        sent.seconds,
        cpu,
        load_cpu,
        0,
        f"{end}\n{server.last_words()}" if faulty else "",
        timed.median,
        timed.p99,
        timed.messages,
        timed.stalled,
    )


def _timed(server: servers.Server, loader: Loader, seconds: float) -> Answer:
    """The latency when the machine was quietest: what it was is no part of the choice."""
    server.come_first()
    tries = []
    for _ in range(TRIES):
        tries.append(loader.time(server.core, seconds=seconds))
        if tries[-1].stalled <= tries[-1].messages * QUIET:
            break
    return min(tries, key=lambda tried: tried.stalled)


def _hold(workload: Workload, subject: Subject, server: servers.Server, loader: Loader) -> Sample:
    """Opens everything and holds it: what the opening cost, and how much memory stays taken."""
    loader.open(WARM_SOCKETS)
    cpu, load_cpu, rss = server.cpu(), loader.cpu(), server.rss()
    opened = loader.open()
    cpu, load_cpu = server.cpu() - cpu, loader.cpu() - load_cpu
    grown = 0
    if workload.kind is Kind.IDLE:
        time.sleep(SETTLE)
        grown = server.rss() - rss
    end = loader.end()
    faults = f"{end}\n{server.last_words()}" if end.faulty else ""
    return Sample(
        workload,
        subject,
        workload.connections - WARM_SOCKETS,
        0,
        0,
        opened.seconds,
        cpu,
        load_cpu,
        grown,
        faults,
    )


def _plan(
    workload: Workload, connection: Callable[[int, int], tuple[str, str]]
) -> Sequence[tuple[str, str]]:
    return [
        connection(room, member)
        for room in range(workload.rooms)
        for member in range(workload.members)
    ]


def _load(target: Target, workload: Workload, plan: Sequence[tuple[str, str]]) -> Load:
    return Load(target, plan, in_flight=workload.in_flight, headers=workload.headers)


def _baseline_token(room: int, member: int) -> str:
    claims = {"sub": f"user-{room}-{member}", "exp": int(time.time()) + 36_000}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(BASELINE_SECRET))
