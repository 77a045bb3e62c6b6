"""Calibration: from a score to "good data does this so often", with a tail that says where it extrapolates.

One survival curve serves shifters (alarms per hour), taggers (background efficiency) and searches (p-value).
Body: empirical. Tail: generalised Pareto distribution over the peaks of clusters (peaks over threshold with runs
declustering, Coles 2001, ch. 5), because neighbouring windows are correlated and one alarm is an interval.
Intervals: block bootstrap (Kuensch 1989).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lynkeus.core.batch import Floats
from lynkeus.core.errors import CalibrationError

NS_PER_HOUR = 3.6e12
MIN_PEAKS = 20  # fewer cluster peaks than this give no tail
OUTLIER_EXPECTED = 0.02  # a peak that the tail expects fewer times than this per reference is an incident
BODY_POINTS = 2001
TAIL_SHARE = 0.03  # share of the windows above the tail's threshold
EXTRAPOLATION_LIMIT = 1000.0  # a budget rarer than one alarm in this many references is refused


@dataclass(frozen=True)
class Tail:
    """Generalised Pareto tail of cluster peaks: P(peak - threshold > y) = (1 + shape y / scale)^(-1/shape)."""

    threshold: float
    scale: float
    shape: float
    clusters_per_hour: float  # above the threshold; per sample instead where the reference has no duration

    def rate(self, scores: Floats) -> Floats:
        """Clusters per hour that peak above each score, for scores above the threshold."""
        y = np.maximum(np.asarray(scores, float) - self.threshold, 0.0) / self.scale
        if self.shape < 1e-6:
            return self.clusters_per_hour * np.exp(-y)
        return self.clusters_per_hour * np.power(1.0 + self.shape * y, -1.0 / self.shape)

    def score_at(self, rate: float) -> float:
        """Inverse of `rate`."""
        ratio = max(self.clusters_per_hour / rate, 1.0)
        if self.shape < 1e-6:
            return self.threshold + self.scale * float(np.log(ratio))
        return self.threshold + self.scale / self.shape * float(ratio**self.shape - 1.0)


def fit_pareto(excesses: Floats) -> tuple[float, float]:
    """(scale, shape) of a generalised Pareto distribution by probability-weighted moments (Hosking & Wallis 1987).

    The shape is kept in [0, 0.5]: a score has no sharpest possible value, and a heavier tail than that is an
    unclean reference, not a tail.
    """
    y = np.sort(np.asarray(excesses, float))
    n = len(y)
    weight = 1.0 - (np.arange(1, n + 1) - 0.35) / n
    a0, a1 = float(y.mean()), float((weight * y).mean())
    shape = 2.0 - a0 / max(a0 - 2.0 * a1, 1e-12)
    shape = float(np.clip(shape, 0.0, 0.5))
    return max(a0 * (1.0 - shape), 1e-9), shape


def cluster_peaks(
    scores: Floats, time_ns: npt.NDArray[np.int64], level: float, quiet_s: float
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Peak and peak time of every run of scores above `level`; runs less than `quiet_s` apart are one."""
    high = np.flatnonzero(scores > level)
    if not len(high):
        return np.empty(0), np.empty(0, np.int64)
    new = np.flatnonzero(np.diff(time_ns[high]) > quiet_s * 1e9) + 1
    starts = np.concatenate([[0], new])
    peaks = np.maximum.reduceat(scores[high], starts)
    groups = np.split(high, new)
    return peaks, np.array([time_ns[group[np.argmax(scores[group])]] for group in groups], np.int64)


@dataclass(frozen=True)
class Calibration:
    """How often good data scores this high, for one output.

    `hours` is the livetime of the reference after exclusions (None: samples without times; only p-values then).
    `excluded` counts the incidents found in the reference itself and left out. `replicas` are tails fitted to
    block-bootstrap copies of the reference.
    """

    levels: Floats = field(repr=False)  # rising scores
    survival: Floats = field(repr=False)  # P(window score >= level)
    rates: Floats = field(repr=False)  # clusters per hour at each level, falling
    tail: Tail
    maximum: float
    samples: int
    hours: float | None
    quiet_s: float
    excluded: int = 0
    excluded_s: float = 0.0
    replicas: tuple[Tail, ...] = field(default=(), repr=False)

    @classmethod
    def fit(
        cls,
        scores: Floats,
        hours: float | None,
        time_ns: npt.NDArray[np.int64] | None = None,
        quiet_s: float = 10.0,
        seed: int = 0,
    ) -> Self:
        """Fit to the scores (n,) of reference windows in time order; NaN scores are left out.

        `time_ns` (n,) start of each window; without it the windows share `hours` evenly. Incidents in the
        reference (peaks the tail of the rest expects less than 0.02 times) are excluded and counted. Raises
        CalibrationError where fewer than 100 windows have a score.
        """
        good = np.isfinite(scores)
        scores = np.asarray(scores, float)[good]
        if len(scores) < 100:
            raise CalibrationError(
                f"only {len(scores)} reference windows have a score; a calibration needs at least 100: give more data"
            )
        span = len(scores) / (len(good) or 1) * hours if hours else len(scores) / 3600.0
        if time_ns is None:
            time_ns = np.linspace(0, span * NS_PER_HOUR, len(scores), endpoint=False).astype(np.int64)
        else:
            time_ns = np.asarray(time_ns, np.int64)[good]
        keep, incidents = _without_incidents(scores, time_ns, span, quiet_s if hours else 0.0)
        clean_hours = span * float(keep.mean())
        kept, kept_ns = scores[keep], time_ns[keep]
        gap = quiet_s if hours else 0.0
        levels = np.unique(np.quantile(kept, np.linspace(0, 1, BODY_POINTS) ** 0.5))
        survival = 1.0 - np.searchsorted(np.sort(kept), levels, side="left") / (len(kept) + 1)
        counts = np.array([len(cluster_peaks(kept, kept_ns, level, gap)[0]) for level in levels[:: max(1, len(levels) // 400)]])
        sparse = np.interp(levels, levels[:: max(1, len(levels) // 400)], counts)
        rates = np.maximum.accumulate(sparse[::-1])[::-1] / clean_hours
        tail = _tail(kept, kept_ns, clean_hours, gap)
        return cls(
            levels, survival, rates, tail, float(kept.max()), len(kept), clean_hours if hours else None, gap,
            incidents, float((~keep).sum() / len(scores) * span * 3600.0),
            _bootstrap(kept, kept_ns, clean_hours, gap, seed),
        )

    def p_value(self, scores: Floats) -> Floats:
        """P(a good window scores this high), in (0, 1]; NaN stays NaN."""
        s = np.asarray(scores, float)
        body = np.interp(s, self.levels, self.survival)
        at_threshold = np.interp(self.tail.threshold, self.levels, self.survival)
        beyond = at_threshold * self.tail.rate(s) / self.tail.clusters_per_hour
        return np.where(np.isnan(s), np.nan, np.where(s > self.tail.threshold, beyond, np.maximum(body, 1e-300)))

    def alarms_per_hour(self, scores: Floats) -> Floats:
        """How often an hour good data has an alarm that peaks this high; NaN stays NaN.

        Below the tail's threshold, where alarms would merge, this is the largest rate that any higher level has.
        """
        if self.hours is None:
            raise CalibrationError("the reference has no times, so rates per hour are not known; use p_value")
        s = np.asarray(scores, float)
        at_threshold = self.tail.clusters_per_hour
        body = np.maximum(np.interp(s, self.levels, self.rates), at_threshold)
        return np.where(np.isnan(s), np.nan, np.where(s > self.tail.threshold, self.tail.rate(s), body))

    def alarms_per_hour_interval(self, score: float, coverage: float = 0.9) -> tuple[float, float]:
        """Block-bootstrap interval of `alarms_per_hour` at one score."""
        if not self.replicas:
            return float("nan"), float("nan")
        rates = [float(tail.rate(np.array([score]))[0]) for tail in self.replicas]
        low, high = np.quantile(rates, [(1 - coverage) / 2, (1 + coverage) / 2])
        return float(low), float(high)

    def extrapolates(self, budget_per_hour: float) -> bool:
        """Whether the reference is too short to have seen such a rate, so that the tail had to be extrapolated."""
        return self.hours is not None and budget_per_hour * self.hours < 1.0

    def threshold(self, budget_per_hour: float) -> float:
        """The score whose rate is the budget. Raises CalibrationError where even the tail cannot support it."""
        if self.hours is None:
            raise CalibrationError("the reference has no times, so no budget per hour can be set")
        if not budget_per_hour > 0:
            raise CalibrationError(f"a budget must be positive, got {budget_per_hour!r} per hour")
        rarest = 1.0 / (self.hours * EXTRAPOLATION_LIMIT)
        if budget_per_hour < rarest:
            raise CalibrationError(
                f"a budget of {budget_per_hour:.3g} per hour cannot be supported by {self.hours:.2f} h of reference; "
                f"ask for at least {rarest:.2g} per hour or fit on more data"
            )
        if budget_per_hour >= self.tail.clusters_per_hour:
            within = self.rates >= budget_per_hour
            return float(self.levels[within][-1]) if within.any() else float(self.levels[0])
        return self.tail.score_at(budget_per_hour)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        fields = dict(self.__dict__)
        for name in ("levels", "survival", "rates"):
            fields[name] = [float(value) for value in fields[name]]
        return fields | {"tail": vars(self.tail), "replicas": [vars(tail) for tail in self.replicas]}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Inverse of `to_dict`."""
        given = dict(fields)
        for name in ("levels", "survival", "rates"):
            given[name] = np.asarray(given[name], float)
        given["tail"] = Tail(**given["tail"])
        given["replicas"] = tuple(Tail(**tail) for tail in given["replicas"])
        return cls(**given)


def _tail(scores: Floats, time_ns: npt.NDArray[np.int64], hours: float, gap: float) -> Tail:
    threshold = float(np.quantile(scores, 1.0 - TAIL_SHARE))
    peaks, _ = cluster_peaks(scores, time_ns, threshold, gap)
    if len(peaks) < MIN_PEAKS:
        threshold = float(np.quantile(scores, 0.9))
        peaks, _ = cluster_peaks(scores, time_ns, threshold, gap)
    if len(peaks) < 2:
        return Tail(threshold, max(float(np.std(scores)), 1e-9), 0.0, max(len(peaks), 1) / hours)
    scale, shape = fit_pareto(peaks - threshold)
    return Tail(threshold, scale, shape, len(peaks) / hours)


def _without_incidents(
    scores: Floats, time_ns: npt.NDArray[np.int64], hours: float, gap: float
) -> tuple[npt.NDArray[np.bool_], int]:
    """Which windows to keep, and how many incidents were left out: peaks far outside the tail of all the others."""
    keep = np.ones(len(scores), bool)
    incidents = 0
    for _ in range(20):
        tail = _tail(scores[keep], time_ns[keep], hours * float(keep.mean()), gap)
        # A heavy tail would explain its own outliers: judge them by an exponential with a robust scale.
        peaks, _ns = cluster_peaks(scores[keep], time_ns[keep], tail.threshold, gap)
        scale = float(np.median(peaks - tail.threshold) / np.log(2.0)) if len(peaks) else tail.scale
        judge = Tail(tail.threshold, max(scale * 1.1, 1e-9), 0.05, tail.clusters_per_hour)
        limit = judge.score_at(min(OUTLIER_EXPECTED / hours, judge.clusters_per_hour))
        out = keep & (scores > limit)
        if not out.any():
            break
        spans = cluster_peaks(np.where(out, 1.0, 0.0), time_ns, 0.5, gap)[1]
        incidents += len(spans)
        near = np.searchsorted(time_ns, time_ns[out])
        for index in near:
            low = np.searchsorted(time_ns, time_ns[index] - gap * 1e9)
            high = np.searchsorted(time_ns, time_ns[index] + gap * 1e9, side="right")
            keep[low:high] &= scores[low:high] <= tail.threshold
        keep &= scores <= limit
    return keep, incidents


def _bootstrap(
    scores: Floats, time_ns: npt.NDArray[np.int64], hours: float, gap: float, seed: int, copies: int = 100
) -> tuple[Tail, ...]:
    """Tails of block-bootstrap copies; a block is a sixtieth of the reference, at least ten windows."""
    rng = np.random.default_rng(seed)
    block = max(10, len(scores) // 60)
    starts = np.arange(0, len(scores), block)
    step = int(hours * NS_PER_HOUR / max(len(scores), 1))
    tails = []
    for _ in range(copies):
        order = np.concatenate([np.arange(s, min(s + block, len(scores))) for s in rng.choice(starts, len(starts))])
        tails.append(_tail(scores[order], np.arange(len(order), dtype=np.int64) * step, hours, gap))
    return tuple(tails)
