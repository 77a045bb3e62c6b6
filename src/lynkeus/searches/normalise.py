"""Normalise backgrounds to data: Y = A X, solved with its whole covariance.

Region i of a classifier holds A_ij simulated events of background j and Y_i events of data; X_j is the factor by which
background j has to be scaled. As many regions as backgrounds give the solution of the linear system; more of them a fit
by weighted least squares. What the simulation does not know for lack of events counts as much as what the data do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats, SettingsError

WORST_CONDITION = 1e6  # of the columns, each of length 1: beyond it the backgrounds cannot be told apart
PART = 0.2  # of a background in the combination that is not known, from which it is named
ITERATIONS = 20
SIGMAS = 3.0  # by which the smallest singular value must differ from none


@dataclass(frozen=True)
class Regions:
    """What is seen and expected in `names` of regions: `expected` (regions, backgrounds) sums of weights, `variance`
    sums of their squares, `observed` (regions,) events of data; `other` (regions,), `other_variance`: what is not
    scaled (a signal, rare processes).

    Raises SettingsError for a background that is expected nowhere, or expected negative in a region.
    """

    names: Sequence[str]
    backgrounds: Sequence[str]
    expected: Floats
    variance: Floats
    observed: Floats
    other: Floats = field(default_factory=lambda: np.zeros(0))
    other_variance: Floats = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        for name in ("other", "other_variance"):
            if not len(getattr(self, name)):
                object.__setattr__(self, name, np.zeros(len(self.names)))
        if len(self.names) < len(self.backgrounds):
            raise SettingsError(
                f"{len(self.names)} regions for {len(self.backgrounds)} backgrounds: give one region for each at least"
            )
        for i, j in np.argwhere(self.expected < 0):
            raise SettingsError(
                f"region {self.names[i]}: the weights of {self.backgrounds[j]} add up to {self.expected[i, j]:.3g}; a "
                "negative expectation means too little simulation: join regions or give more of it"
            )
        for i in np.flatnonzero(self.expected.sum(axis=1) + self.other <= 0).tolist():
            raise SettingsError(f"region {self.names[i]} is empty in simulation: widen it, or leave it out")
        for j in np.flatnonzero(self.expected.sum(axis=0) <= 0).tolist():
            raise SettingsError(f"background {self.backgrounds[j]} has no events in any region: is it in the samples?")


@dataclass(frozen=True)
class Normalisation:
    """`factors` (backgrounds,) with `covariance`; its two parts by `data` and by `simulation`; `condition` of the
    matrix; `chi2` with `freedom` degrees of it, and `pulls` (regions,) where there are more regions than
    backgrounds."""

    backgrounds: Sequence[str]
    factors: Floats
    covariance: Floats
    data: Floats
    simulation: Floats
    condition: float
    chi2: float
    freedom: int
    pulls: Floats

    @property
    def errors(self) -> Floats:
        """Return (backgrounds,) the standard deviations of the factors."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def correlation(self) -> Floats:
        """Return (backgrounds, backgrounds)."""
        errors = np.maximum(self.errors, 1e-300)
        return self.covariance / errors[:, None] / errors


def normalise(regions: Regions) -> Normalisation:
    """Return the factors. Raises SettingsError where backgrounds cannot be told apart, and says which."""
    condition = _condition(regions)
    a, seen = regions.expected, regions.observed - regions.other
    factors = np.linalg.lstsq(a / np.sqrt(np.maximum(regions.observed, 1.0))[:, None],
                              seen / np.sqrt(np.maximum(regions.observed, 1.0)), rcond=None)[0]  # fmt: skip
    for _ in range(ITERATIONS):
        poisson, simulated = _variances(regions, factors)
        inverse = 1.0 / (poisson + simulated)
        solve = np.linalg.solve((a.T * inverse) @ a, a.T * inverse)  # (backgrounds, regions)
        new = solve @ seen
        done = np.allclose(new, factors, rtol=1e-10, atol=1e-12)
        factors = new
        if done:
            break
    data, simulation = ((solve * part) @ solve.T for part in (poisson, simulated))
    residual = seen - a @ factors
    freedom = len(regions.names) - len(factors)
    left = poisson + simulated - np.einsum("ij,jk,ik->i", a, data + simulation, a)
    pulls = residual / np.sqrt(np.maximum(left, 1e-12)) if freedom else np.zeros(len(residual))
    return Normalisation(
        regions.backgrounds, factors, data + simulation, data, simulation, condition,
        float(residual**2 @ inverse) if freedom else 0.0, freedom, pulls,
    )  # fmt: skip


def _variances(regions: Regions, factors: Floats) -> tuple[Floats, Floats]:
    """Return of each region the variance of what is seen, as expected with these factors, and of what is expected."""
    mean = regions.expected @ factors + regions.other
    # With as many regions as backgrounds the expectation is what is seen; a few events are never certain to be few.
    poisson = np.maximum(mean, 1.0)
    return poisson, regions.variance @ factors**2 + regions.other_variance


def _condition(regions: Regions) -> float:
    columns = regions.expected / np.linalg.norm(regions.expected, axis=0)
    _, sizes, right = np.linalg.svd(columns)
    condition = float(sizes[0] / max(sizes[-1], 1e-300))
    if condition > WORST_CONDITION:
        alike = [name for name, part in zip(regions.backgrounds, np.abs(right[-1]), strict=True) if part > PART]
        raise SettingsError(
            f"the backgrounds {' and '.join(alike)} have the same shares in all regions (condition {condition:.2g}): "
            "their factors cannot be told apart; join them, or add a region in which they differ"
        )
    return condition


def require_distinct(regions: Regions) -> None:
    """Raise SettingsError, and say which, where two or more backgrounds have the same shares in all regions within what
    simulation knows of them: their factors would be fluctuations of its events."""
    length = np.linalg.norm(regions.expected, axis=0)
    left, sizes, right = np.linalg.svd(regions.expected / length, full_matrices=False)
    error = np.sqrt(left[:, -1] ** 2 @ (regions.variance / length**2) @ right[-1] ** 2)
    if len(sizes) > 1 and sizes[-1] < SIGMAS * error:
        alike = [name for name, part in zip(regions.backgrounds, np.abs(right[-1]), strict=True) if part > PART]
        raise SettingsError(
            f"the backgrounds {' and '.join(alike)} have the same shares in all regions, within what simulation knows: "
            "their factors cannot be told apart; join them, add a region in which they differ, or give more simulation"
        )


def pseudo_experiments(
    regions: Regions, factors: Floats, number: int, seed: int = 0
) -> Iterator[tuple[Regions, Normalisation]]:
    """Yield experiments with the true `factors`: data and simulation both drawn anew, and what is found in each."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        observed = rng.poisson(regions.expected @ factors + regions.other).astype(float)
        one = replace(
            regions, observed=observed, expected=_drawn(rng, regions.expected, regions.variance),
            other=_drawn(rng, regions.other, regions.other_variance),
        )  # fmt: skip
        yield one, normalise(one)


def _drawn(rng: np.random.Generator, mean: Floats, variance: Floats) -> Floats:
    """Return sums of weights as another simulation of the same size would have: of as many events as they are worth."""
    known = (mean > 0) & (variance > 0)
    each = np.where(known, variance / np.where(known, mean, 1.0), 1.0)
    drawn: npt.NDArray[np.int64] = rng.poisson(np.where(known, mean / each, 0.0))
    return np.where(known, drawn * each, mean)
