"""What the commands do with runs: one file of events each."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lynkeus.cli.fit import settings_of, training
from lynkeus.cli.options import CommissionOptions, FitOptions, ReportOptions, screen
from lynkeus.core import RunRecord, SettingsError, SourceError, Verdict
from lynkeus.progress import passes_bar, say

if TYPE_CHECKING:
    from lynkeus.monitor.store import Store

STORED_TOGETHER = 20  # records that are committed at once
SHOWN = 20  # flagged runs that are printed


@dataclass(frozen=True)
class RunScoreOptions:
    """What `lynkeus score` is told of runs."""

    output: Path
    store: str | None
    false_alarms: float
    section: str = ""


def fit_runs_and_save(options: FitOptions) -> None:
    """Learn from a folder of good runs."""
    from lynkeus.files.model_folder import check_output
    from lynkeus.fitting.fit_runs import RunFitSettings, fit_runs, require_runs
    from lynkeus.sources.runs.folder import open_runs

    refused = {
        "--layout": options.layout, "--window": options.window != "0", "--stride": options.stride,
        "--labels": options.labels, "--verdicts": options.verdicts, "--meta": options.meta,
        "--position": options.position, "--time": options.time,
    }  # fmt: skip
    for name, given in refused.items():
        if given:
            raise SettingsError(f"{name}: has no meaning with --run-per-file; leave it out")
    check_output(options.output)
    require_runs(options.scorer)  # before PyTorch is imported for it
    files = open_runs(options.data)
    settings = RunFitSettings(options.scorer, settings_of(options.set or []), options.group)
    with passes_bar(screen, "fit") as bar, training(options, bar):
        found = fit_runs(files, settings, bar.step)
    if int(os.environ.get("RANK", "0")):
        return
    found.fitted.save(options.output)
    fitted = found.fitted
    plots, columns = len(fitted.book.plots), ", ".join(fitted.columns.names)
    groups = f" in {len(fitted.columns.groups)} groups by {fitted.columns.group}" if fitted.columns.group else ""
    say(screen, found.messages)
    read = f"columns {columns}{groups}" if columns else "runs of histograms"
    say(screen, [f"{len(fitted.events)} good runs, {fitted.events.sum():.0f} events, {read}"])
    say(screen, [f"{options.output}: {fitted.name}, {plots} plots a run"])


def score_runs(model: Path, data: str, options: RunScoreOptions) -> None:
    """A verdict on each run, as a table; with a store also with all plots for the pages."""
    from lynkeus.fitting.fit_runs import judge_runs, verdict_row, write_verdicts
    from lynkeus.fitting.fitted_runs import FittedRuns, check_rate
    from lynkeus.fitting.run_journal import RunJournal
    from lynkeus.sources.runs.folder import open_runs

    if options.output.is_dir():
        raise SourceError(f"{options.output} is a folder: give a file name with -o")
    fitted, files, flagged = FittedRuns.load(model), open_runs(data), []
    check_rate(options.false_alarms)
    about = {"false_alarms": options.false_alarms, "section": options.section, "store": options.store}
    journal = RunJournal.open(options.output, model, files, **about)
    left = journal.left(files)
    with passes_bar(screen, "score") as bar, _keeper(options.store) as keep:
        for record in judge_runs(fitted, left, bar.step, options.false_alarms, options.section):
            journal.add(verdict_row(record))
            if keep(record):
                journal.commit()
            if record.change.kind != "none" or record.verdict == Verdict.NOT_ENOUGH_DATA:
                flagged.append(f"{record.run}: {record.verdict.value.upper()}, {record.reason}")
    if len(left) < len(files):
        say(screen, [f"{len(files) - len(left)} runs were judged before; the others now"])
    rows = journal.rows
    write_verdicts(rows, options.output)
    journal.remove()
    counted = Counter(row["verdict"] for row in rows)
    say(screen, [*flagged[:SHOWN], *([f"... and {len(flagged) - SHOWN} more"] if len(flagged) > SHOWN else [])])
    say(screen, [f"{options.output}: {len(rows)} runs, " + ", ".join(f"{n} {name}" for name, n in counted.items())])


@contextlib.contextmanager
def _keeper(url: str | None) -> Iterator[_Keep]:
    """Keeps records in a store, some at a time; nothing where there is none."""
    if url is None:
        yield _Keep(None)
        return
    from lynkeus.monitor.store import Store

    with contextlib.closing(Store(url)) as store:
        keep = _Keep(store)
        yield keep
        keep.flush()


class _Keep:
    """Records that wait to be committed."""

    def __init__(self, store: Store | None) -> None:
        self.store = store
        self.waiting: list[RunRecord] = []

    def __call__(self, record: RunRecord) -> bool:
        """Whether nothing waits any more."""
        if self.store is not None:
            self.waiting.append(record)
            if len(self.waiting) >= STORED_TOGETHER:
                self.flush()
        return not self.waiting

    def flush(self) -> None:
        from lynkeus.monitor.run_records import add_runs

        if self.store is not None and self.waiting:
            add_runs(self.store, self.waiting)
            self.waiting = []


def report_run(options: ReportOptions) -> None:
    """The page of one run as a file."""
    from lynkeus.fitting.fitted_runs import FittedRuns
    from lynkeus.sources.runs.folder import open_runs
    from lynkeus.web.runs.report import render_run

    fitted, files = FittedRuns.load(options.model), open_runs(options.run)
    if len(files) != 1:
        raise SettingsError(f"{options.run}: holds {len(files)} runs; name one")
    run = fitted.reader.read(files[0])
    if run.problem and not run.events:
        raise SourceError(run.problem)
    record = fitted.record(run, options.false_alarms)
    render_run(record, options.output)
    with _keeper(options.store) as keep:
        keep(record)
    say(screen, [f"{record.run}: {record.verdict.value.upper()}, {record.reason}", f"{options.output}: the page"])


def commission_runs_of(models: Sequence[Path], options: CommissionOptions) -> None:
    """Turn-on curves of one or more models of runs, side by side."""
    from lynkeus.commission.runs.commission import QUICK, RunCommissionSettings, commission_runs
    from lynkeus.commission.runs.report import write_run_report
    from lynkeus.fitting.fitted_runs import FittedRuns
    from lynkeus.sources.runs.folder import open_runs

    if len({folder.name for folder in models}) < len(models):
        raise SettingsError("--compare: two models have the same name; rename a folder")
    fitted = {folder.name: FittedRuns.load(folder) for folder in models}
    settings = RunCommissionSettings(false_alarms=options.false_alarms)
    settings = replace(settings, per_case=QUICK) if options.quick else settings
    with passes_bar(screen, "commission") as bar:
        found = commission_runs(fitted, open_runs(options.data), settings, bar.step)
        write_run_report(found, options.output)
    say(screen, [f"{options.output}: {len(found.rows)} turn-on points at {options.false_alarms:g} of good runs"])
