"""From crossings of rows to ADC counts of cells (row, pad, time): ionisation, diffusion, pad response, shaper."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import ndtr

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.tpc.hits.tracks import Crossings
from lynkeus.simulate.tpc.hits.volume import Volume

ELECTRONS = 90.0  # of a minimum-ionising track over a row that count for where their mean is
SPREAD = 0.22  # width of the Landau-like (Moyal) distribution of the charge over a row, relative to its peak
NEAR_PADS, BEFORE, AFTER = 4, 8, 16  # cells around its own that a charge is seen in: pads, times
STEP = 0.05  # of the table of the shaper, in time bins
ORDER = 4  # of the semi-Gaussian shaper, CR-RC^4


def ionise(volume: Volume, found: Crossings, ionisation: Floats, random: np.random.Generator) -> Floats:
    """Return charges (k,) of crossings in ADC counts, summed over all cells, by a Moyal distribution."""
    normal = random.normal(size=len(found.row)) ** 2  # -log of its square is Moyal: exp(-(x + exp(-x)) / 2)
    moyal = -np.log(np.maximum(normal, 1e-12))
    return volume.mip * found.path * ionisation[found.track] * np.maximum(1.0 + SPREAD * moyal, 0.15)


def widths(volume: Volume, found: Crossings) -> tuple[Floats, Floats]:
    """Return sigmas (k,) of the charge on its row: across in mm, by pad response, diffusion and inclination; along the
    drift in mm, by diffusion and inclination, without the shaper."""
    drift_m = found.y_mm / 1000.0
    inclined = (volume.pitch_mm * found.slope_x) ** 2 / 12.0
    across = np.sqrt(volume.prf_mm**2 + volume.diffusion_mm**2 * drift_m + inclined)
    along = np.sqrt(volume.diffusion_along_mm**2 * drift_m + (volume.pitch_mm * found.slope_y) ** 2 / 12.0)
    return across, along


def deposit(frame: Floats, volume: Volume, found: Crossings, charge: Floats, random: np.random.Generator) -> None:
    """Add the charges of crossings to a frame (rows, pads, times), in place."""
    if not len(found.row):
        return
    across, along = widths(volume, found)
    few = np.sqrt(ELECTRONS * np.maximum(charge / volume.mip, 0.2))
    drift_m = found.y_mm / 1000.0
    x = found.x_mm + random.normal(size=len(charge)) * np.sqrt(volume.diffusion_mm**2 * drift_m) / few
    y = found.y_mm + random.normal(size=len(charge)) * np.sqrt(volume.diffusion_along_mm**2 * drift_m) / few
    centre, when = x / volume.pad_mm, y / volume.bin_mm
    pad = np.floor(centre).astype(int)[:, None] + np.arange(-NEAR_PADS, NEAR_PADS + 1)
    sigma = (across / volume.pad_mm)[:, None]
    shared = ndtr((pad + 1 - centre[:, None]) / sigma) - ndtr((pad - centre[:, None]) / sigma)
    time = np.floor(when).astype(int)[:, None] + np.arange(-BEFORE, AFTER + 1)
    pulse = _pulse(time - when[:, None], along / volume.bin_mm, volume.shaper)
    cells = charge[:, None, None] * shared[:, :, None] * pulse[:, None, :]
    inside = ((pad >= 0) & (pad < volume.pads))[:, :, None] & ((time >= 0) & (time < volume.times))[:, None, :]
    at = (found.row[:, None, None] * volume.pads + pad[:, :, None]) * volume.times + time[:, None, :]
    flat = frame.reshape(-1)
    flat += np.bincount(at[inside], cells[inside], minlength=flat.size).astype(frame.dtype)


def _pulse(late: Floats, sigma: Floats, peaking: float) -> Floats:
    """Return (k, times) what the shaper makes of a charge `late` bins ago that is spread by `sigma` bins; its sum is
    about 1, and its mean is where the charge came."""
    widths_known, table, first = _shapes(peaking)
    at = np.clip(np.searchsorted(widths_known, sigma), 0, len(widths_known) - 1)
    place = np.clip(np.rint((late - first) / STEP).astype(int), 0, table.shape[1] - 1)
    found: Floats = table[at[:, None], place]
    return found


@cache
def _shapes(peaking: float) -> tuple[Floats, Floats, float]:
    """Return widths, the shaper spread by each of them at steps of STEP, and the time of the first step."""
    late = np.arange(-40.0, 80.0, STEP)
    on = np.maximum(late, 0.0) / peaking
    shaper = on**ORDER * np.exp(-ORDER * (on - 1.0))
    shaper /= shaper.sum() * STEP
    late = late - (late * shaper).sum() * STEP  # the delay of the shaper is known, and taken off
    known = np.concatenate([[0.0], np.geomspace(0.1, 8.0, 40)])
    rows = []
    for sigma in known:
        reach = max(1, int(4 * sigma / STEP))
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * STEP / max(sigma, 1e-3)) ** 2)
        rows.append(np.convolve(shaper, kernel / kernel.sum(), mode="same"))
    table: Array = np.array(rows)
    table[:, [0, -1]] = 0.0
    return known, table, float(late[0])
