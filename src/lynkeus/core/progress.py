"""Progress of long computations: the signature of the functions that are called on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

ReportProgress = Callable[[str, float | None], None]  # what is being done; the share that is done, None where unknown

_CALLBACK: ContextVar[ReportProgress | None] = ContextVar("progress", default=None)


@contextmanager
def reporting(to: ReportProgress) -> Iterator[None]:
    """Have `report_progress` call this function, for what is computed within: a scorer is given none."""
    token = _CALLBACK.set(to)
    try:
        yield
    finally:
        _CALLBACK.reset(token)


def report_progress(what: str, share: float | None = None) -> None:
    """Say what is being done to whoever is `reporting`; nothing where nobody is."""
    (_CALLBACK.get() or silent)(what, share)


def silent(what: str, share: float | None = None) -> None:
    """Show nothing: the callback where nobody asked for progress."""
