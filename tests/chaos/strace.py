"""Reads what `strace` wrote about a server, to see in which order it stored, synced and answered.

The order of the lines is the order in which the kernel's stops were reported. A call that was
interrupted by others has two lines, where it began and where it ended.
"""

import re
import sys
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.record import Acked

NEVER = sys.maxsize
SYNCS = ("fsync", "fdatasync")
WRITES = ("write", "writev", "sendto", "sendmsg", "pwrite64")

_CALL = re.compile(r"(?P<pid>\d+)\s+(?P<name>\w+)\((?P<rest>.*)")
_RESUMED = re.compile(r"(?P<pid>\d+)\s+<\.\.\. (?P<name>\w+) resumed>(?P<rest>.*)")
_UNFINISHED = "<unfinished ...>"
_PATH = re.compile(r"\d+<(?P<path>.*?)>[,)\s]")


def command(trace: Path) -> Sequence[str]:
    """What to put before a command to trace it; strings are written out in full."""
    calls = ",".join((*SYNCS, *WRITES))
    return ("strace", "-f", "--seccomp-bpf", "-y", "-s", "1000000",
            "-e", f"trace={calls}", "-e", "signal=none", "-o", str(trace))  # fmt: skip


@dataclass(slots=True)
class Call:
    """A system call on a file descriptor. `begun` and `ended` are places in the trace, `ended`
    being `NEVER` when it did not."""

    name: str
    path: str
    data: str
    begun: int
    ended: int
    failed: bool = False


def parse(lines: Iterable[str]) -> list[Call]:
    """The calls of a trace, in the order in which they began."""
    calls: list[Call] = []
    under_way: dict[str, Call] = {}
    for place, line in enumerate(lines):
        if resumed := _RESUMED.match(line):
            call = under_way.pop(resumed["pid"], None)
            if call is not None:
                call.ended, call.failed = place, "= -1" in resumed["rest"][-200:]
        elif (started := _CALL.match(line)) and started["name"] in SYNCS + WRITES:
            rest = started["rest"]
            path = _PATH.match(rest)
            call = Call(started["name"], path["path"] if path else "", rest, place, place)
            if rest.rstrip().endswith(_UNFINISHED):
                under_way[started["pid"]] = call
                call.ended = NEVER
            else:
                call.failed = "= -1" in rest[-200:]
            calls.append(call)
    return calls


def mark(number: int) -> str:
    """A content that `judge` finds in whatever holds it."""
    return f"<mark {number}>"


_MARK = re.compile(r"<mark \d+>")
_ACK = re.compile(r'\\"result\\":\{[^{}]*?\\"id\\":(\d+)')


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many messages were shown to somebody, by an ack or an event, and which of them before
    they were on the disk."""

    shown: int
    early: Sequence[str]


def judge(calls: Sequence[Call], acks: Mapping[str, Acked]) -> Verdict:
    """Looks at every message; they are given by their marks.

    A message is on the disk when a sync of the write-ahead log, begun after the first write that
    held its mark had ended, has ended. It is shown by the first write to a socket that holds its
    ack or its mark.

    Raises:
        LookupError: an ack is not in the trace, which therefore proves nothing.
    """
    log = [call for call in calls if call.path.endswith("-wal") and not call.failed]
    sockets = [call for call in calls if call.path.startswith("socket:")]
    syncs = [call for call in log if call.name in SYNCS]
    begun = [sync.begun for sync in syncs]
    stored = _firsts((_MARK, call) for call in log if call.name in WRITES)
    answered = _firsts((_ACK, call) for call in sockets)
    told = _firsts((_MARK, call) for call in sockets)
    early = []
    for content, ack in acks.items():
        shown = answered[str(ack.id)].begun
        if content in told:
            shown = min(shown, told[content].begun)
        after = bisect_right(begun, stored[content].ended) if content in stored else len(syncs)
        if after == len(syncs) or syncs[after].ended >= shown:
            early.append(content)
    return Verdict(len(acks), early)


def _firsts(searches: Iterable[tuple[re.Pattern[str], Call]]) -> dict[str, Call]:
    """The first call for everything that the patterns find in the calls' data."""
    firsts: dict[str, Call] = {}
    for pattern, call in searches:
        for found in pattern.findall(call.data):
            firsts.setdefault(found, call)
    return firsts
