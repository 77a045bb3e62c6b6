"""What the commands do with runs: one file of events each."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lynkeus.cli.options import ModelFolder, StoreUrl, screen
from lynkeus.core import RunRecord, SettingsError, SourceError, Verdict
from lynkeus.progress import passes_bar, say

if TYPE_CHECKING:
    from lynkeus.cli.score import CommissionOptions
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.monitor.store import Store

RunPerFile = Annotated[bool, typer.Option("--run-per-file", help="DATA: a folder of runs, one file of events each")]
FalseAlarms = Annotated[float, typer.Option(help="Runs: share of good ones that you accept to be flagged")]
STORED_TOGETHER = 20  # records that are committed at once
SHOWN = 20  # flagged runs that are printed


@dataclass(frozen=True)
class RunScoreOptions:
    """What `lynkeus score` is told of runs."""

    output: Path
    store: str | None
    false_alarms: float
    section: str = ""


@dataclass(frozen=True)
class ReportOptions:
    """What `lynkeus report` is told."""

    model: ModelFolder
    run: Annotated[str, typer.Argument(help="File of the events of one run")]
    output: Annotated[Path, typer.Option("-o", "--output", help="HTML file to write; it opens from a mail")]
    store: StoreUrl = None
    false_alarms: FalseAlarms = 0.01


def score_runs(fitted: Fitted, model: Path, data: str, options: RunScoreOptions) -> None:
    """A verdict on each run, as a table; with a store also with all plots for the pages."""
    from lynkeus.fitting.run_journal import RunJournal
    from lynkeus.fitting.scores import write_verdicts
    from lynkeus.fitting.verdicts import RunVerdicts, verdict_row
    from lynkeus.sources.runs.folder import open_runs

    if options.output.is_dir():
        raise SourceError(f"{options.output} is a folder: give a file name with -o")
    verdicts = RunVerdicts(fitted, options.false_alarms, options.section)
    files, flagged = open_runs(data), []
    about = {"false_alarms": options.false_alarms, "section": options.section, "store": options.store}
    journal = RunJournal.open(options.output, model, files, **about)
    left = journal.left(files)
    with passes_bar(screen, "score") as bar, _keeper(options.store) as keep:
        for record in verdicts.of(left, bar.step):
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
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.fitting.verdicts import RunVerdicts
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
    with _keeper(options.store) as keep:
        keep(record)
    say(screen, [f"{record.run}: {record.verdict.value.upper()}, {record.reason}", f"{options.output}: the page"])


def commission_runs_of(fitted: Mapping[str, Fitted], options: CommissionOptions) -> None:
    """Turn-on curves of one or more models of runs, side by side."""
    from lynkeus.commission.runs.commission import QUICK, RunCommissionSettings, commission_runs
    from lynkeus.commission.runs.report import write_run_report
    from lynkeus.sources.runs.folder import open_runs

    settings = RunCommissionSettings(false_alarms=options.false_alarms)
    settings = replace(settings, per_case=QUICK) if options.quick else settings
    with passes_bar(screen, "commission") as bar:
        found = commission_runs(fitted, open_runs(options.data), settings, bar.step)
        write_run_report(found, options.output)
    say(screen, [f"{options.output}: {len(found.rows)} turn-on points at {options.false_alarms:g} of good runs"])
