"""Numbers of taggers at working points, and of one over another, with intervals over jets and over trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lynkeus.core import Against, Batch, Floats, SourceError, Tagged, Tagging
from lynkeus.metrics.rates import COVERAGE, auroc, bootstrap_auroc
from lynkeus.metrics.tagging import (
    background_copies,
    background_efficiency,
    over_trainings,
    signal_copies,
    signal_efficiency,
)

TAILS = ((1 - COVERAGE) / 2, (1 + COVERAGE) / 2)


class Measured:
    """AUC, log background efficiencies, and signal efficiencies at working points, of one tagger on one question:
    `values` (trainings, numbers) on all test jets, `copies` (trainings, copies, numbers) on jets drawn again, alike for
    all taggers, of which it is the one of that `number`."""

    def __init__(self, question: Against, truth: Floats, scores: Floats, number: int = 0) -> None:
        own, others = truth == 1, truth == 0
        shares, points = question.efficiencies, question.passing
        self.values = np.array([
            [auroc(truth[own | others], one[own | others]), *_logs(one, own, others, shares),
             *(signal_efficiency(one[own], one[others], point) for point in points)]
            for one in scores
        ])  # fmt: skip
        copies = []
        for one in scores:
            area = bootstrap_auroc(truth[own | others], one[own | others])
            passed = np.log(background_copies(one[own], one[others], shares, len(area), number))
            kept = signal_copies(one[own], one[others], points, len(area)) if points else np.empty((len(area), 0))
            copies.append(np.column_stack([area, passed, kept]))
        self.copies = np.array(copies)

    def metrics(self, question: Against) -> dict[str, float]:
        """Return AUC, rejections 1/eB and efficiencies at working points, each with its interval; rejections are
        geometric means over trainings."""
        low, high = np.quantile(over_trainings(self.values, self.copies), TAILS, axis=0)
        mean = self.values.mean(axis=0)
        found = {"auc": mean[0], "auc_low": low[0], "auc_high": high[0]}
        for k, share in enumerate(question.efficiencies, 1):
            name = f"rejection{share * 100:g}"
            found |= {name: np.exp(-mean[k]), f"{name}_low": np.exp(-high[k]), f"{name}_high": np.exp(-low[k])}
        for k, point in enumerate(question.passing, 1 + len(question.efficiencies)):
            name = f"efficiency{point * 100:g}"
            found |= {name: mean[k], f"{name}_low": low[k], f"{name}_high": high[k]}
        return {name: float(value) for name, value in found.items()}

    def over(self, other: Measured, question: Against) -> dict[str, float]:
        """Return differences in AUC and in efficiencies at working points, and ratios of rejections, to another tagger
        of the same jets; the trainings of both are independent of one another, the jets are the same."""
        mean = self.values.mean(axis=0) - other.values.mean(axis=0)
        own, its = over_trainings(self.values, self.copies, 1), over_trainings(other.values, other.copies, 2)
        low, high = np.quantile(own - its, TAILS, axis=0)
        found = {"auc_difference": mean[0], "auc_difference_low": low[0], "auc_difference_high": high[0]}
        for k, share in enumerate(question.efficiencies, 1):
            name = f"ratio{share * 100:g}"
            found |= {name: np.exp(-mean[k]), f"{name}_low": np.exp(-high[k]), f"{name}_high": np.exp(-low[k])}
        for k, point in enumerate(question.passing, 1 + len(question.efficiencies)):
            name = f"efficiency{point * 100:g}_difference"
            found |= {name: mean[k], f"{name}_low": low[k], f"{name}_high": high[k]}
        return {name: float(value) for name, value in found.items()}


def _logs(scores: Floats, own: Floats, others: Floats, shares: Sequence[float]) -> list[float]:
    return [float(np.log(background_efficiency(scores[own], scores[others], share))) for share in shares]


def truth_of(question: Against, test: Batch) -> Floats:
    """Return (n,) 1 where a jet is signal, 0 background, -1 neither. Raises SourceError where a class is missing."""
    classes = test.schema.classes
    lacking = sorted({question.signal, *question.background} - set(classes))
    if lacking or test.truth is None:
        raise SourceError(f"the test jets are not labelled as {', '.join(lacking) or 'of any class'}")
    background = [classes.index(name) for name in question.background]
    others = np.where(np.isin(test.truth, background), 0, -1)
    return np.where(test.truth == classes.index(question.signal), 1, others)


def discriminant(question: Against, outputs: Sequence[str], probabilities: Floats) -> Floats:
    """Return (n,) P(signal) / (P(signal) + P(background)) of probabilities (n, outputs), as log odds, which keep apart
    what is close to 1."""
    own = probabilities[:, outputs.index(question.signal)]
    others = probabilities[:, [outputs.index(name) for name in question.background]].sum(axis=1)
    tiny = np.finfo(float).tiny
    return np.asarray(np.log(np.maximum(own, tiny)) - np.log(np.maximum(others, tiny)))


def measure(study: Tagging, test: Batch, tagged: Sequence[Tagged]) -> dict[str, float]:
    """Return all metrics of a study by name."""
    metrics: dict[str, float] = {}
    for name, question in study.against.items():
        truth = truth_of(question, test)
        seen = {one.name: Measured(question, truth, one.scores[name], k) for k, one in enumerate(tagged)}
        for tagger, own in seen.items():
            metrics |= _named(f"{name}.{tagger}", own.metrics(question))
        for one, other in study.pairs:
            metrics |= _named(f"{name}.{one} over {other}", seen[one].over(seen[other], question))
    return metrics


def _named(start: str, found: Mapping[str, float]) -> dict[str, float]:
    return {f"{start}.{key}": value for key, value in found.items()}
