"""Flux configurations of a complex scalar field at finite density as samples (n, 4, t, x): k_x, k_t, l_x, l_t.

In the continuum language: a relativistic Bose gas in one dimension of space. Below a chemical potential of about 0.93
(for the defaults) nothing depends on it (the silver blaze); above it condenses. Setting and units: everything in units
of the lattice spacing; Zhou, Endrodi, Pang & Stoecker 2019 (arXiv:1810.12879).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from lynkeus.core.batch import Array, Batch, Floats, Schema
from lynkeus.core.errors import SettingsError
from lynkeus.core.extras import needing
from lynkeus.simulate.lattice.weights import log_factorials, log_site_weights

NAMES = ("k_x", "k_t", "l_x", "l_t")
BATCH = 200
SMALLEST = 3  # sites in a direction: with two, both neighbours are the same site
WARM = 40  # configurations that are thrown away at the start of each chain
LARGEST = 100.0  # mass and coupling
LARGEST_MU = 2.0  # beyond it there is more flux on a site than the weights that are kept


@dataclass
class LatticeSource:
    """`n` configurations at each chemical potential `mu`, a number or several with commas between them.

    `shape`: sites in time and in space, 200x10; `mass`, `coupling`: m and lambda; `every`: sweeps between two
    configurations, each of `worms` worms; `seed`: of the chains, one for each mu, the same whatever the others. In
    meta: `mu`, `n` the density and `phi2` the square of the field of each configuration. Raises SettingsError for a
    lattice whose neighbours are not distinct, or values out of range.
    """

    mu: str | float = 1.05
    n: int = 500
    shape: str = "200x10"
    seed: int = 0
    mass: float = 0.1
    coupling: float = 1.0
    every: int = 12
    worms: int = 12

    def __post_init__(self) -> None:
        try:
            self.sites = tuple(int(part) for part in str(self.shape).lower().split("x"))
            self.potentials = tuple(float(part) for part in str(self.mu).split(","))
        except ValueError as error:
            raise SettingsError(f"shape must be like 200x10 and mu like 1.05 or 0.91,1.05 ({error})") from error
        if len(self.sites) != 2 or min(self.sites) < SMALLEST:
            raise SettingsError(
                f"shape {self.shape}: must be sites in time x sites in space, at least {SMALLEST} each: with fewer, "
                "the neighbours on both sides are the same site"
            )
        if not all(0 <= mu <= LARGEST_MU for mu in self.potentials):
            raise SettingsError(f"mu must lie from 0 to {LARGEST_MU:g}, got {self.mu}")
        if not abs(self.mass) <= LARGEST or not self.coupling <= LARGEST:
            raise SettingsError(
                f"mass and coupling must lie up to {LARGEST:g}, got {self.mass!r} and {self.coupling!r}"
            )
        if self.coupling < 0 or (self.coupling == 0 and max(self.potentials) >= self.mass):
            raise SettingsError("without a positive coupling nothing holds the condensate: give coupling > 0")
        for name in ("n", "every", "worms"):
            if int(getattr(self, name)) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)!r}")

    @property
    def schema(self) -> Schema:
        """Return images of four channels, the integers of the links."""
        return Schema("image", NAMES, ("1",), (4, *self.sites), instrument="lattice")

    def __len__(self) -> int:
        return self.n * len(self.potentials)

    def of_length(self, samples: int) -> LatticeSource:
        """Return as many configurations in all, the same at each chemical potential, rounded up."""
        return LatticeSource(
            self.mu, -(-samples // len(self.potentials)), self.shape, self.seed, self.mass, self.coupling, self.every,
            self.worms,
        )  # fmt: skip

    def __iter__(self) -> Iterator[Batch]:
        for number, mu in enumerate(self.potentials):
            made = 0
            for links, square in self._chain(mu, number):
                links, square = links[: self.n - made], square[: self.n - made]
                made += len(links)
                density = links[:, 1].reshape(len(links), -1).mean(axis=1)
                meta = {"mu": np.full(len(links), mu), "n": density, "phi2": square}
                yield Batch(self.schema, links.astype(np.float32), meta=meta)
                if made >= self.n:
                    break

    def _chain(self, mu: float, number: int) -> Iterator[tuple[Array, Floats]]:
        """Yield configurations without end, in batches."""
        with needing("the lattice simulator", "matter"):
            from lynkeus.simulate.lattice.worm import Flux, Weights, sample, seed_compiled
        links = np.zeros((2, *self.sites), np.int64)
        flux = Flux(links, links.copy(), np.zeros(self.sites, np.int64))
        weights = Weights(log_site_weights(self.mass, self.coupling), log_factorials())
        for block in count():
            # Each block has its own seed: compiled code has one state of random numbers for the whole process.
            seed = np.random.SeedSequence([self.seed, number, block]).generate_state(1)[0]
            seed_compiled(int(seed))
            kept = (1, WARM * self.every) if not block else (BATCH, self.every)
            found: Any = sample(flux, mu, weights, *kept, self.worms)
            if not len(found[0]):
                raise SettingsError(f"mu {mu:g}: a site has more flux than there are weights; take a smaller mu")
            if block:
                yield found


def divergence(links: Array) -> Array:
    """Return (n, t, x) how much more flux k leaves each site than comes in: 0 where flux is conserved.

    `links` (n, 4, t, x) as a LatticeSource gives them, periodic in both directions.
    """
    k_x, k_t = links[:, 0], links[:, 1]
    return k_x - np.roll(k_x, 1, axis=2) + k_t - np.roll(k_t, 1, axis=1)


def observables(links: Array, mass: float = 0.1, coupling: float = 1.0) -> tuple[Floats, Floats]:
    """Return the density n and |phi|^2 (n,) of configurations (n, 4, t, x) of integers."""
    whole = np.rint(links).astype(np.int64)
    through = np.abs(whole[:, :2]) + 2 * np.maximum(whole[:, 2:], 0)
    s = through.sum(axis=1) + np.roll(through[:, 0], 1, axis=2) + np.roll(through[:, 1], 1, axis=1)
    log_w = log_site_weights(mass, coupling)
    s = np.minimum(s, len(log_w) - 3)
    square = np.exp(log_w[s + 2] - log_w[s]).reshape(len(whole), -1).mean(axis=1)
    return whole[:, 1].reshape(len(whole), -1).mean(axis=1).astype(float), square
