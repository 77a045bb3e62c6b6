"""Thousands of damaged inputs of every kind that is read: none may give a traceback, hang, or fill the memory.

    python -m benchmarks.mutations                         # all readers, 200 of each
    python -m benchmarks.mutations csv hdf5 --count 20000 --seconds 300 --first 0

Each input is made from the number of its mutation alone, so that `csv --first 4711 --count 1` makes that one again.
What is not one line of words (LynkeusError), takes longer than 20 s, or more than 4 GiB, is printed. A child reads one
input after the other (see `child`).
"""

from __future__ import annotations

import argparse
import collections
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

from benchmarks.mutations.child import Child, Outcome
from benchmarks.mutations.readers import READERS

stopped: list[int] = []  # by SIGTERM: what was done until then is printed


def main() -> int:
    """Run what was asked for; 1 where something is wrong."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("readers", nargs="*", help=f"of {', '.join(READERS)}")
    asked.add_argument("--count", type=int, default=200)
    asked.add_argument("--first", type=int, default=0)
    asked.add_argument("--seconds", type=float, default=1e9, help="after which a reader is left")
    asked.add_argument("--folder", type=Path, default=Path("/dev/shm/lynkeus-mutations"))
    asked.add_argument("--all", action="store_true", help="print every failure, not one of a kind")
    given = asked.parse_args()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    resource.setrlimit(resource.RLIMIT_AS, (12 * 2**30, 12 * 2**30))
    return int(sum(run(name, given) for name in given.readers or READERS) > 0)


def run(name: str, given: argparse.Namespace) -> int:
    """Try one reader and print what came of it; how often something was wrong."""
    folder = given.folder / f"{name.replace(' ', '_')}-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    began, used = time.monotonic(), processors_s()
    refused, done, slowest, memory = 0, 0, 0.0, 0
    failures: collections.Counter[str] = collections.Counter()
    said_of: collections.Counter[str] = collections.Counter()
    child = Child(name, READERS[name], folder)
    for number, outcome in _outcomes(child, given, began):
        done, slowest, memory = done + 1, max(slowest, outcome.took), max(memory, outcome.memory_kb)
        refused += bool(outcome.said)
        said_of[_kind(outcome.said)] += bool(outcome.said)
        if outcome.why:
            kind = outcome.why.rpartition(": '")[0] or outcome.why
            failures[kind] += 1
            if failures[kind] == 1 or given.all:
                print(f"  {name} {number}: {outcome.why}", flush=True)
    child.end()
    print(
        f"{name}: {done} mutations, {refused} refused in a line, {sum(failures.values())} wrong, "
        f"slowest {slowest:.2f} s, {memory / 2**20:.2f} GiB, {child.replaced} children replaced, "
        f"{processors_s() - used:.0f} CPU-s in {time.monotonic() - began:.0f} s",
        flush=True,
    )
    if os.environ.get("SAID"):
        for line, times in said_of.most_common(40):
            print(f"    {times:6} {line}")
    return sum(failures.values())


def _outcomes(child: Child, given: argparse.Namespace, began: float) -> Iterator[tuple[int, Outcome]]:
    for number in range(given.first, given.first + given.count):
        if time.monotonic() - began > given.seconds or stopped:
            return
        yield number, child.read(number)


def processors_s() -> float:
    """Return what this process and its children have taken of the processors."""
    known = os.times()
    return known.user + known.system + known.children_user + known.children_system


def _kind(said: str) -> str:
    return "".join(letter for letter in said.rpartition("/")[2] if not letter.isdigit())[:110]


if __name__ == "__main__":
    sys.exit(main())
