"""Whether the spots of an image are where its defect is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import distance_transform_edt

from lynkeus.core import Array, Floats
from lynkeus.metrics.images import NEAR_PIXELS
from lynkeus.metrics.rates import wilson_interval
from lynkeus.scans.image_scores import ImageScores

ANOTHER = "of another image"


def pointing(scores: ImageScores, masks: Mapping[str, Array]) -> dict[str, float]:
    """Measure on the images in which a defect shows the share with the worst spot in it ("pointing") and with one of
    the three near it ("near"), 90 % intervals; and the same with the defect of the next image, which is chance."""
    shown = np.isin(scores.column("file"), list(masks))
    defective = scores[shown]
    own = [masks[str(file)] for file in defective.column("file")]
    numbers: dict[str, float] = {"with a defect": float(len(own))}
    for words, asked in {"": own, f" {ANOTHER}": own[1:] + own[:1]}.items():
        away = _away(defective, asked)
        hits = {"pointing": int((away[:, 0] == 0).sum()), "near": int((away.min(axis=1) <= NEAR_PIXELS).sum())}
        for name, hit in hits.items():
            low, high = wilson_interval(hit, len(own))
            key = f"{name}{words}"
            numbers |= {key: hit / max(len(own), 1), f"{key}.low": low, f"{key}.high": high}
    return numbers


def _away(scores: ImageScores, masks: list[Array]) -> Floats:
    """Return (n, 3) pixels from each spot to the defect, 0 within it; infinite where there is no spot."""
    x, y = scores.spots("x"), scores.spots("y")
    away = np.full(x.shape, np.inf)
    for number, mask in enumerate(masks):
        there = np.flatnonzero(np.isfinite(x[number]))
        rows, columns = mask.shape
        row = np.clip(np.rint(y[number, there]).astype(int), 0, rows - 1)
        column = np.clip(np.rint(x[number, there]).astype(int), 0, columns - 1)
        away[number, there] = distance_transform_edt(~mask)[row, column]
    return away
