"""What happened in one plot: did a population shift, is one gone, or is one new?

What is expected is changed as each of these would, one number each fitted: by how much, how much of it, how many
events. That which makes the counts most likely is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from lynkeus.core import Array, Finding, Floats, Plot
from lynkeus.fitting.evidence.plot_place import region_of, where_in_words

LEAST_GAIN = 9.0  # of likelihood, beyond what trying many places gives: three sigmas
STEPS = (0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)  # bins by which something may have shifted
WIDTHS = (0.7, 1.5, 3.0, 6.0)  # bins, of a new population
SMOOTH = 1.0  # bins, before hills are looked for
SMALLEST = 0.01  # share of a plot that counts as a population
MOST_HILLS = 12
GROUND = 1e-3  # events expected in every bin, and of those of the mean bin
DEAD, LEAST_IN_DEAD = 0.1, 3.0  # of the expected events, of which there are so many in a bin, or it is no dead one
FOOT = 0.2  # of the top of a hill: where it ends
OUTLINE = 0.1  # of the top of a hill: where it is outlined


class ChangeHypothesis(NamedTuple):
    """One way to explain the counts: `gain`: twice the logarithm of by how much more likely they are; `trials`:
    how many such ways were tried."""

    kind: str
    gain: float
    size: float
    place: Array  # (bins) True where the population is
    axis: int = -1
    trials: float = 1.0

    @property
    def worth(self) -> float:
        """The gain without what the best of many trials gains by chance."""
        return self.gain - 2 * np.log(self.trials)


def change_of(plot: Plot, counts: Floats, expected: Floats, variance: Floats) -> Finding:
    """Return what happened, from (bins,) counts, what is expected of a good run of this size, and the variance of both.

    1-D and 2-D plots; of kind none where nothing explains the counts by three sigmas better. `size`: by how
    much it shifted, a ratio on logarithmic axes; the share that is gone; the events that are new.
    """
    shape = plot.shape
    counts, expected, variance = (np.asarray(row, float).reshape(shape) for row in (counts, expected, variance))
    if not (np.isfinite(counts).all() and counts.sum() > 0 and expected.sum() > 0):
        return Finding("none", plot.name)
    expected = expected + GROUND * (1 + expected.mean())  # nothing is impossible
    if np.isclose(counts.sum(), expected.sum(), rtol=0.02):
        expected *= counts.sum() / expected.sum()
    seen = PlotCounts(counts, expected, expected / np.maximum(variance, expected), counts.sum() == expected.sum())
    populations = _populations(expected)
    found = [*_shifts(plot, seen, populations), *_gone(seen, populations), *_dead(seen), *_new(seen)]
    best = max(found, key=lambda one: one.worth)
    return Finding("none", plot.name) if best.worth < LEAST_GAIN else _in_words(plot, best)


class PlotCounts(NamedTuple):
    """A plot as seen: `counts`, what was `expected`, the `certainty` of each bin: 1, or less where good runs differ by
    more than counting; `normalised`: both have the same sum, so that what one population gains all others lose."""

    counts: Floats
    expected: Floats
    certainty: Floats
    normalised: bool

    def changed(self, difference: Floats) -> Floats:
        """Return what would be expected after a change of one population."""
        after = np.maximum(self.expected + difference, 1e-3 * self.expected)
        return after * (self.expected.sum() / after.sum()) if self.normalised else after

    def gain(self, difference: Floats) -> float:
        """Twice the logarithm of the ratio of the Poisson likelihoods with and without the change."""
        after = self.changed(difference)
        each = self.counts * np.log(after / self.expected) - (after - self.expected)
        return float(2 * (self.certainty * each).sum())

    def best_of(self, template: Floats, amounts: Sequence[float]) -> tuple[float, float]:
        """Gain and amount of the template that explains most, of several amounts and between them."""
        return peak([(self.gain(amount * template), amount) for amount in amounts])


def _populations(expected: Floats) -> list[Floats]:
    """All, then the hills that stand out above their surroundings, largest first, then the rest."""
    basin = _climbed(ndimage.gaussian_filter(np.sqrt(expected), SMOOTH, mode="constant"))
    least = SMALLEST * expected.sum()
    hills = [_above(expected, basin == top) for top in np.unique(basin)]
    hills = sorted((hill for hill in hills if hill.sum() > least), key=lambda hill: -hill.sum())[:MOST_HILLS]
    rest = expected - sum(hills)
    return [expected, *hills, *([rest] if hills and rest.sum() > least else [])]


def _climbed(height: Floats) -> Array:
    """Return (bins) the top, as the number of a bin, that is reached from each bin by going to the highest
    neighbour."""
    numbers = np.arange(height.size).reshape(height.shape)
    higher, goal = height.copy(), numbers.copy()
    padded, names = np.pad(height, 1, constant_values=-np.inf), np.pad(numbers, 1)
    for offset in np.ndindex(*(3,) * height.ndim):
        where = tuple(slice(start, start + size) for start, size in zip(offset, height.shape, strict=True))
        up = padded[where] > higher
        higher[up], goal[up] = padded[where][up], names[where][up]
    reached: Array = goal.reshape(-1)
    while (reached != reached[reached]).any():
        reached = reached[reached]
    return reached.reshape(height.shape)


def _above(expected: Floats, basin: Array) -> Floats:
    """A hill without the ground on which it stands, which is what its surroundings hold."""
    top = expected[basin].max()
    part = ndimage.label(basin & (expected > FOOT * top), np.ones((3,) * expected.ndim))[0]
    inside = part == part[np.unravel_index(np.where(basin, expected, -1.0).argmax(), expected.shape)]
    ring = ndimage.binary_dilation(inside, np.ones((3,) * expected.ndim)) & ~inside
    ground = np.median(expected[ring]) if ring.any() else 0.0
    return np.where(inside, np.maximum(expected - ground, 0.0), 0.0)


def _shifts(plot: Plot, seen: PlotCounts, populations: list[Floats]) -> Iterator[ChangeHypothesis]:
    for population in populations:
        for axis in range(population.ndim):
            step, scaled = _step(plot, axis, population), _scaled(plot, axis)
            tried = [(0.0, 0.0)]
            for shift in (sign * size * step for size in STEPS for sign in (-1, 1)):
                tried.append((seen.gain(_moved(population, scaled, shift, axis) - population), shift))
            gain, shift = peak(tried)
            place = population > OUTLINE * population.max()
            yield ChangeHypothesis("shifted", gain, shift, place, axis, len(STEPS) * len(populations) * population.ndim)


def peak(tried: list[tuple[float, float]]) -> tuple[float, float]:
    """Gain and size at the top of the parabola through the best of those tried and its neighbours."""
    points = sorted(tried, key=lambda one: one[1])
    at = max(range(len(points)), key=lambda place: points[place][0])
    if not 0 < at < len(points) - 1:
        return points[at]
    gains, sizes = zip(*points[at - 1 : at + 2], strict=True)
    a, b, c = np.polyfit(sizes, gains, 2)
    return (float(c - b**2 / (4 * a)), float(-b / (2 * a))) if a < 0 else points[at]


def _gone(seen: PlotCounts, populations: list[Floats]) -> Iterator[ChangeHypothesis]:
    for population in populations[1:]:
        gain, share = seen.best_of(-population, (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0))
        yield ChangeHypothesis(
            "gone", gain, min(share, 1.0), population > OUTLINE * population.max(), trials=len(populations)
        )


def _dead(seen: PlotCounts) -> Iterator[ChangeHypothesis]:
    """Neighbouring bins that are empty, or nearly, though events are expected there: a dead part of a detector, which
    is no population. As many places are tried as there are pairs of bins, from the first one to the last."""
    empty = (seen.counts < DEAD * seen.expected) & (seen.expected > LEAST_IN_DEAD)
    parts, many = ndimage.label(empty, np.ones((3,) * empty.ndim))
    if not many:
        return
    lost = ndimage.sum_labels(seen.expected, parts, np.arange(1, many + 1))
    place = parts == 1 + int(np.argmax(lost))
    gain, share = seen.best_of(-np.where(place, seen.expected, 0.0), (0.0, 0.5, 0.9, 1.0))
    yield ChangeHypothesis("gone", gain, min(share, 1.0), place, trials=float(empty.size) ** 2)


def _new(seen: PlotCounts) -> Iterator[ChangeHypothesis]:
    """A Gaussian anywhere, of several widths; the best of each width. Many places are tried."""
    precision = seen.certainty / (0.5 * (seen.counts + seen.expected))
    weighted = (seen.counts - seen.expected) * precision
    for width in WIDTHS:
        if 3 * width > max(seen.expected.shape):
            continue
        # Of a Gaussian of one event at each bin: its product with the residual, and its norm.
        product = ndimage.gaussian_filter(weighted, width, mode="constant", truncate=3.0)
        norm = ndimage.gaussian_filter(precision, width / np.sqrt(2), mode="constant") * _norm(width, weighted.ndim)
        events = np.maximum(product, 0.0) / norm
        for at in np.argsort(-(events * product).ravel())[:2]:
            point = np.zeros(seen.expected.shape)
            point.flat[at] = 1.0
            shape = ndimage.gaussian_filter(point, width, mode="constant", truncate=3.0)
            gain, size = seen.best_of(shape, [float(events.flat[at]) * f for f in (0.0, 0.5, 0.8, 1.0, 1.3, 2.0, 3.0)])
            trials = max(seen.expected.size / (2 * width) ** seen.expected.ndim, 2.0) * len(WIDTHS)
            yield ChangeHypothesis("new", gain, size, shape > np.exp(-2) * shape.max(), trials=trials)


def _norm(width: float, axes: int) -> float:
    """Sum of the squares of a Gaussian of sum 1."""
    return float((2 * np.sqrt(np.pi) * max(width, 0.4)) ** -axes)


def _scaled(plot: Plot, axis: int) -> Floats:
    """Edges of all bins on the scale of the axis; flow bins are given the width of their neighbours."""
    edges = np.asarray(plot.edges[axis], float)
    scaled = np.log(edges) if _is_log(plot, axis) else edges
    return np.concatenate([[2 * scaled[0] - scaled[1]], scaled, [2 * scaled[-1] - scaled[-2]]])


def _is_log(plot: Plot, axis: int) -> bool:
    return bool(plot.log and plot.log[axis] and plot.edges[axis][0] > 0)


def _step(plot: Plot, axis: int, population: Floats) -> float:
    """Width of a bin where the population is."""
    along = population.sum(axis=tuple(other for other in range(population.ndim) if other != axis))
    return float(np.diff(_scaled(plot, axis))[int(along.argmax())])


def _moved(population: Floats, edges: Floats, shift: float, axis: int) -> Floats:
    """The population, spread evenly within each bin, moved along an axis; what leaves is in the flow bins."""
    low, high = edges[:-1] + shift, edges[1:] + shift
    below, above = edges[:-1].copy(), edges[1:].copy()
    below[0], above[-1] = -np.inf, np.inf
    overlap = np.minimum(high[:, None], above) - np.maximum(low[:, None], below)
    share = np.clip(overlap, 0.0, None) / (high - low)[:, None]
    moved: Floats = np.moveaxis(np.tensordot(population, share, (axis, 0)), -1, axis)
    return moved


def _in_words(plot: Plot, found: ChangeHypothesis) -> Finding:
    region, where = region_of(plot, found.place), where_in_words(plot, found.place)
    size, unit, variable = found.size, "", ""
    if found.kind == "shifted":
        log = _is_log(plot, found.axis)
        size, unit = (float(np.exp(size)), "x") if log else (size, plot.unit)
        variable = plot.variables[found.axis]
    elif found.kind == "new":
        unit = "events"
    sigma = float(np.sqrt(max(found.worth, 0.0)))
    return Finding(found.kind, plot.name, variable or ", ".join(plot.variables), where, size, unit, sigma, region)
