"""Metrics: how well scores separate good from faulty, how often good data alarm, and an interval for each of them.

All intervals are central and 90 % unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects, label
from scipy.special import gammaincinv, ndtri

from lynkeus.core import Floats, SettingsError
from lynkeus.core.weights import check_weights

Truth = npt.ArrayLike  # (n,) bool or 0/1: True where faulty
COVERAGE = 0.9
THRESHOLDS = 250  # of the surface under which vus_pr takes the volume, as in TSB-AD


def auroc(truth: Truth, scores: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> float:
    """Area under the ROC curve: the chance that a faulty sample scores higher than a good one, ties counting half.

    `weight` (n,): how much each sample counts. NaN where one of the two classes is absent. A NaN score raises no alarm,
    so it ranks lowest.
    """
    faulty, good = _by_score(truth, scores, weight)
    pairs = float(faulty.sum() * good.sum())
    return float(faulty @ (np.cumsum(good) - good / 2) / pairs) if pairs else float("nan")


def placements(faulty: npt.ArrayLike, good: npt.ArrayLike) -> Floats:
    """Return (n,) the share of good scores below each faulty one, ties counting half; their mean is the AUROC."""
    reference, values = np.sort(_lowest(good)), _lowest(faulty)
    below, reached = np.searchsorted(reference, values, "left"), np.searchsorted(reference, values, "right")
    return np.asarray((below + reached) / (2.0 * max(len(reference), 1)))


def bootstrap_auroc(
    truth: Truth, scores: npt.ArrayLike, groups: npt.ArrayLike | None = None, seed: int = 0, copies: int = 300,
    weight: npt.ArrayLike | None = None,
) -> Floats:  # fmt: skip
    """Return (copies,) AUROC of samples drawn again with replacement: their quantiles are its interval.

    `groups` (n,): samples of one group are not independent, and are drawn together; `weight` (n,): how much each
    sample counts. NaN where a class is absent.
    """
    wrong, values = _checked(truth, scores)
    heavy = 1 if weight is None else np.asarray(weight, float)
    _, group = np.unique(np.arange(len(values)) if groups is None else groups, return_inverse=True)
    number, rng = int(group.max(initial=-1)) + 1, np.random.default_rng(seed)
    good = np.flatnonzero(~wrong)[np.argsort(values[~wrong], kind="stable")]
    below, reached = (np.searchsorted(values[good], values[wrong], side) for side in ("left", "right"))
    drawn = np.full(copies, np.nan)
    for copy in range(copies if wrong.any() and len(good) else 0):
        times = np.bincount(rng.integers(number, size=number), minlength=number)[group] * heavy
        count = np.append(0, np.cumsum(times[good]))
        pairs = float(count[-1] * times[wrong].sum())
        if pairs:
            drawn[copy] = times[wrong] @ (count[below] + count[reached]) / (2.0 * pairs)
    return drawn


def average_precision(truth: Truth, scores: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> float:
    """Area under the precision-recall curve as a sum over steps of recall (no interpolation); NaN without faults.

    `weight` (n,): how much each sample counts.
    """
    faulty, good = (own[::-1] for own in _by_score(truth, scores, weight))
    found = np.cumsum(faulty)
    precision = found / (found + np.cumsum(good))
    return float(faulty @ precision / found[-1]) if faulty.any() else float("nan")


def vus_pr(truth: Truth, scores: npt.ArrayLike, longest_buffer: int = 100) -> float:
    """Volume under the surface of precision and recall over buffer lengths 0 ... `longest_buffer` samples.

    A buffer on both sides of each faulty interval counts in part, so that an alarm a little early or late is not
    all wrong; recall counts for less where intervals were missed altogether. Paparrizos et al. 2022 (VLDB 15, 2774),
    with the 250 thresholds and the conventions of TSB-AD. NaN where there is no fault, or nothing else.
    """
    wrong, values = _checked(truth, scores)
    if not wrong.any() or wrong.all():
        return float("nan")
    if longest_buffer < 0:
        raise SettingsError(f"the longest buffer must not be negative, got {longest_buffer} samples")
    thresholds = -np.sort(-values)[np.linspace(0, len(values) - 1, THRESHOLDS).astype(int)]
    return float(np.mean([_range_precision(wrong, values, thresholds, k) for k in range(longest_buffer + 1)]))


def false_alarms_per_hour(count: int, hours: float, coverage: float = COVERAGE) -> tuple[float, float, float]:
    """Rate per hour and its exact Poisson interval (Garwood 1936), for `count` alarms in `hours` of good data."""
    if not hours > 0 or count < 0:
        raise SettingsError(f"a rate needs a count >= 0 and a livetime > 0, got {count} in {hours} h")
    tail = (1 - coverage) / 2
    low = gammaincinv(count, tail) if count else 0.0  # half the quantile of chi squared with 2 count degrees
    high = gammaincinv(count + 1, 1 - tail)
    return count / hours, float(low) / hours, float(high) / hours


def wilson_interval(hits: int, trials: int, coverage: float = COVERAGE) -> tuple[float, float]:
    """Interval of an efficiency (Wilson 1927); (0, 1) where nothing was tried."""
    if not 0 <= hits <= trials:
        raise SettingsError(f"{hits} hits in {trials} trials cannot be")
    if not trials:
        return 0.0, 1.0
    z, share = float(ndtri((1 + coverage) / 2)), hits / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2)) / (1 + z**2 / trials)
    return float(centre - half) if hits else 0.0, float(centre + half) if hits < trials else 1.0


def bootstrap_interval(
    function: Callable[[Floats], float],
    groups: Sequence[Floats],
    seed: int = 0,
    coverage: float = COVERAGE,
    copies: int = 300,
) -> tuple[float, float]:
    """Percentile interval of `function` of the joined groups, whole groups drawn with replacement.

    A group holds what is not independent (all windows of one fault). (NaN, NaN) for less than two groups.
    """
    if len(groups) < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(groups), size=(copies, len(groups)))
    values = [function(np.concatenate([groups[index] for index in chosen])) for chosen in drawn]
    low, high = np.nanquantile(values, [(1 - coverage) / 2, (1 + coverage) / 2])
    return float(low), float(high)


def _lowest(scores: npt.ArrayLike) -> Floats:
    """Scores as floats, NaN below all others."""
    values = np.asarray(scores, float)
    return np.where(np.isnan(values), -np.inf, values)


def _checked(truth: Truth, scores: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], Floats]:
    wrong, values = np.asarray(truth).astype(bool), _lowest(scores)
    if wrong.shape != values.shape or wrong.ndim != 1:
        raise SettingsError(f"truth {wrong.shape} and scores {values.shape} must be two columns of one length")
    return wrong, values


def _by_score(truth: Truth, scores: npt.ArrayLike, weight: npt.ArrayLike | None) -> tuple[Floats, Floats]:
    """How much the faulty and the good samples of each different score count together, the lowest score first."""
    wrong, values = _checked(truth, scores)
    counts = np.ones(len(wrong)) if weight is None else np.asarray(weight)
    if counts.shape != wrong.shape:
        raise SettingsError(f"weights {counts.shape} and truth {wrong.shape} must be two columns of one length")
    check_weights(counts)
    there = counts > 0
    place = np.unique(values[there], return_inverse=True)[1]
    faulty, good = (np.bincount(place, counts[there] * own[there]).astype(float) for own in (wrong, ~wrong))
    return faulty, good


def _range_precision(wrong: npt.NDArray[np.bool_], scores: Floats, thresholds: Floats, buffer: int) -> float:
    """Area under precision against recall, the faulty intervals widened by `buffer // 2` fading samples."""
    weight, widened = _soften(wrong, buffer)
    order = np.argsort(-scores, kind="stable")
    predicted = np.searchsorted(-scores[order], -thresholds, side="right")
    inside = np.cumsum(wrong[order])[predicted - 1]
    beside = np.cumsum(np.where(wrong, 0.0, weight)[order])[predicted - 1]
    peaks = np.sort([scores[first:last].max() for first, last in widened])
    existence = 1.0 - np.searchsorted(peaks, thresholds, side="left") / len(peaks)
    hits, positives = inside + beside, float(wrong.sum())
    recall = np.minimum(hits / (positives + beside / 2), 1.0) * existence
    return float(np.dot(np.diff(recall, prepend=0.0), hits / predicted))


def _soften(wrong: npt.NDArray[np.bool_], buffer: int) -> tuple[Floats, list[tuple[int, int]]]:
    """Truth (n,) in [0, 1] that fades out beside each faulty interval, and the widened intervals, joined."""
    weight, half = wrong.astype(float), buffer // 2
    widened: list[tuple[int, int]] = []
    for (interval,) in find_objects(label(wrong)[0]):
        first, last = interval.start, interval.stop - 1
        after = np.arange(last + 1, min(last + half + 1, len(wrong)))
        before = np.arange(max(first - half, 0), first)
        weight[after] += np.sqrt(1 - (after - last) / max(buffer, 1))
        weight[before] += np.sqrt(1 - (first - before) / max(buffer, 1))
        begin, end = max(first - half, 0), min(last + half + 1, len(wrong))
        if widened and begin < widened[-1][1]:
            begin = widened.pop()[0]
        widened.append((begin, end))
    return np.minimum(weight, 1.0), widened
