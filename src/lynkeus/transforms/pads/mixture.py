"""Which gains the counts of a pad are of: a mixture of the shape at many gains, of noise and of something flat.

One gain for a good pad, two for one whose gain moved, a tail to low gains where clusters are cut, noise where it is
loud. All pads at once, by a few steps of expectation maximisation, each of two matrix products.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Floats
from lynkeus.transforms.pads.template import STEP, TINY, Template

EVERY = 4  # gains of the mixture lie so many steps apart
SLOPES = (0.03, 0.07, 0.15)  # of noise, in charges of the main peak
STEPS = 30
NEAR, FAR = 0.075, 0.22  # from the fitted gain, in its logarithm
PARTS = ("far below", "below", "near", "above", "far above", "noise", "flat")


class Mixture(NamedTuple):
    """`parts` (n, PARTS): shares of the counts, gains relative to the fitted one; `gain_per_count` (n,): how much
    better the mixture is than one gain, in log likelihood a count; `misfit` (n,): its deviance; `second` (n,): the gain
    of the largest part that is not near, in the logarithm of its ratio, and `second_share`."""

    parts: Floats
    gain_per_count: Floats
    misfit: Floats
    second: Floats
    second_share: Floats


def components(template: Template, shapes: Floats) -> tuple[Floats, Floats]:
    """Return the components (c, bins), each adding up to 1, and the logarithms of the gains of those that have one."""
    centres = 0.5 * (template.edges[1:] + template.edges[:-1])
    gains = template.gains[::EVERY]
    noise = [np.exp(-centres / (slope * template.peak)) * np.maximum(template.passes, 0.02) for slope in SLOPES]
    flat = np.maximum(template.passes, 0.02)
    found = np.concatenate([shapes[::EVERY], noise, flat[None]])
    found /= np.maximum(found.sum(axis=1, keepdims=True), TINY)
    return found, gains


def gain_mixture(counts: Floats, log_gain: Floats, expected: Floats, known: tuple[Floats, Floats]) -> Mixture:
    """Return the mixture of pads (n, bins) with the gains that were fitted (n,) and the counts `expected` by them;
    `known`: what `components` returned."""
    single, gains = (np.asarray(one, np.float32) for one in known)
    n, seen = len(counts), np.asarray(counts, np.float32)
    total = np.maximum(seen.sum(axis=1, keepdims=True), 1.0)
    share = np.full((n, len(single)), 1.0 / len(single), np.float32)
    for _ in range(STEPS):
        model = share @ single
        share *= (seen / np.maximum(model, 1e-9)) @ single.T / total
        share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-9)
    model = (share @ single) * total
    one_gain = expected * (total / np.maximum(expected.sum(axis=1, keepdims=True), TINY))
    better = (seen * np.log(np.maximum(model, 1e-6) / np.maximum(one_gain, 1e-6))).sum(axis=1) / total[:, 0]
    deviance = (seen - model) ** 2 / (model + 1.0)
    far = gains - np.nan_to_num(log_gain)[:, None]
    of_gains = share[:, : len(gains)]
    limits = ((-9.0, -FAR), (-FAR, -NEAR), (-NEAR, NEAR), (NEAR, FAR), (FAR, 9.0))
    parts = [(of_gains * ((far >= low) & (far < high))).sum(axis=1) for low, high in limits]
    parts += [share[:, len(gains) : -1].sum(axis=1), share[:, -1]]
    second, size = _second(of_gains, far)
    return Mixture(np.stack(parts, axis=1), better, deviance.mean(axis=1), second, size)


def _second(share: Floats, far: Floats) -> tuple[Floats, Floats]:
    """Return the second gain, as the logarithm of its ratio to the fitted one, and how much of the counts it has."""
    width = round(0.06 / (STEP * EVERY))
    near = np.abs(far) < NEAR
    beside = np.where(near, 0.0, share)
    summed = np.cumsum(np.pad(beside, ((0, 0), (width + 1, width))), axis=1)
    lump = summed[:, 2 * width + 1 :] - summed[:, : -2 * width - 1]
    at = lump.argmax(axis=1)
    rows = np.arange(len(share))
    return far[rows, at], lump[rows, at]
