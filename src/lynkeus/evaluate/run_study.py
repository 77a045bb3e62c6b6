"""run_study: fit, calibrate, commission, check, and write what was found, with a record of what it was found with."""

from __future__ import annotations

import datetime
import hashlib
import json
import platform
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import lynkeus
from lynkeus.commission.commission import CommissionSettings, commission
from lynkeus.commission.curves import turn_on_figure
from lynkeus.commission.figures import incident_figure, orbit_figure
from lynkeus.commission.found import Commissioning
from lynkeus.commission.report import write_report
from lynkeus.commission.turn_on import CHANCE
from lynkeus.core import Alarm, Check, Source, Study
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.evaluate.results_page import results_page
from lynkeus.files.journal import Row
from lynkeus.files.shared import Sharing
from lynkeus.files.whole import write_whole
from lynkeus.files.workers import Work
from lynkeus.fitting.evidence.channels import evidence
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.score import identity
from lynkeus.sources import files_of

MODELS, COMMISSION = "models", "commission"  # in the folder of a study, while several processes work at it
STATISTICS = ("efficiency", "low", "high", "auroc", "auroc_low", "auroc_high", "right_place", "right_window")


@dataclass(frozen=True)
class StudyRun:
    """What a run found: `metrics` by name, and every check with its value."""

    metrics: dict[str, float]
    checks: tuple[tuple[Check, float], ...]
    page: Path

    @property
    def passed(self) -> bool:
        """Return whether every check holds."""
        return all(check.holds(value) for check, value in self.checks)

    def lines(self) -> list[str]:
        """One line per check, and where the page is."""
        said = [
            f"{'passed' if check.holds(value) else 'FAILED'}  {describe(check, value)}" for check, value in self.checks
        ]
        return [*said, str(self.page)]


def describe(check: Check, value: float) -> str:
    """Return a check in words."""
    bounds = [f">= {check.at_least:g}" if check.at_least is not None else ""]
    bounds.append(f"<= {check.at_most:g}" if check.at_most is not None else "")
    return f"{check.metric} = {value:.4g} ({' and '.join(bound for bound in bounds if bound)})"


def run_study(
    study: Study, folder: Path, progress: ReportProgress | None = None, sharing: Sharing | None = None
) -> StudyRun:
    """Run a study; writes `<folder>/<name>.md`, and beside it `<folder>/<name>/` with figures, report and record.

    `sharing`: who fits scorers and commissions them, by the same study that `sharing.again` gives.
    """
    report, by = progress or silent, sharing or Sharing()
    own = folder / study.name
    own.mkdir(parents=True, exist_ok=True)
    fitted, seconds = _fitted(study, own, by, lambda what, share: report(f"fitting {what}", 0.3 * (share or 0.0)))
    first, *others = fitted
    settings = CommissionSettings(study.budget_per_hour, study.faults, per_case=study.per_case)

    def report_commissioning(what: str, share: float) -> None:
        report(what, 0.3 + 0.6 * share)  # the fits before it take about a third of the time, the figures the rest

    judging = Sharing()
    if sharing is not None and by.again is not None:
        names = [identity(own / MODELS / name) for name in fitted]
        again = partial(_asked, by.again, own / MODELS)
        judging = replace(by, again=again, ledger=own / COMMISSION, head={**by.head, "models": names}, _journal=None)
    compare = {name: fitted[name] for name in others}
    found = commission(fitted[first], study.test, settings, compare, report_commissioning, judging)
    report("figures", 0.9)
    metrics = collect(found, fitted) | {f"{name}.fit_s": value for name, value in seconds.items()}
    # A metric that is missing is NaN, and fails its check: a name that was misspelt must not pass.
    checks = tuple((check, metrics.get(check.metric, float("nan"))) for check in study.checks)
    write_report(found, own / "report.html")
    _figures(fitted[first], study, found, own)
    asked = _record(study)
    write_whole(own / "metrics.json", json.dumps({"run": asked, "metrics": metrics}, indent=1).encode())
    page = folder / f"{study.name}.md"
    run = StudyRun(metrics, checks, page)
    write_whole(page, results_page(study, found, fitted, asked, run.lines()[:-1]).encode())
    judging.finish()
    shutil.rmtree(own / MODELS, ignore_errors=True)
    report("done", 1.0)
    return run


def _fitted(study: Study, own: Path, by: Sharing, report: ReportProgress) -> tuple[dict[str, Fitted], dict[str, float]]:
    """Fit all scorers; others than this process leave their models in the folder of the study. With their seconds."""
    shares = {name: name for name in study.scorers}
    if by.again is None:
        models = {}

        def here(name: str) -> list[Row]:
            models[name], row = _fit(study, name)
            return [row]

        done = by.do(Work(_elsewhere, (), here), shares, report)
        return models, {name: float(rows[0]["seconds"]) for name, rows in done.items()}
    work = Work(_elsewhere, (by.again, own / MODELS), partial(_fit_and_save, study, own / MODELS))
    done = by.do(work, shares, report)
    seconds = {name: float(rows[0]["seconds"]) for name, rows in done.items()}
    return {name: Fitted.load(own / MODELS / name) for name in shares}, seconds


def _elsewhere(again: Callable[[], Study], models: Path) -> Callable[[str], list[Row]]:
    return partial(_fit_and_save, again(), models)


def _fit_and_save(study: Study, models: Path, name: str) -> list[Row]:
    fitted, row = _fit(study, name)
    fitted.save(models / name)
    return [row]


def _fit(study: Study, name: str) -> tuple[Fitted, Row]:
    begun = time.perf_counter()
    fitted = fit(study.train, FitSettings(name, study.scorers[name], window=study.window), study.reference)
    return fitted, {"seconds": time.perf_counter() - begun}


def _asked(again: Callable[[], Study], models: Path) -> tuple[dict[str, Fitted], Source, CommissionSettings]:
    """What a process needs that commissions a part."""
    study = again()
    settings = CommissionSettings(study.budget_per_hour, study.faults, per_case=study.per_case)
    return {name: Fitted.load(models / name) for name in study.scorers}, study.test, settings


def collect(found: Commissioning, fitted: dict[str, Fitted]) -> dict[str, float]:
    """Every number of a commissioning under a flat name: scorer.output.fault.size.statistic."""
    metrics: dict[str, float] = {}
    for row in found.rows:
        if row.scorer != CHANCE:
            for name in STATISTICS:
                metrics[f"{row.scorer}.{row.output}.{row.fault}.{row.size:g}.{name}"] = float(getattr(row, name))
    for counted in found.false_alarms:
        rate, low, high = counted.rate
        name = f"{counted.scorer}.{counted.output}"
        metrics |= {f"{name}.alarms_per_hour": rate, f"{name}.alarms_low": low, f"{name}.alarms_high": high}
        metrics |= {f"{name}.incidents": float(counted.incidents), f"{name}.in_alarm": counted.in_alarm}
    for name, candidate in fitted.items():
        for output, calibration in candidate.calibrations.items():
            metrics[f"{name}.{output}.excluded"] = float(calibration.excluded)
            metrics[f"{name}.{output}.excluded_s"] = calibration.excluded_s
    return metrics


def _figures(fitted: Fitted, study: Study, found: Commissioning, folder: Path) -> None:
    """Turn-on curves, incidents of the training data and of the test data, and the orbit of the rarest alarm."""
    turn_on_figure(found.rows, folder / "turn_on.svg")
    train = [
        Alarm(i["output"], i["start_ns"], i["start_ns"], i["score"], 0.0, i["where"], i["end_ns"])
        for i in fitted.lineage["incidents"]
    ]
    if train:
        span = int(fitted.lineage["start_ns"]), int(fitted.lineage["end_ns"])
        incident_figure(train, span, folder / "train_incidents.svg")
    alarms = [alarm for counted in found.false_alarms if counted.scorer == fitted.name for alarm in counted.alarms]
    if not alarms:
        return
    incident_figure(alarms, (found.start_ns, found.end_ns), folder / "test_alarms.svg")
    rarest = {
        alarm.output: alarm for alarm in sorted(alarms, key=lambda alarm: (-alarm.alarms_per_hour, alarm.peak_score))
    }
    for scored in fitted.score(study.test):
        for output, alarm in rarest.items():
            rows = np.flatnonzero(scored.batch.time_ns == alarm.peak_ns)
            if len(rows):
                shown = evidence(fitted, scored, int(rows[0]), replace(alarm, output=output))
                orbit_figure(shown, folder / f"alarm_{output}.svg")


def _record(study: Study) -> dict[str, Any]:
    fields = {
        "study": study.name,
        "data": study.data,
        "scorers": {name: dict(options) for name, options in study.scorers.items()},
        "faults": {kind: list(sizes) for kind, sizes in study.faults.items()},
        "budget_per_hour": study.budget_per_hour,
        "per_case": study.per_case,
    }
    return record(fields, (study.train, study.test))


def record(asked: dict[str, Any], sources: Iterable[Source]) -> dict[str, Any]:
    """Return what was run, with what: enough to know whether another run could differ."""
    files = [
        {"path": path.name, "bytes": path.stat().st_size}
        for path in dict.fromkeys(path for source in sources for path in files_of(source))
        if path.is_file()
    ]
    fields = asked | {"files": files, "version": lynkeus.__version__}
    key = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return fields | {"key": key, "at": at, "python": platform.python_version(), "machine": platform.machine()}
