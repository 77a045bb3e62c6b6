"""measure: factors and their uncertainties, source by source, at every working point in every bin of pt and |eta|."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lynkeus.core import SettingsError, SourceError
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.scale_factors.fit import Fit, fit_bin
from lynkeus.scale_factors.jets import Jets
from lynkeus.scale_factors.measurement import Cell, Measurement, Question
from lynkeus.scale_factors.templates import Templates, choose_edges, fill
from lynkeus.scale_factors.uncertainties import of_extrapolation, of_statistics, of_variation

EXTRAPOLATION = "extrapolation"
POOR_FIT = 0.001  # p-value below which the templates are said not to describe the data

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
        shifts, problems = of_statistics(question, templates, fit), []
        for source in self.samples.keys() - {""}:
            varied = [
                fill(own_data, self._simulated(source, k, group), threshold, np.asarray(edges, float), classes)
                for k in range(len(self.samples[source]))
            ]
            shifts[source], problem = of_variation(question, cell, varied)
            problems += [f"{source}: {problem}"] if problem else []
        inside = of_extrapolation(question, cell)
        if inside is not None:
            shifts[EXTRAPOLATION], problem = inside
            problems += [f"jets with a value of the variable alone: {problem}"] if problem else []
        problem = fit.problem or "; ".join(problems)
        return replace(cell, shifts=shifts, fit=replace(fit, problem=problem))

    def _simulated(self, source: str, number: int, group: Sequence[int]) -> Jets:
        return self.samples[source][number][np.isin(self.bin_of[source][number], group)]


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
    lost = int((~np.isfinite(jets.score)).sum())
    said = [f"{jets.name}: {unlabelled} jets without a flavour are left out"] if unlabelled else []
    return [*said, f"{jets.name}: {lost} jets without a score are left out"] if lost else said


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
