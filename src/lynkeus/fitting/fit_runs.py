"""fit, of whole runs: read, compared with one another, learned from, and calibrated by folds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lynkeus.core import CalibrationError, JudgesPlots, Refers, Scorer, about_of, plugins
from lynkeus.core.progress import ReportProgress, reporting
from lynkeus.core.run_calibration import FEWEST_RUNS, RunCalibration, rarest_of
from lynkeus.core.stated import SCALE, Stated
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.good_runs import ReferenceRuns, good_runs, require_runs, two_kinds_line
from lynkeus.fitting.lineage import lineage_of
from lynkeus.fitting.reference import fold_scores
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.runs.read import RunFolder

if TYPE_CHECKING:
    from lynkeus.fitting.fit import FitSettings


def fit_runs(folder: RunFolder, settings: FitSettings, report: ReportProgress) -> Fitted:
    """Fit on whole runs; calibrated by folds, unless the scorer states p-values itself.

    Raises SettingsError for a scorer that does not read runs, CalibrationError for too few of them.
    """
    require_runs(settings.scorer)
    scorer = plugins.make_scorer(settings.scorer, settings.options)
    found = good_runs(folder, settings, report)
    runs = found.view.training(folder)
    report(f"learn from {len(runs)} runs", None)
    with reporting(report):
        scorer.fit(runs)
    kept = _kept_runs(scorer, found) | {name for name, label in settings.runs.items() if not label}
    calibration: Stated
    if about_of(scorer).scale == SCALE:
        calibration = Stated(len(kept), len(found.far) + len(runs) - len(kept), rarest=rarest_of(len(kept)))
    else:
        if len(runs) < FEWEST_RUNS:
            raise CalibrationError(
                f"only {len(runs)} good runs; the scorer {settings.scorer} needs {FEWEST_RUNS} to know how rare a "
                f"score is (fewer do for {', '.join(_stating())})"
            )
        scores = fold_scores(lambda: plugins.make_scorer(settings.scorer, settings.options), runs, report)
        calibration = RunCalibration.fit(scores[:, 0], theory=isinstance(scorer, JudgesPlots))
    own = [run for run in found.view.read if run.name in kept]
    outlying = [*found.far, *(run.name for run in found.view.read if run.name not in kept)]
    messages = list(found.messages)
    if outlying:
        messages.append(f"runs of the reference that are not like the others, and were left out: {listed(outlying)}")
    messages += two_kinds_line(found.view, own)
    messages.append(f"p-values are known down to {calibration.rarest:.1g}, from {calibration.samples} good runs")
    reference = {
        "counts": np.stack([run.counts for run in own]).astype(np.float32),
        "events": np.array([run.events for run in own], float),
    }
    lineage = lineage_of(folder, settings.scorer, settings.options) | {
        "files": [str(file.path or file.name) for file in folder.runs],
        "runs": [run.name for run in own],
        "outlying": outlying,
        "events": float(sum(run.events for run in own)),
    }
    view = replace(found.view, read=())
    return Fitted(settings.scorer, scorer, view, {scorer.outputs[0]: calibration}, reference, lineage, messages)


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
