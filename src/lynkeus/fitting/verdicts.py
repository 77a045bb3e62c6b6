"""Verdicts on samples that stand alone: GOOD, WARN, BAD or NOT ENOUGH DATA by their p-values; records of runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from lynkeus.core import Batch, Finds, RunRecord, SettingsError, Verdict
from lynkeus.core.progress import ReportProgress
from lynkeus.core.run_calibration import SCALE, RunCalibration
from lynkeus.fitting.answer import Answer, with_yields
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.left_out import like_left_out
from lynkeus.fitting.new_labels import with_new_labels
from lynkeus.fitting.views.run_plots import RunPlots
from lynkeus.sources.runs.folder import RunFile
from lynkeus.sources.runs.read import RunFolder
from lynkeus.sources.runs.sections import Sections

FALSE_ALARMS = 0.01  # of good runs that are not called GOOD, over all plots together
SURELY_BAD = 0.1  # of these: rarer runs are BAD, the others WARN
SURELY = 5.0  # sigmas from which plots of other changes than the chief one are flagged, too
ODD = 0.05  # p-value from which it is said what is conspicuous
AS_COUNTED = 2.0 * SCALE  # mean of -log10 p of good runs, up to which they differ as counting has them differ
JOINED = 3  # sections that are looked at together, the last of them with those before it


def check_rate(false_alarms: float) -> None:
    """Raise SettingsError for a rate of false alarms that is none."""
    if not 0.0 < false_alarms < 1.0:
        raise SettingsError(f"false alarms are a share of good runs, between 0 and 1, not {false_alarms}")


def verdict_of(p_value: float, false_alarms: float, rarest: float = 0.0) -> Verdict:
    """Return GOOD, WARN, BAD, or NOT ENOUGH DATA where there is no p-value, or where it is the `rarest` that the good
    runs support and more is asked."""
    if np.isnan(p_value) or p_value <= rarest >= false_alarms:
        return Verdict.NOT_ENOUGH_DATA
    if p_value >= false_alarms:
        return Verdict.GOOD
    return Verdict.BAD if p_value < SURELY_BAD * false_alarms else Verdict.WARN


def view_of_runs(fitted: Fitted) -> RunPlots:
    """Return how a model of runs sees them. Raises SettingsError for another model."""
    if not isinstance(fitted.view, RunPlots):
        raise SettingsError(
            f"the model ({fitted.name}) is not a model of runs; fit one with lynkeus fit GOOD_RUNS --run-per-file"
        )
    return fitted.view


def answer(fitted: Fitted, batch: Batch) -> Answer:
    """Score a batch of one sample, and say why: what the scorer finds, and of runs of histograms also whether a plot is
    too full or too empty for its run, which no scorer of shapes can see."""
    problem = str(batch.meta["problem"][0]) if "problem" in batch.meta else ""
    if problem:
        return Answer(np.nan, np.nan, (), problem)
    said = _scored(fitted, batch)
    if isinstance(fitted.view, RunPlots):
        said = with_yields(said, fitted.view, fitted.reference, batch)
        said = with_new_labels(said, fitted.view, fitted.reference, batch)
        if said.p_value < ODD:
            said = like_left_out(said, fitted.view, fitted.reference, fitted.lineage, batch)
    note = str(batch.meta["note"][0]) if "note" in batch.meta else ""
    return said._replace(reason=f"{said.reason}; {note}") if note else said


def _scored(fitted: Fitted, batch: Batch) -> Answer:
    """Return what the scorer says."""
    scored = fitted.score_batch(batch)
    score, p_value, found = float(scored.scores[0, 0]), float(scored.p_values[0, 0]), scored.found[0][0]
    rarest = float(getattr(fitted.calibrations[fitted.scorer.outputs[0]], "rarest", 0.0))
    if found and found[0].says and (isinstance(fitted.scorer, Finds) or p_value < ODD):
        return Answer(score, p_value, found, found[0].says, rarest)
    if np.isnan(score):
        events = float(batch.meta["events"][0]) if "events" in batch.meta else float(len(batch.values[0]))
        why = f"only {events:g} events: not enough for the scorer {fitted.name}"
        return Answer(score, p_value, (), why, rarest)
    return Answer(score, p_value, found, "no plot is odd beside those of good runs", rarest)


class RunVerdicts:
    """Verdicts of a model of runs at a rate of `false_alarms`; with the `section` column also of the sections of a run.

    Raises SettingsError for a rate that is none, a model of others than runs, and sections of runs of histograms.
    """

    def __init__(
        self, fitted: Fitted, false_alarms: float = FALSE_ALARMS, section: str = "", joined: int = JOINED
    ) -> None:
        check_rate(false_alarms)
        if joined < 1:
            raise SettingsError(f"joined is a number of sections, at least 1, not {joined}")
        self.fitted, self.view = fitted, view_of_runs(fitted)
        self.false_alarms, self.section, self.joined = false_alarms, section, joined
        if section and not self.view.columns.names:
            raise SettingsError("the model reads runs as histograms, which have no sections; leave --section out")
        with fitted.makes_sense(always=True):
            self.plots = self.view.plots_of(fitted.reference)

    def of(self, files: Sequence[RunFile], progress: ReportProgress) -> Iterator[RunRecord]:
        """Yield a record of each run, after those of its sections; one run is in memory at a time."""
        for number, file in enumerate(files):
            yield from self.of_run(file)
            progress(f"{number + 1} of {len(files)} runs", (number + 1) / len(files))

    def of_run(self, file: RunFile) -> Iterator[RunRecord]:
        """Yield the records of the sections of a run, then its own.

        Sections that cannot be cut are told in the messages of the run. Raises ModelError where the model was damaged.
        """
        with self.fitted.makes_sense(always=True):
            yield from self._of_run(file)

    def _of_run(self, file: RunFile) -> Iterator[RunRecord]:
        messages: tuple[str, ...] = ()
        (batch,) = self.view.of(RunFolder([file]))
        if self.section and not batch.meta["problem"][0]:
            try:
                yield from self._sections(file)
            except SettingsError as error:
                messages = (str(error),)
        yield replace(self.record(batch), messages=messages)

    def record(self, batch: Batch, said: Answer | None = None) -> RunRecord:
        """Return a run as it was judged, with its verdict and its plots beside those of good runs; one that is like a
        run of the reference that was left out, and unlike the others, is a warning."""
        said = said or answer(self.fitted, batch)
        verdict = verdict_of(said.p_value, self.false_alarms, said.rarest)
        verdict = Verdict.WARN if said.beside < self.false_alarms else verdict
        if verdict == Verdict.NOT_ENOUGH_DATA and said.p_value <= said.rarest:
            said = said._replace(reason=f"{said.reason}; {self._too_rare(said.rarest)}")
        if verdict == Verdict.GOOD and said.chief.sigma >= SURELY and not isinstance(self.fitted.scorer, Finds):
            said = said._replace(reason=f"{said.reason}; {self._as_odd(said.p_value)}")
        is_flagged = verdict in (Verdict.WARN, Verdict.BAD)
        shown = [said.chief, *(one for one in said.found[1:] if one.sigma >= SURELY)] if is_flagged else []
        events = float(batch.meta["events"][0])
        return RunRecord(
            str(batch.meta["run"][0]), verdict, said.p_value, said.score, said.found, said.reason, events,
            str(self.fitted.lineage.get("name", "")), int(batch.meta["start_ns"][0]) or None,
            plots=self.plots.records(self.view.book_of(batch), batch.meta["counts"][0], events, shown),
        )  # fmt: skip

    def _as_odd(self, p_value: float) -> str:
        """Sigmas are those of counting; good runs may differ by more than that from one another, or be too few to show
        that they do not."""
        runs = len(self.fitted.reference["events"])
        known = self.fitted.calibrations[self.fitted.scorer.outputs[0]]
        levels = known.levels if isinstance(known, RunCalibration) and known.theory else ()
        as_counted = p_value * len(levels) < 1.0 and float(np.mean(levels or [np.inf])) < AS_COUNTED
        why = "are too few to know how rare that is" if as_counted else "differ by more than their counts"
        return f"the {runs} good runs {why}: one is as odd once in {1 / p_value:,.2g}"

    def _too_rare(self, rarest: float) -> str:
        runs = len(self.fitted.reference["events"])
        return (
            f"whether a good run is so odd once in {1 / self.false_alarms:,.0f} cannot be known from {runs} good runs: "
            f"take --false-alarms above {rarest:.1g}, or fit on more runs"
        )

    def _sections(self, file: RunFile) -> Iterator[RunRecord]:
        """A record of each section, named `run/section`: its p-value, or that of the last ones together where it is
        less, times two. Short and dead sections are NOT ENOUGH DATA."""
        last: list[Batch] = []
        for run in Sections(file, self.section).read(self.view.reader):
            batch = self.view.batch(run)
            last = [*last, batch][-self.joined :]
            said = answer(self.fitted, batch)
            with_data = [one for one in last if not one.meta["problem"][0]]
            if not run.problem and len(with_data) > 1:
                said = _the_less_likely(said, answer(self.fitted, _together(with_data)), len(with_data) - 1)
            yield self.record(batch, said)


def _the_less_likely(alone: Answer, together: Answer, before: int) -> Answer:
    """Return the smaller p-value of two looks at a section, corrected for looking twice; NaN for too few events."""
    if np.isnan(alone.p_value):
        return alone
    if not together.p_value < alone.p_value:
        return alone._replace(p_value=min(2.0 * alone.p_value, 1.0))
    reason = f"with the {before} before it: {together.reason}"
    return together._replace(p_value=min(2.0 * together.p_value, 1.0), reason=reason)


def _together(sections: Sequence[Batch]) -> Batch:
    """Several sections as one run, named as the last."""
    last = sections[-1]
    meta = {
        name: np.concatenate([one.meta[name] for one in sections], axis=1) for name in ("group",) if name in last.meta
    }
    for name in ("counts", "events"):
        meta[name] = np.sum([one.meta[name] for one in sections], axis=0)
    if last.mask is None:
        return replace(last, values=meta["counts"], meta={**last.meta, **meta})
    values, mask = (np.concatenate([getattr(one, name) for one in sections], axis=1) for name in ("values", "mask"))
    return replace(last, values=values, mask=mask, meta={**last.meta, **meta})
