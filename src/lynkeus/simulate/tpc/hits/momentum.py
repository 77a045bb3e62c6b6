"""Momenta of tracks that were found: a circle through their hits, and what the tracker made of the true tracks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.tpc.hits.volume import LIGHT, Volume

FEWEST_TRUE = 12  # hits of a true track that counts
SHARED = 0.5  # of the hits of a true track that one found track must have, and of whose hits must be of it


class Tracking(NamedTuple):
    """What a tracker made of events: true tracks (`tracks`) of at least FEWEST_TRUE hits before any were removed, how
    many of them were `found`, found tracks that are of none (`fakes`) of `all_found`, and the relative errors of the
    momenta (k,) of those found."""

    tracks: int
    found: int
    fakes: int
    all_found: int
    errors: Floats

    @property
    def efficiency(self) -> float:
        """Return the share of tracks that were found."""
        return self.found / max(self.tracks, 1)

    @property
    def fake_rate(self) -> float:
        """Return the share of found tracks that are none."""
        return self.fakes / max(self.all_found, 1)

    @property
    def resolution(self) -> float:
        """Return half of the width of the errors of the momenta that 68 % of them are within."""
        if not len(self.errors):
            return float("nan")
        low, high = np.quantile(self.errors, (0.16, 0.84))
        return float(0.5 * (high - low))


def fitted_momentum(volume: Volume, row: Array, pad: Floats) -> float:
    """Return the momentum across the field in GeV of hits at rows and pads, by a circle (Kasa 1976); infinite without
    a field, NaN for fewer than three hits."""
    if len(row) < 3:
        return float("nan")
    z, x = volume.pitch_mm * row.astype(float), volume.pad_mm * pad.astype(float)
    z, x = z - z.mean(), x - x.mean()
    slope = np.polyfit(z, x, 1)[0]
    turn = np.hypot(1.0, slope)
    along, across = (z + slope * x) / turn, (x - slope * z) / turn  # so that the circle is flat here
    matrix = np.stack([along, across, np.ones(len(z))], axis=1)
    a, b, c = np.linalg.lstsq(matrix, along**2 + across**2, rcond=None)[0]
    radius_mm = float(np.sqrt(max(c + 0.25 * (a**2 + b**2), 0.0)))
    return LIGHT * volume.field_t * radius_mm / 1000.0 if volume.field_t else float("inf")


def compare(volume: Volume, hits: tuple[Array, Floats, Array, Array], true: Floats, counts: Array) -> Tracking:
    """Return what a tracker made of one event.

    `hits`: row, pad, true track (-1: none) and found track (-1: none) of those that were left; `true`: momenta of all
    tracks, `counts`: how many hits each had before any were removed.
    """
    row, pad, track, found = hits
    wanted = np.flatnonzero(counts >= FEWEST_TRUE)
    both = (track >= 0) & (found >= 0)
    many = int(found.max(initial=-1)) + 1
    table = np.zeros((len(counts), many), int)
    np.add.at(table, (track[both], found[both]), 1)
    length = np.bincount(found[found >= 0], minlength=many)
    good = (table >= SHARED * counts[:, None]) & (table >= SHARED * length[None, :]) & (table > 0)
    errors = []
    for one in wanted[good[wanted].any(axis=1)]:
        own = found == int(np.argmax(np.where(good[one], table[one], -1)))
        errors.append(fitted_momentum(volume, row[own], pad[own]) / true[one] - 1.0)
    pure = (table.max(axis=0, initial=0) >= SHARED * np.maximum(length, 1)) if len(table) else np.zeros(many, bool)
    return Tracking(len(wanted), len(errors), int((~pure).sum()), many, np.array(errors))


def joined(parts: list[Tracking]) -> Tracking:
    """Return the sum over events."""
    tracks, found, fakes, every = (sum(getattr(one, name) for one in parts) for name in Tracking._fields[:4])
    return Tracking(
        tracks, found, fakes, every, np.concatenate([one.errors for one in parts]) if parts else np.zeros(0)
    )
