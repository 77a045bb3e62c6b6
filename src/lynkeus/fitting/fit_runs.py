"""fit, of whole runs: read, compared with one another, learned from, and calibrated by folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lynkeus.core import CalibrationError, Floats, JudgesPlots, Refers, Scorer, about_of, plugins
from lynkeus.core.progress import ReportProgress, reporting
from lynkeus.core.run_calibration import FEWEST_RUNS, RunCalibration, rarest_of
from lynkeus.core.stated import SCALE, Stated
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.good_runs import ReferenceRuns, good_runs, require_runs, two_kinds_line
from lynkeus.fitting.left_out import NAMES, of_a_kind, reference_of
from lynkeus.fitting.lineage import lineage_of
from lynkeus.fitting.unseen import fold_scores
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.runs.folder import Run
from lynkeus.sources.runs.read import RunFolder

if TYPE_CHECKING:
    from lynkeus.fitting.fit import FitSettings


def fit_runs(folder: RunFolder, settings: FitSettings, report: ReportProgress) -> Fitted:
    """Fit on whole runs; calibrated by folds, unless the scorer states p-values itself.

    Raises SettingsError for a scorer that does not read runs, CalibrationError for too few of them.
    """
    require_runs(settings.scorer)
    return fit_found(good_runs(folder, settings, report), folder, settings, report)


def fit_found(found: ReferenceRuns, folder: RunFolder, settings: FitSettings, report: ReportProgress) -> Fitted:
    """Fit on good runs of a folder as they were read."""
    scorer = plugins.make_scorer(settings.scorer, settings.options)
    runs = found.view.training(folder)
    report(f"learn from {len(runs)} runs", None)
    with reporting(report):
        scorer.fit(runs)
    good = {run.name for run in found.view.read if run.good}
    kept = _kept_runs(scorer, found) | good
    calibration: Stated
    odd: list[Run] = []
    if about_of(scorer).scale == SCALE:
        calibration = Stated(len(kept), len(found.far) + len(runs) - len(kept), rarest=rarest_of(len(kept)))
        second = list(getattr(scorer, "second_kind_", ()))
    else:
        if len(runs) < FEWEST_RUNS:
            raise CalibrationError(
                f"only {len(runs)} good runs; the scorer {settings.scorer} needs {FEWEST_RUNS} to know how rare a "
                f"score is (fewer do for {', '.join(_stating())})"
            )
        scores = fold_scores(lambda: plugins.make_scorer(settings.scorer, settings.options), runs, report)
        calibration, odd, second = _calibrated(scores[:, 0], found, isinstance(scorer, JudgesPlots))
    own = [run for run in found.view.read if run.name in kept]
    outlying = [*found.far, *(run for run in found.view.read if run.name not in kept)]
    messages = [*found.messages, *_odd_lines(outlying, odd, second)]
    messages += two_kinds_line(found.view, own)
    messages.append(f"p-values are known down to {calibration.rarest:.1g}, from {calibration.samples} good runs")
    reference = reference_of(own, [*outlying, *odd])
    lineage = lineage_of(folder, settings.scorer, settings.options) | {
        "files": [str(file.path or file.name) for file in folder.runs],
        "runs": [run.name for run in own],
        NAMES: [run.name for run in (*outlying, *odd)],
        "events": float(sum(run.events for run in own)),
    }
    view = replace(found.view, read=())
    return Fitted(settings.scorer, scorer, view, {scorer.outputs[0]: calibration}, reference, lineage, messages)


def _odd_lines(outlying: Sequence[Run], odd: Sequence[Run], second: Sequence[str]) -> list[str]:
    told = {
        "runs of the reference that are not like the others, and were left out": [run.name for run in outlying],
        "runs of the reference far odder than the others, which do not count where it is said how rare a run is": [
            run.name for run in odd
        ],
        "runs of the reference that are far from the others but like one another, and are kept as a kind of their own; "
        "leave them out if they are not good": second,
    }
    return [f"{words}: {listed(names)}" for words, names in told.items() if names]


def _calibrated(scores: Floats, found: ReferenceRuns, theory: bool) -> tuple[RunCalibration, list[Run], list[str]]:
    """Return the calibration by the scores (n,) of good runs, the runs that do not count in it, and those that would
    not but for others that are odd in the same way."""
    runs = found.view.read
    good = np.array([run.good for run in runs])
    calibration = RunCalibration.fit(scores, theory=theory, good=good)
    odd = scores > calibration.levels[-1]
    far = [run for run, is_odd in zip(runs, odd, strict=True) if is_odd]
    second = of_a_kind(far, [run for run, is_odd in zip(runs, odd, strict=True) if not is_odd])
    if second:
        calibration = RunCalibration.fit(scores, theory=theory, good=good | np.isin([r.name for r in runs], second))
        odd = scores > calibration.levels[-1]
    return calibration, [run for run, is_odd in zip(runs, odd, strict=True) if is_odd], second


def _kept_runs(scorer: Scorer, found: ReferenceRuns) -> set[str]:
    """Names of the runs that are good data also by what the scorer says of them."""
    names = {run.name for run in found.view.read}
    if not isinstance(scorer, Refers):
        return names
    batches = map(found.view.batch, found.view.read)
    return names - {str(batch.meta["run"][0]) for batch in batches if scorer.unseen(batch).left_out[0, 0]}


def _stating() -> list[str]:
    """Names of scorers that state p-values themselves."""
    return [name for name in plugins.entries("scorers") if plugins.about(name).scale == SCALE]
