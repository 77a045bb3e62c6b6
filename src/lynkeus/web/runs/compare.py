"""Compares two runs plot by plot: shapes at equal size, and how far apart they are."""

from __future__ import annotations

import math

import numpy as np

from lynkeus.core import Floats, PlotRecord

FEWEST = 10.0  # events of both runs in a bin, below which bins are joined for the score of a plot
DIFFERENT = 4.0  # sigma of a plot: with 500 plots two good runs have one in 60 comparisons


def compare_plots(ours: tuple[PlotRecord, ...], theirs: tuple[PlotRecord, ...]) -> tuple[PlotRecord, ...]:
    """Plots that both runs have with the same edges: `counts` of ours, `expected` and band (one sigma) of theirs scaled
    to as many events, `pulls` of the two samples. Counts are taken as unweighted."""
    known = {record.plot.name: record for record in theirs}
    pairs = [(record, known.get(record.plot.name)) for record in ours]
    return tuple(_compared(a, b) for a, b in pairs if b is not None and b.plot.edges == a.plot.edges)


def _compared(ours: PlotRecord, theirs: PlotRecord) -> PlotRecord:
    a, b = (np.nan_to_num(record.counts) for record in (ours, theirs))
    in_a, in_b = a.sum(), b.sum()
    if not (in_a > 0 and in_b > 0):
        nothing = np.full(len(a), np.nan)
        return PlotRecord(ours.plot, a, nothing, nothing, nothing, nothing, math.nan)
    scale = in_a / in_b
    error = np.sqrt(np.maximum(b, 0.0)) * scale
    sigma = _sigma(a, b)
    band = (b * scale, b * scale - error, b * scale + error)
    return PlotRecord(ours.plot, a, *band, _pulls(a, b, in_a, in_b), sigma, sigma >= DIFFERENT)


def _pulls(a: Floats, b: Floats, in_a: float, in_b: float) -> Floats:
    """Two-sample pulls of each bin, with the share that both have together as the null hypothesis."""
    share = (a + b) / (in_a + in_b)
    variance = share * (1 - share) * (1 / in_a + 1 / in_b)
    return np.divide(a / in_a - b / in_b, np.sqrt(variance), out=np.zeros_like(a), where=variance > 0)


def _sigma(a: Floats, b: Floats) -> float:
    """Chi-square of two histograms as a normal deviate (Wilson and Hilferty, doi 10.1073/pnas.17.12.684)."""
    few = a + b < FEWEST
    a, b = (np.append(counts[~few], counts[few].sum()) for counts in (a, b))
    filled = a + b > 0
    a, b = a[filled], b[filled]
    freedom = len(a) - 1
    if freedom < 1:
        return math.nan
    root = math.sqrt(b.sum() / a.sum())
    chi2 = float((((root * a - b / root) ** 2) / (a + b)).sum())
    spread = 2 / (9 * freedom)
    return ((chi2 / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)
