"""Runs the load generators, `load.c` and `signals.c`, and speaks their command language."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.servers import pinned, process_cpu

Headers = Literal["minimal", "browser"]
Target = Literal["native", "floor", "baseline", "bare"]
Voice = Literal["conference", "relay", "native", "peer"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command did. The faults are those of the whole run so far; the last three fields are
    those of signals."""

    command: str
    messages: int
    acks: int
    deliveries: int
    seconds: float
    lost: int
    doubled: int
    refused: int
    closed: int
    median: float = 0.0
    p99: float = 0.0
    stalled: int = 0

    @property
    def faulty(self) -> bool:
        """Whether anything was lost or doubled, refused, or a connection ended by the server."""
        return bool(self.lost or self.doubled or self.refused or self.closed)


@dataclass(frozen=True, slots=True)
class Load:
    """How to run the generator. A plan has a line of room and token per connection."""

    target: Target
    plan: Sequence[tuple[str, str]]
    in_flight: int = 1
    concurrency: int = 16
    headers: Headers = "minimal"


@dataclass(frozen=True, slots=True)
class SignalLoad:
    """How to run the generator of signals: `rate` a second in all, between partners who stand side
    by side in the plan."""

    voice: Voice
    plan: Sequence[tuple[str, str]]
    rate: int
    concurrency: int = 16
    headers: Headers = "minimal"


class Loader:
    """A load generator at work."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    def cpu(self) -> float:
        """Seconds of CPU it has used: near the seconds on the clock it is what limits the run."""
        return process_cpu(self.pid)

    def open(self, count: int = 0) -> Answer:
        """Open and authenticate `count` more connections; 0 means all that are left."""
        return self._command(f"open {count}")

    def send(self, *, count: int = 0, seconds: float = 0) -> Answer:
        """Let every sender send `count` messages or for `seconds`, whichever ends first and is
        not 0, and wait until everything is acknowledged and delivered."""
        return self._command(f"send {count} {seconds}")

    def time(self, core: int, *, count: int = 0, seconds: float = 0) -> Answer:
        """Send signals as `send` does, for their latency: the server's core and the generator's
        own are watched meanwhile. The signals sent in moments when the machine itself stood
        still, of which there were `stalled`, are left out of `median` and `p99`, unless they are
        all. -1 says that nobody may watch."""
        return self._command(f"time {count} {seconds} {core}")

    def end(self) -> Answer:
        """Wait until nothing comes any more. The totals of the run, and all that is missing."""
        return self._command("end")

    def _command(self, line: str) -> Answer:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(line, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the load generator ended with {self._process.wait()}")
        return Answer(**json.loads(answer))


@contextmanager
def loading(
    program: Path, load: Load | SignalLoad, port: int, folder: Path, core: int
) -> Iterator[Loader]:
    """Run its generator on `core` against a server on `port`; its connections end with it."""
    plan = folder / "plan.txt"
    plan.write_text("".join(f"{room} {token}\n" for room, token in load.plan))
    if isinstance(load, SignalLoad):
        kind: tuple[str, int] = (load.voice, load.rate)
    else:
        kind = (load.target, load.in_flight)
    options = [kind[0], port, plan, kind[1], load.concurrency, load.headers]
    with pinned(core):
        process = subprocess.Popen(
            [str(program), *map(str, options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    with process:
        try:
            yield Loader(process)
        finally:
            process.kill()
