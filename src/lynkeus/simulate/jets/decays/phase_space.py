"""Many decays into the same number of products at once, by phase space (GENBOD: F. James, CERN 68-15)."""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Floats
from lynkeus.simulate.jets.four_vectors import back_to_back, mass_of, momentum_in_rest, unit

TRIALS = 8  # of the masses between the decays, of which one is drawn by its phase space


def decay_by_phase_space(parent: Floats, masses: Floats, rng: np.random.Generator) -> Floats:
    """Return the products (n, k, 4) of `parent` (n, 4) that have the `masses` (n, k), by phase space.

    Three and more products by successive two-body decays; their masses are one of eight trials, drawn by its weight.
    Four-momentum is conserved; where the products are too heavy they have no momentum in the rest frame.
    """
    count, products = len(masses), masses.shape[1]
    between = _masses_between(mass_of(parent), masses, rng)
    made = np.empty((count, products, 4))
    system = parent
    for k in range(products - 1, 0, -1):
        way = unit(rng.uniform(-1, 1, count), rng.uniform(-np.pi, np.pi, count))
        system, made[:, k] = back_to_back(system, (between[:, k - 1], masses[:, k]), way)
    made[:, 0] = system
    return made


def _masses_between(mass: Floats, masses: Floats, rng: np.random.Generator) -> Floats:
    """Return the masses (n, k) of the first 1, 2, ... k products together."""
    count, products = len(masses), masses.shape[1]
    least = np.cumsum(masses, axis=1)
    if products == 2:
        return np.stack([masses[:, 0], mass], axis=1)
    free = np.maximum(mass - least[:, -1], 0.0)
    shares = np.sort(rng.random((count, TRIALS, products - 2)), axis=2)
    ends = np.zeros((count, TRIALS, 1)), np.ones((count, TRIALS, 1))
    trials = least[:, None] + np.concatenate([ends[0], shares, ends[1]], axis=2) * free[:, None, None]
    weight = np.ones((count, TRIALS))
    for k in range(1, products):
        weight *= momentum_in_rest(trials[:, :, k], trials[:, :, k - 1], masses[:, None, k])
    summed = np.cumsum(weight, axis=1)
    drawn = (summed < rng.random(count)[:, None] * summed[:, -1:]).sum(axis=1)
    return trials[np.arange(count), np.minimum(drawn, TRIALS - 1)]
