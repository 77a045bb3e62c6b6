"""The cut on charge and width that people make: how much of the noise it removes at the same loss of signal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.networks.hits.features import HitFeatures
from lynkeus.scorers.hits.label_noise import LabelNoise
from lynkeus.scorers.hits.working_point import SIGNAL

CHARGE = re.compile(r"charge|^q(_|$)|total|adc_?sum|amplitude|energy|height|max_?adc|peak")
WIDTH = re.compile(r"width|rms|sigma|size|spread")
STEPS = 24  # of the share of the loss that the cut on the charge takes
MOST = 100_000  # hits


def best_cut(
    values: Floats, noise: Array, names: Sequence[str], features: HitFeatures, mistakes: LabelNoise, loss: float,
    of: str,
) -> float:  # fmt: skip
    """Return the share of the noise that the best cut on one charge and one width removes at a `loss` of the signal;
    NaN where there is no charge or no width."""
    every = max(1, len(values) // MOST)
    values, noise = values[::every], noise[::every]
    columns = {name: values[:, k].astype(float) for k, name in enumerate(names) if not name.startswith("near/")}
    columns |= _of_cells(values, features)
    charges = [own for name, own in columns.items() if CHARGE.search(name.lower())]
    widths = [own for name, own in columns.items() if WIDTH.search(name.lower())]
    best = np.nan
    for charge, width, low, high in product(charges, widths, (1.0, -1.0), (1.0, -1.0)):
        best = np.fmax(best, _removed(low * charge, high * width, noise, mistakes, loss, of))
    return float(best)


def _of_cells(values: Floats, features: HitFeatures) -> dict[str, Floats]:
    """Return charge and widths (n,) that are computed of the cells, where there are any."""
    if not features.shape[0]:
        return {}
    cells = np.maximum(np.nan_to_num(values[:, features.patch.numpy()].astype(float)), 0.0).reshape(-1, *features.shape)
    total = np.maximum(cells.sum(axis=(1, 2)), 1e-9)
    found = {"total": total}
    for axis, name in ((2, "pad_rms"), (1, "time_rms")):
        profile = cells.sum(axis=axis) / total[:, None]
        place = np.arange(profile.shape[1])
        found[name] = np.sqrt(np.maximum(profile @ place**2 - (profile @ place) ** 2, 0.0))
    return found


def _removed(charge: Floats, width: Floats, noise: Array, mistakes: LabelNoise, loss: float, of: str) -> float:
    """Return what is removed below a charge and below a width, at the best of STEPS x STEPS ways to share the loss."""
    on, levels = noise == 0, np.linspace(0.0, loss, STEPS)
    bins = []
    for own in (charge, width):
        known = own[on & np.isfinite(own)]
        if not len(known):
            return np.nan
        bins.append(np.searchsorted(np.quantile(known, levels), own, side="right"))  # the number of cuts it passes
    gone = []
    for chosen in (on, ~on):
        counts = np.zeros((STEPS + 1, STEPS + 1))
        np.add.at(counts, (bins[0][chosen], bins[1][chosen]), 1.0)
        kept = counts[::-1, ::-1].cumsum(axis=0).cumsum(axis=1)[::-1, ::-1]
        gone.append(1.0 - kept[1:, 1:] / max(chosen.sum(), 1))
    lost = mistakes.signal_share(*gone) if of == SIGNAL else gone[0]
    return float(np.where(lost <= loss, mistakes.noise_share(*gone), 0.0).max())
