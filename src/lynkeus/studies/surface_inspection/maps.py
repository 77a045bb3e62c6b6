"""How each row of the study comes to a score, a map and spots of an image: inspect, its parts, networks, contrast."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, maximum_filter, zoom

from lynkeus.core import Array, Batch, Floats, Scorer, Spot
from lynkeus.fitting.explanation import explanation
from lynkeus.networks.backbone import LITE0, backbone
from lynkeus.scorers.inspect.features import FeatureMaps, smoothed
from lynkeus.scorers.inspect.grid import to_pixels
from lynkeus.scorers.inspect.novelty import Novelty, Where
from lynkeus.scorers.inspect.scorer import Inspect
from lynkeus.scorers.inspect.spots import Inspected
from lynkeus.sources import Select
from lynkeus.studies.cavity_scans.spots import Standard
from lynkeus.studies.surface_inspection.controls import local_contrast
from lynkeus.studies.surface_inspection.tiles import SIDE, Surface, thumbnails

SPOTS = 3
APART = 25  # pixels: the side of the square in which a spot is the highest
GOOD_IMAGES = 150  # of which maps of the parts, or of residuals, set the unit
SMOOTH = 1.0  # pixels of a thumbnail
PARTS = {
    "bank of patches alone": 0,
    "Gaussian of the place alone": 1,
    "alike images alone": 2,
}  # number in Novelty.distances
RANDOM = "inspect, random weights"
RANDOM_EVERY = 3  # good images that it learns from

Finder = Callable[[Array], Inspected]  # of an image (channel, row, column)


def by_contrast(image: Array) -> Inspected:
    """Find spots by local contrast."""
    shown = local_contrast(image)
    return Inspected(float(shown.max()), shown, highest(shown))


def by_inspect(scorer: Inspect) -> Finder:
    """Return the score, map and spots of `inspect` itself."""
    return lambda image: scorer.inspect(Batch(scorer.schema_, image[None]))[0]


class NoveltyParts:
    """The distances that `inspect` starts from, each alone: its highest value is the score of an image, as published.

    Standardised on some of the images that were learned from, each compared with the others only.
    """

    def __init__(self, scorer: Inspect, train: Surface) -> None:
        self.novelty: Novelty = scorer.novelty_
        self.stride = scorer.stride_
        self.features = FeatureMaps(backbone(scorer.backbone, scorer.weights), scorer.stride_)
        images = [image for batch in train for image in batch.values]
        chosen = range(0, len(images), max(1, len(images) // GOOD_IMAGES))
        good = np.concatenate([self._distances(images[k], k).reshape(-1, 3) for k in chosen])
        self.mean, self.sigma = good.mean(axis=0), good.std(axis=0)

    def finders(self) -> Mapping[str, Finder]:
        """Return the ways to find spots by their names."""
        return {name: partial(self._find, part) for name, part in PARTS.items()}

    def _find(self, part: int, image: Array) -> Inspected:
        grid = ((self._distances(image) - self.mean) / self.sigma)[..., part]
        rows, columns = image.shape[1:]
        shown = to_pixels(grid, rows, columns, stride=self.stride)
        return Inspected(float(grid.max()), shown, highest(shown))

    def _distances(self, image: Array, own: int = -1) -> Floats:
        features = self.features.of(image)
        white = self.novelty.white(smoothed(features))
        nearest = self.novelty.nearest_references(white, own)
        return np.asarray(self.novelty.distances(white, Where.whole(features), nearest, own).numpy())


class Residuals:
    """What a network did not make of a thumbnail, in sigma of good ones at each place, at the size of the image."""

    def __init__(self, scorer: Scorer, train: Surface) -> None:
        self.scorer = scorer
        good = np.concatenate([thumbnails(batch.values) for batch in train])
        self.standard = Standard(self._shown(good[:: max(1, len(good) // GOOD_IMAGES)]))

    def __call__(self, image: Array) -> Inspected:
        small = thumbnails(image[None])
        sigma = self.standard.sigma(self._shown(small))[0]
        shown = zoom(sigma, np.array(image.shape[1:]) / SIDE, order=1, mode="nearest", grid_mode=True)
        score = self.scorer.score(Batch(self._schema, small))[0, 0]
        return Inspected(float(score), shown, highest(shown))

    @property
    def _schema(self) -> Any:
        scorer: Any = self.scorer
        return scorer.schema_

    def _shown(self, images: Array) -> Floats:
        residual = np.abs(explanation(self.scorer, Batch(self._schema, images), "anomaly"))[:, 0]
        return np.asarray(gaussian_filter(residual, (0, SMOOTH, SMOOTH)))


def highest(shown: Floats) -> tuple[Spot, ...]:
    """The three highest local peaks of a map."""
    tops = np.argwhere(maximum_filter(shown, APART) == shown)
    order = np.argsort(-shown[tuple(tops.T)], kind="stable")[:SPOTS]
    return tuple(Spot(float(x), float(y), float(shown[y, x]), 0.0) for y, x in tops[order])


def fit_with_random_weights(train: Surface, folder: Path) -> Inspect:
    """`inspect` with the same network that has never seen anything, on every third image."""
    images = sum(len(batch) for batch in train)
    some = Select(train, mask=np.arange(images) % RANDOM_EVERY == 0)
    with _random_weights(folder) as path:
        return Inspect(weights=str(path)).fit(some)


@contextmanager
def _random_weights(folder: Path) -> Iterator[Path]:
    """A file of weights of EfficientNet-lite0 drawn at random, as before a training (He et al. 2015)."""
    found = find_spec(LITE0.package)
    (carried,) = sorted(Path(found.submodule_search_locations[0]).glob(LITE0.file))  # type: ignore[union-attr, index]
    state = torch.load(carried, map_location="cpu", weights_only=True)
    generator = torch.Generator().manual_seed(0)
    for name, weight in state.items():
        if weight.ndim == 4:
            weight.normal_(0.0, (2.0 / weight[0].numel()) ** 0.5, generator=generator)
        elif name.endswith(("running_var", "weight")):
            weight.fill_(1.0)
        else:
            weight.zero_()
    path = folder / "random_weights.pth"
    torch.save(state, path)
    try:
        yield path
    finally:
        path.unlink()
