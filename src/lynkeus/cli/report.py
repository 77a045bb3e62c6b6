"""lynkeus report: the page of one run as a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from lynkeus.cli.options import FalseAlarms, ModelFolder, StoreUrl, screen
from lynkeus.core import SettingsError, SourceError
from lynkeus.progress import say


@dataclass(frozen=True)
class ReportOptions:
    """What `lynkeus report` is told."""

    model: ModelFolder
    run: Annotated[str, typer.Argument(help="File of the events of one run")]
    output: Annotated[Path, typer.Option("-o", "--output", help="HTML file to write; it opens from a mail")]
    store: StoreUrl = None
    false_alarms: FalseAlarms = 0.01


def report_run(options: ReportOptions) -> None:
    """Run the command."""
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.fitting.verdicts import RunVerdicts
    from lynkeus.monitor.keeper import keeper
    from lynkeus.sources.runs.folder import open_runs
    from lynkeus.sources.runs.read import RunFolder
    from lynkeus.web.runs.report import render_run

    verdicts = RunVerdicts(Fitted.load(options.model), options.false_alarms)
    files = open_runs(options.run)
    if len(files) != 1:
        raise SettingsError(f"{options.run}: holds {len(files)} runs; name one")
    (batch,) = verdicts.view.of(RunFolder(files))
    problem = str(batch.meta["problem"][0])
    if problem and not batch.meta["events"][0]:
        raise SourceError(problem)
    record = verdicts.record(batch)
    render_run(record, options.output)
    with keeper(options.store) as keep:
        if keep is not None:
            keep(record)
    say(screen, [f"{record.run}: {record.verdict.value.upper()}, {record.reason}", f"{options.output}: the page"])
