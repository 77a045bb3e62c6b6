"""unbroken: what Ctrl-C and SIGTERM must not cut in two, such as a transaction: they come when it is done."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def unbroken() -> Iterator[None]:
    """Hold back both signals in the main thread, where Python hears them, until what is within is done.

    An interrupted write would keep its connection, and with it the lock of the database, as long as the interruption is
    on its way out: the watch that ends could not let go of its monitor.
    """
    before = {number: signal.getsignal(number) for number in NUMBERS}
    if threading.current_thread() is not threading.main_thread() or None in before.values():
        yield
        return
    came: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    for number in NUMBERS:
        signal.signal(number, hold)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            os.kill(os.getpid(), came[0])
