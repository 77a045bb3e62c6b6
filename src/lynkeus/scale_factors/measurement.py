"""What is measured and what was found: the question, one cell for each bin, and all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lynkeus.core import Floats
from lynkeus.scale_factors.fit import Fit
from lynkeus.scale_factors.jets import Bins
from lynkeus.scale_factors.templates import Templates

PRIOR = 0.5


@dataclass(frozen=True)
class Question:
    """What is measured: the factor of the class `measured` among `classes`, at `thresholds` by name of working point
    (a jet passes from there on), in `bins`.

    `edges` of the template variable (None: chosen in each bin); `prior`: width of the Gaussian that holds the factors
    of the other classes near 1; `merge`: bins whose fit fails are joined with their neighbours in pt.
    """

    classes: tuple[str, ...]
    measured: str
    thresholds: Mapping[str, float]
    bins: Bins
    edges: tuple[float, ...] | None = None
    prior: float = PRIOR
    merge: bool = False

    @property
    def number(self) -> int:
        """Return the number of the class that is measured."""
        return self.classes.index(self.measured)


@dataclass(frozen=True)
class Cell:
    """One working point in one bin of pt and |eta|, or in several that were joined (`members`).

    `efficiency` (classes,) in simulation; `shifts`: source -> (classes, 2) what its "down" and its "up" add to the
    factors.
    """

    working_point: str
    members: tuple[int, ...]
    templates: Templates
    fit: Fit
    efficiency: Floats
    shifts: Mapping[str, Floats] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def total(self, upwards: bool) -> Floats:
        """Return (classes,) all shifts in that direction in quadrature, with its sign."""
        if not self.shifts:
            return np.full(len(self.efficiency), np.nan)
        sign = 1.0 if upwards else -1.0
        parts = [np.maximum((sign * shift).max(axis=1), 0.0) for shift in self.shifts.values()]
        return sign * np.sqrt(np.sum(np.square(parts), axis=0))


@dataclass(frozen=True)
class Measurement:
    """Every working point in every bin: `cells[working point][bin]`; bins that were joined share a cell.

    `sources` are the names of the uncertainties; `notes` what was left out or must be known.
    """

    question: Question
    cells: Mapping[str, tuple[Cell, ...]]
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def distinct(self) -> list[Cell]:
        """Return each cell once."""
        return [cell for cells in self.cells.values() for number, cell in enumerate(cells) if cell.members[0] == number]

    def problems(self) -> list[str]:
        """Return what went wrong, as "WORKING POINT, BIN: what; what to do"."""
        return [f"{self.words(cell)}: {cell.fit.problem}" for cell in self.distinct() if cell.fit.problem]

    def words(self, cell: Cell) -> str:
        """Name a cell: "medium, pt 30-50, |eta| 0-1.2"."""
        return f"{cell.working_point}, {self.question.bins.joined(cell.members)}"
