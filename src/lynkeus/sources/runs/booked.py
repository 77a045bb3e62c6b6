"""One histogram of a run as its book has it: by edges or by labels, in effective numbers of entries."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Floats
from lynkeus.core.runs import NEW_LABEL, Plot
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.runs.accumulate import entries_of, is_whole
from lynkeus.sources.runs.filled import EVEN, Filled
from lynkeus.sources.runs.profiles import equivalent

FEW = 20.0  # a sum below which counts that are not whole may be scaled ones
MOST_STEPS = 50  # of which the smallest count may consist
FEWEST_MULTIPLES = 5  # filled bins from which it is no chance that all hold multiples of one number that is not whole
SURELY_MULTIPLES = 30  # and of a whole one
BELOW = 4.0  # sigmas that a sum of weights may lie below 0


class Fitted(NamedTuple):
    """(bins,) counts of a plot in the bins of the book, NaN where it cannot be judged and why (`problem`); `note`: what
    was found in it that the book does not have, `new`: labels of each axis that are filled and in no good run."""

    counts: Floats
    problem: str = ""
    note: str = ""
    new: tuple[tuple[str, ...], ...] = ()


def fitted(plot: Plot, filled: Filled | None, where: str) -> Fitted:
    """Return a histogram of a run in the bins of a plot of the book."""
    nothing = np.full(plot.bins, np.nan)
    if filled is None:
        return Fitted(nothing, f"{where} is missing; the good runs have it: fill it, or fit again without it")
    if plot.profile or filled.profile is not None:
        return _by_means(plot, filled, where)
    bad = ~np.isfinite(filled.counts)
    if bad.any():
        held = f"holds {filled.counts[bad][0]:g} in bin {int(bad.argmax())}"
        return Fitted(nothing, f"{where} {held}; counts are numbers: fill it again")
    counts, problem = effective(filled)
    if problem:
        return Fitted(nothing, f"{where} {problem}")
    if plot.labels and len(filled.plot.edges) == len(plot.edges):
        return _by_labels(plot, filled.plot, counts, where)
    if not same_edges(plot, filled.plot):
        return Fitted(
            nothing,
            f"{where} has other bin edges than the good runs ({axes_in_words(filled.plot)}, not "
            f"{axes_in_words(plot)}): fill it with theirs, or fit again on runs with these",
        )
    return Fitted(counts)


def _by_means(plot: Plot, filled: Filled, where: str) -> Fitted:
    """Return the equivalent entries of a profile below and above the usual means."""
    nothing, profile = np.full(plot.bins, np.nan), filled.profile
    if profile is None or not plot.profile:
        is_one = "a profile" if profile is not None else "a histogram"
        return Fitted(nothing, f"{where} is {is_one}, in the good runs it is none: fill it as they do, or fit again")
    if not same_edges(plot, filled.plot) or plot.labels != filled.plot.labels:
        return Fitted(nothing, f"{where} has other bins than the good runs: fill it with theirs, or fit again")
    if not all(np.isfinite(part).all() for part in profile):
        return Fitted(nothing, f"{where} holds means that are no numbers: fill it again")
    return Fitted(equivalent(plot, profile))


def effective(filled: Filled) -> tuple[Floats, str]:
    """Return counts (bins,) that scatter as counts do, and why there are none: sums of weights times sum w / sum w^2
    (Kish 1965), what was multiplied with a constant as it was before.

    A sum below 0 that its own error explains, as events of negative weight give, is none.
    """
    counts, squares = filled.counts, filled.variances
    if squares is not None and np.isfinite(squares).all() and squares.sum() > 0:
        low = counts < -BELOW * np.sqrt(np.maximum(squares, 0.0))
        if low.any():
            return counts, f"holds {counts[low][0]:g} in bin {int(low.argmax())}, far below 0; fill it again"
        return entries_of(counts, float(squares.sum())), ""
    if (counts < 0).any():
        held = f"holds {counts[counts < 0][0]:g} in bin {int((counts < 0).argmax())}"
        return counts, f"{held}; counts are at least 0: fill it again, with errors (Sumw2) where weights are negative"
    step = _step(counts, filled.entries)
    if step:
        return np.round(counts / step), ""
    if 0 < counts.sum() < FEW and not is_whole(counts):
        if filled.entries > FEW:
            return counts * (filled.entries / counts.sum()), ""
        return counts, (
            f"is scaled to a sum of {counts.sum():.3g} and has no errors, so how many entries it has is not known: "
            "write it before it is scaled, or with its errors (Sumw2)"
        )
    return counts, ""


def _step(counts: Floats, entries: float) -> float:
    """Return what one entry counts, where all counts (bins,) are multiples of it, and too many for that to be chance;
    0 where they are not. `entries`: as the file says, 0: it does not."""
    filled, total = counts[counts > 0], float(counts.sum())
    if not len(filled):
        return 0.0
    if is_whole(counts):
        step = float(np.gcd.reduce(np.round(filled).astype(np.int64)))
        said = FEW < entries > len(filled) >= FEWEST_MULTIPLES and np.isclose(step * entries, total)
        return step if said or len(filled) >= SURELY_MULTIPLES else 1.0
    for parts in range(1, MOST_STEPS + 1) if total < FEW or len(filled) >= FEWEST_MULTIPLES else ():
        if is_whole(counts * (parts / filled.min())):
            return float(filled.min() / parts)
    return 0.0


def _by_labels(plot: Plot, other: Plot, counts: Floats, where: str) -> Fitted:
    """Return counts in the order of the labels of the book; those of labels that it does not have in the bin of new
    ones, in a book of before in the overflow bin."""
    found, notes, unknown = counts.reshape(other.shape), [], list[tuple[str, ...]]()
    for axis in range(len(plot.edges)):
        labels = plot.named(axis)
        unknown.append(())
        if not labels:
            if not _alike(plot.edges[axis], other.edges[axis]):
                return Fitted(np.full(plot.bins, np.nan), f"{where} has other bin edges than the good runs: {labels}")
            continue
        own = other.named(axis) or tuple(f"bin {k + 1}" for k in range(len(other.edges[axis]) - 1))
        place = {label: k + 1 for k, label in enumerate(labels)}
        beyond = place.pop(NEW_LABEL, len(labels) + 1)
        to = [0, *(place.get(label, beyond) for label in own), len(labels) + 1]
        parts = np.moveaxis(found, axis, 0)
        moved = np.zeros((len(labels) + 2, *parts.shape[1:]))
        np.add.at(moved, to, parts)
        new = [(label, parts[k + 1].sum()) for k, label in enumerate(own) if label not in place]
        full = [f"{label} ({count:g})" for label, count in new if count > 0]
        unknown[-1] = tuple(label for label, count in new if count > 0) if beyond <= len(labels) else ()
        if full:
            notes.append(f"{plot.name} has labels that the good runs do not have: {listed(full)}")
        found = np.moveaxis(moved, 0, axis)
    return Fitted(found.ravel(), note="; ".join(notes), new=tuple(unknown))


def same_edges(plot: Plot, other: Plot) -> bool:
    """Return whether two plots have the same edges, but for rounding."""
    return plot.shape == other.shape and all(map(_alike, plot.edges, other.edges))


def _alike(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return len(a) == len(b) and bool(np.allclose(a, b, rtol=0, atol=EVEN * np.diff(a).min()))


def axes_in_words(plot: Plot) -> str:
    """Return "20 bins from 0 to 90 x 5 labels"."""
    return " x ".join(
        f"{len(axis) - 1} labels" if plot.named(k) else f"{len(axis) - 1} bins from {axis[0]:g} to {axis[-1]:g}"
        for k, axis in enumerate(plot.edges)
    )
