"""A tagger that is not the same in data: jets of three flavours, with efficiencies that are known."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from lynkeus.scale_factors.jets import Bins, Jets
from lynkeus.scale_factors.measurement import Question

SLOPE = np.array([0.35, 1.6, 4.0])  # of -ln efficiency with the threshold: b, c, light
MEAN, WIDTH = np.array([2.6, 1.4, 0.7]), np.array([1.1, 0.6, 0.5])  # of the mass of the vertex in GeV
NO_VERTEX = np.array([0.3, 0.6, 0.9])


def draw_jets(
    n: int, seed: int, factors: Sequence[float] = (1.0, 1.0, 1.0), name: str = "sim", heavier: float = 0.0,
    labelled: bool = True, fractions: Sequence[float] = (0.15, 0.2, 0.65),
) -> Jets:  # fmt: skip
    """Jets whose efficiency at every threshold is that of simulation, exp(-SLOPE t), times `factors`."""
    rng = np.random.default_rng(seed)
    flavour = rng.choice(3, n, p=fractions)
    mass = np.abs(rng.normal(MEAN[flavour] + heavier, WIDTH[flavour]))
    mass[rng.random(n) < NO_VERTEX[flavour]] = np.nan
    score = (-np.log(rng.random(n)) + np.log(np.asarray(factors))[flavour]) / SLOPE[flavour]
    pt, eta = 30.0 + rng.exponential(45.0, n), rng.uniform(-2.39, 2.39, n)
    return Jets(score, mass, pt, eta, flavour if labelled else np.full(n, -1), name=name)


@pytest.fixture(scope="session")
def jets() -> Callable[..., Jets]:
    return draw_jets


@pytest.fixture(scope="session")
def question() -> Callable[..., Question]:
    """A question about b jets at one threshold; `bins` and other fields by name."""

    def ask(bins: str = "pt=30:70:200,eta=0:2.4", **fields: Any) -> Question:
        given: dict[str, Any] = {"thresholds": {"medium": 1.0}} | fields
        return Question(("b", "c", "light"), "b", bins=Bins.parse(bins), **given)

    return ask
