"""What the study looks at: measured factors beside true ones, and pseudo-experiments from the fitted templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lynkeus.core import Batch, Findings, Source, SourceError, Tagged, concatenate
from lynkeus.fitting.fitted import Fitted
from lynkeus.scale_factors.closure import Closure, Truth, pseudo_experiments, true_factors
from lynkeus.scale_factors.jets import Bins, Jets
from lynkeus.scale_factors.measure import measure
from lynkeus.scale_factors.measurement import Cell, Measurement, Question
from lynkeus.scale_factors.read import scored
from lynkeus.scale_factors.working_points import thresholds
from lynkeus.sources import InMemory
from lynkeus.studies.scale_factors.answers import Row, metrics_of, tables_of
from lynkeus.studies.scale_factors.figures import factors_figure, fit_figure

OUTPUT, TRUTH = "b", "truth_label"
VARIABLES = ("sv_mass", "jet_probability")
POINTS, SMOKE_POINTS = "loose,medium,tight", "loose"
BINS, SMOKE_BINS = Bins((30.0, 60.0, 100.0, 200.0), (0.0, 2.0)), Bins((30.0, 200.0), (0.0, 2.0))
EXPERIMENTS, SMOKE_EXPERIMENTS = 300, 20


@dataclass(frozen=True)
class Sample:
    """Jets that stand for data; their classes are in the truth, or in words in `truth_label`."""

    name: str
    source: Source


@dataclass(frozen=True)
class FactorLook:
    """Measures all samples with all variables; `others` are simulations that differ, by name."""

    samples: Sequence[Sample]
    others: Mapping[str, Source]
    smoke: bool = False

    def __call__(self, test: Batch, tagged: Sequence[Tagged], folder: Path) -> Findings:
        """Return figures, metrics and tables; `test` are the jets of the simulation."""
        model: Fitted = tagged[0].models[0]
        cuts = thresholds(SMOKE_POINTS if self.smoke else POINTS, model, OUTPUT)
        question = Question(test.schema.classes, OUTPUT, cuts, SMOKE_BINS if self.smoke else BINS, merge=True)
        samples = [replace(sample, source=in_memory(sample.source)) for sample in self.samples]
        sources = {name: in_memory(source) for name, source in self.others.items()}
        rows: list[Row] = []
        found: dict[tuple[str, str], Measurement] = {}
        for variable in VARIABLES[:1] if self.smoke else VARIABLES:
            simulated = scored(model, InMemory(test), OUTPUT, variable, "simulation").jets
            others = {name: [scored(model, source, OUTPUT, variable, name).jets] for name, source in sources.items()}
            for sample in samples:
                data = observed(model, sample, variable, question)
                found[sample.name, variable] = measure(question, simulated, data, others)
                rows += _rows(sample.name, variable, found[sample.name, variable], simulated, data)
        first = next(iter(found.values()))
        closure = _closure(first, SMOKE_EXPERIMENTS if self.smoke else EXPERIMENTS)
        factors_figure(rows, folder / "factors.svg")
        fit_figure(first, last(first), VARIABLES[0], folder / "fit.svg")
        figures = {
            "factors.svg": "Measured factors (points, with all sources) beside the true ones (open squares)",
            "fit.svg": f"One fit, in {VARIABLES[0]}: {first.words(last(first))}",
        }
        return Findings(figures, metrics_of(rows, found, closure), tables_of(rows, found, closure))


def last(found: Measurement) -> Cell:
    """Return the last usable cell: the tightest working point, the highest pt. Raises SourceError without one."""
    usable = [cell for cell in found.distinct() if not cell.fit.problem]
    if not usable:
        raise SourceError(f"no fit can be used: {found.problems()[0]}")
    return usable[-1]


def in_memory(source: Source) -> InMemory:
    """Return the jets of a simulator, made once."""
    return InMemory(concatenate(list(source)))


def observed(model: Fitted, sample: Sample, variable: str, question: Question) -> Jets:
    """Return the jets of a sample with their true classes, which the fit does not look at."""
    found = scored(model, sample.source, OUTPUT, variable, sample.name)
    if found.labelled:
        return found.jets
    words = np.concatenate([np.asarray(batch.meta[TRUTH]).astype(str) for batch in sample.source])
    number = {name: k for k, name in enumerate(question.classes)}
    return replace(found.jets, flavour=np.array([number.get(word, -1) for word in words], np.int64))


def _rows(sample: str, variable: str, found: Measurement, simulated: Jets, data: Jets) -> list[Row]:
    """Return a row of each cell with a usable fit; what bins were joined, the truth is of all of them."""
    rows, number = [], found.question.number
    for cell in found.distinct():
        if cell.fit.problem:
            continue
        first, last = (found.question.bins.place(member)[1] for member in (cell.members[0], cell.members[-1]))
        edges = found.question.bins.pt[first], found.question.bins.pt[last + 1]
        alone = replace(found.question, bins=Bins(edges, found.question.bins.abseta))
        true, error = true_factors(alone, simulated, data)[cell.working_point]
        rows.append(Row(sample, variable, found.words(cell), true[0, number], error[0, number], cell, number))
    return rows


def _closure(found: Measurement, experiments: int) -> Closure:
    """Pseudo-experiments with the templates, yields and factors of one fit."""
    cell = last(found)
    truth = Truth(cell.fit.yields, cell.fit.factor)
    question = found.question
    return pseudo_experiments(cell.templates, truth, question.number, question.classes, experiments, seed=1)
