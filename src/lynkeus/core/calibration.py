"""Calibration: from a score to "good data does this so often", with a tail that says where it extrapolates.

One survival curve serves shifters (alarms per hour), taggers (background efficiency) and searches (p-value).
Body: empirical. Tail: generalised Pareto distribution over the peaks of clusters (peaks over threshold with runs
declustering, Coles 2001, ch. 5), because neighbouring windows are correlated and one alarm is an interval.
Intervals: block bootstrap (Kuensch 1989).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lynkeus.core.batch import Floats, TimesNs
from lynkeus.core.errors import CalibrationError
from lynkeus.core.reference_windows import ReferenceWindows
from lynkeus.core.tail import Tail, fit_pareto
from lynkeus.core.weights import check_weights, differ, effective_number
from lynkeus.core.words import EXTRAPOLATION_LIMIT, at_least

NS_PER_HOUR = 3.6e12
TAIL_PEAKS = 40  # cluster peaks in the tail: fewer are noisy, more lie too deep in the body to extrapolate from
FEW_CLUSTERS = 10  # fewer in the tail say nothing of its shape: the windows themselves do, with a heavy one
HEAVY = 0.3  # shape that such a tail has at least
HEAVIEST = 0.5  # and that of as few windows without times
BODY_WORTH = 10.0  # windows in a tail that what the body of the scores says of its scale is worth
OUTLIER_EXPECTED = 0.02  # a peak that the tail expects fewer times than this per reference is an incident
FEWEST = 100  # windows of a reference with times
FEWEST_WITHOUT_TIMES = 20  # which gives p-values only, down to about one in so many samples
LEAST = 1e-300


@dataclass(frozen=True)
class Calibration:
    """How often good data scores this high, for one output.

    `hours` is the livetime of the reference after exclusions (None: samples without times; only p-values then).
    `excluded` counts the incidents found in the reference itself and left out. `replicas` are tails fitted to
    block-bootstrap copies of the reference. `effective`: number of windows of one weight that say as much as these, and
    `hours` that of so many; None where all weigh alike. `rarest`: no p-value is smaller, and no rate than that of one
    alarm in EXTRAPOLATION_LIMIT times `hours`: what is odder than that has a higher score, and is as rare as can be
    known; 0 in models of before, which have no such limit.
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
    effective: float | None = None
    rarest: float = 0.0

    @classmethod
    def fit(
        cls,
        scores: Floats,
        hours: float | None,
        time_ns: TimesNs | None = None,
        quiet_s: float = 10.0,
        seed: int = 0,
        weight: Floats | None = None,
    ) -> Self:
        """Fit to the scores (n,) of reference windows in time order; NaN scores are left out.

        `time_ns` (n,) start of each window; without it the windows share `hours` evenly. `weight` (n,): how much each
        counts; what the reference supports follows their effective number (Kish 1965). Incidents in the reference
        (peaks the tail of the rest expects less than 0.02 times) are excluded and counted. Raises CalibrationError
        where fewer than FEWEST windows have a score, SchemaError for a weight that is none.
        """
        good, heavy = _usable(scores, weight)
        found = np.asarray(scores, float)[good]
        _require_enough(found, heavy, FEWEST if hours else FEWEST_WITHOUT_TIMES)
        span = hours * len(found) / len(good) if hours else len(found) / 3600.0
        if time_ns is None:
            times = np.linspace(0, span * NS_PER_HOUR, len(found), endpoint=False).astype(np.int64)
        else:
            times = np.asarray(time_ns, np.int64)[good]
        everything = ReferenceWindows(found, times, span, quiet_s if hours else 0.0, heavy)
        kept, incidents = _without_incidents(everything)
        clean = everything.keep(kept)
        levels = clean.levels()
        survival = 1.0 - clean.below(levels) / (clean.effective + 1.0)
        tail, replicas = _tail(clean, float(levels[_rank(clean.distinct(levels), TAIL_PEAKS)]), seed)
        return cls(
            levels, survival, clean.counts(levels) / clean.worth_hours, tail, float(clean.scores.max()),
            len(clean.scores), clean.worth_hours if hours else None, clean.quiet_s, incidents,
            (span - clean.hours) * 3600.0, replicas, None if heavy is None else clean.effective,
            1.0 / (EXTRAPOLATION_LIMIT * clean.effective),
        )  # fmt: skip

    def p_value(self, scores: Floats) -> Floats:
        """P(a good window scores this high), from `rarest` to 1; NaN stays NaN."""
        return np.maximum(self.beyond_what_is_known(scores), self.rarest)

    def beyond_what_is_known(self, scores: Floats) -> Floats:
        """Return the p-value as the tail has it, however far that was extrapolated: -log of it is a score, to be put
        together with others, but says nothing of how rare it is."""
        s = np.asarray(scores, float)
        body = np.interp(s, self.levels, self.survival)
        at_threshold = np.interp(self.tail.threshold, self.levels, self.survival)
        beyond = at_threshold * self.tail.rate(s) / self.tail.clusters_per_hour
        if self.effective is not None:  # a tail does not know of a single heavy window: it is lifted to the highest one
            highest = float(at_threshold * self.tail.rate(np.array([self.maximum]))[0] / self.tail.clusters_per_hour)
            lifted = beyond * max(self.survival[-1] / highest, 1.0)
            beyond = np.where(s > self.maximum, lifted, np.maximum(beyond, body))
        return np.where(np.isnan(s), np.nan, np.maximum(np.where(s > self.tail.threshold, beyond, body), LEAST))

    def alarms_per_hour(self, scores: Floats) -> Floats:
        """Return how many alarms an hour peak this high in good data; NaN stays NaN.

        Below the tail's threshold, where alarms would merge, this is the largest rate that any higher level has; never
        less than one in EXTRAPOLATION_LIMIT references.
        """
        if self.hours is None:
            raise CalibrationError("the reference has no times, so rates per hour are not known; use p_value")
        s = np.asarray(scores, float)
        at_threshold = self.tail.clusters_per_hour
        body = np.maximum(np.interp(s, self.levels, self.rates), at_threshold)
        rates = np.maximum(np.where(s > self.tail.threshold, self.tail.rate(s), body), self._lowest_rate)
        return np.where(np.isnan(s), np.nan, rates)

    @property
    def _lowest_rate(self) -> float:
        """The lowest rate that is stated; 0: there is no limit."""
        return 1.0 / (self.hours * EXTRAPOLATION_LIMIT) if self.hours and self.rarest else 0.0

    def alarms_per_hour_interval(self, score: float, coverage: float = 0.9) -> tuple[float, float]:
        """Block-bootstrap interval of `alarms_per_hour` at one score at or above the tail's threshold."""
        rates = [max(float(tail.rate(np.array([score]))[0]), self._lowest_rate) for tail in self.replicas]
        low, high = np.quantile(rates, [(1 - coverage) / 2, (1 + coverage) / 2])
        return float(low), float(high)

    def extrapolates(self, budget_per_hour: float) -> bool:
        """Return whether the reference is too short to have seen such a rate, so that the tail had to be
        extrapolated."""
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
                f"ask for at least {at_least(rarest)} per hour or fit on more data"
            )
        if budget_per_hour >= self.tail.clusters_per_hour:
            return float(self.levels[np.argmax(self.rates <= budget_per_hour)])
        return self.tail.score_at(budget_per_hour)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        fields = dict(self.__dict__)
        for name in ("levels", "survival", "rates"):
            fields[name] = [float(value) for value in fields[name]]
        return fields | {"tail": vars(self.tail), "replicas": [vars(tail) for tail in self.replicas]}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Rebuild it from what `to_dict` returned. Raises CalibrationError where the numbers are no calibration."""
        given = dict(fields)
        for name in ("levels", "survival", "rates"):
            given[name] = np.asarray(given[name], float)
        levels = given["levels"]
        if not (len(levels) == len(given["survival"]) == len(given["rates"]) and (np.diff(levels) >= 0).all()):
            raise CalibrationError("the levels of a calibration must rise, each with its survival and its rate")
        given["tail"] = Tail(**given["tail"])
        given["replicas"] = tuple(Tail(**tail) for tail in given["replicas"])
        return cls(**given)


def _usable(scores: Floats, weight: Floats | None) -> tuple[npt.NDArray[np.bool_], Floats | None]:
    """Return which windows have a score and count, and how much these count; None where all alike."""
    good = np.isfinite(scores)
    if weight is None:
        return good, None
    given = np.asarray(weight)
    check_weights(given)
    if len(given) != len(good):
        raise CalibrationError(f"{len(given)} weights for {len(good)} scores: give one for each")
    good &= given > 0
    heavy = given[good].astype(float)
    return good, heavy if differ(heavy) else None


def _require_enough(found: Floats, weight: Floats | None, least: int) -> None:
    worth = len(found) if weight is None else effective_number(weight)
    if worth < least:
        count = f"only {len(found)}" if weight is None else f"the {len(found)} weighted"
        but = "" if weight is None else f", which are worth {worth:.1f} of one weight"
        raise CalibrationError(
            f"{count} reference windows have a score{but}; a calibration needs {least}: give more data"
        )
    if found.min() == found.max():
        raise CalibrationError(
            f"all {len(found)} reference windows have the same score {found[0]:g}: is the data frozen, or of a "
            "kind of which the scorer says nothing?"
        )


def _rank(counts: Floats, peaks: int) -> int:
    """Index of the highest level that so many clusters reach, at most half of those there are at any level."""
    enough = min(peaks, float(counts[0]) / 2) - 1e-3  # sums of weights are not whole numbers to the last digit
    return int(np.flatnonzero(counts >= enough)[-1])


def _tail(reference: ReferenceWindows, threshold: float, seed: int, copies: int = 100) -> tuple[Tail, tuple[Tail, ...]]:
    """The tail above a threshold, and those of block-bootstrap copies; a block is a sixtieth of the reference.

    A reference that is short beside the quiet time has few clusters or one, whose peaks lie at the threshold: a tail of
    these would call what is beyond the highest window impossible. Then the tail is that of single windows.
    """
    high, starts = reference.clusters(threshold)
    least = 0.0
    if few := reference.worth is None and len(starts) < FEW_CLUSTERS:
        threshold = float(np.sort(reference.scores)[-min(TAIL_PEAKS, len(reference.scores) // 4)])
        high, least = np.flatnonzero(reference.scores >= threshold), HEAVY
        starts = np.arange(len(high))
    excesses = np.maximum.reduceat(reference.scores[high], starts) - threshold
    body = _scale_of_body(reference) if len(starts) < TAIL_PEAKS else None
    least = HEAVIEST if body is not None and len(starts) < FEW_CLUSTERS else least
    worth = np.ones(len(starts)) if reference.worth is None else reference.worth[high[starts]]
    if few:
        worth *= reference.counts(np.unique(reference.scores[high]))[0] / len(starts)  # so many at it or a higher level
    block = high[starts] * 60 // len(reference.scores)
    rng = np.random.default_rng(seed)
    tails = []
    for times_drawn in [np.ones(60, int), *rng.multinomial(60, np.full(60, 1 / 60), copies)]:
        drawn = np.repeat(np.arange(len(excesses)), times_drawn[block])
        of = drawn if len(drawn) > 1 else np.arange(len(excesses))
        scale, shape = fit_pareto(excesses[of], worth[of], least)
        if body is not None:
            scale = _of_few(scale / (1.0 - shape), len(of), body) * (1.0 - shape) * (1.0 + 2.0 / len(of))
        tails.append(Tail(threshold, scale, shape, (worth[drawn].sum() or worth.mean()) / reference.worth_hours))
    return tails[0], tuple(tails[1:])


def _scale_of_body(reference: ReferenceWindows) -> float | None:
    """The scale that the tail would have if it went on as the upper half of the scores: few windows may lie together in
    their tail by chance. None where most have the highest, where windows have times, or weigh differently: clusters are
    others."""
    if reference.quiet_s or reference.worth is not None:
        return None
    above = reference.scores - np.median(reference.scores)
    above = above[above > 0]
    return float(np.median(above) / np.log(2.0)) if len(above) else None


def _of_few(own: float, count: int, body: float) -> float:
    """The scale of a few windows together with that of the body."""
    return (count * own + BODY_WORTH * body) / (count + BODY_WORTH)


def _without_incidents(reference: ReferenceWindows) -> tuple[npt.NDArray[np.bool_], int]:
    """Return which windows to keep, and how many incidents were left out: clusters far outside the tail of all the
    others.

    A heavy tail would explain its own outliers, so clusters are judged by a nearly exponential tail whose scale is
    the median excess of a quarter of all clusters: incidents are few clusters even where they are many windows.
    Weights do not count: light windows that a generator drew far out, to know the tail, are no incidents.
    """
    reference = replace(reference, weight=None)
    keep, incidents = np.ones(len(reference.scores), bool), 0
    for _ in range(20):
        rest = reference.keep(keep)
        levels = rest.levels()
        counts = rest.counts(levels)
        threshold = float(levels[_rank(counts, int(counts[0]) // 4)])
        high, starts = rest.clusters(threshold)
        peaks = np.maximum.reduceat(rest.scores[high], starts)
        scale = float(np.median(peaks - threshold)) / np.log(2.0)
        if len(peaks) < TAIL_PEAKS and (body := _scale_of_body(rest)) is not None:
            scale = _of_few(float(scale), len(peaks), body)
        scale *= 1.1
        judge = Tail(threshold, max(scale, 1e-9), 0.05, len(peaks) / rest.hours)
        out = peaks > judge.score_at(OUTLIER_EXPECTED / rest.hours)
        if not out.any():
            break
        incidents += int(out.sum())
        lengths = np.diff(np.append(starts, len(high)))
        keep[np.flatnonzero(keep)[high[np.repeat(out, lengths)]]] = False
    return keep, incidents
