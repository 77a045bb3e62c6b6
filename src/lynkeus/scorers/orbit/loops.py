"""Whether the loops of `orbit` over windows run compiled: from some work on, where Numba is installed.

Until then NumPy does the same in twice the time, and nobody waits for a compiler: ten seconds, once for a machine, and
one second for each process that reads what was compiled.
"""

from __future__ import annotations

from types import ModuleType

from lynkeus.core import Array
from lynkeus.transforms.compiled_loops import CompiledLoops

ENOUGH: float = 50_000_000  # values: as long as it takes NumPy to score them, it takes to read what was compiled before
LOOPS = CompiledLoops("lynkeus.scorers.orbit.compiled")


def compiled(rows: Array | None = None) -> ModuleType | None:
    """Count the values of some rows, and return the module of compiled loops once it is worth it; else None, as where
    Numba is missing or has no place for what it compiles."""
    return LOOPS.once_worth(0 if rows is None else rows.size, ENOUGH)
