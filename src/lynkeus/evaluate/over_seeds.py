"""run_over_seeds: a study that is drawn, learned and measured anew for every seed, with intervals over the seeds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

from lynkeus.core import Figures, Repeated
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.evaluate.results_page import table
from lynkeus.evaluate.run_study import StudyRun, record
from lynkeus.files.journal import Row
from lynkeus.files.shared import Sharing
from lynkeus.files.whole import write_whole
from lynkeus.files.workers import Work
from lynkeus.metrics.rates import COVERAGE

Cell = tuple[float, float, float]  # mean over seeds, low and high end of its interval


def run_over_seeds(
    study: Repeated, folder: Path, progress: ReportProgress | None = None, sharing: Sharing | None = None
) -> StudyRun:
    """Run a study for all of its seeds; writes `<folder>/<name>.md`, and beside it `<folder>/<name>/metrics.json`.

    `sharing`: who measures seeds, by the same study that `sharing.again` gives.
    """
    report, by = progress or silent, sharing or Sharing()
    seeds = {f"seed {seed}": seed for seed in study.seeds}
    done = by.do(Work(_elsewhere, (by.again,), partial(_measured, study)), seeds, report)
    found: list[Mapping[str, Figures]] = [rows[0]["figures"] for rows in done.values()]
    parts = {name: _joined([one[name] for one in found]) for name in found[0]}
    metrics: dict[str, float] = {}
    for part, rows in parts.items():
        for row, columns in rows.items():
            for column, (mean, low, high) in columns.items():
                name = f"{part}.{row}.{column}"
                metrics |= {name: mean, f"{name}.low": low, f"{name}.high": high}
    checks = tuple((check, metrics.get(check.metric, float("nan"))) for check in study.checks)
    asked = record({"study": study.name, "seeds": list(study.seeds), "data": study.data}, ())
    write_whole(folder / study.name / "metrics.json", json.dumps({"run": asked, "metrics": metrics}, indent=1).encode())
    run = StudyRun(metrics, checks, folder / f"{study.name}.md")
    write_whole(run.page, _page(study, parts, asked, run.lines()[:-1]).encode())
    report("done", 1.0)
    return run


def _elsewhere(again: Callable[[], Repeated]) -> Callable[[int], list[Row]]:
    return partial(_measured, again())


def _measured(study: Repeated, seed: int) -> list[Row]:
    figures = study.measure(seed)
    plain = {
        part: {row: {column: float(value) for column, value in columns.items()} for row, columns in rows.items()}
        for part, rows in figures.items()
    }
    return [{"figures": plain}]


def _joined(found: list[Figures]) -> dict[str, dict[str, Cell]]:
    """Return of each figure its mean over the seeds, with its interval."""
    return {
        row: {column: interval([one[row][column] for one in found]) for column in columns}
        for row, columns in found[0].items()
    }


def interval(values: list[float]) -> Cell:
    """Return the mean of values and its interval (90 %, Student's), NaN left out; of a single one as wide as can be."""
    there = np.array([value for value in values if value == value])
    if len(there) < 2:
        return (float(there.mean()) if len(there) else float("nan"), float("-inf"), float("inf"))
    half = student.ppf((1 + COVERAGE) / 2, len(there) - 1) * there.std(ddof=1) / np.sqrt(len(there))
    return float(there.mean()), float(there.mean() - half), float(there.mean() + half)


def _page(study: Repeated, parts: Mapping[str, Any], record: Mapping[str, Any], checks: list[str]) -> str:
    lines = [
        f"# Results: {study.name}",
        study.question,
        f"Written by `lynkeus study run {study.name}` on {record['at']} (version {record['version']}, "
        f"run `{record['key'][:12]}`). Data: {study.data}. Mean over {len(study.seeds)} seeds, each with samples and "
        "trainings of its own; ± is half of its 90 % interval (Student's).",
        "## Checks",
        "\n".join(f"- {line}" for line in checks) or "None.",
    ]
    for name, rows in parts.items():
        heads = list(dict.fromkeys(column for columns in rows.values() for column in columns))
        cells = [[row, *(_cell(columns.get(head)) for head in heads)] for row, columns in rows.items()]
        lines += [f"## {name[:1].upper()}{name[1:]}", study.notes.get(name, ""), table(("", *heads), cells)]
    return "\n\n".join(line for line in lines if line) + "\n"


def _cell(found: Cell | None) -> str:
    if found is None or found[0] != found[0]:
        return "–"
    mean, _, high = found
    half = high - mean
    if abs(mean) >= 100:
        return f"{mean:,.0f}" + (f" ± {half:,.0f}" if np.isfinite(half) else "")
    return f"{mean:.3f}" + (f" ± {half:.3f}" if np.isfinite(half) else "")
