"""lynkeus report: the page of one run as a file."""

from __future__ import annotations

from lynkeus.cli.options import screen
from lynkeus.cli.page_options import ReportOptions
from lynkeus.cli.tagging import runs_of
from lynkeus.core import SettingsError, SourceError, about_of
from lynkeus.progress import say


def report_run(options: ReportOptions) -> None:
    """Run `lynkeus report`."""
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.fitting.verdicts import RunVerdicts
    from lynkeus.monitor.keeper import keeper
    from lynkeus.sources.runs.folder import open_runs
    from lynkeus.sources.runs.read import RunFolder
    from lynkeus.web.runs.report import render_run

    fitted = Fitted.load(options.model)
    if about_of(fitted.scorer).tags:
        from lynkeus.fitting.tagged_runs import monitor_of

        verdicts = RunVerdicts(monitor_of(fitted, options.model.resolve().name), options.false_alarms)
        files = runs_of(fitted, options.run, None)
    else:
        verdicts = RunVerdicts(fitted, options.false_alarms)
        files = open_runs(options.run, verdicts.view.columns.tree)
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
