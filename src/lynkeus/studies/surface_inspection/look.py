"""What the study asks of every row beside its AUROC: does it point at the defect, by class, exposure and half."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lynkeus.core import Array, Batch, Findings, Outcome
from lynkeus.metrics.images import LocatedImages
from lynkeus.metrics.rates import auroc
from lynkeus.scorers.inspect.scorer import Inspect
from lynkeus.scorers.inspect.spots import Inspected
from lynkeus.studies.surface_inspection.controls import CONTRAST
from lynkeus.studies.surface_inspection.figures import ExampleImage, efficiency_figure, examples_figure, standing_figure
from lynkeus.studies.surface_inspection.maps import (
    RANDOM,
    Finder,
    NoveltyParts,
    Residuals,
    by_contrast,
    by_inspect,
    fit_with_random_weights,
)
from lynkeus.studies.surface_inspection.tiles import Surface

NUMBERS = {
    "image_auroc": "image AUROC", "image_ap": "image AP", "pointing": "peak in the mask", "near": "one of 3 spots near",
    "pixel_ap": "pixel AP", "pro_0.05": "PRO 0.05", "pro_0.3": "PRO 0.3",
}  # fmt: skip
IN_THE_HALVES = ("image_auroc", "pointing", "near", "pixel_ap")
HALVES = {"looked at": 1, "not looked at": 0}
FEWEST = 5  # images, good and defective, of an exposure
INSPECT = "inspect"


@dataclass(frozen=True)
class SurfaceLook:
    """Maps of all rows against the masks of `test`; one look for both parts, so that its figures show both.

    `random`: also `inspect` with random weights, which takes as long again.
    """

    train: Surface
    test: Surface
    classes: Sequence[str]
    random: bool = True
    found: dict[str, LocatedImages] = field(default_factory=dict)
    measured: dict[str, dict[str, float]] = field(default_factory=dict)

    def __call__(self, case: str, outcomes: Sequence[Outcome], folder: Path) -> Findings:
        """Return tables, numbers and figures of one case; figures are written to the folder."""
        finders = self._finders(outcomes, folder)
        new = {name: LocatedImages() for name in finders}
        for batch in self.test:
            for image, file, truth in zip(batch.values, batch.meta["file"], _truth(batch), strict=True):
                mask = self.test.mask(str(file))
                for name, find in finders.items():
                    said = find(image)
                    new[name].add(said.score, said.map, said.spots, mask, int(truth))
        self.found.update(new)
        self.measured.update(self._measure(new))
        figures = {"standing.svg": STANDING, "efficiency.svg": EFFICIENCY}
        standing_figure(self.measured, NUMBERS, folder / "standing.svg")
        efficiency_figure(
            {name: (one.truth, one.scores) for name, one in self.found.items()}, folder / "efficiency.svg"
        )
        if INSPECT in new:
            examples = list(self._examples(new[INSPECT], finders[INSPECT]))
            examples_figure(examples, folder / "examples.png")
            figures = {"examples.png": EXAMPLES}
        metrics = {f"{name}.{key}": value for name in new for key, value in self.measured[name].items()}
        return Findings(figures, metrics, self._tables(new, metrics))

    def _finders(self, outcomes: Sequence[Outcome], folder: Path) -> dict[str, Finder]:
        found: dict[str, Finder] = {}
        for outcome in outcomes:
            if isinstance(outcome.scorer, Inspect):
                found[outcome.name] = by_inspect(outcome.scorer)
                found |= NoveltyParts(outcome.scorer, self.train).finders()
                if self.random:
                    found[RANDOM] = by_inspect(fit_with_random_weights(self.train, folder))
            elif outcome.scorer is not None:
                found[outcome.name] = Residuals(outcome.scorer, self.train)
            elif outcome.name == CONTRAST:
                found[outcome.name] = by_contrast
        return found

    def _measure(self, new: Mapping[str, LocatedImages]) -> dict[str, dict[str, float]]:
        """Return all numbers of each row."""
        meta = {name: np.concatenate([batch.meta[name] for batch in self.test]) for name in ("exposure", "looked_at")}
        measured = {}
        for name, images in new.items():
            numbers = images.measure()
            for key, (low, high) in images.intervals().items():
                numbers |= {f"{key}.low": low, f"{key}.high": high}
            numbers |= self._by_class(images) | _by_exposure(images, meta["exposure"])
            measured[name] = numbers | _by_half(images, meta["looked_at"])
        return measured

    def _by_class(self, images: LocatedImages) -> dict[str, float]:
        numbers: dict[str, float] = {}
        for number, name in enumerate(self.classes):
            own = images.measure(np.flatnonzero(np.isin(images.truth, (0, number))))
            if number:
                numbers |= {f"{name}.{key}": own[key] for key in ("image_auroc", "pointing", "near")}
        return numbers

    def _tables(
        self, new: Mapping[str, LocatedImages], metrics: Mapping[str, float]
    ) -> dict[str, Sequence[Sequence[str]]]:
        lines = [("", *NUMBERS.values())]
        lines += [(name, *(_with_interval(metrics, f"{name}.{key}") for key in NUMBERS)) for name in new]
        kinds = self.classes[1:]
        by_class = [("image AUROC, peak in the mask", *kinds)]
        for name in new:
            pairs = [[metrics[f"{name}.{kind}.{key}"] for key in ("image_auroc", "pointing")] for kind in kinds]
            by_class.append((name, *(f"{score:.3f}, {point:.2f}" for score, point in pairs)))
        tables: dict[str, Sequence[Sequence[str]]] = {"Which image, and where": lines, "By class": by_class}
        first = next(iter(new))
        exposures = [key.split(".")[1] for key in metrics if key.startswith(f"{first}.exp") and key.endswith(".auroc")]
        if exposures:
            rows = [(name, *(f"{metrics[f'{name}.{one}.auroc']:.3f}" for one in exposures)) for name in new]
            tables["Image AUROC within an exposure"] = [("", *exposures), *rows]
        if f"{first}.looked at.pointing" in metrics:
            names = [(half, key) for key in IN_THE_HALVES for half in HALVES]
            rows = [(name, *(f"{metrics[f'{name}.{half}.{key}']:.3f}" for half, key in names)) for name in new]
            tables["Defective images that were looked at, and the others"] = [
                ("", *(f"{NUMBERS[key]}, {half}" for half, key in names)), *rows,
            ]  # fmt: skip
        return tables

    def _examples(self, images: LocatedImages, find: Finder) -> list[ExampleImage]:
        """Choose from each class the image in the middle, and the worst failure: of good ones the highest score, of
        others the lowest among those with the peak beside the mask, or of all."""
        files = np.concatenate([batch.meta["file"] for batch in self.test])
        chosen: dict[int, tuple[int, str]] = {}
        for number, name in enumerate(self.classes):
            rows = np.flatnonzero((images.truth == number) & (np.isfinite(images.pointed) | (number == 0)))
            if not len(rows):
                continue
            order = rows[np.argsort(images.scores[rows], kind="stable")]
            missed = [row for row in order if images.pointed[row] == 0] or list(order)
            worst = order[-1] if number == 0 else missed[0]
            chosen |= {int(order[len(order) // 2]): (number, name), int(worst): (number, f"{name}, worst")}
        pictures = self._images(sorted(chosen))
        found = []
        for row, (_, title) in sorted(chosen.items(), key=lambda item: item[1]):
            said: Inspected = find(pictures[row])
            found.append(ExampleImage(title, pictures[row], said, self.test.mask(str(files[row])), str(files[row])))
        return found

    def _images(self, rows: Sequence[int]) -> dict[int, Array]:
        found: dict[int, Array] = {}
        first = 0
        for batch in self.test:
            found |= {row: batch.values[row - first] for row in rows if first <= row < first + len(batch)}
            first += len(batch)
        return found


def _truth(batch: Batch) -> Array:
    assert batch.truth is not None
    return batch.truth


def _by_exposure(images: LocatedImages, exposure: Array) -> dict[str, float]:
    """AUROC of defective against good images of the same exposure."""
    numbers = {}
    for name in np.unique(exposure):
        rows = np.flatnonzero(exposure == name)
        wrong = images.truth[rows] != 0
        if name and min(wrong.sum(), (~wrong).sum()) >= FEWEST:
            numbers[f"{name}.auroc"] = auroc(wrong, images.scores[rows])
    return numbers


def _by_half(images: LocatedImages, looked_at: Array) -> dict[str, float]:
    """Defective images that were looked at while `inspect` was made, or were not, each with all good ones."""
    numbers: dict[str, float] = {}
    for name, half in (HALVES if looked_at.any() else {}).items():
        own = images.measure(np.flatnonzero((images.truth == 0) | (looked_at == half)))
        numbers |= {f"{name}.{key}": own[key] for key in IN_THE_HALVES}
    return numbers


def _with_interval(metrics: Mapping[str, float], key: str) -> str:
    return f"{metrics[key]:.3f} ({metrics[f'{key}.low']:.3f} to {metrics[f'{key}.high']:.3f})"


STANDING = (
    "Every row with a map: which image (AUROC), whether the highest point of the map lies in the mask, whether one of "
    "the three spots lies within 8 pixels of it, and how well the map fits the mask; 90 % intervals, images drawn again"
)
EFFICIENCY = "Share of the defective images at or above a threshold, against that of the good ones"
EXAMPLES = (
    "inspect: for each class the image with the middle score and the worst failure. Left the image with the outline of "
    "the mask and the spots in their order, right the map from 0 to 10 sigmas of good images, the same scale everywhere"
)
