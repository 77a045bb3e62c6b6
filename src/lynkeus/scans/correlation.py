"""Rank correlation of scores with properties of cavities, for few cavities and many pairs, with an answer in words.

p-values come from permutations of the cavities. Those for many pairs at once are from the largest correlation of
all pairs in each permutation (Westfall & Young 1993), which knows that aggregations resemble each other, and
properties too; Bonferroni would not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm, rankdata

from lynkeus.core import Array, Floats, SettingsError

FEWEST = 5  # cavities: of four no order is rarer than 2 in 24
EXACT = 8  # up to so many cavities all orders are looked at
PERMUTATIONS = 9999
COPIES = 2000
COVERAGE = 0.9
LEVEL = 0.05  # chance to find anything at all where nothing is
POWER = 0.8


@dataclass(frozen=True)
class Pair:
    """Spearman's `rho` of one score with one property over `cavities` that have both.

    `low`, `high`: 90 % interval; `p_value` of this pair alone, two-sided; `corrected` for all pairs looked at.
    """

    score: str
    property: str
    cavities: int
    rho: float
    low: float
    high: float
    p_value: float
    corrected: float


@dataclass(frozen=True)
class Correlations:
    """All pairs, the strongest first. `critical`: |rho| above which a pair over all cavities counts as found; `seen`:
    true |rho| that would have been found with 80 % power (NaN: none). `left_out`: what was not asked, and why."""

    pairs: tuple[Pair, ...]
    cavities: int
    critical: float
    seen: float
    exact: bool
    left_out: tuple[str, ...] = ()

    @property
    def found(self) -> tuple[Pair, ...]:
        """The pairs that stay after the correction."""
        return tuple(pair for pair in self.pairs if pair.corrected <= LEVEL)

    def words(self) -> str:
        """Return the answer in a sentence."""
        if not self.pairs:
            return "Nothing could be asked: " + "; ".join(self.left_out) + "."
        power = (
            f"A correlation of |rho| > {self.seen:.2f} would have been seen with {100 * POWER:.0f} % power"
            if self.seen < 1
            else f"With {self.cavities} cavities and {len(self.pairs)} pairs none could have been seen reliably"
        )
        if self.found:
            lines = [
                f"{pair.score} with {pair.property}, rho = {pair.rho:.2f} ({pair.low:.2f} to {pair.high:.2f}), "
                f"p = {pair.corrected:.2g} after correction"
                for pair in self.found
            ]
            return f"Correlation found in {len(lines)} of {len(self.pairs)} pairs: {'; '.join(lines)}. {power}."
        best = self.pairs[0]
        return (
            f"No correlation found in {len(self.pairs)} pairs over {self.cavities} cavities. The strongest, "
            f"{best.score} with {best.property}, has rho = {best.rho:.2f} and p = {best.corrected:.2g} after "
            f"correction. {power}; weaker ones may be there."
        )


def correlate(scores: Mapping[str, Floats], properties: Mapping[str, Floats], seed: int = 0) -> Correlations:
    """Correlate every score with every property, each (cavities,) in one order, NaN where missing.

    A column that is constant, or that fewer than five cavities have, is left out and named. Where nothing is missing,
    the correction is exact; else nearly so, as pairs then rest on different cavities. Raises SettingsError for fewer
    than five cavities, or lengths that differ.
    """
    columns = [*scores.values(), *properties.values()]
    cavities = len(columns[0]) if columns else 0
    if any(len(column) != cavities for column in columns):
        raise SettingsError("scores and properties must have one number per cavity, in the same order")
    if cavities < FEWEST:
        raise SettingsError(
            f"{cavities} cavities have scores and properties; a correlation needs {FEWEST} at least, add some"
        )
    rng = np.random.default_rng(seed)
    orders = _orders(cavities, rng)
    asked, left_out = _askable(scores, properties)
    by_chance = [_by_chance(scores[a], properties[b], orders) for a, b in asked]
    if not asked:
        return Correlations((), cavities, math.nan, math.nan, cavities <= EXACT, left_out)
    counts = [int(_there(scores[a], properties[b]).sum()) for a, b in asked]
    # A pair over fewer cavities has a wider spread by chance, 1 / sqrt(n - 1).
    largest = np.max([np.sqrt(n - 1) * np.abs(rho) for n, rho in zip(counts, by_chance, strict=True)], axis=0)
    pairs = []
    for (a, b), n, null in zip(asked, counts, by_chance, strict=True):
        rho = spearman(scores[a], properties[b])
        alone = _share(np.abs(null), abs(rho), cavities <= EXACT)
        together = _share(largest, np.sqrt(n - 1) * abs(rho), cavities <= EXACT)
        low, high = _interval(scores[a], properties[b], rng)
        pairs.append(Pair(a, b, n, rho, low, high, alone, together))
    critical = float(np.quantile(largest, 1 - LEVEL, method="higher") / np.sqrt(cavities - 1))
    strongest = tuple(sorted(pairs, key=lambda pair: (pair.corrected, pair.p_value)))
    return Correlations(strongest, cavities, critical, seen_with_power(critical, cavities), cavities <= EXACT, left_out)


def spearman(x: Floats, y: Floats) -> float:
    """Spearman's rho of the cavities that have both numbers; ties have their mean rank."""
    there = _there(x, y)
    return float(_unit_ranks(x[there]) @ _unit_ranks(y[there]))


def seen_with_power(critical: float, cavities: int, power: float = POWER) -> float:
    """The true |rho| that exceeds `critical` with this power; NaN where none does.

    By Fisher's z with the variance of Bonett & Wright (Psychometrika 65, 2000, 23).
    """
    if critical >= 1 - 1e-9 or cavities <= 3:
        return math.nan

    def lacking(rho: float) -> float:
        spread = math.sqrt((1 + rho**2 / 2) / (cavities - 3))
        return math.atanh(rho) - math.atanh(critical) - float(norm.ppf(power)) * spread

    most = 1 - 1e-9
    return float(brentq(lacking, critical, most)) if lacking(most) > 0 else math.nan


def _there(x: Floats, y: Floats) -> Array:
    return np.isfinite(x) & np.isfinite(y)


def _askable(
    scores: Mapping[str, Floats], properties: Mapping[str, Floats]
) -> tuple[Sequence[tuple[str, str]], tuple[str, ...]]:
    """The pairs that can be asked, and why others cannot."""
    asked: list[tuple[str, str]] = []
    left_out: dict[str, None] = {}
    for a, x in scores.items():
        for b, y in properties.items():
            there = _there(x, y)
            constant = [name for name, column in ((a, x), (b, y)) if len(np.unique(column[there])) < 2]
            if there.sum() < FEWEST:
                lacking = a if np.isfinite(x).sum() < FEWEST else b
                left_out[f"{lacking}: fewer than {FEWEST} cavities have it"] = None
            elif constant:
                left_out[f"{constant[0]}: the same for all cavities"] = None
            else:
                asked.append((a, b))
    return asked, tuple(left_out)


def _orders(cavities: int, rng: np.random.Generator) -> Array:
    """Return (orders, cavities) all permutations where they are few, else random ones."""
    if cavities <= EXACT:
        return np.array(list(permutations(range(cavities))))
    return rng.permuted(np.tile(np.arange(cavities), (PERMUTATIONS, 1)), axis=1)


def _by_chance(x: Floats, y: Floats, orders: Array) -> Floats:
    """Return (orders,) rho with the cavities' properties in another order, among those that have both."""
    there = _there(x, y)
    rank = np.zeros(len(x))
    rank[there] = _unit_ranks(y[there])
    order = orders[there[orders]].reshape(len(orders), -1)
    return np.asarray(rank[order] @ _unit_ranks(x[there]))


def _share(by_chance: Floats, value: float, exact: bool) -> float:
    """Return the p-value of a permutation test; the order as it is counts as one of the random ones."""
    reached = float((by_chance >= value - 1e-9).sum())
    return reached / len(by_chance) if exact else (1 + reached) / (1 + len(by_chance))


def _interval(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[float, float]:
    """Quantiles of rho over cavities drawn again; where all drawn have one value, nothing goes together: rho is 0."""
    there = np.flatnonzero(_there(x, y))
    index = there[rng.integers(len(there), size=(COPIES, len(there)))]
    copies = (_unit_ranks(x[index]) * _unit_ranks(y[index])).sum(axis=1)
    low, high = np.quantile(copies, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)


def _unit_ranks(values: Floats) -> Floats:
    """Ranks along the last axis with mean 0 and length 1, so that a product of two is rho; 0 where all are equal."""
    ranks = rankdata(values, axis=-1)
    ranks = ranks - ranks.mean(axis=-1, keepdims=True)
    return np.asarray(ranks / np.maximum(np.linalg.norm(ranks, axis=-1, keepdims=True), 1e-12))
