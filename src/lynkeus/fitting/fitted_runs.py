"""FittedRuns: a scorer of runs with all that is needed to judge the next one, kept in one model folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from safetensors.numpy import load_file, save_file

from lynkeus.core import (
    Batch,
    Book,
    Calibration,
    Change,
    Floats,
    Judged,
    Judging,
    ModelError,
    RunRecord,
    Scorer,
    SettingsError,
    Verdict,
    plugins,
)  # fmt: skip
from lynkeus.files.model_folder import MODEL, verify_model, write_model
from lynkeus.fitting.evidence.plot_change import change_of
from lynkeus.fitting.evidence.plots import ReferencePlots
from lynkeus.sources.runs.folder import MOST_EVENTS, Run, Runs
from lynkeus.sources.runs.histograms import reader_of
from lynkeus.transforms.event_columns import EventColumns

FORMAT = 1
RUN_KINDS = ("cloud", "histogram")
REFERENCE = "reference.safetensors"
FALSE_ALARMS = 0.01  # of good runs that are not called GOOD, over all plots together
WORTH_NAMING = 0.2  # p-value up to which it is asked what changed
SURELY_BAD = 0.1  # of these: rarer runs are BAD, the others WARN


@dataclass
class FittedRuns:
    """`name` of the scorer; `columns` and `book`: what is read and booked of a run; `counts` (runs, bins) and `events`
    (runs,) of the good runs; `calibration` of scorers that do not give p-values themselves; `lineage`: what it was
    fitted on, when, by which version."""

    name: str
    scorer: Scorer
    columns: EventColumns
    book: Book
    counts: Floats
    events: Floats
    calibration: Calibration | None = None
    lineage: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kind = run_kind(self.name)
        self.reader = reader_of(self.columns, self.book, MOST_EVENTS if self.kind == "cloud" else 1)
        self.plots = ReferencePlots.fit(self.counts, self.events)

    def record(self, run: Run, false_alarms: float = FALSE_ALARMS) -> RunRecord:
        """The verdict on one run, with its plots. Raises SettingsError for a rate that is not between 0 and 1."""
        check_rate(false_alarms)
        return self.recorded(run, self.judged(run), false_alarms)

    def recorded(self, run: Run, judged: Judged, false_alarms: float) -> RunRecord:
        """A run as it was judged, with its verdict and its plots."""
        verdict = verdict_of(judged.p_value, false_alarms)
        chief = judged.chief if verdict in (Verdict.WARN, Verdict.BAD) else Change("none", "")
        plots = self.plots.records(self.book, run.counts, run.events, chief)
        return RunRecord(
            run.name, verdict, judged.p_value, judged.score, judged.changes, judged.reason, run.events,
            str(self.lineage.get("name", "")), run.start_ns, plots=plots,
        )  # fmt: skip

    def judged(self, run: Run) -> Judged:
        """Of any run; of one that could not be read what is wrong with it."""
        return Judged(np.nan, np.nan, (), run.problem) if run.problem else self.judge(run)

    def judge(self, run: Run) -> Judged:
        """Score, p-value and changes of a run that could be read."""
        batch = Runs(self.reader, [run], self.kind).batch(run)
        if isinstance(self.scorer, Judging):
            return self.scorer.judge(batch)[0]
        score = float(self.scorer.score(batch)[0, 0])
        if np.isnan(score):
            return Judged(score, np.nan, (), f"only {run.events:g} events: not enough for the scorer {self.name}")
        assert self.calibration is not None
        p_value = float(self.calibration.p_value(np.array([score]))[0])
        if p_value > WORTH_NAMING:
            return Judged(score, p_value, (), "no plot is odd beside those of good runs")
        changes, reason = self._change(run, batch)
        return Judged(score, p_value, changes, reason)

    def _change(self, run: Run, batch: Batch) -> tuple[tuple[Change, ...], str]:
        """What changed in the plot that is most conspicuous, by the scorer's own pulls or against the reference."""
        records = self.plots.records(self.book, run.counts, run.events, Change("none", ""))
        sigmas = np.array([record.sigma for record in records])
        if self.kind == "histogram":
            pulls = self.scorer.explain(batch)[0]
            sigmas = np.array([float(np.abs(pulls[where]).max()) for where in self.book.slices()])
        worst = int(sigmas.argmax())
        record, where = records[worst], self.book.slices()[worst]
        variance = self.plots.expected(run.events)[1][where]
        change = change_of(record.plot, record.counts, record.expected, variance)
        change = change._replace(group=record.plot.group)
        return (change,), f"{record.plot.name}: {change.kind} at {change.where} ({change.sigma:.1f} sigma)"

    def save(self, folder: Path, more: Mapping[str, bytes] | None = None) -> None:
        """Write the folder as a whole. Raises ModelError otherwise."""
        self.lineage["name"] = folder.name
        write_model(folder, self._write, more)

    def _write(self, partial: Path) -> None:
        self.scorer.save(partial / "scorer")
        arrays = {"counts": self.counts.astype(np.float32), "events": np.asarray(self.events, float)}
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, str(partial / REFERENCE))
        content = {
            "runs": FORMAT,
            "scorer": self.name,
            "columns": self.columns.to_dict(),
            "book": self.book.to_list(),
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
            "lineage": self.lineage,
        }
        (partial / MODEL).write_text(json.dumps(content, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a model folder. Raises ModelError naming the file that is missing, damaged or of another version."""
        verify_model(folder)
        content = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        if content.get("runs") != FORMAT:
            raise ModelError(f"{folder}: is not a model of runs; fit one with lynkeus fit GOOD_RUNS --run-per-file")
        arrays = load_file(str(folder / REFERENCE))
        calibration = content["calibration"]
        return cls(
            content["scorer"],
            plugins.load("scorers", content["scorer"]).load(folder / "scorer"),
            EventColumns.from_dict(content["columns"]),
            Book.from_list(content["book"]),
            arrays["counts"].astype(float),
            arrays["events"],
            None if calibration is None else Calibration.from_dict(calibration),
            content["lineage"],
        )


def run_kind(scorer: str) -> str:
    """How a scorer reads runs: as "cloud" or as "histogram"; '' where it does not."""
    kinds = plugins.about(scorer).kinds
    return next((kind for kind in kinds if kind in RUN_KINDS), "")


def check_rate(false_alarms: float) -> None:
    """Raise SettingsError for a rate of false alarms that is none."""
    if not 0.0 < false_alarms < 1.0:
        raise SettingsError(f"false alarms are a share of good runs, between 0 and 1, not {false_alarms}")


def verdict_of(p_value: float, false_alarms: float) -> Verdict:
    """GOOD, WARN, BAD, or NOT ENOUGH DATA where there is no p-value."""
    if np.isnan(p_value):
        return Verdict.NOT_ENOUGH_DATA
    if p_value >= false_alarms:
        return Verdict.GOOD
    return Verdict.BAD if p_value < SURELY_BAD * false_alarms else Verdict.WARN
