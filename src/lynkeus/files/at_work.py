"""What long commands are at work: each keeps a small file, `lynkeus status` and a page read all of them.

The files lie in `$LYNKEUS_WORK`, else in `lynkeus/work` of `$XDG_STATE_HOME` or `~/.local/state`: all machines that
share that folder are seen. A command that was killed cannot say so; its process is asked for.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = "LYNKEUS_WORK"
AFTER_S = 3.0  # shorter commands leave no trace
EVERY_S = 2.0
SILENT_S = 60.0  # a command of another machine that says nothing for so long was killed
KEPT_S = 86_400.0  # what has ended
RUNNING, FINISHED, FAILED, KILLED, STOPPED = "running", "finished", "failed", "killed", "stopped"
LOGIN = re.compile(r"(?<=://)[^/\s@]+@")


@dataclass(frozen=True)
class AtWork:
    """One command: its `line` in a `folder`, since when (`begun_s`, seconds since 1970), what it `says` that it does,
    which `share` of all is done, and was done `before` (at `since_s`, once it was on its way), by so many `workers`,
    `where`; `at_s`: when it last spoke."""

    title: str
    line: str
    folder: str
    host: str
    pid: int
    begun_s: float
    at_s: float
    says: str = ""
    share: float | None = None
    before: float = 0.0
    since_s: float = 0.0
    workers: int = 1
    where: str = ""
    state: str = RUNNING
    started: str = ""  # when its process began, as its machine counts ("": not known)

    @property
    def left_s(self) -> float | None:
        """Return the seconds that the rest will take, as fast as it went so far; None where that is not known."""
        if self.share is None or self.share <= self.before or self.state != RUNNING:
            return None
        return (1.0 - self.share) / (self.share - self.before) * (self.at_s - self.since_s)

    def words(self, now_s: float | None = None) -> str:
        """Return all of it in a line."""
        now_s = time.time() if now_s is None else now_s
        done = "" if self.share is None or self.state == FINISHED else f" {100 * self.share:.0f} %"
        end_s = now_s if self.state == RUNNING else self.at_s
        ran = f"since {datetime.fromtimestamp(self.begun_s, UTC):%Y-%m-%d %H:%M:%S} UTC, {span(end_s - self.begun_s)}"
        who = f"{self.workers} {'process' if self.workers == 1 else 'processes'}"
        by = f"by {who}{f' at {self.where}' if self.where else ''} ({self.host}, {self.pid})"
        left = "" if self.left_s is None else f", done in about {span(self.left_s)}"
        again = "; the same command goes on where it was" if self.state in (KILLED, STOPPED) else ""
        says = f", {self.says}" if self.says and self.state != FINISHED else ""
        return f"{self.title}: {self.state}{done}{says}, {ran}, {by}{left}{again}: {self.line} (in {self.folder})"


def span(seconds: float) -> str:
    """Return a time in words: 40 s, 12 min, 3.5 h, 2.1 days."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}" if unit < 3600 else f"{seconds / unit:.1f} {name}"
    return f"{seconds / 86_400:.1f} days"


def folder() -> Path:
    """Return where the files lie."""
    given = os.environ.get(FOLDER)
    if given:
        return Path(given).expanduser()
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "lynkeus" / "work"


def all_at_work() -> list[AtWork]:
    """Return what runs, the latest first, then what ended or was killed within a day."""
    found = []
    with suppress(OSError, RuntimeError):
        for path in folder().glob("*.json"):
            with suppress(OSError, ValueError, TypeError):
                one = _as_it_is(AtWork(**json.loads(path.read_text(encoding="utf-8"))))
                if time.time() - one.at_s < KEPT_S:
                    found.append(one)
                else:
                    path.unlink()
    return sorted(found, key=lambda one: (one.state != RUNNING, -one.begun_s))


def _as_it_is(one: AtWork) -> AtWork:
    """Say that a command was killed where its process is no more, or has fallen silent."""
    if one.state != RUNNING:
        return one
    if one.host != socket.gethostname():
        return replace(one, state=KILLED) if time.time() - one.at_s > SILENT_S else one
    alive = time.time() - one.at_s < SILENT_S and is_alive(one.pid, one.started)
    return one if alive else replace(one, state=KILLED)


def began(pid: int) -> str:
    """Return when a process of this machine began, as its kernel counts; "" where that is not known, "over" for one
    that has ended and is only remembered (by a parent that has not asked for it)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return "over" if fields[0] in "ZX" else fields[19]


def is_alive(pid: int, started: str = "") -> bool:
    """Whether a process of this machine lives, and is the one that began then: numbers are given again. True where
    nobody can know."""
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        pass
    now = began(pid)
    return now != "over" and (not started or not now or now == started)


class Note:
    """The file of this command, written by a thread now and then."""

    def __init__(self, title: str) -> None:
        line = LOGIN.sub("...@", shlex.join(["lynkeus", *sys.argv[1:]]))
        now_s = time.time()
        own = os.getpid()
        self._is = AtWork(title, line, os.getcwd(), socket.gethostname(), own, now_s, now_s, started=began(own))
        self._path: Path | None = None
        self._lock = threading.Lock()
        self._count: Callable[[], int] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def tell(self, says: str, share: float | None) -> None:
        """Say what is being done, and how much of it is done."""
        now_s, changed = time.time(), {"says": says, "share": share}
        if share is not None and (self._is.share is None or now_s - self._is.begun_s < AFTER_S):
            changed |= {"before": share, "since_s": now_s}  # what an earlier run had done is no measure of speed
        self._change(**changed)

    def shared(self, workers: int, where: str = "", count: Callable[[], int] | None = None) -> None:
        """Say by how many it is done; `count`: asked now and then where they come and go."""
        self._count = count
        self._change(workers=workers, where=where)

    def end(self, state: str) -> None:
        """Say how it ended."""
        self._over.set()
        self._thread.join(EVERY_S)
        if self._path is not None:
            self._write(state=state)

    def _keep(self) -> None:
        wait_s = AFTER_S
        while not self._over.wait(wait_s):
            wait_s, count = EVERY_S, self._count
            if count is not None:
                with suppress(Exception):  # a cluster that is gone: the command will say so
                    self._change(workers=count())
            if self._path is None and not self._open():
                return
            self._write()

    def _open(self) -> bool:
        """Begin the file; what an earlier try of the same command has left goes."""
        one = self._is
        try:
            folder().mkdir(parents=True, exist_ok=True)
            for path in folder().glob(f"{one.host}-*.json"):
                with suppress(OSError, ValueError, TypeError):
                    other = _as_it_is(AtWork(**json.loads(path.read_text(encoding="utf-8"))))
                    if (other.line, other.folder) == (one.line, one.folder) and other.state != RUNNING:
                        path.unlink()
        except (OSError, RuntimeError):  # no home, or none that may be written: the work is done all the same
            return False
        self._path = folder() / f"{one.host}-{one.pid}-{round(one.begun_s * 1000)}.json"
        return True

    def _change(self, **changed: Any) -> None:
        with self._lock:
            self._is = replace(self._is, **changed)

    def _write(self, **changed: str) -> None:
        assert self._path is not None
        self._change(at_s=time.time(), **changed)
        with suppress(OSError):
            partial = self._path.with_suffix(".partial")
            partial.write_text(json.dumps(asdict(self._is)), encoding="utf-8")
            partial.replace(self._path)


_NOW: list[Note] = []  # of this process, the innermost last


@contextmanager
def at_work(title: str) -> Iterator[Note | None]:
    """Keep a file of what is done within; of several processes of one training only the first has one."""
    if os.environ.get("RANK", "0") != "0":
        yield None
        return
    note, state = Note(title), FAILED
    _NOW.append(note)
    try:
        yield note
        state = FINISHED
    except KeyboardInterrupt:  # Ctrl-C or SIGTERM
        state = STOPPED
        raise
    finally:
        _NOW.remove(note)
        note.end(state)


def shared_by(workers: int, where: str = "", count: Callable[[], int] | None = None) -> None:
    """Say of the command that is at work by how many its shares are done."""
    if _NOW:
        _NOW[-1].shared(workers, where, count)
