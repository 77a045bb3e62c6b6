"""What is no track: noise of cells, common to a card, of hot pads, bursts of a card, and sparks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import convolve1d

from lynkeus.core.batch import Array, Floats
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.tpc.hits.volume import Volume

CARD_ROWS, CARD_PADS = 4, 16  # that share a card
KERNEL = np.array([0.35, 0.8, 1.0, 0.55, 0.15])  # of the shaper, by which noise of neighbouring time bins is alike
COMMON = 0.35  # of the noise, that all pads of a card share


@dataclass(frozen=True)
class NoiseRates:
    """How much there is of each: `hot`: share of pads whose noise is several times as large; `bursts`, `sparks`: a
    mean number per event of bursts on a card and of sparks; `deltas`: share of crossings that eject a delta electron;
    `scale`: of all of these. Raises SettingsError for a negative one."""

    hot: float = 0.006
    bursts: float = 5.0
    sparks: float = 0.3
    deltas: float = 0.05
    scale: float = 1.0

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if not 0 <= getattr(self, name) < 1e4:
                raise SettingsError(f"{name} must be a number from 0 on, got {getattr(self, name)!r}")


def hot_pads(volume: Volume, rates: NoiseRates, random: np.random.Generator) -> Floats:
    """Return (rows, pads) by how much the noise of each pad is larger: 1, but for the hot ones 3 to 6."""
    hot = random.uniform(size=(volume.rows, volume.pads)) < rates.hot * rates.scale
    return np.where(hot, random.uniform(3.0, 6.0, hot.shape), 1.0)


def electronic(volume: Volume, hot: Floats, random: np.random.Generator) -> Floats:
    """Return the noise of an event (rows, pads, times) in ADC counts, with rms `volume.noise` but for hot pads."""
    shape = (volume.rows, volume.pads, volume.times)
    kernel = KERNEL / np.sqrt((KERNEL**2).sum())
    own = convolve1d(random.standard_normal(shape, np.float32), kernel, axis=2, mode="wrap")
    cards = (-(-volume.rows // CARD_ROWS), -(-volume.pads // CARD_PADS))
    shared = convolve1d(random.standard_normal((*cards, volume.times), np.float32), kernel, axis=2, mode="wrap")
    own *= (hot * np.sqrt(1.0 - COMMON**2))[:, :, None].astype(np.float32)
    own += COMMON * _per_pad(volume, shared)
    found: Floats = volume.noise * own
    return found


def bursts(volume: Volume, rates: NoiseRates, random: np.random.Generator) -> Floats:
    """Return what bursts add: some time of a damped oscillation, on most pads of a card at once."""
    frame = np.zeros((volume.rows, volume.pads, volume.times), np.float32)
    for _ in range(random.poisson(rates.bursts * rates.scale)):
        row = CARD_ROWS * int(random.integers(-(-volume.rows // CARD_ROWS)))
        pad = CARD_PADS * int(random.integers(-(-volume.pads // CARD_PADS)))
        part = frame[row : row + CARD_ROWS, pad : pad + CARD_PADS]
        late = np.arange(volume.times) - random.uniform(0, volume.times)
        period, life = random.uniform(5.0, 14.0), random.uniform(8.0, 40.0)
        wave = np.where(late > 0, np.sin(2 * np.pi * late / period) * np.exp(-np.maximum(late, 0.0) / life), 0.0)
        height = random.uniform(7.0, 30.0) * random.uniform(0.4, 1.3, part.shape[:2])
        part += (height[:, :, None] * wave).astype(np.float32)
    return frame


def sparks(volume: Volume, rates: NoiseRates, random: np.random.Generator) -> Floats:
    """Return what sparks add: some pads of a few rows at once, up to saturation, with a tail and an undershoot."""
    frame = np.zeros((volume.rows, volume.pads, volume.times), np.float32)
    for _ in range(random.poisson(rates.sparks * rates.scale)):
        row, pad = int(random.integers(volume.rows)), int(random.integers(volume.pads))
        rows, pads = slice(max(0, row - 2), row + 3), slice(max(0, pad - 6), pad + 7)
        part = frame[rows, pads]
        late = np.arange(volume.times) - random.uniform(0, volume.times)
        fall = np.exp(-np.maximum(late, 0) / random.uniform(4.0, 15.0)) - 0.25 * np.exp(-np.maximum(late, 0) / 40.0)
        height = volume.saturation * random.exponential(0.5, part.shape[:2])
        part += (height[:, :, None] * np.where(late > 0, fall, 0.0)).astype(np.float32)
    return frame


def _per_pad(volume: Volume, cards: Array) -> Array:
    """Return what each card has for each of its pads, (rows, pads, times)."""
    spread = np.repeat(np.repeat(cards, CARD_ROWS, axis=0), CARD_PADS, axis=1)
    return spread[: volume.rows, : volume.pads]
