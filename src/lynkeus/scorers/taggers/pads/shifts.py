"""Shifts: how probably a gain was set, or moved, elsewhere: a normal distribution of good gains and a wide one.

How wide good gains are spread and how many are elsewhere is found from the pads themselves, without labels.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.transforms.pads.neighbours import median_of

HALF_WIDTH = 0.75  # of the wide distribution, in the logarithm of the gain
FEWEST = 50  # pads below which the gains of a batch have no centre of their own


class Shifts(NamedTuple):
    """`centre` and `spread` of the logarithms of good gains, less those of the neighbours where `by_neighbours`; the
    `share` of pads that are elsewhere."""

    centre: float
    spread: float
    share: float
    by_neighbours: bool

    @classmethod
    def learn(cls, log_gain: Floats, near: Array, good: Array, fine: Floats) -> Self:
        """Return what pads (n,) say; `good` ones have spectra as they should be, `fine` (n,) how probably."""
        beside = log_gain - median_of(log_gain, near, good)
        alone, together = (_spread(own[good]) for own in (log_gain, beside))
        by_neighbours = together < alone
        own = beside if by_neighbours else log_gain
        centre, spread, share = float(np.median(own[good])), max(min(alone, together), 1e-4), 0.03
        weight = np.clip(fine, 0.0, 1.0)
        for _ in range(80):
            elsewhere = _elsewhere(own, centre, spread, share)
            share = float(np.clip((elsewhere * weight).sum() / max(weight.sum(), 1e-9), 1e-4, 0.3))
            here = (1 - elsewhere) * weight
            centre = float((here * own).sum() / max(here.sum(), 1e-9))
            spread = float(np.sqrt((here * (own - centre) ** 2).sum() / max(here.sum(), 1e-9)))
        return cls(centre, max(spread, 1e-4), share, by_neighbours)

    def residual(self, log_gain: Floats, near: Array, good: Array) -> Floats:
        """Return (n,) how many spreads the gain of each pad is off, from the centre of these pads: a whole chamber
        whose gain has moved with the pressure is not shifted."""
        own = log_gain - median_of(log_gain, near, good) if self.by_neighbours else log_gain
        centre = float(np.median(own[good])) if good.sum() >= FEWEST else self.centre
        return (own - centre) / self.spread

    def probability(self, residual: Floats) -> Floats:
        """Return (n,) how probably a gain is elsewhere."""
        return _elsewhere(residual, 0.0, 1.0, self.share, HALF_WIDTH / self.spread)


def _elsewhere(own: Floats, centre: float, spread: float, share: float, half: float = HALF_WIDTH) -> Floats:
    here = (1 - share) * np.exp(-0.5 * ((own - centre) / spread) ** 2) / (np.sqrt(2 * np.pi) * spread)
    wide = share / (2 * half)
    return wide / (here + wide)


def _spread(values: Floats) -> float:
    return float(1.4826 * np.median(np.abs(values - np.median(values))))
