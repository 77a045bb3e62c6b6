"""Gains of pads by maximum likelihood of the whole shape, all pads at once; a second estimate by correlation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Floats
from lynkeus.transforms.pads.template import STEP, TINY, LogSpectra, Template

CHUNK = 8192
LEAST = 1e-9  # share of a bin below which one that is not of the shape is not believed


class Gains(NamedTuple):
    """Of each pad (n,): `log_gain`, the logarithm of the gain, its standard deviation `sigma` (from the curvature of
    the likelihood, the Cramer-Rao bound of this pad) and `entries`: how many counts it was fitted to."""

    log_gain: Floats
    sigma: Floats
    entries: Floats


def fit_gains(counts: Floats, template: Template, shapes: Floats | None = None) -> Gains:
    """Fit the gain of each pad, counts (n, bins); NaN where a pad has no counts in the range that is fitted."""
    bins = slice(template.lowest, None)
    whole = template.shapes() if shapes is None else shapes
    shape = whole[:, bins]
    total = shape.sum(axis=1, keepdims=True)
    logs = np.log(shape / np.maximum(total, TINY) + LEAST).T.astype(np.float32)
    grid = template.gains
    log_gain, sigma = np.empty(len(counts)), np.empty(len(counts))
    entries = np.empty(len(counts))
    for start in range(0, len(counts), CHUNK):
        own = np.asarray(counts[start : start + CHUNK, bins], np.float32)
        rows = slice(start, start + len(own))
        log_gain[rows], sigma[rows] = _peak_of(own @ logs, grid)
        entries[rows] = own.sum(axis=1)
    log_gain[entries <= 0] = np.nan
    sigma[entries <= 0] = np.nan
    return Gains(log_gain, sigma, entries)


def _peak_of(likelihood: Floats, grid: Floats) -> tuple[Floats, Floats]:
    """Return where each row (n, m) is highest, by a parabola of least squares through seven points, and the standard
    deviation there."""
    half = 3
    best = np.clip(likelihood.argmax(axis=1), half, len(grid) - 1 - half)
    offsets = np.arange(-half, half + 1)
    near = np.take_along_axis(likelihood, best[:, None] + offsets, axis=1).astype(float)
    near -= near[:, half : half + 1]
    # A polynomial of fourth degree: the likelihood is not quite a parabola over seven steps.
    basis = np.vander(offsets.astype(float), 5, increasing=True)
    c = near @ np.linalg.pinv(basis).T
    x = np.zeros(len(c))
    for _ in range(4):
        slope = c[:, 1] + 2 * c[:, 2] * x + 3 * c[:, 3] * x**2 + 4 * c[:, 4] * x**3
        bend = 2 * c[:, 2] + 6 * c[:, 3] * x + 12 * c[:, 4] * x**2
        x = np.clip(x - slope / np.where(bend < -1e-9, bend, -np.inf), -half, half)
    bend = np.maximum(-(2 * c[:, 2] + 6 * c[:, 3] * x + 12 * c[:, 4] * x**2), 1e-6)
    return grid[best] + x * STEP, STEP / np.sqrt(bend)


def correlated_gains(counts: Floats, template: Template, usual: Floats) -> Floats:
    """Return (n,) logarithms of gains by the shift at which a spectrum is most like that of all, `usual` (bins,):
    blunt, and hardly moved by what spoils a fit."""
    logs = LogSpectra(template.edges)
    own = logs.of(usual[None])[0] * np.exp(logs.logs - logs.logs[-1])
    centre = np.log(template.peak)
    span = round(0.6 / logs.step)
    shifts = np.arange(-span, span + 1)
    above = logs.logs > centre - 0.9
    model = np.stack([np.interp(logs.logs - k * logs.step, logs.logs, own, left=0, right=0) * above for k in shifts])
    model /= np.maximum(np.linalg.norm(model, axis=1, keepdims=True), TINY)
    found = np.empty(len(counts))
    for start in range(0, len(counts), CHUNK):
        seen = logs.of(counts[start : start + CHUNK]) * np.exp(logs.logs - logs.logs[-1])
        like = seen @ model.T
        at = np.clip(like.argmax(axis=1), 1, len(shifts) - 2)
        low, mid, high = (np.take_along_axis(like, (at + k)[:, None], axis=1)[:, 0] for k in (-1, 0, 1))
        bend = np.where(low - 2 * mid + high < 0, low - 2 * mid + high, -np.inf)
        found[start : start + CHUNK] = (shifts[at] - 0.5 * (high - low) / bend) * logs.step
    return found
