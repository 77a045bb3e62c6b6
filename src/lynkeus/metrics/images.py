"""How good maps of images are: which image, which pixels, which region, and whether one is led to the right place.

Maps are counted and not kept, in bins of BINS values (see `bins`), so that memory stays bounded by the number of images
and not by their size. Every number can be asked for any choice of images, so intervals draw images again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label
from scipy.sparse import csr_array, vstack

from lynkeus.core import Array, Floats, SettingsError, Spot
from lynkeus.metrics.rates import COVERAGE, auroc, average_precision

Mask = npt.NDArray[np.bool_]
DROPPED_BITS = 2  # of the 16 of a half-precision number
BINS = 65536 >> DROPPED_BITS
LARGEST = 65504.0  # that half precision holds
NEAR_PIXELS = 8.0
PRO_LIMITS = (0.05, 0.3)  # of the share of good pixels above the threshold, up to which the overlap is averaged
EIGHT = np.ones((3, 3))  # pixels that touch at a corner are of one region


def bins(values: Floats) -> Array:
    """The bin of each value, in their order: half precision without its last bits, steps of 0.4 %; NaN lowest."""
    finite = np.nan_to_num(np.clip(values, -LARGEST, LARGEST), nan=-LARGEST)
    bits = (finite.astype(np.float16) + np.float16(0)).view(np.uint16)  # -0 becomes 0
    ordered = np.where(bits & 0x8000, ~bits, bits | 0x8000)
    return np.asarray(ordered >> DROPPED_BITS, np.int64)


class LocatedImages:
    """Test images one by one, by `add`; then numbers by `measure`, of all images or of some.

    `near_pixels`: how far from a defect a spot may lie to count.
    """

    def __init__(self, near_pixels: float = NEAR_PIXELS) -> None:
        self.near_pixels = near_pixels
        self._truth: list[int] = []
        self._scores: list[float] = []
        self._pointed: list[float] = []
        self._near: list[float] = []
        self._regions: list[int] = []
        self._counts: dict[str, list[csr_array]] = {name: [] for name in ("good", "defect", "overlap")}

    def add(self, score: float, shown: Floats, spots: Sequence[Spot], mask: Mask | None, truth: int) -> None:
        """An image (truth 0: good): its score, its map (rows, columns), its spots and its mask.

        `mask` None: nobody knows where the defect is, the image counts by its score alone. Raises SettingsError where
        mask and map are of two sizes.
        """
        self._truth.append(truth)
        self._scores.append(score)
        mask = np.zeros(shown.shape, bool) if mask is None and truth == 0 else mask
        if mask is None:
            self._append(float("nan"), float("nan"), 0, [np.zeros(BINS)] * 3)
            return
        if mask.shape != shown.shape:
            raise SettingsError(f"the mask has {mask.shape} pixels and the map {shown.shape}")
        number = bins(shown)
        regions, count = label(mask, EIGHT)
        area = np.bincount(regions.ravel(), minlength=count + 1)[1:]
        inside = number[mask]
        overlap = np.bincount(inside, 1.0 / area[regions[mask] - 1], BINS)
        counts = [np.bincount(number[~mask], minlength=BINS), np.bincount(inside, minlength=BINS), overlap]
        pointed = float(mask.ravel()[int(np.argmax(shown))]) if count else float("nan")
        self._append(pointed, self._is_near(spots, mask) if count else float("nan"), count, counts)

    def _append(self, pointed: float, near: float, regions: int, counts: Sequence[Array]) -> None:
        self._pointed.append(pointed)
        self._near.append(near)
        self._regions.append(regions)
        for name, count in zip(self._counts, counts, strict=True):
            self._counts[name].append(csr_array(count[None].astype(np.float64)))
        self.__dict__.pop("_stacked", None)

    def _is_near(self, spots: Sequence[Spot], mask: Mask) -> float:
        rows, columns = np.nonzero(mask)
        far = [np.hypot(rows - spot.y, columns - spot.x).min() for spot in spots]
        return float(min(far, default=np.inf) <= self.near_pixels)

    def __len__(self) -> int:
        return len(self._truth)

    @property
    def truth(self) -> Array:
        """Return (n,) of the images, in the order in which they came."""
        return np.array(self._truth)

    @property
    def scores(self) -> Floats:
        """Return the scores of images (n,)."""
        return np.array(self._scores)

    @property
    def pointed(self) -> Floats:
        """Return (n,) 1 where the peak of the map lies in the mask, 0 where not, NaN without a mask."""
        return np.array(self._pointed)

    @property
    def near(self) -> Floats:
        """Return (n,) 1 where one of the spots lies within `near_pixels` of the mask, 0 where not, NaN without a
        mask."""
        return np.array(self._near)

    @cached_property
    def _stacked(self) -> dict[str, csr_array]:
        """Return (BINS, images) of each count."""
        return {name: csr_array(vstack(rows).T) for name, rows in self._counts.items()}

    def measure(self, rows: Array | None = None) -> dict[str, float]:
        """Numbers of the images `rows` (indices, one may come twice; None: all).

        image_auroc, image_ap; pointing: share of the defective images with the peak of the map in the mask; near: with
        one of the spots near it; pixel_ap; pro_0.05, pro_0.3: mean overlap of regions up to that share of false
        pixels, 1 at best.
        """
        rows = np.arange(len(self)) if rows is None else rows
        weight = np.bincount(rows, minlength=len(self)).astype(np.float64)
        wrong, scores = self.truth[rows] != 0, self.scores[rows]
        good, defect, overlap = (self._stacked[name] @ weight for name in ("good", "defect", "overlap"))
        regions = float(np.array(self._regions) @ weight)
        found = {"image_auroc": auroc(wrong, scores), "image_ap": average_precision(wrong, scores)}
        found |= {"pointing": _mean(self.pointed[rows]), "near": _mean(self.near[rows])}
        found["pixel_ap"] = binned_average_precision(good, defect)
        return found | {f"pro_{limit:g}": binned_pro(good, overlap, regions, limit) for limit in PRO_LIMITS}

    def intervals(self, rows: Array | None = None, seed: int = 0, copies: int = 200) -> dict[str, tuple[float, float]]:
        """Central 90 % interval of each number, with images drawn again."""
        rows, rng = np.arange(len(self)) if rows is None else rows, np.random.default_rng(seed)
        drawn = [self.measure(rows[rng.integers(len(rows), size=len(rows))]) for _ in range(copies)]
        tails = ((1 - COVERAGE) / 2, (1 + COVERAGE) / 2)
        found = {}
        for name in drawn[0]:
            values = np.array([copy[name] for copy in drawn])
            there = values[np.isfinite(values)]
            low, high = np.quantile(there, tails) if len(there) else (np.nan, np.nan)
            found[name] = (float(low), float(high))
        return found


def binned_average_precision(good: Floats, defect: Floats) -> float:
    """Return the average precision of pixels that are counted by bin of their map value (rising), as a sum over steps
    of recall; NaN without a defect."""
    hits, false = np.cumsum(defect[::-1]), np.cumsum(good[::-1])
    if not hits[-1]:
        return float("nan")
    precision = hits / np.maximum(hits + false, 1e-300)
    return float(np.sum(np.diff(hits, prepend=0.0) / hits[-1] * precision))


def binned_pro(good: Floats, overlap: Floats, regions: float, limit: float) -> float:
    """Per-region overlap (Bergmann et al. 2020, arXiv:1911.02357) averaged up to a share `limit` of false pixels.

    `overlap`: the sum over regions of the share of each region whose map value is in a bin. NaN without a region.
    """
    if not regions or not good.sum():
        return float("nan")
    false = np.append(0.0, np.cumsum(good[::-1]) / good.sum())
    found = np.append(0.0, np.cumsum(overlap[::-1]) / regions)
    last = int(np.searchsorted(false, limit, side="right"))
    at_limit = np.interp(limit, false, found)
    return float(np.trapezoid(np.append(found[:last], at_limit), np.append(false[:last], limit)) / limit)


def _mean(values: Floats) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else float("nan")
