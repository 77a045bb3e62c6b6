"""OnnxInspect: inspects images by onnxruntime, from a file of `export_inspect`, where there is no PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from lynkeus.core import (
    Array,
    Batch,
    Evidence,
    Finding,
    Floats,
    LastBatch,
    Schema,
    Scores,
    SettingsError,
    Source,
)
from lynkeus.scorers.inspect.contrast import Contrast
from lynkeus.scorers.inspect.grid import STRIDE, as_bytes
from lynkeus.scorers.inspect.references import Acquisition, References
from lynkeus.scorers.inspect.spots import Inspected, spot_findings
from lynkeus.scorers.onnx.onnx_scorer import SCORES, open_onnx

PIXELS, ALLOWED = "pixels", "allowed"  # (1, channel, row, column) uint8; (r,) good images that it is compared with
MAP = "map"  # of cells, in sigmas; see `centre_of`


class OnnxInspect:
    """The scorer inspect as it was exported, `fitted` as its model folder says; `position` and `time` are columns.

    It finds what the scorer finds, but does not know images again that were learned from: these look better than good.
    Nor does it name good patches beside spots.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)

    def __init__(self, session: Any, about: Mapping[str, Any]) -> None:
        self._memo: LastBatch[list[tuple[float, Floats]]] = LastBatch()
        self.session, self.fitted = session, about["fitted"]
        self.schema_ = Schema.from_dict(about["schema"])
        self.contrast, self.stride = Contrast(np.array(about["usual_contrast"])), int(about.get("stride", STRIDE))
        self.position, self.time = about["columns"]["position"], about["columns"]["time"]
        self.references = References.from_list(about["references"])

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file. Raises ModelError where it is no file of `export_inspect`, SettingsError without onnxruntime."""
        return cls(*open_onnx(path, (PIXELS, ALLOWED)))

    def inspect(self, batch: Batch) -> list[Inspected]:
        """Score, map and spots of each image. Raises SchemaError for other images than it was fitted on."""
        found = zip(batch.values, self._memo.of(batch, self._look), strict=True)
        return [
            Inspected(score, *self.contrast.show(grid, as_bytes(pixels), self.stride))
            for pixels, (score, grid) in found
        ]

    def score(self, batch: Batch) -> Scores:
        """Return the image scores (n, 1), as the scorer gives them for images that it has not learned from."""
        return np.array([score for score, _ in self._memo.of(batch, self._look)], float).reshape(-1, 1)

    def find(self, batch: Batch, output: str = "anomaly") -> list[tuple[Finding, ...]]:
        """Return the spots of each image, highest first."""
        return [spot_findings(one) for one in self.inspect(batch)]

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Return the map of each image, the same for all channels."""
        maps = np.stack([one.map for one in self.inspect(batch)])
        return np.broadcast_to(maps[:, None], batch.values.shape)

    def fit(self, source: Source) -> Self:
        """Raise SettingsError: a file of an exported model can be scored with, not fitted."""
        raise SettingsError("an exported model cannot be fitted; fit with -s inspect")

    def save(self, folder: Path) -> None:
        """Raise SettingsError: the file is already there."""
        raise SettingsError("an exported model is kept as its file; copy it")

    def _look(self, batch: Batch) -> list[tuple[float, Floats]]:
        """Return score and map of cells of each image."""
        self.schema_.require(batch.schema, "the exported model")
        acquisitions = (Acquisition.of(batch, index, self.position, self.time) for index in range(len(batch)))
        return [self._scored(as_bytes(pixels), taken) for pixels, taken in zip(batch.values, acquisitions, strict=True)]

    def _scored(self, pixels: Array, acquisition: Acquisition) -> tuple[float, Floats]:
        given = {PIXELS: np.ascontiguousarray(pixels[None]), ALLOWED: self.references.allowed(acquisition)}
        scores, grid = self.session.run([SCORES, MAP], given)
        return float(scores[0, 0]), grid
