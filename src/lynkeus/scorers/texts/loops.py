"""Whether terms of texts are counted by compiled loops: from some work on, where Numba is installed.

Until then NumPy does the same in twice the time, and nobody waits for a compiler: some seconds, once for a machine, and
one second for each process that reads what was compiled.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from lynkeus.core import Floats
from lynkeus.transforms.compiled_loops import CompiledLoops
from lynkeus.transforms.texts.hashed import GROUPS, Part
from lynkeus.transforms.texts.terms import Terms

ENOUGH: float = 20_000_000  # letters: as long as NumPy takes for them, it takes to read what was compiled before
LOOPS = CompiledLoops("lynkeus.scorers.texts.compiled")


def compiled(letters: int) -> ModuleType | None:
    """Count letters that are to be scored, and return the module of compiled loops once it is worth it; else None, as
    where Numba is missing or has no place for what it compiles."""
    return LOOPS.once_worth(letters, ENOUGH)


@dataclass(frozen=True)
class Unmade:
    """The rows of some texts, as `Terms.rows_of` gives them, that are not made: their product with weights is."""

    part: Part
    terms: Terms
    loops: ModuleType

    def __matmul__(self, weights: Floats) -> Floats:
        letters, kind = self.part.letters(self.terms.made_of), self.terms.made_of
        starts, ends = np.concatenate([[0], np.cumsum(letters.long)]), np.zeros(self.part.n + 1, np.int64)
        columns = np.empty(len(GROUPS) * len(letters.codes), np.uint32)
        (self.loops.words if kind == "words" else self.loops.groups)(
            letters.codes, letters.marks, starts, columns, ends
        )
        found = np.empty((self.part.n, weights.shape[1]), np.float32)
        self.loops.said(columns[: ends[-1]], ends, self.terms.known, self.terms.weight, weights, found)
        return found
