"""inquiry: the parts of a study one after the other, their checks, and a page."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lynkeus.core import Findings, Inquiry
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.evaluate.results_page import table
from lynkeus.evaluate.run_study import StudyRun, record
from lynkeus.files.journal import Row
from lynkeus.files.shared import Sharing
from lynkeus.files.whole import write_whole
from lynkeus.files.workers import Work


def run_inquiry(
    study: Inquiry, folder: Path, progress: ReportProgress | None = None, sharing: Sharing | None = None
) -> StudyRun:
    """Run a study; writes `<folder>/<name>.md`, and beside it `<folder>/<name>/` with figures and metrics.json.

    `sharing`: who answers parts, by the same study that `sharing.again` gives.
    """
    report, by = progress or silent, sharing or Sharing()
    own = folder / study.name
    own.mkdir(parents=True, exist_ok=True)
    work = Work(_elsewhere, (by.again, own), partial(_answered, study, own))
    done = by.do(work, {name: name for name in study.parts}, report)
    found = {name: Findings(row["figures"], row["metrics"], row["tables"]) for name, (row,) in done.items()}
    seconds = {name: float(row["seconds"]) for name, (row,) in done.items()}
    metrics = {f"{name}.{key}": float(value) for name, one in found.items() for key, value in one.metrics.items()}
    # A metric that is missing is NaN, and fails its check: a name that was misspelt must not pass.
    checks = tuple((check, metrics.get(check.metric, float("nan"))) for check in study.checks)
    asked = record({"study": study.name, "data": dict(study.data)}, ())
    write_whole(own / "metrics.json", json.dumps({"run": asked, "metrics": metrics}, indent=1).encode())
    run = StudyRun(metrics, checks, folder / f"{study.name}.md")
    lines = [
        f"# Results: {study.name}",
        study.question,
        f"Written by `lynkeus study run {study.name}` on {asked['at']} (version {asked['version']}, run "
        f"`{asked['key'][:12]}`).",
        "## Checks",
        "\n".join(f"- {line}" for line in run.lines()[:-1]) or "None.",
    ]
    for name, one in found.items():
        took = f"{seconds[name]:.0f} s of processor time."
        lines += [f"## {name}", f"Data: {study.data[name]}. {took}" if name in study.data else took]
        for title, (head, *rows) in one.tables.items():
            lines += [f"### {title}", table(head, rows)]
        lines += [f"![{caption}]({study.name}/{file})\n\n*{caption}*" for file, caption in one.figures.items()]
    write_whole(run.page, ("\n\n".join(lines) + "\n").encode())
    report("done", 1.0)
    return run


def _elsewhere(again: Callable[[], Inquiry], own: Path) -> Callable[[str], list[Row]]:
    return partial(_answered, again(), own)


def _answered(study: Inquiry, own: Path, name: str) -> list[Row]:
    """Answer one part; its figures are written into the folder of the study."""
    begun = time.process_time()
    found = study.parts[name](own)
    metrics = {key: float(value) for key, value in found.metrics.items()}
    tables = {title: [list(map(str, line)) for line in lines] for title, lines in found.tables.items()}
    row = {"figures": dict(found.figures), "metrics": metrics, "tables": tables}
    return [row | {"seconds": time.process_time() - begun}]
