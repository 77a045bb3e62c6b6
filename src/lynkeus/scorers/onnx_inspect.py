"""OnnxInspect: inspects images by onnxruntime, from a file of `export_inspect`, where there is no PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from lynkeus.core import Array, Batch, Floats, Inspected, Schema, Scores
from lynkeus.scorers.inspect_contrast import Contrast
from lynkeus.scorers.inspect_grid import as_bytes
from lynkeus.scorers.onnx_scorer import SCORES, open_onnx

PIXELS, POSITION = "pixels", "position"  # (1, channel, row, column) uint8; number of a position, NOWHERE, UNKNOWN
MAP = "map"  # of cells, in sigmas; the centre of cell k is at pixel STRIDE * k + CENTRE
NOWHERE, UNKNOWN = -2, -1  # no position is named; one that no good image has


class OnnxInspect:
    """The scorer inspect as it was exported, `fitted` as its model folder says; `position` and `time` are columns.

    It finds what the scorer finds, but does not know images again that were learned from: these look better than good.
    Nor does it name good patches beside spots.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)

    def __init__(self, session: Any, about: Mapping[str, Any]) -> None:
        self.session, self.fitted = session, about["fitted"]
        self.schema_ = Schema.from_dict(about["schema"])
        self.contrast = Contrast(np.array(about["usual_contrast"]))
        self.position, self.time = about["columns"]["position"], about["columns"]["time"]
        self._numbers = {name: number for number, name in enumerate(about["positions"]) if name}

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file. Raises ModelError where it is no file of `export_inspect`, SettingsError without onnxruntime."""
        return cls(*open_onnx(path, (PIXELS, POSITION)))

    def inspect(self, batch: Batch) -> list[Inspected]:
        """Score, map and spots of each image. Raises SchemaError for other images than it was fitted on."""
        found = zip(batch.values, self._look(batch), strict=True)
        return [Inspected(score, *self.contrast.show(grid, as_bytes(pixels))) for pixels, (score, grid) in found]

    def score(self, batch: Batch) -> Scores:
        """(n, 1) as the scorer."""
        return np.array([score for score, _ in self._look(batch)], float).reshape(-1, 1)

    def _look(self, batch: Batch) -> list[tuple[float, Floats]]:
        """Score and map of cells of each image."""
        self.schema_.require(batch.schema, "the exported model")
        column = batch.meta.get(self.position) if self.position else None
        names = [""] * len(batch) if column is None else [str(name) for name in column]
        return [self._judged(as_bytes(pixels), name) for pixels, name in zip(batch.values, names, strict=True)]

    def _judged(self, pixels: Array, name: str) -> tuple[float, Floats]:
        number = self._numbers.get(name, UNKNOWN) if name else NOWHERE
        given = {PIXELS: np.ascontiguousarray(pixels[None]), POSITION: np.array(number, np.int64)}
        scores, grid = self.session.run([SCORES, MAP], given)
        return float(scores[0, 0]), grid
