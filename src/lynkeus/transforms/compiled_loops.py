"""CompiledLoops: loops that are compiled from some work on, where Numba is installed.

Until then NumPy does the same in twice the time, and nobody waits for a compiler: some seconds, once for a machine, and
one second for each process that reads what was compiled.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


class CompiledLoops:
    """The compiled loops of the module called `name`, and how much work this process has done that they could do."""

    def __init__(self, name: str) -> None:
        self.name, self.done = name, 0
        self._tried = False
        self._loops: ModuleType | None = None

    def once_worth(self, work: int, enough: float) -> ModuleType | None:
        """Count some work, and return the module once all together is `enough`; else None, as where Numba is missing
        or has no place for what it compiles."""
        self.done += work
        if self.done < enough:
            return None
        if not self._tried:
            self._tried = True
            try:
                self._loops = import_module(self.name)
            except (ImportError, RuntimeError):
                self._loops = None
        return self._loops
