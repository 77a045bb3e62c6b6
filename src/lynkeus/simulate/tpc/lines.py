"""Charge spectra of a pad: lines of 83mKr with resolution and threshold, noise, and Landau-like spectra of collisions.

The isomer of 83Kr (41.55 keV, 1.83 h) decays by transitions of 32.15 and 9.41 keV; with the K X-ray of 12.6 keV, which
may escape, clusters of 41.6, 32.2, 29.1, 19.6, 12.6 and 9.4 keV are seen. How often each is depends on the chamber:
the weights here are guessed, neither measured nor derived, and are options.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.special import erf, erfc

from lynkeus.core.batch import Floats
from lynkeus.core.errors import SettingsError

MAIN_KEV = 41.55
LINES = "41.55:1,29.1:0.25,19.6:0.10,12.6:0.27,9.4:0.35,32.15:0.05"  # keV: weight, guessed
ADC_PER_KEV = 12.0  # at a gain of 1
ADC_MOST = 1023.0  # of a ten-bit converter
MIP_ADC, MIP_WIDTH = 170.0, 0.16  # most probable cluster charge of a pion at a gain of 1, and the width of its peak


@dataclass(frozen=True)
class Line:
    """A shape of spectra: `energies` in keV and `weights` that add up to 1; `resolution`: sigma / charge at 41.55 keV,
    which goes as 1 / sqrt(E); `threshold` and its `width` in ADC."""

    energies: Floats
    weights: Floats
    resolution: float
    threshold: float = 45.0
    width: float = 8.0
    edges: Floats = field(default_factory=lambda: np.linspace(0.0, 1000.0, 161))

    def expected(self, gain: Floats, resolution: Floats | None = None) -> Floats:
        """Return (n, bins) what share of the clusters of pads of some `gain` (n,) lies in each bin; the shares of
        clusters below the threshold are lost. `resolution` (n,) in place of that of all."""
        sigma = np.full(len(gain), self.resolution) if resolution is None else resolution
        found = np.zeros((len(gain), len(self.edges) - 1))
        for energy, weight in zip(self.energies, self.weights, strict=True):
            centre = ADC_PER_KEV * energy * gain
            wide = centre * sigma * np.sqrt(MAIN_KEV / energy)
            below = 0.5 * (1 + erf((self.edges - centre[:, None]) / (np.sqrt(2) * wide[:, None])))
            found += weight * np.diff(below, axis=1)
        return found * self.seen

    @property
    def centres(self) -> Floats:
        """Return the centres of the bins in ADC."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    @property
    def seen(self) -> Floats:
        """Return (bins,) what share of clusters of such a charge passes the threshold."""
        if self.threshold <= 0:
            return np.ones(len(self.edges) - 1)
        share: Floats = 0.5 * (1 + erf((self.centres - self.threshold) / (np.sqrt(2) * self.width)))
        return share

    def noise(self, slope: Floats) -> Floats:
        """Return (n, bins) shares of noise that falls as exp(-charge / `slope`) above the threshold."""
        found = np.exp(-self.centres / slope[:, None]) * self.seen
        return found / found.sum(axis=1, keepdims=True)

    def collisions(self, gain: Floats) -> Floats:
        """Return (n, bins) of clusters on tracks of pions: the Landau-like density of Moyal (1955)."""
        z = (self.edges / (MIP_ADC * gain[:, None]) - 1.0) / MIP_WIDTH
        with np.errstate(over="ignore"):
            below = erfc(np.exp(-0.5 * z) / np.sqrt(2))
        return np.diff(below, axis=1) * self.seen


def lines_of(text: str) -> tuple[Floats, Floats]:
    """Return energies in keV and weights of "41.55:1,29.1:0.25"; weights add up to 1. Raises SettingsError."""
    try:
        pairs = [tuple(map(float, part.split(":"))) for part in str(text).split(",")]
        energies, weights = map(np.array, zip(*pairs, strict=True))
    except ValueError as error:
        raise SettingsError(f"lines {text!r}: must be ENERGY:WEIGHT with commas between, in keV: {LINES}") from error
    if (energies <= 0).any() or (weights < 0).any() or not weights.sum() > 0:
        raise SettingsError(f"lines {text!r}: energies must be positive, weights not negative, and not all 0")
    return energies, weights / weights.sum()
