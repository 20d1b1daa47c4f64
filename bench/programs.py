"""Compiles the C programs of the harness into `bench/build/`."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
HEADERS = ("frames.h", "client.h", "targets.h", "voices.h", "stalls.h")
SOURCES = {
    "load": ("load.c", "client.c", "targets.c"),
    "floor": ("floor.c",),
    "signals": ("signals.c", "client.c", "voices.c", "stalls.c"),
}


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the compiled programs are."""

    load: Path
    floor: Path
    signals: Path


def build(into: Path = BUILD) -> Programs:
    """Compile what is older than its sources. Raises `RuntimeError` when there is no C compiler
    and `subprocess.CalledProcessError` when it fails."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("the bench needs a C compiler: apt-get install gcc libc6-dev")
    into.mkdir(parents=True, exist_ok=True)
    return Programs(**{name: _compile(compiler, into / name, SOURCES[name]) for name in SOURCES})


def _compile(compiler: str, program: Path, names: tuple[str, ...]) -> Path:
    sources = [HERE / name for name in names]
    newest = max(path.stat().st_mtime for path in [*sources, *(HERE / name for name in HEADERS)])
    if not program.exists() or program.stat().st_mtime < newest:
        flags = ["-O2", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"]
        # Linked beside its place and moved there, so that two builds at once do no harm.
        fresh = program.with_suffix(f".{os.getpid()}")
        subprocess.run([compiler, *flags, "-o", fresh, *sources, "-lm", "-pthread"], check=True)
        fresh.replace(program)
    return program


if __name__ == "__main__":
    print(build())
