"""measure: factors and their uncertainties, source by source, at every working point in every bin of pt and |eta|."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lynkeus.core import Floats, SettingsError, SourceError
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.scale_factors.fit import Fit, fit_bin
from lynkeus.scale_factors.jets import Bins, Jets
from lynkeus.scale_factors.templates import Templates, choose_edges, fill

STATISTICS, SIMULATED, EXTRAPOLATION = "statistics", "templates", "extrapolation"
PRIOR = 0.5
POOR_FIT = 0.001  # p-value below which the templates are said not to describe the data


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


Variations = Mapping[str, Sequence[Jets]]  # name -> one other simulation, or two: up and down


def measure(
    question: Question, simulated: Jets, data: Jets, variations: Variations | None = None,
    progress: ReportProgress | None = None,
) -> Measurement:  # fmt: skip
    """Measure the factors of a class.

    `variations`: simulations that differ in one thing, such as the tune; what the factor shifts by is an uncertainty of
    that name. Fits that failed are in `problems()` of what is returned. Raises SourceError for simulation without
    flavours, or without any jet in the bins, SettingsError where iminuit is missing.
    """
    report, others = progress or silent, dict(variations or {})
    every = [simulated, *(jets for pair in others.values() for jets in pair)]
    notes = [note for jets in every for note in _check(jets, question)]
    notes += _outside(question, simulated, data)
    simulated, others = _labelled(simulated), {name: [_labelled(one) for one in pair] for name, pair in others.items()}
    look = _Look(question, simulated, data, others)
    cells: dict[str, tuple[Cell, ...]] = {}
    for number, name in enumerate(question.thresholds):
        report(name, number / len(question.thresholds))
        cells[name] = look.working_point(name)
    report("done", 1.0)
    sources = dict.fromkeys(name for own in cells.values() for cell in own for name in cell.shifts)
    found = Measurement(question, cells, tuple(sources))
    said = [f"{found.words(cell)}: {note}" for cell in found.distinct() for note in cell.notes]
    return replace(found, notes=tuple(dict.fromkeys([*notes, *said])))


class _Look:
    """Fits of one measurement: which jets are in which bin, and the fit of any bins joined."""

    def __init__(
        self, question: Question, simulated: Jets, data: Jets, variations: Mapping[str, Sequence[Jets]]
    ) -> None:
        self.question = question
        self.samples = {"": [simulated], **variations}
        self.data = data
        self.bin_of = {
            name: [question.bins.of(jets.pt, jets.eta) for jets in own] for name, own in self.samples.items()
        }
        self.data_bin = question.bins.of(data.pt, data.eta)

    def working_point(self, name: str) -> tuple[Cell, ...]:
        """Return a cell for each bin."""
        bins, found = self.question.bins, []
        per_row = len(bins.pt) - 1
        for row in range(len(bins.abseta) - 1):
            groups = [[row * per_row + column] for column in range(per_row)]
            cells = [self.cell(name, group) for group in groups]
            while self.question.merge and len(groups) > 1 and any(cell.fit.problem for cell in cells):
                worst = next(number for number, cell in enumerate(cells) if cell.fit.problem)
                other = self._neighbour(worst, cells)
                first, last = sorted((worst, other))
                groups[first : last + 1] = [groups[first] + groups[last]]
                cells[first : last + 1] = [self.cell(name, groups[first])]
            found += [cell for group, cell in zip(groups, cells, strict=True) for _ in group]
        return tuple(found)

    def _neighbour(self, worst: int, cells: Sequence[Cell]) -> int:
        """The neighbour in pt that itself has no fit, or else fewer jets of data."""
        there = [number for number in (worst - 1, worst + 1) if 0 <= number < len(cells)]
        return min(there, key=lambda number: (not cells[number].fit.problem, cells[number].templates.data.sum()))

    def cell(self, name: str, group: Sequence[int]) -> Cell:
        """Fit these bins as one, and again for each source."""
        question = self.question
        own_data = self.data[np.isin(self.data_bin, group)]
        simulated = self._simulated("", 0, group)
        classes = len(question.classes)
        edges = question.edges or choose_edges(simulated, classes, len(own_data))
        threshold = question.thresholds[name]
        templates = fill(own_data, simulated, threshold, np.asarray(edges, float), classes)
        fit = fit_bin(templates, question.number, question.classes, question.prior)
        cell = Cell(name, tuple(group), templates, fit, templates.efficiency, notes=_noted(question, templates, fit))
        if fit.problem:
            return cell
        shifts, problems = _of_statistics(question, templates, fit), []
        for source in self.samples.keys() - {""}:
            varied = [
                fill(own_data, self._simulated(source, k, group), threshold, np.asarray(edges, float), classes)
                for k in range(len(self.samples[source]))
            ]
            shifts[source], problem = _of_variation(question, cell, varied)
            problems += [f"{source}: {problem}"] if problem else []
        inside = _extrapolation(question, cell)
        if inside is not None:
            shifts[EXTRAPOLATION], problem = inside
            problems += [f"jets with a value of the variable alone: {problem}"] if problem else []
        problem = fit.problem or "; ".join(problems)
        return replace(cell, shifts=shifts, fit=replace(fit, problem=problem))

    def _simulated(self, source: str, number: int, group: Sequence[int]) -> Jets:
        return self.samples[source][number][np.isin(self.bin_of[source][number], group)]


def _of_statistics(question: Question, templates: Templates, fit: Fit) -> dict[str, Floats]:
    """The error of the data alone, and what the limited simulation adds to it in quadrature."""
    exact = fit_bin(templates, question.number, question.classes, question.prior, limited=False)
    if exact.problem:  # without the freedom of the simulation it fits nowhere: all of it is one error
        exact = fit
    whole, data = (_interval(question, one) for one in (fit, exact))
    size = np.minimum(np.abs(data), np.abs(whole))
    signs = np.array([-1.0, 1.0])
    return {STATISTICS: signs * size, SIMULATED: signs * np.sqrt(whole**2 - size**2)}


def _interval(question: Question, fit: Fit) -> Floats:
    """Return (classes, 2) distance of both ends of the interval."""
    ends = np.stack([-fit.error, fit.error], axis=1)
    ends[question.number] = fit.low - fit.factor[question.number], fit.high - fit.factor[question.number]
    return np.nan_to_num(ends)


def _of_variation(question: Question, cell: Cell, varied: Sequence[Templates]) -> tuple[Floats, str]:
    """Return (classes, 2) shifts where the efficiency in data is measured by another simulation.

    The factor is that of the nominal one, so that it is (efficiency in data) / (nominal efficiency).
    """
    moved = []
    for templates in varied:
        fit = fit_bin(templates, question.number, question.classes, question.prior)
        if fit.problem:
            return np.zeros((len(question.classes), 2)), fit.problem
        nominal = np.where(cell.efficiency > 0, cell.efficiency, np.nan)
        moved.append(np.nan_to_num(fit.factor * templates.efficiency / nominal - cell.fit.factor))
    up, down = moved if len(moved) == 2 else (moved[0], -moved[0])
    return np.stack([down, up], axis=1), ""


def _extrapolation(question: Question, cell: Cell) -> tuple[Floats, str] | None:
    """What the factor shifts by where only jets with a value of the variable are fitted; None where all have one."""
    inside = cell.templates.with_values()
    if len(inside.data) == len(cell.templates.data):
        return None
    fit = fit_bin(inside, question.number, question.classes, question.prior)
    if fit.problem:
        return np.zeros((len(question.classes), 2)), fit.problem
    shift = np.nan_to_num(fit.factor - cell.fit.factor)
    return np.stack([-shift, shift], axis=1), ""


def _noted(question: Question, templates: Templates, fit: Fit) -> tuple[str, ...]:
    notes = []
    if templates.negative:
        notes.append(f"{templates.negative} bins of the templates have a negative sum of weights and count as 0")
    if fit.p_value < POOR_FIT:
        notes.append(
            f"the templates do not describe the data (chi2 {fit.chi2:.0f} for {fit.ndf} degrees of freedom): the "
            "simulation of the variable is wrong; give other simulations as systematics"
        )
    return tuple(notes)


def _check(jets: Jets, question: Question) -> list[str]:
    """Raise SourceError for simulation that no template can be made of; return what is left out."""
    unlabelled = int((jets.flavour < 0).sum())
    if unlabelled == len(jets):
        raise SourceError(f"{jets.name}: no jet has a flavour (label); templates need a simulation with the truth")
    if not (jets.flavour == question.number).any():
        raise SourceError(f"{jets.name}: there is no {question.measured} jet, whose factor is asked for")
    return [f"{jets.name}: {unlabelled} jets without a flavour are left out"] if unlabelled else []


def _labelled(jets: Jets) -> Jets:
    return jets[(jets.flavour >= 0) & np.isfinite(jets.score)]


def _outside(question: Question, simulated: Jets, data: Jets) -> list[str]:
    """Say how many jets are in no bin. Raises SourceError where all are."""
    notes = []
    for jets in (simulated, data):
        out = int((question.bins.of(jets.pt, jets.eta) < 0).sum())
        if out == len(jets):
            raise SourceError(f"{jets.name}: none of {len(jets)} jets is in the bins; give other --bins")
        if out:
            notes.append(f"{jets.name}: {out} of {len(jets)} jets are outside of all bins and are left out")
    lost = int((~np.isfinite(data.score)).sum())
    if lost:
        raise SourceError(f"{data.name}: {lost} jets have no score; score them, or leave them out")
    if question.measured not in question.classes:
        raise SettingsError(f"no class {question.measured!r}; there are: {', '.join(question.classes)}")
    return notes
