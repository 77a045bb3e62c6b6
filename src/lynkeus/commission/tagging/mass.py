"""Mass sculpting: does a cut on a tagger carve a bump into the masses of the background? And a cut that does not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.core.background import log_odds
from lynkeus.core.weights import weighted_quantile
from lynkeus.metrics.tagging import roc

BINS, MOST_QUANTILE = 40, 0.995  # of the histogram, up to this quantile of the masses of the background
MASS_BINS, PT_BINS = 15, 2  # at most, of the threshold that depends on both
PASSING = 12  # background jets that pass in a bin, at least, so that its threshold is known
EFFICIENCY = 0.5
DRAWS = 20


class Sculpting(NamedTuple):
    """Masses of background jets, as shares in bins between `edges` (GeV): `before`, `after` one threshold for all, and
    `flat`, a threshold that depends on mass and pT. For both efficiencies for signal and background, and the
    Jensen-Shannon divergence in bits between before and after: 0 the same, 1 nothing in common; `chance`: what it would
    be by counting so few jets alone."""

    edges: Floats
    before: Floats
    after: Floats
    flat: Floats
    signal: tuple[float, float]
    background: tuple[float, float]
    divergence: tuple[float, float]
    chance: tuple[float, float]


class FlatThreshold(NamedTuple):
    """Thresholds (pt bins, mass bins) of the log odds, interpolated in mass between `masses` (pt bins, mass bins)."""

    pt_edges: Floats
    masses: Floats
    thresholds: Floats

    @classmethod
    def fit(cls, score: Floats, mass: Floats, pt: Floats, efficiency: float, weight: Floats | None) -> FlatThreshold:
        """Learn the log odds `score` that this share of background jets (n,) reaches at each mass and pT."""
        passing = efficiency * len(score)
        columns = PT_BINS if passing > 4 * PASSING * PT_BINS else 1
        bins = int(np.clip(passing / columns / PASSING, 1, MASS_BINS))
        pt_edges = np.quantile(pt, np.linspace(0, 1, columns + 1)[1:-1])
        row = np.searchsorted(pt_edges, pt, side="right")
        masses, thresholds = np.zeros((columns, bins)), np.zeros((columns, bins))
        for k in range(columns):
            own = row == k
            edges = np.quantile(mass[own], np.linspace(0, 1, bins + 1)[1:-1])
            column = np.searchsorted(edges, mass[own], side="right")
            for j in range(bins):
                inside = np.flatnonzero(own)[column == j]
                heavy = None if weight is None else weight[inside]
                masses[k, j] = np.median(mass[inside])
                thresholds[k, j] = weighted_quantile(score[inside], np.array([1 - efficiency]), heavy)[0]
        found = cls(pt_edges, masses, thresholds)
        # Bins are coarse where few pass: all thresholds move together, until so many pass in all of them.
        above = score - found.at(mass, pt)
        shift = weighted_quantile(above, np.array([1 - efficiency]), weight)[0]
        return cls(pt_edges, masses, thresholds + shift)

    def at(self, mass: Floats, pt: Floats) -> Floats:
        """Return the threshold (n,) of jets of these masses and pT in GeV."""
        row = np.searchsorted(self.pt_edges, pt, side="right")
        found = np.empty(len(mass))
        for k in range(len(self.masses)):
            own = row == k
            found[own] = np.interp(mass[own], self.masses[k], self.thresholds[k])
        return found


def sculpting(hit: Array, score: Floats, mass: Floats, pt: Floats, weight: Floats | None) -> Sculpting | None:
    """Return what a cut that keeps EFFICIENCY of the signal (`hit`) does to the masses (n,) of the background.

    None where too few background jets pass. The threshold that depends on the mass is learned on half of them, and
    measured on the other half.
    """
    known = np.isfinite(score) & np.isfinite(mass) & np.isfinite(pt)
    hit, score, mass, pt = hit[known], log_odds(score[known]), mass[known], pt[known]
    heavy = np.ones(len(hit)) if weight is None else weight[known]
    curve = roc(hit, score, heavy)
    point = curve.at(EFFICIENCY)
    efficiency = float(curve.background[point])
    learned = np.zeros(len(hit), bool)
    learned[np.flatnonzero(~hit)[::2]] = True
    if efficiency * learned.sum() < PASSING:
        return None
    own = None if weight is None else heavy[learned]
    flat = FlatThreshold.fit(score[learned], mass[learned], pt[learned], efficiency, own)
    passes = score >= curve.thresholds[point], score >= flat.at(mass, pt)
    rest = ~hit & ~learned
    edges = np.linspace(0.0, float(np.quantile(mass[~hit], MOST_QUANTILE)), BINS + 1)
    before, *after = (
        _shares(mass[chosen], edges, heavy[chosen]) for chosen in (~hit, ~hit & passes[0], rest & passes[1])
    )
    signal = tuple(float(np.average(one[hit], weights=heavy[hit])) for one in passes)
    background = (efficiency, float(np.average(passes[1][rest], weights=heavy[rest])))
    divergence = tuple(_divergence(before, one) for one in after)
    counted = (~hit & passes[0]).sum(), (rest & passes[1]).sum()
    chance = tuple(_by_chance(before, int(count)) for count in counted)
    return Sculpting(edges, before, after[0], after[1], signal, background, divergence, chance)  # type: ignore[arg-type]


def _shares(mass: Floats, edges: Floats, weight: Floats) -> Floats:
    counts = np.histogram(mass, edges, weights=weight)[0].astype(float)
    return counts / max(counts.sum(), 1e-300)


def _divergence(one: Floats, other: Floats) -> float:
    """Return the Jensen-Shannon divergence in bits."""
    middle = (one + other) / 2

    def to_middle(share: Floats) -> float:
        there = share > 0
        return float((share[there] * np.log2(share[there] / middle[there])).sum())

    return (to_middle(one) + to_middle(other)) / 2


def _by_chance(shares: Floats, count: int) -> float:
    """Return the mean divergence of so many jets drawn from the very same masses."""
    total = shares / max(shares.sum(), 1e-300)
    drawn = np.random.default_rng(0).multinomial(max(count, 1), total, size=DRAWS) / max(count, 1)
    return float(np.mean([_divergence(shares, one) for one in drawn]))
