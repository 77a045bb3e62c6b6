"""inquiry: the parts of a study one after the other, their checks, and a page."""

from __future__ import annotations

import json
import time
from pathlib import Path

from lynkeus.core import Findings, Inquiry
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.evaluate.results_page import table
from lynkeus.evaluate.run_study import StudyRun, record
from lynkeus.files.whole import write_whole


def run_inquiry(study: Inquiry, folder: Path, progress: ReportProgress | None = None) -> StudyRun:
    """Run a study; writes `<folder>/<name>.md`, and beside it `<folder>/<name>/` with figures and metrics.json."""
    report = progress or silent
    own = folder / study.name
    own.mkdir(parents=True, exist_ok=True)
    found, seconds = dict[str, Findings](), dict[str, float]()
    for number, (name, answer) in enumerate(study.parts.items()):
        report(name, number / len(study.parts))
        begun = time.process_time()
        found[name] = answer(own)
        seconds[name] = time.process_time() - begun
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
