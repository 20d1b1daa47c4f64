"""The `peer` server from npm, which `peerjs` clients are made for: installed where node is."""

import json
import shutil
import subprocess
from pathlib import Path

from bench.programs import BUILD

VERSION = "1.0.2"
INTO = BUILD / "peer"


def install(into: Path = INTO) -> str:
    """Install the server, unless it is there. Returns why it is not, or nothing."""
    package = into / "node_modules" / "peer" / "package.json"
    if shutil.which("node") is None:
        return "node is not here"
    if package.exists() and json.loads(package.read_text())["version"] == VERSION:
        return ""
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not here"
    into.mkdir(parents=True, exist_ok=True)
    options = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    command = [npm, "install", *options, "--prefix", str(into), f"peer@{VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"npm could not install it: {done.stderr.strip()[-300:]}"


def program(into: Path = INTO) -> Path:
    """What node is to run."""
    return into / "node_modules" / "peer" / "dist" / "bin" / "peerjs.js"
