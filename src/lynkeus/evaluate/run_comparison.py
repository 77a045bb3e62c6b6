"""run_comparison: scorers side by side on labelled samples, case by case, and a page that says who found what."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from lynkeus.core import (
    Array,
    Batch,
    Case,
    Comparison,
    Floats,
    Outcome,
    Part,
    Scorer,
    Source,
    SourceError,
    Tags,
    about_of,
    concatenate,
    plugins,
)
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.evaluate.comparison_page import comparison_page
from lynkeus.evaluate.run_study import StudyRun, record
from lynkeus.files.journal import Row
from lynkeus.files.shared import Sharing
from lynkeus.files.whole import write_whole
from lynkeus.files.workers import Work
from lynkeus.fitting.follow import scores_along
from lynkeus.fitting.kinds import kinds_of
from lynkeus.fitting.reference import FOLDS
from lynkeus.fitting.weights import check_weights_used
from lynkeus.metrics.rates import COVERAGE, auroc, average_precision, bootstrap_auroc
from lynkeus.sources import Good
from lynkeus.sources.wrappers.classed import Fold

MEAN = "mean"  # the case that stands for all cases of a part
TAILS = ((1 - COVERAGE) / 2, (1 + COVERAGE) / 2)
AVERAGED = ("auroc", "average_precision", "fit_s", "score_s", "right_kind")


@dataclass
class PartResults:
    """What a part has shown: `metrics` by case.scorer.statistic; `confusion`: scorer -> (classes, classes) counts, true
    class by row, summed over the cases; `figures`: file -> caption; `tables`: title -> lines of cells."""

    metrics: dict[str, float] = field(default_factory=dict)
    confusion: dict[str, Array] = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)
    tables: dict[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    copies: dict[str, list[Floats]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Self:
        """Return what all cases of a part have shown, from the row of each."""
        found = cls()
        for row in rows:
            found.metrics |= row["metrics"]
            found.figures |= row["figures"]
            found.tables |= row["tables"]
            for name, counts in row["confusion"].items():
                found.confusion[name] = found.confusion.get(name, 0) + np.array(counts)
            for name, copies in row["copies"].items():
                found.copies.setdefault(name, []).extend(np.array(own) for own in copies)
        return found

    def row(self) -> Row:
        """Return it as a row of a ledger."""
        return {
            "metrics": {name: float(value) for name, value in self.metrics.items()},
            "confusion": {name: counts.tolist() for name, counts in self.confusion.items()},
            "figures": self.figures,
            "tables": {title: [list(map(str, line)) for line in lines] for title, lines in self.tables.items()},
            "copies": {name: [np.asarray(one).tolist() for one in own] for name, own in self.copies.items()},
        }


def run_comparison(
    study: Comparison, folder: Path, progress: ReportProgress | None = None, sharing: Sharing | None = None
) -> StudyRun:
    """Run a comparison; writes `<folder>/<name>.md`, and beside it `<folder>/<name>/` with figures and metrics.json.

    `sharing`: who does cases, by the same study that `sharing.again` gives.
    """
    report, by = progress or silent, sharing or Sharing()
    own = folder / study.name
    own.mkdir(parents=True, exist_ok=True)
    cases = [(part, case) for part, one in study.parts.items() for case in one.cases]
    shares = {"all cases": cases} if study.together else {f"{part} {case}": [(part, case)] for part, case in cases}
    done = by.do(Work(_elsewhere, (by.again, own), partial(_cases, study, own)), shares, report)
    found = {}
    for name, part in study.parts.items():
        found[name] = PartResults.of(row for rows in done.values() for row in rows if row["part"] == name)
        _average(part, found[name])
    metrics = {f"{name}.{key}": value for name, one in found.items() for key, value in one.metrics.items()}
    # A metric that is missing is NaN, and fails its check: a name that was misspelt must not pass.
    checks = tuple((check, metrics.get(check.metric, float("nan"))) for check in study.checks)
    asked = _record(study)
    write_whole(own / "metrics.json", json.dumps({"run": asked, "metrics": metrics}, indent=1).encode())
    run = StudyRun(metrics, checks, folder / f"{study.name}.md")
    write_whole(run.page, comparison_page(study, found, asked, run.lines()[:-1]).encode())
    report("done", 1.0)
    return run


def _elsewhere(again: Callable[[], Comparison], own: Path) -> Callable[[Sequence[tuple[str, str]]], list[Row]]:
    return partial(_cases, again(), own)


def _cases(study: Comparison, own: Path, share: Sequence[tuple[str, str]]) -> list[Row]:
    """Ask all scorers and baselines of some cases; figures are written into the folder of the study."""
    rows = []
    for name, case in share:
        part, found, outcomes = study.parts[name], PartResults(), []
        for outcome in _outcomes(part, part.cases[case]):
            outcomes.append(outcome)
            _measure(part, case, outcome, found)
        if part.look is not None:
            seen = part.look(case, outcomes, own)
            found.figures |= seen.figures
            found.tables |= seen.tables
            found.metrics |= {f"{case}.{key}": value for key, value in seen.metrics.items()}
        rows.append(found.row() | {"part": name})
    return rows


def _outcomes(part: Part, case: Case) -> Iterator[Outcome]:
    """Yield the outcome of every scorer, then of every baseline."""
    test = _joined(case.test)
    if test.truth is None or not (test.truth == 0).any() or not (test.truth != 0).any():
        raise SourceError("the test samples of a comparison need labels (truth), with normal ones (0) and others")
    for name, options in part.scorers.items():
        scorer = plugins.load("scorers", name.split()[0])(**options)
        check_weights_used(case.train, f"the scorer {name}", about_of(scorer))
        # Processor time: what other programs do meanwhile does not count.
        begun = time.process_time()
        _fit(scorer, case.train)
        fitted = time.process_time()
        scores = _scores(scorer, case)
        scored = time.process_time()
        kinds = kinds_of(scorer, test)
        yield Outcome(name, scorer, test, scores, kinds, fitted - begun, scored - fitted)
    if not part.baselines:
        return
    good = _joined(Good(case.train)).values
    for name, baseline in part.baselines.items():
        begun = time.process_time()
        yield Outcome(name, None, test, baseline(good, test.values)[:, None], score_s=time.process_time() - begun)


def _fit(scorer: Scorer, train: Source) -> None:
    """Fit on what a scorer may learn from; one of classes makes its probabilities right on a part that is kept."""
    if isinstance(scorer, Tags):
        scorer.fit(Fold(train, FOLDS, inside=False))
        scorer.calibrate(Fold(train, FOLDS, inside=True))
        return
    scorer.fit(train if about_of(scorer).labels else Good(train))


def _joined(source: Source) -> Batch:
    """Join batches to one; of images that differ in size without their pixels, which scorers see batch by batch."""
    batches = list(source)
    if len({batch.values.shape[1:] for batch in batches}) > 1:
        batches = [batch.with_values(batch.values[..., :0, :0]) for batch in batches]
    return concatenate(batches)


def _scores(scorer: Scorer, case: Case) -> Floats:
    """Return (n, outputs), batch by batch, as a watch would ask for them; of a scorer of classes the probability of any
    but the first class, then of all others."""
    scores = np.concatenate(list(scores_along(scorer, case.test, fresh=False)))
    return np.hstack([1.0 - scores[:, :1], scores[:, 1:]]) if about_of(scorer).tags else scores


def _measure(part: Part, case: str, outcome: Outcome, found: PartResults) -> None:
    """AUROC of every class against the normal samples, and of all of them, with its interval; confusion of kinds."""
    test, scores = outcome.test, outcome.scores[:, 0]
    assert test.truth is not None
    start, weight = f"{case}.{outcome.name}", test.weight
    copies = bootstrap_auroc(test.truth, scores, _groups(part, test), weight=weight)
    found.copies.setdefault(outcome.name, []).append(copies)
    low, high = _interval(copies)
    metrics = {"auroc": auroc(test.truth, scores, weight), "low": float(low), "high": float(high)}
    metrics["average_precision"] = average_precision(test.truth, scores, weight)
    metrics |= {"fit_s": outcome.fit_s, "score_s": outcome.score_s}
    for number, name in enumerate(part.classes):
        rows = (test.truth == 0) | (test.truth == number)
        if number and len(part.classes) > 2 and (test.truth == number).any():
            metrics[f"{name}.auroc"] = auroc(test.truth[rows], scores[rows], None if weight is None else weight[rows])
    if outcome.kinds is not None:
        counts = _confusion(part, test.truth, outcome.kinds)
        faulty = counts[1:]
        metrics["right_kind"] = float(np.trace(faulty, offset=1) / max(faulty.sum(), 1))
        found.confusion[outcome.name] = found.confusion.get(outcome.name, 0) + counts
    found.metrics |= {f"{start}.{name}": value for name, value in metrics.items()}


def _interval(copies: Floats) -> Floats:
    """Copies in which no sample of a class was drawn are left out."""
    return np.asarray(np.quantile(copies[np.isfinite(copies)], TAILS))


def _groups(part: Part, test: Batch) -> Array | None:
    if part.groups and part.groups not in test.meta:
        raise SourceError(f"the test samples have no column {part.groups!r} in their meta data; name one in groups")
    return test.meta[part.groups] if part.groups else None


def _confusion(part: Part, truth: Array, kinds: Array) -> Array:
    """(classes, classes + 1) counts: true class by row, named class by column, the last one for any other name."""
    names = {"": 0} | {name: number for number, name in enumerate(part.classes)}
    named = np.array([names.get(str(kind), len(part.classes)) for kind in kinds])
    counts = np.zeros((len(part.classes), len(part.classes) + 1), np.int64)
    np.add.at(counts, (truth, named), 1)
    return counts


def _average(part: Part, found: PartResults) -> None:
    """Means over the cases; the interval is that of the mean, with the test samples of each case drawn again."""
    for name in (*part.scorers, *part.baselines):
        statistics = (*AVERAGED, *(f"{kind}.auroc" for kind in part.classes[1:]))
        for statistic in statistics:
            values = [found.metrics.get(f"{case}.{name}.{statistic}") for case in part.cases]
            there = [value for value in values if value is not None]
            if there:
                found.metrics[f"{MEAN}.{name}.{statistic}"] = float(np.mean(there))
        # The copies of all cases are averaged before the quantiles are taken: the mean of cases is known better
        # than each.
        low, high = _interval(np.mean(found.copies[name], axis=0))
        found.metrics |= {f"{MEAN}.{name}.low": float(low), f"{MEAN}.{name}.high": float(high)}


def _record(study: Comparison) -> dict[str, Any]:
    parts: dict[str, Mapping[str, Any]] = {}
    for name, part in study.parts.items():
        scorers = {scorer: dict(options) for scorer, options in part.scorers.items()}
        parts[name] = {"data": part.data, "cases": list(part.cases), "scorers": scorers}
    sources = [
        source for part in study.parts.values() for case in part.cases.values() for source in vars(case).values()
    ]
    return record({"study": study.name, "parts": parts}, sources)
