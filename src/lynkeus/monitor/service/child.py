"""Child: the process of one monitor, as its supervisor sees it: what it says, how large it is, whether it lives."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Heard(NamedTuple):
    """What a process said: an `event` with its `fields`, or a line for people (`line`)."""

    event: str
    fields: dict[str, Any]


class Child:
    """A process that is given its plan on standard input and then orders, a line each; it answers on standard output in
    JSON, and what it says to people comes on standard error. It ends when its supervisor does: its input is closed."""

    def __init__(self, command: Sequence[str], plan: str, shadow: bool) -> None:
        self.shadow = shadow
        self.begun_s = self.heard_s = time.monotonic()
        self.ready = False
        self.stopping = False
        self.window_s = 0.0
        self.said: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self.last = ""  # the last line for people: why it ended
        self.process = subprocess.Popen(
            [*command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            encoding="utf-8", errors="replace", start_new_session=True,
        )  # fmt: skip
        readers = (self._events, self._lines)
        self._readers = [threading.Thread(target=reader, daemon=True) for reader in readers]
        for reader in self._readers:
            reader.start()
        self.order(json.dumps({"plan": plan, "shadow": shadow}))

    def order(self, line: str) -> None:
        """Send an order; to one that has ended it is lost."""
        assert self.process.stdin is not None
        with suppress(OSError, ValueError):
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()

    def _events(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.heard_s = time.monotonic()
            with suppress(ValueError, KeyError, TypeError):
                fields = json.loads(line)
                self.said.put(Heard(fields.pop("event"), fields))

    def _lines(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if text := line.strip():
                self.last = text.removeprefix("lynkeus: ")
                self.said.put(Heard("says", {"text": text}))

    def hear(self) -> list[Heard]:
        """Return what was said since the last time."""
        found = []
        with suppress(queue.Empty):
            while True:
                found.append(self.said.get_nowait())
        return found

    @property
    def pid(self) -> int:
        """Return the number of the process."""
        return self.process.pid

    def ended(self) -> int | None:
        """Return the exit code, after all that it said was heard; None while it runs."""
        code = self.process.poll()
        if code is not None:
            for reader in self._readers:
                reader.join(1.0)
        return code

    def stop(self) -> None:
        """Ask it to end."""
        self.stopping = True
        self.order("stop")

    def kill(self) -> None:
        """End it at once."""
        with suppress(OSError):
            self.process.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Wait for one that ends, and let go of its pipes."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(5.0)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with suppress(OSError, ValueError):
                if pipe is not None:
                    pipe.close()


def memory_of(pid: int) -> int:
    """Return the bytes of memory that a process holds, 0 where that cannot be known."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * PAGE
    except (OSError, ValueError, IndexError):
        return 0
