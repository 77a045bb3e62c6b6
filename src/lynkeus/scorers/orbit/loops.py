"""Whether the loops of `orbit` over windows run compiled: from some work on, where Numba is installed.

Until then NumPy does the same in twice the time, and nobody waits for a compiler: ten seconds, once for a machine, and
one second for each process that reads what was compiled.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from lynkeus.core import Array

ENOUGH: float = 50_000_000  # values: as long as it takes NumPy to score them, it takes to read what was compiled before


class _Work:
    """The values that this process has looked at, and whether it tried to compile."""

    done = 0
    tried = False
    loops: ModuleType | None = None


def compiled(rows: Array | None = None) -> ModuleType | None:
    """Count the values of some rows, and return the module of compiled loops once it is worth it; else None, as where
    Numba is missing or has no place for what it compiles."""
    _Work.done += 0 if rows is None else rows.size
    if _Work.done < ENOUGH:
        return None
    if not _Work.tried:
        _Work.tried = True
        try:
            _Work.loops = import_module("lynkeus.scorers.orbit.compiled")
        except (ImportError, RuntimeError):
            _Work.loops = None
    return _Work.loops
