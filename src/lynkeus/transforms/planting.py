"""Planting: faults put into held-out good samples say which epoch of a network, and which scorer, to keep.

The documents ask "which epoch?": too few generalise too much, too many learn the noise, and the loss alone does not
tell. Samples are in sigmas of their channels; every fault is one that good data does not show.
"""

from __future__ import annotations

import numpy as np

from lynkeus.core import Floats
from lynkeus.core.weights import weighted_quantile

FALSE_POSITIVES = 0.05
COPIES = 512  # faulty samples that an epoch is judged by, and good ones that set the threshold
OFFSET_SIGMA = (1.0, 4.0)


def plant(samples: Floats, rng: np.random.Generator) -> Floats:
    """Copies of good samples (n, c, ...), a fault in each: an offset, noise, or a piece of another sample.

    Tables: in one column. Waveforms: in one channel, over a stretch of a quarter to all of its length. Images: in a
    rectangle of an eighth to a half of each side, with brightness and contrast as before, which would give it away to a
    network that has learned nothing yet.
    """
    faulty = samples.copy()
    for number, sample in enumerate(faulty):
        where = _place(sample.shape, rng)
        other = samples[rng.integers(len(samples))][where]
        size = rng.uniform(*OFFSET_SIGMA) * rng.choice([-1.0, 1.0])
        kind = rng.integers(3)
        if kind == 0:
            sample[where] += size
        elif kind == 1:
            sample[where] += size * rng.normal(size=np.shape(sample[where]))
        else:
            sample[where] = other
        faulty[number] = _as_bright(sample, samples[number]) if sample.ndim == 3 else sample
    return faulty


def _as_bright(image: Floats, before: Floats) -> Floats:
    """The image (c, h, w) with the mean and the spread that each channel had before."""
    mean, spread = image.mean(axis=(1, 2), keepdims=True), image.std(axis=(1, 2), keepdims=True)
    usual = before.mean(axis=(1, 2), keepdims=True), before.std(axis=(1, 2), keepdims=True)
    return np.asarray(usual[0] + usual[1] * (image - mean) / np.maximum(spread, np.finfo(np.float32).tiny))


def efficiency(good: Floats, faulty: Floats, weight: Floats | None = None) -> float:
    """Share of faulty scores above all but FALSE_POSITIVES of the good ones; what ties with them is not found.

    `weight` (n,): how much each good sample counts.
    """
    limit = weighted_quantile(good, np.array(1.0 - FALSE_POSITIVES), weight)
    return float(np.mean(faulty > limit))


def _place(shape: tuple[int, ...], rng: np.random.Generator) -> tuple[int | slice, ...]:
    channel = int(rng.integers(shape[0]))
    least = 0.25 if len(shape) == 2 else 0.125
    most = 1.0 if len(shape) == 2 else 0.5
    place: list[int | slice] = [channel]
    for length in shape[1:]:
        size = max(1, round(length * rng.uniform(least, most)))
        start = int(rng.integers(length - size + 1))
        place.append(slice(start, start + size))
    return tuple(place)
