"""Steered numbers of several stretches and seeds, each with an interval: one stretch says little of the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import SettingsError, Source
from lynkeus.evaluate.steering.measure import CASES, SteeredReport, measure_steered
from lynkeus.fitting.fitted import Fitted

COVERAGE, COPIES = 0.9, 1000


class Interval(NamedTuple):
    """A mean over stretches, and its interval of 90 %."""

    value: float
    low: float
    high: float

    def said(self, times: float = 1.0, digits: int = 1) -> str:
        """Return it as text, `times` a unit."""
        value, low, high = (f"{times * number:.{digits}f}" for number in self)
        return f"{value} ({low} to {high})"


@dataclass(frozen=True)
class SteeredSummary:
    """Means of `runs` reports with their intervals: `auroc` and `right` by (kind, size); of each output the share of
    time `in_alarm`, incidents `per_hour` and seconds to `recover` after a move."""

    runs: int
    auroc: Mapping[tuple[str, float], Interval]
    right: Mapping[tuple[str, float], Interval]
    in_alarm: Mapping[str, Interval]
    per_hour: Mapping[str, Interval]
    recover_s: Mapping[str, Interval]

    def lines(self) -> list[str]:
        """Return it as lines of text."""
        told = [
            f"{kind} {size:g}: AUROC {value.said(digits=3)}, right channel {self.right[kind, size].said(digits=3)}"
            for (kind, size), value in self.auroc.items()
        ]
        for output, share in self.in_alarm.items():
            told.append(
                f"{output}: {share.said(100.0)} % of the time in alarm, {self.per_hour[output].said()} incidents/h, "
                f"quiet {self.recover_s[output].said()} s after a move"
            )
        return [*told, f"{self.runs} runs, intervals of 90 % by a bootstrap over stretches and seeds"]


def measure_stretches(
    stretches: Sequence[tuple[Fitted, Source]], seeds: Sequence[int], cases: Sequence[tuple[str, float]] = CASES
) -> SteeredSummary:
    """Return what models find in stretches that they have not seen, each steered by several seeds.

    Raises SettingsError without a stretch or a seed, and what `measure_steered` raises.
    """
    if not stretches or not seeds:
        raise SettingsError("a summary of steered stretches needs at least one stretch and one seed")
    return summarise([[measure_steered(fitted, source, seed, cases) for seed in seeds] for fitted, source in stretches])


def summarise(reports: Sequence[Sequence[SteeredReport]], seed: int = 0) -> SteeredSummary:
    """Return the summary of reports, by stretch and then by seed; as many of each stretch.

    Seeds of one stretch share its data, so stretches are drawn with replacement, and then seeds within each (Davison
    and Hinkley, *Bootstrap Methods*, 1997, sec. 3.8).
    """
    first = reports[0][0]
    rng = np.random.default_rng(seed)
    shape = (COPIES, len(reports), len(reports[0]))
    drawn = rng.integers(len(reports), size=shape[:2])[:, :, None], rng.integers(len(reports[0]), size=shape)

    def over(number: Callable[[SteeredReport], float]) -> Interval:
        return _interval(np.array([[number(one) for one in own] for own in reports]), drawn)

    def incidents(output: str) -> Callable[[SteeredReport], float]:
        return lambda one: sum(incident.output == output for incident in one.incidents) / one.hours

    return SteeredSummary(
        sum(map(len, reports)),
        {case: over(lambda one, case=case: one.cases[case].auroc) for case in first.cases},  # type: ignore[misc]
        {case: over(lambda one, case=case: one.cases[case].right) for case in first.cases},  # type: ignore[misc]
        {output: over(lambda one, output=output: one.in_alarm[output]) for output in first.in_alarm},  # type: ignore[misc]
        {output: over(incidents(output)) for output in first.in_alarm},
        {output: over(lambda one, output=output: one.recover_s[output]) for output in first.in_alarm},  # type: ignore[misc]
    )


def _interval(values: npt.NDArray[np.float64], drawn: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]) -> Interval:
    """The mean of (stretches, seeds), and its interval; NaN where one is."""
    copies = values[drawn].mean(axis=(1, 2))
    low, high = np.quantile(copies, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return Interval(float(values.mean()), float(low), float(high))
