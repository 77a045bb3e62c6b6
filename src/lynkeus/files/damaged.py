"""Damaged files: whatever a format library throws becomes one line, and what never ends is ended.

Libraries raise what they like for bytes that nobody foresaw (KeyError, RuntimeError, TokenError, RecursionError, ...),
and some loop for ever. A list of their exceptions is never complete, so the boundary is around the reader.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TypeVar

from lynkeus.core import LynkeusError, SourceError

Piece = TypeVar("Piece")
LIMIT_S = 15.0  # for opening a file, and for each piece of it; LYNKEUS_READ_LIMIT_S is another, for slow disks
TOO_LARGE = 3  # exit code of a child that wants too much memory
COPY = "it may be damaged: copy or write it again"


@contextmanager
def one_line(path: Path | str, kind: type[LynkeusError] = SourceError, mend: str = COPY) -> Iterator[None]:
    """Raise whatever is thrown within as one error that names the file: "PATH: cannot be read (KeyError: ...); MEND".

    Errors of this package say already what to do and pass as they are.
    """
    try:
        yield
    except LynkeusError:
        raise
    except Exception as error:
        raise kind(f"{path}: cannot be read ({in_short(error)}); {mend}") from error


def pieces_of(path: Path, pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield the pieces of a file; what reading one of them throws is one line, and a piece that takes longer than
    `limit_s` is an error. What is done with a piece is not part of it."""
    reading = iter(pieces)
    end = object()
    while True:
        with one_line(path), in_time(path):
            piece = next(reading, end)
        if piece is end:
            return
        yield piece  # type: ignore[misc]


def in_short(error: Exception) -> str:
    """Return the first line of what an error says, and its kind unless that says it already, in printable letters."""
    said = next(iter(str(error).splitlines()), "").rstrip(".,;: ")[:200]
    named = isinstance(error, OSError | ValueError) and said
    text = said if named else f"{type(error).__name__}: {said}".rstrip(": ")
    return text.encode("utf-8", "backslashreplace").decode()


def limit_s() -> float:
    """Return the seconds that opening a file, or reading a piece of it, may take."""
    try:
        return max(float(os.environ.get("LYNKEUS_READ_LIMIT_S", LIMIT_S)), 0.1)
    except ValueError:
        return LIMIT_S


@contextmanager
def in_time(path: Path | str, mend: str = COPY) -> Iterator[None]:
    """Raise SourceError where what is within takes longer than `limit_s`.

    By a signal, so in the main thread alone; elsewhere, and where another timer ends sooner, there is no limit. A timer
    that ends later goes on afterwards.
    """
    usable = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    other_s, again_s = signal.getitimer(signal.ITIMER_REAL) if usable else (0.0, 0.0)
    if not usable or 0 < other_s <= limit_s():
        yield
        return
    began_s = time.monotonic()

    def _end(number: int, frame: FrameType | None) -> None:
        raise SourceError(_endless(path, mend))

    before = signal.signal(signal.SIGALRM, _end)
    signal.setitimer(signal.ITIMER_REAL, limit_s())
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if other_s:
            left_s = other_s - (time.monotonic() - began_s)
            signal.setitimer(signal.ITIMER_REAL, max(left_s, 0.001), again_s)


def try_in_child(path: Path, read: Callable[[], object], memory: int = 0) -> None:
    """Raise SourceError where `read` crashes, does not end in time, or needs more `memory` (bytes; 0: any) in a process
    of its own: code in C that loops cannot be stopped from within. What else it raises is not told; it will be raised
    again here.

    Nothing is tried where processes cannot be forked.
    """
    if not hasattr(os, "fork"):
        return
    child = os.fork()
    if not child:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(max(int(limit_s()), 1))
            _limit_memory(memory)
            read()
        except BaseException as error:  # the parent meets it too, but for want of memory
            if isinstance(error, MemoryError) or "memory allocation" in str(error):
                os._exit(TOO_LARGE)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == TOO_LARGE:
        raise SourceError(f"{path}: what it says of itself does not fit into {memory / 1e9:.1f} GB; {COPY}")
    if os.WIFSIGNALED(status):
        ended = os.WTERMSIG(status) == signal.SIGALRM
        raise SourceError(_endless(path) if ended else f"{path}: reading it ends the process; {COPY}")


def _limit_memory(memory: int) -> None:
    """Let this process have so many bytes more than it has, where that can be said."""
    statm = Path("/proc/self/statm")
    if not memory or not statm.exists():
        return
    import resource

    most = int(statm.read_text().split()[0]) * resource.getpagesize() + memory
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    if before == resource.RLIM_INFINITY or most < before:
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _endless(path: Path | str, mend: str = COPY) -> str:
    return (
        f"{path}: takes more than {limit_s():g} s; {mend}, or set LYNKEUS_READ_LIMIT_S to more seconds "
        "where the disk is slow"
    )
