"""How a command ends: errors that a user can mend are one line, Ctrl-C and SIGTERM are a clean stop."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from lynkeus.cli.options import screen
from lynkeus.progress import say

INTERRUPTED = 130  # what Typer makes of Ctrl-C


def to_its_end(app: Callable[[], None]) -> None:
    """Run a command to its end. The process ends with 0 after Ctrl-C, by the signal itself after SIGTERM, which batch
    systems and systemd send, and with 2 after a line of what a user can mend."""
    with _stopped_by_sigterm() as terminated:
        try:
            app()
        except (KeyboardInterrupt, SystemExit) as stop:
            if isinstance(stop, SystemExit) and stop.code != INTERRUPTED:
                raise
            say(screen, ["stopped; everything that was committed is kept"])
            if terminated:  # whoever sent it is not told that the work was finished
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGTERM)
            sys.exit(0)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            _fail(f"{where}{error.strerror or error}; check the path, its permissions and the space on the disk")
        except Exception as error:
            from lynkeus.core import LynkeusError

            if not isinstance(error, LynkeusError):
                raise
            _fail(str(error))


def _fail(message: str) -> NoReturn:
    line = " ".join(f"lynkeus: {message}".split())  # what a library says may have several lines
    screen.print(line, style="red", highlight=False, markup=False, soft_wrap=True)
    sys.exit(2)


@contextmanager
def _stopped_by_sigterm() -> Iterator[list[int]]:
    """Let the first SIGTERM do what Ctrl-C does; it is in the list that is given. A second one ends at once."""
    came: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, before)
