"""Thousands of damaged inputs of every kind that is read: none may give a traceback, hang, or fill the memory.

    python -m benchmarks.mutations                         # all readers, 200 of each
    python -m benchmarks.mutations csv hdf5 --count 20000 --seconds 300 --first 0

Each input is made from the number of its mutation alone, so that `csv --first 4711 --count 1 --keep` writes that one
again. What is not one line of words (LynkeusError), takes longer than 20 s, or more than 4 GiB, is printed.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
from benchmarks.mutations.readers import READERS, Reader

from lynkeus.core import LynkeusError

SLOWEST_S, MOST_KB = 20.0, 4 * 2**20
stopped: list[int] = []  # by SIGTERM: what was done until then is printed


def main() -> int:
    """Run what was asked for; 1 where something is wrong."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("readers", nargs="*", help=f"of {', '.join(READERS)}")
    asked.add_argument("--count", type=int, default=200)
    asked.add_argument("--first", type=int, default=0)
    asked.add_argument("--seconds", type=float, default=1e9, help="of the processors, after which a reader is left")
    asked.add_argument("--folder", type=Path, default=Path("/dev/shm/lynkeus-mutations"))
    asked.add_argument("--all", action="store_true", help="print every failure, not one of a kind")
    given = asked.parse_args()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    resource.setrlimit(resource.RLIMIT_AS, (12 * 2**30, 12 * 2**30))
    wrong = 0
    for name in given.readers or READERS:
        folder = given.folder / f"{name.replace(' ', '_')}-{os.getpid()}"
        folder.mkdir(parents=True, exist_ok=True)
        wrong += run(name, READERS[name], folder, given)
    return int(wrong > 0)


def run(name: str, reader: Reader, folder: Path, given: argparse.Namespace) -> int:
    """Try one reader and print what came of it; how often something was wrong."""
    held = reader.prepare(folder)
    began, used, refused, done, slowest = time.monotonic(), processors_s(), 0, 0, 0.0
    failures: collections.Counter[str] = collections.Counter()
    said_of: collections.Counter[str] = collections.Counter()
    for number in range(given.first, given.first + given.count):
        if processors_s() - used > given.seconds or stopped:
            break
        target = reader.make(held, folder, np.random.default_rng([number, len(name)]))
        faulthandler.dump_traceback_later(60, exit=True)
        at = time.monotonic()
        why = ""
        try:
            reader.read(target)
        except LynkeusError as error:
            refused += 1
            why = _of_line(str(error))
            said_of[_kind(str(error))] += 1
        except BaseException as error:  # what is looked for
            if isinstance(error, KeyboardInterrupt):
                raise
            where = traceback.extract_tb(error.__traceback__)
            own = [one for one in where if "/lynkeus/" in one.filename][-1:] or where[-1:]
            place = f"{own[0].filename.rpartition('/lynkeus/')[2]}:{own[0].lineno}"
            why = f"{type(error).__name__} at {place}: {str(error)[:90]!r}"
        took = time.monotonic() - at
        faulthandler.cancel_dump_traceback_later()
        slowest = max(slowest, took)
        if took > SLOWEST_S:
            why = f"took {took:.0f} s"
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if memory > MOST_KB:
            print(f"{name} {number}: memory {memory / 2**20:.1f} GiB; later ones cannot be told apart", file=sys.stderr)
            failures["memory"] += 1
            break
        done += 1
        if why:
            kind = why.rpartition(": '")[0] or why
            failures[kind] += 1
            if failures[kind] == 1 or given.all:
                print(f"  {name} {number}: {why}", flush=True)
    took, used = time.monotonic() - began, processors_s() - used
    print(
        f"{name}: {done} mutations, {refused} refused in a line, {sum(failures.values())} wrong, "
        f"slowest {slowest:.2f} s, "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB, {used:.0f} CPU-s in {took:.0f} s",
        flush=True,
    )
    if os.environ.get("SAID"):
        for line, times in said_of.most_common(40):
            print(f"    {times:6} {line}")
    return sum(failures.values())


def processors_s() -> float:
    """Return what this process and its children have taken of the processors."""
    known = os.times()
    return known.user + known.system + known.children_user + known.children_system


def _of_line(said: str) -> str:
    try:
        said.encode()
    except UnicodeEncodeError:
        return f"half a character: {said[:80]!r}"
    if "\n" in said or "\r" in said:
        return f"several lines: {said[:80]!r}"
    return f"a long line ({len(said)}): {said[:80]!r}" if len(said) > 5000 else ""


def _kind(said: str) -> str:
    return "".join(letter for letter in said.rpartition("/")[2] if not letter.isdigit())[:110]


if __name__ == "__main__":
    sys.exit(main())
