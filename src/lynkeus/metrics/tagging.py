"""Metrics of taggers: the ROC curve of a class against another, background rejection 1/eB, with intervals.

eS is the efficiency for signal, eB for background: the shares of jets that reach a threshold. `separation` gives what
published comparisons give: 1/eB at the point nearest to a signal efficiency. Where taggers and trainings are compared
(`background_efficiency`, `background_copies`) eB is counted as (passed + 1) / (jets + 1) at the first threshold that
reaches the efficiency: of no jet that passed nothing smaller can be said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv

from lynkeus.core import Array, Floats, SettingsError
from lynkeus.metrics.rates import COVERAGE

FEW = 10.0  # background jets that pass, below which their number has a Poisson interval instead of a bootstrap
COPIES = 200
COMPARED = 300  # copies of the jets where taggers are compared
FEWEST = 2  # jets of a class that can be drawn again
EFFICIENCIES = (0.3, 0.5, 0.7)


@dataclass(frozen=True)
class Roc:
    """Efficiencies for `signal` and `background` (m,), both rising from 0 to 1, at falling `thresholds` (m,): the first
    is above all scores. `passing` (m,): of background jets, alike in weight, that reach each."""

    signal: Floats
    background: Floats
    thresholds: Floats
    passing: Floats

    @property
    def auc(self) -> float:
        """Return the area under it: the chance that a signal jet scores higher than a background jet."""
        return float(np.trapezoid(self.signal, self.background))

    def at(self, efficiency: float) -> int:
        """Return the point whose signal efficiency is nearest to this, as in the published comparisons of taggers."""
        return int(np.argmin(np.abs(self.signal - efficiency)))

    def reaches(self, efficiency: float) -> int:
        """Return the first point, of falling thresholds, at which at least so much of the signal passes."""
        return int(np.searchsorted(self.signal, efficiency - 1e-12))

    def rejection(self, efficiency: float) -> float:
        """Return 1 / eB at this signal efficiency; infinite where no background passes."""
        background = float(self.background[self.at(efficiency)])
        return 1.0 / background if background > 0 else float("inf")


def roc(hit: npt.ArrayLike, score: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> Roc:
    """Return the ROC curve of scores (n,) of jets that are signal where `hit` (n,); a NaN score passes no threshold.

    `weight` (n,): how much each jet counts. Raises SettingsError where there is no signal, or no background.
    """
    own = _Sorted.of(hit, score, weight)
    return own.curve(own.weight)


class _Sorted:
    """Jets in falling order of their score; `last` of those that have the same score."""

    def __init__(self, hit: Array, score: Floats, weight: Floats) -> None:
        self.order = order = np.argsort(-score, kind="stable")
        self.hit, self.score, self.weight = hit[order], score[order], weight[order]
        self.last = np.flatnonzero(np.append(self.score[1:] != self.score[:-1], True))

    @classmethod
    def of(cls, hit: npt.ArrayLike, score: npt.ArrayLike, weight: npt.ArrayLike | None) -> _Sorted:
        truth, values = np.asarray(hit).astype(bool), np.asarray(score, float)
        values = np.where(np.isnan(values), -np.inf, values)
        heavy = np.ones(len(values)) if weight is None else np.asarray(weight, float)
        if not (truth & (heavy > 0)).any() or not (~truth & (heavy > 0)).any():
            raise SettingsError("a ROC curve needs signal and background, and there is only one of them")
        return cls(truth, values, heavy)

    def curve(self, weight: Floats) -> Roc:
        signal = np.append(0.0, np.cumsum(np.where(self.hit, weight, 0.0))[self.last])
        background = np.append(0.0, np.cumsum(np.where(self.hit, 0.0, weight))[self.last])
        thresholds = np.append(np.inf, self.score[self.last])
        squares = float((weight[~self.hit] ** 2).sum())
        alike = background * (background[-1] / squares if squares else 1.0)
        return Roc(signal / max(signal[-1], 1e-300), background / max(background[-1], 1e-300), thresholds, alike)


@dataclass(frozen=True)
class Separation:
    """How well a class is told from another: `auc`, and at `efficiency` (k,) for signal the `rejection` 1 / eB with the
    `threshold` and the jets that pass; each interval from `low` to `high`."""

    auc: float
    auc_low: float
    auc_high: float
    efficiency: tuple[float, ...]
    rejection: tuple[float, ...]
    rejection_low: tuple[float, ...]
    rejection_high: tuple[float, ...]
    threshold: tuple[float, ...]
    passing: tuple[float, ...]
    signal: int
    background: int


def separation(
    hit: npt.ArrayLike,
    score: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    efficiencies: Sequence[float] = EFFICIENCIES,
    seed: int = 0,
    copies: int = COPIES,
) -> Separation:
    """Return how well scores (n,) tell jets that are signal where `hit` (n,) from the others, with central 90 %
    intervals: by jets drawn again with replacement, and where fewer than FEW background jets pass by their number
    (Garwood 1936). `weight` (n,): how much each jet counts."""
    own = _Sorted.of(hit, score, weight)
    curve = own.curve(own.weight)
    rng = np.random.default_rng(seed)
    drawn = np.empty((copies, 1 + len(efficiencies)))
    for copy in range(copies):
        again = own.curve(own.weight * rng.poisson(1.0, len(own.weight)))
        drawn[copy] = [again.auc, *(again.background[again.at(one)] for one in efficiencies)]
    tails = (1 - COVERAGE) / 2, (1 + COVERAGE) / 2
    low, high = np.quantile(drawn, tails, axis=0)
    points = [curve.at(one) for one in efficiencies]
    ends = [
        _background(curve, point, low[1 + k], high[1 + k]) for k, point in enumerate(points)
    ]  # of eB, whose smallest is the largest rejection
    return Separation(
        curve.auc, float(low[0]), float(high[0]), tuple(efficiencies),
        tuple(curve.rejection(one) for one in efficiencies),
        tuple(_inverse(end) for _, end in ends), tuple(_inverse(end) for end, _ in ends),
        tuple(float(curve.thresholds[point]) for point in points),
        tuple(float(curve.passing[point]) for point in points),
        int(own.hit.sum()), int((~own.hit).sum()),
    )  # fmt: skip


def background_efficiency(signal: npt.ArrayLike, background: npt.ArrayLike, efficiency: float) -> float:
    """Return what share of background scores passes where `efficiency` of the signal does.

    A jet passes whose score is at least that of the threshold; NaN passes nothing. Raises SettingsError for an
    efficiency that is not between 0 and 1, or too few jets.
    """
    own = _two(signal, background, (efficiency,))
    return float(_passed(own.curve(own.weight), (efficiency,), int((~own.hit).sum()))[0])


def background_copies(
    signal: npt.ArrayLike,
    background: npt.ArrayLike,
    efficiencies: Sequence[float],
    copies: int = COMPARED,
    tagger: int = 0,
) -> Floats:
    """Return (copies, efficiencies) background efficiencies of jets drawn again with replacement.

    Jets are drawn alike for all taggers, so that the differences of their copies are those of the taggers. The one jet
    more that is counted is drawn for each `tagger` by itself, from an exponential: where no jet passed the interval
    ends at 3 of them, as a Poisson limit does, and two taggers that let nothing pass are not known to be equal.
    """
    own = _two(signal, background, efficiencies)
    jets = int((~own.hit).sum())
    more = np.random.default_rng([1, tagger]).exponential(size=(copies, 1))
    found = np.array([_passed(curve, efficiencies, jets) for curve in _drawn_again(own, copies)])
    return np.asarray(found + (more - 1.0) / (jets + 1.0))


def signal_efficiency(signal: npt.ArrayLike, background: npt.ArrayLike, passing: float) -> float:
    """Return what share of signal scores passes where at most the share `passing` of the background does: the working
    points of b taggers, loose, medium and tight, are 10, 1 and 0.1 %. Raises SettingsError as `background_efficiency`.
    """
    own = _two(signal, background, (passing,))
    return float(_kept(own.curve(own.weight), (passing,))[0])


def signal_copies(
    signal: npt.ArrayLike, background: npt.ArrayLike, passing: Sequence[float], copies: int = COMPARED
) -> Floats:
    """Return (copies, passing) signal efficiencies of jets drawn again, the same ones as in `background_copies`."""
    own = _two(signal, background, passing)
    return np.array([_kept(curve, passing) for curve in _drawn_again(own, copies)])


def over_trainings(values: Floats, copies: Floats, seed: int = 0) -> Floats:
    """Return (copies, ...) of the mean over trainings: the quantiles are its interval.

    `values` (trainings, ...) on all test jets, `copies` (trainings, copies, ...) on jets drawn again. How much another
    set of trainings would differ is added, by Student's t of so many of them; of one training nothing is known.
    """
    mean = copies.mean(axis=0)
    trainings = len(values)
    if trainings < 2:
        return mean
    spread = values.std(axis=0, ddof=1) / np.sqrt(trainings)
    drawn = np.random.default_rng(seed).standard_t(trainings - 1, size=len(mean))
    return np.asarray(mean + drawn.reshape(-1, *(1,) * (mean.ndim - 1)) * spread)


def _two(signal: npt.ArrayLike, background: npt.ArrayLike, efficiencies: Sequence[float]) -> _Sorted:
    """Return the scores of signal and, after them, of background."""
    if any(not 0 < share < 1 for share in efficiencies):
        raise SettingsError(f"an efficiency must be between 0 and 1, got {list(efficiencies)}")
    own, others = np.asarray(signal, float), np.asarray(background, float)
    if len(own) < FEWEST or len(others) < FEWEST:
        raise SettingsError(f"{len(own)} jets of the signal and {len(others)} of the background are too few")
    return _Sorted.of(np.arange(len(own) + len(others)) < len(own), np.concatenate([own, others]), None)


def _drawn_again(own: _Sorted, copies: int) -> Iterator[Roc]:
    """Yield the curves of jets of each class drawn again with replacement, always the same ones."""
    rng, many = np.random.default_rng(0), (int(own.hit.sum()), int((~own.hit).sum()))
    for _ in range(copies):
        times = np.concatenate([np.bincount(rng.integers(n, size=n), minlength=n) for n in many])
        yield own.curve(times[own.order].astype(float))


def _kept(curve: Roc, passing: Sequence[float]) -> Floats:
    """Return eS (passing,) at the last point at which no more of the background passes."""
    return curve.signal[np.searchsorted(curve.background, np.asarray(passing) + 1e-12, side="right") - 1]


def _passed(curve: Roc, efficiencies: Sequence[float], jets: int) -> Floats:
    """Return eB (efficiencies,) with one of the `jets` more than passed."""
    points = [curve.reaches(one) for one in efficiencies]
    return (curve.background[points] * jets + 1.0) / (jets + 1.0)


def _background(curve: Roc, point: int, low: float, high: float) -> tuple[float, float]:
    """Return the interval of eB at a point."""
    passing = float(curve.passing[point])
    if passing >= FEW:
        return low, high
    tail, all_of_them = (1 - COVERAGE) / 2, float(curve.passing[-1])
    least = gammaincinv(passing, tail) if passing > 0 else 0.0
    return float(least / all_of_them), float(min(gammaincinv(passing + 1, 1 - tail) / all_of_them, 1.0))


def _inverse(efficiency: float) -> float:
    return 1.0 / efficiency if efficiency > 0 else float("inf")


def accuracy(probability: Floats, truth: Array, weight: Floats | None = None) -> float:
    """Return the share of jets whose class (n,) is the most probable one of (n, classes); a NaN is wrong."""
    right = np.nan_to_num(probability, nan=-1.0).argmax(axis=1) == truth
    return float(np.average(right & np.isfinite(probability).all(axis=1), weights=weight))


def confusion(probability: Floats, truth: Array, weight: Floats | None = None) -> Floats:
    """Return (classes, classes): of the jets of each class (rows) the share that is called each (columns). Jets without
    a probability are called nothing; NaN for a class without jets."""
    classes = probability.shape[1]
    known = np.isfinite(probability).all(axis=1)
    heavy = np.ones(len(truth)) if weight is None else np.asarray(weight, float)
    called = np.nan_to_num(probability).argmax(axis=1)
    found = np.zeros((classes, classes))
    np.add.at(found, (truth[known], called[known]), heavy[known])
    total = np.bincount(truth, heavy, minlength=classes)[:, None]
    return np.where(total > 0, found / np.where(total > 0, total, 1.0), np.nan)


def against(probability: Floats, signal: int, background: int) -> Floats:
    """Return (n,) the probability of one class among two, p_s / (p_s + p_b): the best score to tell just these apart
    (the convention of JetClass, arXiv:2202.03772)."""
    both = probability[:, signal] + probability[:, background]
    return np.where(both > 0, probability[:, signal] / np.where(both > 0, both, 1.0), probability[:, signal])
