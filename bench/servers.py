"""Starts the servers under measurement, each on a core of its own, and reads what they cost."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench import peer
from bench.programs import BUILD

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
START_TIMEOUT = 60.0
STOP_TIMEOUT = 15.0

UNLIMITED = {
    "HUBBUB_MESSAGE_RATE": "0",
    "HUBBUB_MESSAGE_BURST": "0",
    "HUBBUB_FRAME_RATE": "0",
    "HUBBUB_SOCKETS_PER_USER": "0",
    "HUBBUB_SOCKETS_PER_ADDRESS": "0",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    pid: int
    port: int
    log: Path
    core: int

    def cpu(self) -> float:
        """Seconds of CPU, user and system, of all its threads, ended ones included."""
        return process_cpu(self.pid)

    def rss(self) -> int:
        """Resident memory in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024

    def come_first(self) -> None:
        """Give its first thread, the event loop's, a real-time priority, so that no housekeeping
        of the machine keeps it from its core, nor what its own other threads do. Nothing changes
        where that is not allowed (CAP_SYS_NICE)."""
        policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        with suppress(OSError):
            os.sched_setscheduler(self.pid, policy, os.sched_param(1))

    def last_words(self) -> str:
        """The end of what it printed."""
        return self.log.read_text(errors="replace")[-2000:]


@dataclass(frozen=True, slots=True)
class Command:
    """How to start a server: `{port}` in `argv` is replaced by the port."""

    argv: Sequence[str]
    env: Mapping[str, str]


def process_cpu(pid: int) -> float:
    """What `/proc/<pid>/stat` adds up to as utime and stime, without its rounding to 10 ms: the
    process's CPU clock (clock_getcpuclockid(3); the id is made as its Linux version does)."""
    return time.clock_gettime((~pid << 3) | 2)


def floor(program: Path, mode: str) -> Command:
    """The floor in C; `mode` is `turn` or `message`."""
    return Command([str(program), "{port}", mode], {})


def baseline(secret: str) -> Command:
    """The tutorials' server under plain uvicorn."""
    return Command(_uvicorn("bench.baseline:app"), _key(secret))


def bare() -> Command:
    """A bare ASGI application under uvicorn as it comes: like Hubbub it logs each socket."""
    return Command(_uvicorn("bench.bare:app"), {})


def relay() -> Command:
    """The tutorials' signaling server under plain uvicorn."""
    return Command(_uvicorn("bench.relay:app"), {})


def peer_server() -> Command:
    """The `peer` server from npm, with PeerJS's paths under `/peerjs` as Hubbub has them."""
    argv = ["node", str(peer.program()), "--port", "{port}", "--path", "/peerjs"]
    return Command(argv, {"NODE_ENV": "production"})


def hubbub(data: Path, secret: str) -> Command:
    """The product, without limits for one client."""
    argv = [str(BIN / "hubbub"), "serve", "--host", "127.0.0.1", "--port", "{port}"]
    return Command([*argv, "--data", str(data)], {**UNLIMITED, **_key(secret)})


def _uvicorn(app: str) -> Sequence[str]:
    argv = [str(BIN / "uvicorn"), "--host", "127.0.0.1", "--port", "{port}"]
    return [*argv, "--app-dir", str(ROOT), app]


def _key(secret: str) -> Mapping[str, str]:
    return {"SECRET_KEY": secret}


@contextmanager
def running(command: Command, folder: Path, core: int) -> Iterator[Server]:
    """Serve from a process started in `folder` and pinned to `core`; end it afterwards.

    Raises:
        RuntimeError: it did not listen within a minute.
    """
    port = free_port()
    log = folder / "server.log"
    argv = [part.replace("{port}", str(port)) for part in command.argv]
    with log.open("wb") as output, pinned(core):
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=_clean_environment() | dict(command.env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(process.pid, port, log, core)
    try:
        _wait_until_listening(process, server)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """What is started inside runs on that core alone, with all its threads from the first on."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _clean_environment() -> dict[str, str]:
    """Ours, without anybody's settings of the servers. Bytecode is always cached: what compiling
    leaves behind in the heap would be taken for sockets later, and hide their growth."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HUBBUB_", "UVICORN_", "PYTHON"))
        and name not in ("DATABASE_URL", "SECRET_KEY", "ALGORITHM", "REDIS_URL")
    }
    return ours | {"PYTHONPYCACHEPREFIX": str(BUILD / "pycache")}


def _wait_until_listening(process: subprocess.Popen[bytes], server: Server) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", server.port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} does not listen:\n{server.last_words()}")
