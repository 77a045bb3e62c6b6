"""Inspect: which image of a surface is wrong, and where; learned from good images only, in a minute or two.

Features of a pretrained network at every place, how novel each is, and two small networks that were shown planted
blemishes. Maps are in sigmas of good images at that place, and never rescaled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor

from lynkeus.core import (
    About,
    Batch,
    Evidence,
    Finding,
    Floats,
    LastBatch,
    SchemaError,
    Scores,
    Source,
    Unseen,
)
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.networks.backbone import backbone
from lynkeus.scorers.inspect.contrast import Contrast, mean_squares
from lynkeus.scorers.inspect.features import FeatureMaps, cells, smoothed
from lynkeus.scorers.inspect.good_image import GoodImage, covered, digest, half_of
from lynkeus.scorers.inspect.grid import STRIDE, as_bytes, stride_for
from lynkeus.scorers.inspect.heads import HALVES, CellFeatures, Cells, Heads
from lynkeus.scorers.inspect.novelty import Novelty, Where
from lynkeus.scorers.inspect.null_maps import NullMaps
from lynkeus.scorers.inspect.patches import Taken, from_arrays, nearest_good, to_arrays
from lynkeus.scorers.inspect.references import Acquisition, References
from lynkeus.scorers.inspect.spots import Inspected, spot_findings
from lynkeus.transforms.blemishes import plant_blemishes

HELD_CELLS = 2_500_000  # cells of good images that are held in memory, 400 bytes each
PLANTED = 300  # images with planted blemishes to learn from at least, and two of each good one at most
COPIES = 2
CROP = 512  # pixels: of larger images parts are planted into
FEWEST = 8
BASE_BYTES, CELL_BYTES = 1_500_000_000, 720  # of memory for a fit, measured on images of 0.25 and 1 megapixel
THREADS = 2  # that see images at the same time; each computes on one core


@dataclass
class Inspect:
    """`anomaly` of an image: the highest point of a map with more weight on novelty, in sigmas of good images.

    `position`: metadata column that says where an image was taken; images of one position are compared with one another
    (without it, or where it is not known, with those that look most alike). `time`: column that says when, as a date or
    a number; an image is then compared with earlier ones, where there are any. `backbone`: efficientnet_lite0 or
    mobilenet_v2, `weights`: a local file of them instead of those installed; `copies`: of each good image with planted
    blemishes, 0: by how many images there are; `training`: see TrainSettings.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(("image",), True, "map in sigmas", "a minute or two")
    position: str = ""
    time: str = ""
    backbone: str = "efficientnet_lite0"
    weights: str = ""
    copies: int = 0
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._memo: LastBatch[list[tuple[CellFeatures, int, Floats]]] = LastBatch()
        self._shown: LastBatch[list[Inspected]] = LastBatch()

    def fit(self, source: Source) -> Self:
        """Learn from good images, in one pass; small ones, by the first of them, are enlarged for the network.

        Raises SchemaError where they are too few, or no images.
        """
        self._memo.forget()
        self._shown.forget()
        if source.schema.kind != "image" or len(source.schema.names) not in (1, 3):
            kind = source.schema.kind
            raise SchemaError(f"the scorer inspect reads grey or colour images, a folder or a bundle, not a {kind}")
        self.schema_ = source.schema
        self.stride_ = next((stride_for(*batch.values.shape[2:]) for batch in source if len(batch)), STRIDE)
        self._features = FeatureMaps(backbone(self.backbone, self.weights), self.stride_)
        good = self._read(source)
        if len(good) < FEWEST:
            raise SchemaError(f"the scorer inspect learns from {FEWEST} good images at least, got {len(good)}")
        self.digests_ = np.array([one.digest for one in good], np.uint64)
        self.taken_ = [one.taken for one in good]
        self.novelty_ = Novelty.fit([one.features for one in good], self.seed)
        self.references_ = References([good[index].acquisition for index in self.novelty_.reference_image])
        with ThreadPoolExecutor(THREADS) as pool:
            numbers = range(len(good))
            whole = pool.map(lambda index: self._seen(good[index].as_read(), good[index].acquisition, index), numbers)
            distances = [one.distances for one in whole]
            self.heads_ = Heads.fit(self._cells(good, distances, pool), self.seed, self.training)
            held_out = list(pool.map(lambda index: self._views(good[index].seen(distances[index]), index)[0], numbers))
        self.null_maps_ = NullMaps.fit(held_out)
        self.contrast_ = Contrast.fit([one.squares for one in good])
        self.held_out_ = np.array([[self.null_maps_.height(views)] for views in held_out])
        return self

    @staticmethod
    def memory_bytes(images: int, rows: int, columns: int) -> int:
        """About what a fit on so many images takes; bounded, as only some of many images are held."""
        times = STRIDE // stride_for(rows, columns)
        return BASE_BYTES + CELL_BYTES * min(images * cells(rows * times) * cells(columns * times), HELD_CELLS)

    def unseen(self, batch: Batch) -> Unseen:
        """Return scores (n, 1) by networks that have not seen the image: of one that was learned from by the other
        half, of others by both."""
        own = [next(iter(np.flatnonzero(self.digests_ == digest(as_bytes(one))).tolist()), -1) for one in batch.values]
        scores = np.stack(
            [
                self.held_out_[number] if number >= 0 else self.score(batch[index : index + 1])[0]
                for index, number in enumerate(own)
            ]
        )
        return Unseen(scores, np.full(scores.shape, ""))

    def export(self, path: Path, model: Mapping[str, Any]) -> float:
        """Write one ONNX graph from pixels to map and score; see `export_inspect`."""
        from lynkeus.scorers.inspect.export import export_inspect  # it needs packages that a fit does not

        return export_inspect(self, path, model)

    def inspect(self, batch: Batch) -> list[Inspected]:
        """Return score, map and spots of each image. Raises SchemaError for other images than it was fitted on."""
        return self._shown.of(batch, self._inspect)

    def _inspect(self, batch: Batch) -> list[Inspected]:
        found = []
        for index, (seen, own, views) in enumerate(self._looked_at(batch)):
            grid, pixels = self.null_maps_.map(views.mean(axis=0)), as_bytes(batch.values[index])
            shown, spots = self.contrast_.show(grid, pixels, self.stride_)
            alike = tuple(
                nearest_good(self.novelty_, seen.smooth, spot, self.taken_, own, self.stride_) for spot in spots
            )
            found.append(Inspected(self._height(views), shown, spots, alike))
        return found

    def find(self, batch: Batch, output: str = "anomaly") -> list[tuple[Finding, ...]]:
        """Return the spots of each image, highest first, each with the good patches that it is most like."""
        return [spot_findings(one) for one in self.inspect(batch)]

    def _looked_at(self, batch: Batch) -> Iterable[tuple[CellFeatures, int, Floats]]:
        """Return for each image the inputs of the networks, its number among those learned from, and its views; of a
        single one they are remembered, of many they would fill the memory."""
        self.schema_.require(batch.schema, "the scorer inspect")
        looks = (self._look(batch, index) for index in range(len(batch)))
        views = ((seen, own, self._views(seen, own)) for seen, own in looks)
        return self._memo.of(batch, lambda one: list(views)) if len(batch) == 1 else views

    def _look(self, batch: Batch, index: int) -> tuple[CellFeatures, int]:
        """Return the inputs of the networks for one image, and its number among those learned from, -1: none of
        them."""
        pixels = as_bytes(batch.values[index])
        own = next(iter(np.flatnonzero(self.digests_ == digest(pixels)).tolist()), -1)
        return self._seen(self._features.of(pixels), Acquisition.of(batch, index, self.position, self.time), own), own

    def _views(self, seen: CellFeatures, own: int) -> Floats:
        """Return the views (halves, 5, rows, columns); of an image that was learned from by the half that has not seen
        it."""
        halves = range(HALVES) if own < 0 else [1 - half_of(own)]
        return np.asarray(self.heads_.views(seen, halves).numpy())

    def _height(self, views: Floats) -> float:
        """Return the mean of the scores of the halves; that of their mean map would be lower than the scores that
        calibrate it."""
        return float(np.mean([self.null_maps_.height(one) for one in views]))

    def score(self, batch: Batch) -> Scores:
        """Return the image scores (n, 1), see `NullMaps.height`."""
        return np.array([self._height(views) for _, _, views in self._looked_at(batch)]).reshape(-1, 1)

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Return the map of each image in the shape of `values`, the same for all channels."""
        maps = np.stack([one.map for one in self.inspect(batch)])
        return np.broadcast_to(maps[:, None], batch.values.shape)

    def features(self, batch: Batch) -> Floats:
        """Return the mean features (n, f) of each image, for a map of many images by their likeness."""
        found = [self._features.of(as_bytes(image)).mean(dim=(0, 1)).numpy() for image in batch.values]
        return np.array(found)

    def _read(self, source: Source) -> list[GoodImage]:
        """Return the good images: every one, or every second, fourth ... where they are too many to hold."""
        held: list[GoodImage] = []
        every, number = 1, 0
        with ThreadPoolExecutor(THREADS) as pool:
            for batch in source:
                chosen = [index for index in range(len(batch)) if (number + index) % every == 0]
                held += pool.map(lambda index, batch=batch: self._hold(batch, index), chosen)
                number += len(batch)
                while sum(one.features[..., 0].size for one in held) > HELD_CELLS and len(held) > 2 * FEWEST:
                    held, every = held[::2], 2 * every
        return held

    def _hold(self, batch: Batch, index: int) -> GoodImage:
        pixels, taken = as_bytes(batch.values[index]), Taken.of(batch, index)
        acquisition = Acquisition.of(batch, index, self.position, self.time)
        features = self._features.of(pixels).half().numpy()
        number = digest(pixels)
        random = np.random.default_rng(number)
        first = [int(random.integers(max(length - CROP, 0) // STRIDE + 1)) for length in pixels.shape[1:]]
        rows, columns = (slice(start * STRIDE, start * STRIDE + CROP) for start in first)
        part = pixels[:, rows, columns].copy()
        cell = (first[0] * STRIDE // self.stride_, first[1] * STRIDE // self.stride_)
        return GoodImage(part, cell, features, acquisition, number, taken, mean_squares(pixels))

    def _cells(self, good: Sequence[GoodImage], distances: Sequence[Tensor], pool: ThreadPoolExecutor) -> list[Cells]:
        """Return for each half of the images training cells of images as they are and with planted blemishes."""
        copies = self.copies or max(COPIES, ceil(PLANTED / len(good)))
        others = [one.pixels for one in good]

        def some(index: int) -> Cells:
            random, one = np.random.default_rng((self.seed, index)), good[index]
            whole = one.seen(distances[index])
            found = Cells.some(whole, None, random)
            learned = self.novelty_.at_places(self.novelty_.white(whole.smooth))
            for _ in range(copies):
                pixels, mask = plant_blemishes(one.pixels, others, random)
                features = self._features.of(pixels)
                size, shape = one.features.shape[:2], features.shape[:2]
                where = Where((size[0], size[1]), (shape[0], shape[1]), one.first)
                part = self._seen(features, one.acquisition, index, where, learned)
                found.add(Cells.some(part, covered(mask, shape, self.stride_), random))
            return found

        halves = [Cells.none() for _ in range(HALVES)]
        for index, found in enumerate(pool.map(some, range(len(good)))):
            halves[half_of(index)].add(found)
        return halves

    def _seen(
        self, features: Tensor, by: Acquisition, own: int = -1, at: Where | None = None, learned: Tensor | None = None
    ) -> CellFeatures:
        smooth = smoothed(features)
        white = self.novelty_.white(smooth)
        where = at or Where.whole(features)
        nearest = self.novelty_.nearest_references(white, own, self.references_.allowed(by))
        return CellFeatures(features, smooth, self.novelty_.distances(white, where, nearest, own, learned), where)

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        arrays = arrays_of(self.novelty_) | arrays_of(self.null_maps_) | arrays_of(self.contrast_)
        arrays |= {"held_out": self.held_out_, "digests": self.digests_, "stride": np.array([self.stride_])}
        arrays |= self.heads_.to_arrays() | to_arrays(self.taken_) | self.references_.to_arrays()
        write_folder(folder, self.schema_, asdict(self), arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged, SettingsError where the weights are absent."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.stride_ = int(arrays["stride"][0]) if "stride" in arrays else STRIDE  # of a model of before
        scorer._features = FeatureMaps(backbone(scorer.backbone, scorer.weights), scorer.stride_)
        scorer.novelty_, scorer.heads_ = part_of(Novelty, arrays), Heads.from_arrays(arrays)
        scorer.null_maps_, scorer.contrast_ = part_of(NullMaps, arrays), part_of(Contrast, arrays)
        scorer.held_out_, scorer.references_ = arrays["held_out"], References.from_arrays(arrays)
        scorer.digests_, scorer.taken_ = arrays["digests"], from_arrays(arrays["taken"])
        return scorer
