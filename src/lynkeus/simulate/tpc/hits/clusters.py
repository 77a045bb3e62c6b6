"""Clusters: highest cells of frames (row, pad, time), with the cells around them and what is computed of these."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.tpc.hits.volume import Volume

PADS, BEFORE, AFTER = 2, 2, 4  # cells around the highest one that belong to a hit: pads to each side, times
PATCH = (2 * PADS + 1, BEFORE + 1 + AFTER)
NEAR = (1, 2)  # cells around the highest one that its position is computed from: pads, times to each side


class Clusters(NamedTuple):
    """(k,) of each cluster: `row`, and its highest cell `peak_pad`, `peak_time`; centre `pad`, `time` in pads and time
    bins; `charge`: sum of its cells in ADC counts; `height` of the highest; `pad_width`, `time_width`: rms in pads and
    time bins; `cells` above half of the threshold; `adc` (k, pads, times): counts of its cells."""

    row: Array
    peak_pad: Array
    peak_time: Array
    pad: Floats
    time: Floats
    charge: Floats
    height: Floats
    pad_width: Floats
    time_width: Floats
    cells: Floats
    adc: Floats


def digitise(volume: Volume, frame: Floats) -> Floats:
    """Return whole ADC counts, saturated; pedestals are taken off, so that noise may be below 0."""
    return np.clip(np.rint(frame), -50, volume.saturation).astype(np.float32)


def find_clusters(volume: Volume, counts: Floats) -> Clusters:
    """Return the clusters of an event: cells above the threshold that are highest among the eight around them."""
    # Of neighbours of equal height one is the highest, so that a plateau is one cluster.
    order = np.linspace(0, 0.5, volume.pads * volume.times, dtype=np.float32).reshape(1, volume.pads, volume.times)
    ranked = counts + order
    highest = (maximum_filter(ranked, size=(1, 3, 3), mode="constant", cval=-np.inf) == ranked) & (
        counts >= volume.threshold
    )
    row, pad, time = np.nonzero(highest)
    padded = np.pad(counts, ((0, 0), (PADS, PADS), (BEFORE, AFTER)))
    at_pad = pad[:, None, None] + np.arange(PATCH[0])[None, :, None]
    at_time = time[:, None, None] + np.arange(PATCH[1])[None, None, :]
    adc = padded[row[:, None, None], at_pad, at_time]
    return _described(volume, row, pad, time, adc)


def _described(volume: Volume, row: Array, pad: Array, time: Array, adc: Floats) -> Clusters:
    near = np.maximum(adc[:, PADS - NEAR[0] : PADS + NEAR[0] + 1, BEFORE - NEAR[1] : BEFORE + NEAR[1] + 1], 0.0)
    total = near.sum(axis=(1, 2))
    along_pads, along_times = np.arange(-NEAR[0], NEAR[0] + 1), np.arange(-NEAR[1], NEAR[1] + 1)
    pad_mean = (near.sum(axis=2) * along_pads).sum(axis=1) / total
    time_mean = (near.sum(axis=1) * along_times).sum(axis=1) / total
    all_cells = np.maximum(adc, 0.0)
    charge = all_cells.sum(axis=(1, 2))
    pad_width = _rms(all_cells.sum(axis=2))
    time_width = _rms(all_cells.sum(axis=1))
    cells = (adc >= 0.5 * volume.threshold).sum(axis=(1, 2)).astype(float)
    height = adc[:, PADS, BEFORE].astype(float)
    return Clusters(
        row, pad, time, pad + pad_mean + 0.5, time + time_mean, charge, height, pad_width, time_width, cells, adc
    )


def _rms(profile: Floats) -> Floats:
    place = np.arange(profile.shape[1])
    total = np.maximum(profile.sum(axis=1), 1e-9)
    mean = (profile * place).sum(axis=1) / total
    found: Floats = np.sqrt(np.maximum((profile * place**2).sum(axis=1) / total - mean**2, 0.0))
    return found
