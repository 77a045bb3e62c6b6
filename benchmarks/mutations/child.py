"""A child process that makes and reads one damaged input after the other, and is replaced where one hangs or ends it.

What the package itself does in a child of its own for each file (HDF5's texts) is done in this child: a fork for each
of 20,000 files is most of the time. An input that ends or hangs it is read again as users read it, and that counts.
"""

from __future__ import annotations

import multiprocessing
import resource
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from benchmarks.mutations.readers import Reader

from lynkeus.core import LynkeusError
from lynkeus.sources.formats import hdf5_texts

SLOWEST_S, MOST_KB = 20.0, 4 * 2**20
START_S = 300.0  # to make what is damaged


class Outcome(NamedTuple):
    """What came of an input: what was `said` in one line ("": it was read), `why` it is wrong ("": it is not), the
    seconds that it `took`, and the most memory that its process has held."""

    said: str = ""
    why: str = ""
    took: float = 0.0
    memory_kb: int = 0


class Child:
    """Reads the inputs of one reader; `replaced`: how often it was."""

    def __init__(self, name: str, reader: Reader, folder: Path) -> None:
        self.name, self.reader, self.folder = name, reader, folder
        self.held = reader.prepare(folder)
        self.replaced = -1
        self._start()

    def read(self, number: int) -> Outcome:
        """Make an input from its number, and read it."""
        outcome = self._ask(number, as_users=False)
        if outcome is None or outcome.memory_kb > MOST_KB:
            self.end()
            self._start()
            outcome = self._ask(number, as_users=True)
            if outcome is None:
                self._start()
                return Outcome(why=f"hangs for {2 * SLOWEST_S:.0f} s, or ends the process")
        if outcome.memory_kb > MOST_KB:
            self.end()
            self._start()
            return outcome._replace(why=f"memory {outcome.memory_kb / 2**20:.1f} GiB")
        return outcome

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.pipe.close()

    def _start(self) -> None:
        self.replaced += 1
        forked = multiprocessing.get_context("fork")
        self.pipe, other = forked.Pipe()
        self.process = forked.Process(
            target=_work, args=(self.name, self.reader, self.held, self.folder, other), daemon=True
        )
        self.process.start()
        other.close()

    def _ask(self, number: int, as_users: bool) -> Outcome | None:
        """Return what came of it; None where the process hangs, and is ended, or has ended."""
        try:
            self.pipe.send((number, as_users))
            if self.pipe.poll(2 * SLOWEST_S):
                outcome: Outcome = self.pipe.recv()
                return outcome
        except (EOFError, OSError):
            pass
        self.end()
        return None


def _work(name: str, reader: Reader, held: Any, folder: Path, pipe: Connection) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while True:
        number, as_users = pipe.recv()
        hdf5_texts.try_in_child = _try_as_users if as_users else _try_here
        target = reader.make(held, folder, np.random.default_rng([number, len(name)]))
        at, said, why = time.monotonic(), "", ""
        try:
            reader.read(target)
        except LynkeusError as error:
            said, why = str(error), _of_line(str(error))
        except Exception as error:  # what is looked for
            where = traceback.extract_tb(error.__traceback__)
            own = [one for one in where if "/lynkeus/" in one.filename][-1:] or where[-1:]
            place = f"{own[0].filename.rpartition('/lynkeus/')[2]}:{own[0].lineno}"
            why = f"{type(error).__name__} at {place}: {str(error)[:90]!r}"
        took = time.monotonic() - at
        why = why or (f"took {took:.0f} s" if took > SLOWEST_S else "")
        memory = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        pipe.send(Outcome(said.encode("utf-8", "replace").decode(), why, took, memory))


_try_as_users = hdf5_texts.try_in_child


def _try_here(path: Path, read: Callable[[], object], memory: int = 0) -> None:
    with suppress(Exception):  # it is raised again where it is read
        read()


def _of_line(said: str) -> str:
    try:
        said.encode()
    except UnicodeEncodeError:
        return f"half a character: {said[:80]!r}"
    if "\n" in said or "\r" in said:
        return f"several lines: {said[:80]!r}"
    return f"a long line ({len(said)}): {said[:80]!r}" if len(said) > 5000 else ""
