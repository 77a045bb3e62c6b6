"""How many independent tests a family of correlated ones amounts to, and what few runs leave open."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.sparse import csr_array
from scipy.special import gammainc, gammaincc, ndtr, ndtri
from scipy.stats import t as student

from lynkeus.core import Floats

DRAWS, DRAWN_AT_ONCE = 300, 100
TINY = 1e-300  # of a probability
NO_SKEW = 1e-4  # below which a distribution is normal


def drawn_means(pooled: Floats, size: int, rng: np.random.Generator) -> Floats:
    """Return the means (draws, m) of so many events each, drawn from all good ones."""
    draws = DRAWS if size < DRAWN_AT_ONCE else 3 * DRAWS
    chosen = rng.integers(0, len(pooled), (draws, size))
    at_once = csr_array(
        (np.full(chosen.size, 1.0 / size), chosen.ravel(), np.arange(0, chosen.size + 1, size)), (draws, len(pooled))
    )
    means: Floats = at_once @ pooled
    return means


def joined_means(few: Floats, size: int, rng: np.random.Generator) -> Floats:
    """Return the means (draws, m) of so many events, from means (n, m) of DRAWN_AT_ONCE of them: drawing each would
    take most of the time of a fit."""
    parts = size // DRAWN_AT_ONCE
    total: Floats = sum(few[rng.integers(0, len(few), DRAWS)] for _ in range(parts)) / parts  # type: ignore[assignment]
    return total


def of_few_runs(p_value: float, runs: float) -> float:
    """Return a p-value as it is when how much good runs differ is known from so few of them: the deviate of the next
    run, in units of a spread that is estimated, follows Student's distribution, not the normal one."""
    if runs < 2 or not p_value < 0.5:
        return p_value
    away = -ndtri(max(p_value, TINY)) / np.sqrt(1.0 + 1.0 / runs)
    return float(max(student.sf(away, runs - 1.0), TINY))


def as_trials(largest: Floats) -> tuple[float, float]:
    """Return number and width of the independent normal deviates whose largest has this median and this 95 % quantile:
    how many independent tests the correlated ones amount to."""
    middle, high = np.quantile(largest, [0.5, 0.95])
    trials, expected = _of_independent()
    width = np.maximum(high / expected[1], 1.0)
    best = int((np.abs(middle - width * expected[0]) + np.abs(high - width * expected[1])).argmin())
    return float(trials[best]), float(width[best])


@cache
def _of_independent() -> tuple[Floats, Floats]:
    """Return numbers of independent normal deviates, and the median and the 95 % quantile (2, numbers) of the
    largest."""
    trials = np.geomspace(1.0, 1000.0, 121)
    return trials, np.stack([-ndtri(0.5 * -np.expm1(np.log(q) / trials)) for q in (0.5, 0.95)])


def of_trials(p_value: float, trials: float) -> float:
    """Return the chance that the smallest of so many independent p-values is this small (Sidak 1967)."""
    return float(np.clip(-np.expm1(trials * np.log1p(-min(p_value, 1 - 1e-12))), TINY, 1.0))


def pearson_tail(away: Floats, skewness: Floats) -> Floats:
    """Return the chance (..., m) that a deviate of Pearson's third type, of mean 0 and variance 1, is above `away`; in
    a tenth of the time that SciPy takes for a few of them."""
    shape = 4.0 / np.maximum(skewness**2, NO_SKEW**2)
    at = np.maximum(shape + np.sign(skewness) * away * np.sqrt(shape), 0.0)
    right = skewness > 0
    tail = np.empty(at.shape)
    tail[right] = gammaincc(shape[right], at[right])
    tail[~right] = gammainc(shape[~right], at[~right])
    found: Floats = np.where(np.abs(skewness) < NO_SKEW, ndtr(-away), tail)
    return found
