"""Where a plot differs from good runs by the scorer's own pulls, where no shifted, missing or new population says it.

What is flagged has a place: the range of bins that says most, the labels of bins that have names.
"""

from __future__ import annotations

import numpy as np

from lynkeus.core import Array, Finding, Floats, Plot

MOST_NAMED = 3  # labels
BEYOND = "the overflow bin"  # which in models of before has the labels that good runs do not have
BESIDE = 0.5  # of the largest pull that a further label must reach


def labelled(plot: Plot) -> bool:
    """Return whether bins of a plot have names, between which nothing shifts."""
    return any(plot.named(axis) for axis in range(len(plot.edges)))


def changed_at(plot: Plot, counts: Floats, expected: Floats, pulls: Floats) -> Finding:
    """Return what differs most in a plot: the place of the largest (bins,) `pulls`, and how many events more (kind
    changed, size in events) are there than `expected`."""
    pulls = np.nan_to_num(np.asarray(pulls, float)).reshape(plot.shape)
    if plot.profile:
        return _mean_at(plot, np.asarray(counts, float), np.asarray(expected, float), pulls)
    place = np.zeros(plot.shape, bool)
    place[tuple(_stretch(pulls, axis) if not plot.named(axis) else slice(None) for axis in range(pulls.ndim))] = True
    names = []
    for axis in range(pulls.ndim):
        if plot.named(axis):
            found = _labels(plot, axis, pulls)
            names += found
            kept = np.isin(np.array(["", *plot.named(axis), BEYOND]), found)
            place &= kept.reshape([-1 if other == axis else 1 for other in range(pulls.ndim)])
    more = float((np.reshape(counts, plot.shape) - np.reshape(expected, plot.shape))[place].sum())
    region = region_of(plot, place)
    where = where_in_words(plot, place)
    sigma = float(np.abs(pulls[place]).max(initial=0.0)) if place.any() else float(np.abs(pulls).max())
    return Finding("changed", plot.name, ", ".join(plot.variables), where, more, "events", sigma, region)


def _mean_at(plot: Plot, counts: Floats, expected: Floats, pulls: Floats) -> Finding:
    """Return where the mean of a profile differs most, and how many of its entries are on the other side of it."""
    (lower, higher), n = np.split(pulls[1:-1], 2), len(plot.profile[0])
    away = (higher - lower) / np.sqrt(2.0)
    order = np.argsort(-np.abs(away), kind="stable")
    loud = [k for k in order if abs(away[k]) >= BESIDE * abs(away[order[0]]) and away[k] * away[order[0]] > 0]
    up, more = bool(away[order[0]] > 0), len(loud) - MOST_NAMED
    names = [plot.named(0)[k].rpartition(" ")[0] for k in sorted(loud[:MOST_NAMED])]
    where = f"mean {'higher' if up else 'lower'} at {'; '.join(names)}" + (f" and {more} more bins" if more > 0 else "")
    place = np.isin(np.arange(len(pulls)) - 1, [k + (n if up else 0) for k in loud])
    moved = float((counts - expected)[place].sum())
    sigma = float(np.abs(away).max())
    return Finding("changed", plot.name, plot.name, where, moved, "entries", sigma, region_of(plot, place))


def where_in_words(plot: Plot, place: Array) -> str:
    """Return a place (shape of the bins) in words: from, to on each axis, or the labels of its bins."""
    parts = []
    for axis, (variable, (low, high)) in enumerate(region_of(plot, place).items()):
        inside = np.atleast_1d(place.any(axis=tuple(other for other in range(place.ndim) if other != axis)))
        labels = (*plot.named(axis), BEYOND) if plot.named(axis) else ()
        names = [name for name, here in zip(labels, inside[1:], strict=False) if here]
        said = ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if names[MOST_NAMED:] else "")
        parts.append(f"{variable} {said or f'{low:.4g} to {high:.4g}'}")
    return ", ".join(parts)


def region_of(plot: Plot, place: Array) -> dict[str, tuple[float, float]]:
    """Return from, to of a place (shape of the bins) on each axis."""
    return {variable: _range(plot, axis, place) for axis, variable in enumerate(plot.variables)}


def _range(plot: Plot, axis: int, place: Array) -> tuple[float, float]:
    """From, to of the bins of a place; flow bins end where the axis does."""
    inside = np.flatnonzero(place.any(axis=tuple(other for other in range(place.ndim) if other != axis)))
    edges = plot.edges[axis]
    if not len(inside):
        return edges[0], edges[-1]
    low, high = max(int(inside[0]) - 1, 0), min(int(inside[-1]), len(edges) - 1)
    return (edges[low], edges[high]) if low < high else (edges[low - 1], edges[high]) if low else (edges[0], edges[1])


def _labels(plot: Plot, axis: int, pulls: Floats) -> list[str]:
    """Return the names of the bins of the largest pulls, the largest first."""
    others = tuple(other for other in range(pulls.ndim) if other != axis)
    size = np.abs(pulls).max(axis=others)[1:]
    loud = [k for k in np.argsort(-size, kind="stable")[:MOST_NAMED] if size[k] >= BESIDE * size.max()]
    return [(*plot.named(axis), BEYOND)[k] for k in loud]


def _stretch(pulls: Floats, axis: int) -> slice:
    """Return the bins in a row whose squared pulls are together most above what chance gives (Kadane's search)."""
    others = tuple(other for other in range(pulls.ndim) if other != axis)
    excess = (pulls**2).sum(axis=others)
    excess = excess - max(float(excess.mean()), float(np.prod([pulls.shape[other] for other in others])))
    best, first, held, begin = -np.inf, 0, 0.0, 0
    last = 0
    for place, own in enumerate(excess):
        if held <= 0:
            held, begin = 0.0, place
        held += own
        if held > best:
            best, first, last = held, begin, place
    return slice(first, last + 1)
