"""Maps of images in sigma of good data, and the three worst spots of a map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.ndimage import gaussian_filter, label, maximum_position, sum_labels

from lynkeus.core import Array, Floats, Spot
from lynkeus.scans.image_scores import CLEAR_SIGMA, SPOTS

EDGE_SIGMA = 3.0  # of a spot
SCALES = (1.5, 3.0, 6.0)  # pixels
WIDER = 1.6
SMOOTH = 1.5  # pixels, of evidence before its spread is taken
MAD_TO_SIGMA = 1.4826
CHUNK = 64


class Standard:
    """Mean and spread of what good images (n, rows, columns) show at each place, smoothed over neighbours."""

    def __init__(self, good: Floats) -> None:
        centre = np.median(good, axis=0)
        spread = MAD_TO_SIGMA * np.median(np.abs(good - centre), axis=0)
        self.centre = gaussian_filter(centre, 2 * SMOOTH).astype(np.float32)
        self.spread = np.maximum(gaussian_filter(spread, 2 * SMOOTH), 1e-6).astype(np.float32)

    def sigma(self, shown: Floats) -> Floats:
        """Return (n, rows, columns) in sigma of good images."""
        return np.asarray((shown - self.centre) / self.spread)


def local_contrast(images: Array) -> Iterator[Floats]:
    """Return, for each scale, (n, rows, columns) how much a blob of that size stands out in brightness (difference of
    Gaussians)."""
    grey = images.mean(axis=1, dtype=np.float32)
    for scale in SCALES:
        narrow, wide = (gaussian_filter(grey, (0, s, s)) for s in (scale, WIDER * scale))
        yield np.abs(narrow - wide)


class LocalContrast:
    """The cheap statistic: a map of local contrast, in sigma of good images at that place."""

    def __init__(self, good: Array) -> None:
        self.standards = [Standard(shown) for shown in local_contrast(good)]

    def maps(self, images: Array) -> Floats:
        """Return (n, rows, columns), the most of all scales."""
        shown = zip(self.standards, local_contrast(images), strict=True)
        return np.max([standard.sigma(contrast) for standard, contrast in shown], axis=0)


def strongest_contrast(good: Floats, test: Floats) -> Floats:
    """Return the maximum of the map of each image (n,), as a baseline."""
    contrast = LocalContrast(good)
    parts = [contrast.maps(test[at : at + CHUNK]).max(axis=(1, 2)) for at in range(0, len(test), CHUNK)]
    return np.concatenate(parts)


def spot_columns(maps: Floats) -> dict[str, Floats]:
    """spot1_x ... spot3_area of maps (n, rows, columns) in sigma, as in a table of scores."""
    found = np.full((len(maps), SPOTS, 4), np.nan)
    for number, shown in enumerate(maps):
        regions, count = label(shown > EDGE_SIGMA)
        if count:
            index = np.arange(1, count + 1)
            places = np.array(maximum_position(shown, regions, index))
            sigma = shown[tuple(places.T)]
            area = sum_labels(shown > CLEAR_SIGMA, regions, index)
            worst = np.argsort(-sigma)[:SPOTS]
            found[number, : len(worst)] = np.stack([*places[worst].T[::-1], sigma[worst], area[worst]], axis=1)
    return _columns(found)


def told_spots(told: Sequence[Sequence[Spot]]) -> dict[str, Floats]:
    """The same columns of spots that a scorer has found itself."""
    found = np.full((len(told), SPOTS, 4), np.nan)
    for number, spots in enumerate(told):
        for place, spot in enumerate(spots[:SPOTS]):
            found[number, place] = spot
    return _columns(found)


def _columns(found: Floats) -> dict[str, Floats]:
    return {f"spot{s + 1}_{field}": found[:, s, f] for s in range(SPOTS) for f, field in enumerate(Spot._fields)}
