"""How much each jet counts in a training: classes alike, or alike in transverse momentum and pseudorapidity."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Array, Floats, SettingsError
from lynkeus.core.weights import effective_number

PT_BINS, ETA_BINS = 12, 4
MOST_TIMES = 10.0  # that a jet counts more than on average: single jets in a tail teach nothing but themselves
NONE, CLASSES, FLAT = "none", "classes", "flat"


def training_weight(
    reweight: str, classes: tuple[str, ...], truth: Array, kinematics: Floats, weight: Floats | None = None
) -> tuple[Floats, list[str]]:
    """Return how much each jet counts (n,), 1 on average, and what there is to say of it.

    `reweight`: "none" (by their own `weight`), "classes" (every class as much as another), "flat" (besides, alike in
    bins of the pT and eta of `kinematics` (n, 2)), or a class: every other one gets the spectrum of that. Raises
    SettingsError for another word.
    """
    own = np.ones(len(truth)) if weight is None else np.asarray(weight, float).copy()
    if reweight not in (NONE, CLASSES, FLAT, *classes):
        raise SettingsError(
            f"reweight must be {NONE}, {CLASSES}, {FLAT}, or one of the classes {', '.join(classes)}, got {reweight!r}"
        )
    said: list[str] = []
    if reweight not in (NONE, CLASSES):
        own, said = _alike(own, truth, _bins(kinematics), classes, reweight)
    if reweight != NONE:
        share = np.bincount(truth, own, minlength=len(classes))
        own = own / np.where(share > 0, share, 1.0)[truth]
    own = own / own.mean()
    worth = effective_number(own)
    if worth < 0.5 * len(own):
        said.append(f"reweighting ({reweight}) leaves {len(own):,} jets the worth of {worth:,.0f} alike")
    return own, said


def _bins(kinematics: Floats) -> Array:
    """Return the bin of each jet, by quantiles of pT and of the size of eta in all jets."""
    pt, eta = kinematics[:, 0], np.abs(kinematics[:, 1])
    found = np.zeros(len(pt), np.int64)
    for values, bins in ((pt, PT_BINS), (eta, ETA_BINS)):
        edges = np.unique(np.nanquantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
        found = found * bins + np.searchsorted(edges, np.nan_to_num(values), side="right")
    return found


def _alike(own: Floats, truth: Array, bins: Array, classes: tuple[str, ...], reweight: str) -> tuple[Floats, list[str]]:
    """Return weights of which every class has the same in every bin: as much in all, or as the named class has."""
    many = int(bins.max()) + 1
    filled = np.stack([np.bincount(bins[truth == k], own[truth == k], minlength=many) for k in range(len(classes))])
    wanted = np.ones(many) if reweight == FLAT else filled[classes.index(reweight)]
    factor = wanted / np.where(filled > 0, filled, np.inf)
    found = own * factor[truth, bins]
    total = np.bincount(truth, found, minlength=len(classes)) / np.maximum(np.bincount(truth), 1)
    found = found / np.where(total > 0, total, 1.0)[truth]
    above = found > MOST_TIMES
    said = [f"reweighting: {above.sum()} jets in nearly empty bins count {MOST_TIMES:g} times, not more"]
    return np.minimum(found, MOST_TIMES), said if above.any() else []
