"""Sections of a run, minutes or lumisections: a verdict on each, alone and together with those just before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lynkeus.core import Judged, RunRecord, SettingsError
from lynkeus.fitting.fitted_runs import FALSE_ALARMS, FittedRuns
from lynkeus.sources.runs.folder import Run, RunFile
from lynkeus.sources.runs.sections import Sections


@dataclass(frozen=True)
class JudgedSections:
    """Judges the sections of runs by a model of whole runs, cut at the values of `column` (time_ns: minutes).

    A fault that is too small to be seen in one section may be seen in the last few of them, up to `joined` (1: each is
    judged alone). Raises SettingsError for a model of histograms, which have no sections.
    """

    fitted: FittedRuns
    column: str
    joined: int = 3

    def __post_init__(self) -> None:
        if self.joined < 1:
            raise SettingsError(f"joined is a number of sections, at least 1, not {self.joined}")
        if not self.fitted.columns.names:
            raise SettingsError("the model reads runs as histograms, which have no sections; leave --section out")

    def records(self, file: RunFile, false_alarms: float = FALSE_ALARMS) -> Iterator[RunRecord]:
        """Of each section in its order, named `run/section`: its p-value, or that of the last ones together where it is
        less, times two. Short and dead sections are NOT ENOUGH DATA. Raises SettingsError where they cannot be cut."""
        last: list[Run] = []
        for run in Sections(file, self.column).read(self.fitted.reader):
            last = [*last, run][-self.joined :]
            judged = self.fitted.judged(run)
            with_data = [one for one in last if not one.problem]
            if not run.problem and len(with_data) > 1:
                judged = _the_less_likely(judged, self.fitted.judged(_together(with_data)), len(with_data) - 1)
            yield self.fitted.recorded(run, judged, false_alarms)


def _the_less_likely(alone: Judged, together: Judged, before: int) -> Judged:
    """Of two ways to look at a section; it was looked at twice. NaN where it has too few events itself."""
    if np.isnan(alone.p_value):
        return alone
    if not together.p_value < alone.p_value:
        return alone._replace(p_value=min(2.0 * alone.p_value, 1.0))
    reason = f"with the {before} before it: {together.reason}"
    return together._replace(p_value=min(2.0 * together.p_value, 1.0), reason=reason)


def _together(runs: Sequence[Run]) -> Run:
    """Several sections as one run, named as the last."""
    return replace(
        runs[-1],
        values=np.concatenate([run.values for run in runs]),
        group=np.concatenate([run.group for run in runs]),
        counts=np.sum([run.counts for run in runs], axis=0),
        events=sum(run.events for run in runs),
    )
