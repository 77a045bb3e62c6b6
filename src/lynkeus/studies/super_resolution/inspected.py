"""Inspected before and after: are there defects that only the finer image has, or only the fine one?

The inspector knows the surface: along the thread metal is alike, so a pit is what is darker than the metal on either
side of it along the thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.stats import beta

from lynkeus.core import Array, Batch, Findings, Floats
from lynkeus.simulate.surface.screw import SLANT_DEG

REFERENCE, GOOD, PITTED = 11, 12, 13  # seeds
GIVES = {"network, mean": "mean", "diffusion, a draw": "sample", "conditional GAN, a draw": "sample"}
GAME = "conditional GAN, a draw"
COVERAGE, SIGMAS = 0.9, 4.0
NEAREST, FARTHEST = 4, 8  # pixels along the thread, on both sides, that a place is compared with
EDGE = 4  # pixels at the sides of an image that are not judged
SMOOTH, DARK = 0.8, 8.0  # pixels; grey levels that are added before the logarithm


def inspected(model: Any, game: Any, screws: Callable[[int, bool], Batch]) -> Findings:
    """Return how many good images have a defect after they were made coarse and fine again, and how many pits are gone.

    `game`: the model whose draws are those of a conditional GAN. An image has a defect where its darkest spot is SIGMAS
    darker than those of other good images: of fine ones, or of such as were made fine.
    """
    reference, good, pitted = screws(REFERENCE, False), screws(GOOD, False), screws(PITTED, True)
    limit = _limit(darkest(reference.values))
    before = {"good": darkest(good.values) > limit, "pitted": darkest(pitted.values) > limit}
    head = ["images", "good ones with a defect", "pitted ones with a defect", "invented", "lost"]
    lines = [head, ["fine, as they were", *_shares(before), "", ""]]
    metrics = {
        "defects.found_before": float(before["pitted"].mean()),
        "defects.false_before": 100 * float(before["good"].mean()),
    }
    for name, give in GIVES.items():
        own_model = game if name == GAME else model
        made = {
            kind: darkest(own_model.refine(own_model.pair(np.asarray(images.values))[0], seed=5, give=give).values)
            for kind, images in (("reference", reference), ("good", good), ("pitted", pitted))
        }
        for who, highest in {"inspected as fine ones": limit, "inspected as such": _limit(made["reference"])}.items():
            after = {kind: made[kind] > highest for kind in ("good", "pitted")}
            invented, lost = after["good"] & ~before["good"], before["pitted"] & ~after["pitted"]
            lines.append([f"{name}, {who}", *_shares(after), _interval(invented), _interval(lost)])
            key = f"{name}.{who}"
            metrics |= {f"{key}.invented": 100 * float(invented.mean()), f"{key}.lost": 100 * float(lost.mean())}
    return Findings({}, metrics, {"Inspected before and after (90 % intervals)": lines})


def darkest(images: Array) -> Floats:
    """Return (n,) how much darker the most conspicuous spot of images (n, c, row, column) is than the metal along the
    thread, in logarithms of the brightness."""
    grey = np.log(np.asarray(images, float).mean(axis=1) + DARK)
    smooth = ndimage.gaussian_filter(grey, (0, SMOOTH, SMOOTH))
    along = np.stack([ndimage.median_filter(one, footprint=_along()) for one in smooth])
    inner = slice(EDGE, -EDGE)
    found: Floats = (along - smooth)[:, inner, inner].max(axis=(1, 2))
    return found


def _along() -> Array:
    """Return which places along the thread one is compared with, as a footprint around it."""
    rows = np.array([row for row in range(-FARTHEST, FARTHEST + 1) if abs(row) >= NEAREST])
    columns = np.rint(rows / np.tan(np.radians(SLANT_DEG))).astype(int)
    found = np.zeros((2 * FARTHEST + 1, 2 * int(columns.max()) + 1), bool)
    found[rows + FARTHEST, columns + columns.max()] = True
    return found


def _limit(good: Floats) -> float:
    return float(good.mean() + SIGMAS * good.std())


def _shares(found: dict[str, np.ndarray]) -> list[str]:
    return [f"{int(own.sum())} of {len(own)}" for own in found.values()]


def _interval(found: np.ndarray) -> str:
    """Return how many of a hundred, with the interval of Clopper & Pearson."""
    n, k = len(found), int(found.sum())
    low = beta.ppf((1 - COVERAGE) / 2, k, n - k + 1) if k else 0.0
    high = beta.ppf((1 + COVERAGE) / 2, k + 1, n - k) if k < n else 1.0
    return f"{100 * k / n:.1f} in 100 ({100 * low:.1f} to {100 * high:.1f})"
