"""From images to scans, cells and cavities: several ways to sum up scores, each with how often good images do this.

A larger group has a larger worst image by chance, so a group is compared with groups of as many images, drawn at
random from it and the good images together. If its images are as good as those, all these groups are equally likely.
That makes the p-value exact for any statistic, and never smaller than the number of good images supports: that of the
worst of n images against m good ones is at least n / (n + m). It does assume that good images are exchangeable:
where they score by vendor or by treatment, compare within one (`alike`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import hypergeom

from lynkeus.core import Array, CalibrationError, Floats
from lynkeus.scans.image_scores import CLEAR_SIGMA, ImageScores, as_text

DRAWS = 999
FEWEST_GOOD = 20  # outside a group, to compare it with
TOP = 3
LEVELS = {"cavity": ("cavity",), "scan": ("cavity", "scan"), "cell": ("cavity", "scan", "cell")}


def _top_mean(values: Floats) -> Floats:
    k = min(TOP, values.shape[-1])
    return np.asarray(np.partition(values, -k, axis=-1)[..., -k:].mean(axis=-1))


def _max(values: Floats) -> Floats:
    return np.asarray(values.max(axis=-1))


def _mean(values: Floats) -> Floats:
    return np.asarray(values.mean(axis=-1))


def _sum(values: Floats) -> Floats:
    return np.asarray(values.sum(axis=-1))


def _clear_area(scores: ImageScores) -> Floats:
    clear = scores.spots("sigma") > CLEAR_SIGMA
    return np.where(clear, np.nan_to_num(scores.spots("area")), 0.0).sum(axis=1)


def _clear_spots(scores: ImageScores) -> Floats:
    return np.asarray((scores.spots("sigma") > CLEAR_SIGMA).sum(axis=1), float)


@dataclass(frozen=True)
class Aggregation:
    """A number `of` each image (n,), and how those of a group are `joined` (along the last axis)."""

    says: str
    of: Callable[[ImageScores], Floats]
    joined: Callable[[Floats], Floats]


AGGREGATIONS = {
    "max": Aggregation("score of the worst image", lambda scores: scores.anomaly, _max),
    "top_3_mean": Aggregation("mean score of the three worst images", lambda scores: scores.anomaly, _top_mean),
    "mean": Aggregation("mean score of all images", lambda scores: scores.anomaly, _mean),
    "area": Aggregation(f"area of the spots above {CLEAR_SIGMA:g} sigma, in pixels", _clear_area, _sum),
    "spots": Aggregation(f"number of spots above {CLEAR_SIGMA:g} sigma, at most three an image", _clear_spots, _sum),
}


@dataclass(frozen=True)
class GroupScore:
    """One group of images by one aggregation. `expected`: median of as many good images; `p_value`: how often those
    have so high a value."""

    group: tuple[str, ...]
    aggregation: str
    value: float
    expected: float
    p_value: float
    images: int

    @property
    def excess(self) -> float:
        """Value above that of as many good images: what groups of different sizes can be compared by."""
        return self.value - self.expected


def aggregate(
    scores: ImageScores, by: Sequence[str], alike: Sequence[str] = (), seed: int = 0
) -> tuple[GroupScore, ...]:
    """Sum up the images of each group of equal values in the columns `by`, by every aggregation.

    Compared with good images of other groups (`ImageScores.good`), of the same values in the columns `alike`. Raises
    CalibrationError where there are too few of them.
    """
    columns = {name: one.of(scores) for name, one in AGGREGATIONS.items()}
    good, rng = scores.good(), np.random.default_rng(seed)
    found = []
    for group, rows in scores.groups(by):
        others = good & _alike(scores, rows, alike)
        others[rows] = False
        if others.sum() < FEWEST_GOOD:
            raise CalibrationError(
                f"{' '.join(group)}: only {others.sum()} good images elsewhere to compare with, {FEWEST_GOOD} are "
                "needed; score more scans together"
            )
        both = np.concatenate([rows, np.flatnonzero(others)])
        drawn = np.stack([rng.choice(len(both), len(rows), replace=False, shuffle=False) for _ in range(DRAWS)])
        typical = rng.integers(len(rows), len(both), (DRAWS, len(rows)))  # of the others: a defect is not expected
        for name, one in AGGREGATIONS.items():
            values = columns[name][both]
            value, expected = float(one.joined(values[: len(rows)])), float(np.median(one.joined(values[typical])))
            is_max = name == "max"
            p_value = _p_of_max(values, value, len(rows)) if is_max else _p_value(one.joined(values[drawn]), value)
            found.append(GroupScore(group, name, value, expected, p_value, len(rows)))
    return tuple(found)


def _alike(scores: ImageScores, rows: Array, names: Sequence[str]) -> Array:
    there = np.ones(len(scores), bool)
    for name in names:
        values = as_text(scores.column(name))
        there &= np.isin(values, values[rows])
    return there


def _p_value(by_chance: Floats, value: float) -> float:
    """The group itself is one of the equally likely ones. Sums of equal numbers may differ in the last digit."""
    reached = by_chance >= value - 1e-9 * max(abs(value), 1.0)
    return float((1 + reached.sum()) / (1 + len(by_chance)))


def _p_of_max(values: Floats, value: float, drawn: int) -> float:
    """Closed form: the chance that a draw holds at least one image as bad as the worst of the group."""
    return float(hypergeom.sf(0, len(values), int((values >= value).sum()), drawn))
