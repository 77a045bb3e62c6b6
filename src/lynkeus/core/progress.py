"""Progress of long computations: the signature of the functions that are called on the way."""

from __future__ import annotations

from collections.abc import Callable

ReportProgress = Callable[[str, float | None], None]  # what is being done; the share that is done, None where unknown


def silent(what: str, share: float | None = None) -> None:
    """Show nothing: the callback where nobody asked for progress."""
