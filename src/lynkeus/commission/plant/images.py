"""Planted faults of images: one blemish of a kind, a radius and a contrast in a good image, with the mask of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from lynkeus.commission.plant.planter import HARMLESS, Anywhere, InPixels, Kind, Truth
from lynkeus.core import Array, Floats
from lynkeus.transforms.blemishes import Blemish, plant_blemish

PIXELS = "pixels"
TRIES = 20  # at places where a blemish would be seen
FAINT_RADIUS = 8.0  # pixels
KINDS: Mapping[str, Kind] = {
    "pit": Kind("a darker or brighter spot, by its radius", (1.5, 3.0, 6.0, 12.0), PIXELS),
    "faint": Kind("a spot of 8 pixels (less in small images) darker or brighter", (0.05, 0.1, 0.2, 0.4), "share"),
    "scratch": Kind("a line that bends, by its width", (1.0, 2.0, 4.0), PIXELS),
    "stain": Kind("a patch of another shade, its structure as before, by its radius", (5.0, 10.0, 20.0, 40.0), PIXELS),
    "piece": Kind("a piece of another good image, by its radius", (5.0, 10.0, 20.0, 40.0), PIXELS),
    "rough": Kind("a patch of another grain, by its radius", (5.0, 10.0, 20.0, 40.0), PIXELS),
    "exposure": Kind("all of it is brighter or darker, as good images are", (0.5, 1.0), "scatters", HARMLESS),
}


@dataclass(frozen=True)
class Blemishes:
    """Plants into images like the good `others`, as bytes (channel, row, column); `low` and `high`: the values that
    black and white have; `scatter`: by how much, relative, good images differ in brightness."""

    others: tuple[Array, ...]
    low: float
    high: float
    scatter: float
    side: int

    @classmethod
    def fit(cls, held: Sequence[Array]) -> Self:
        """Learn from good images (channel, row, column)."""
        low, high = 0.0, 255.0
        if held[0].dtype != np.uint8:
            low, high = (float(edge(image)) for edge, image in ((np.nanmin, held[0]), (np.nanmax, held[0])))
            low, high = min([low, *map(np.nanmin, held)]), max([high, *map(np.nanmax, held)])
        made = cls((), low, max(high, low + 1e-12), 0.0, min(min(image.shape[1:]) for image in held))
        bright = np.array([np.nanmean(image) for image in held]) - (low if held[0].dtype != np.uint8 else 0.0)
        middle = float(np.median(bright))
        scatter = 1.4826 * float(np.median(np.abs(bright - middle))) / middle if middle > 0 else 0.0
        return cls(tuple(made.bytes_of(image) for image in held), made.low, made.high, scatter, made.side)

    def bytes_of(self, image: Array) -> Array:
        """Return an image as 0 ... 255."""
        if image.dtype == np.uint8:
            return image
        scaled = 255.0 * (np.nan_to_num(image, nan=self.low) - self.low) / (self.high - self.low)
        return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """Return those that fit into the smallest image, by size too."""
        most = {"scratch": self.side / 8}
        found = {}
        for name, kind in KINDS.items():
            fits = [s for s in kind.sizes if kind.unit != PIXELS or s <= max(most.get(name, self.side / 3), 1.0)]
            if fits and (name != "exposure" or self.scatter > 0):
                found[name] = kind._replace(sizes=tuple(fits))
        return found

    def plant(self, values: Array, kind: str, size: float, rng: np.random.Generator) -> tuple[Array, Truth]:
        """Return the image with a blemish, in the numbers that it had, and its mask."""
        pixels = self.bytes_of(values)
        if kind == "exposure":
            factor = 1.0 + rng.choice([-1.0, 1.0]) * size * self.scatter
            return self._back(values, pixels, np.clip(np.rint(pixels * factor), 0, 255)), Anywhere(HARMLESS)
        wanted = Blemish(kind, size)
        if kind == "faint":
            sign = rng.choice([-1.0, 1.0])
            wanted = Blemish("pit", min(FAINT_RADIUS, self.side / 4), float(np.log1p(sign * min(size, 0.95))))
        for _ in range(TRIES):
            made, mask = plant_blemish(pixels, wanted, self.others, rng)
            mask = mask if mask.any() else (made != pixels).any(axis=0)
            if mask.any():
                break
        return self._back(values, pixels, made), InPixels(mask)

    def _back(self, values: Array, pixels: Array, made: Array) -> Array:
        if values.dtype == np.uint8:
            return np.asarray(made, np.uint8)
        new: Floats = self.low + np.asarray(made, float) / 255.0 * (self.high - self.low)
        return np.where(made != pixels, new, values).astype(values.dtype)
