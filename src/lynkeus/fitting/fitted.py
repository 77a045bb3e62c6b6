"""Fitted: a scorer together with all that is needed to use it on the next file, kept in one folder.

The folder holds `model.json` (schema, windows, layout, channels, calibrations, lineage), `scorer/`, good reference
samples, and `SHA256SUMS` over all of them: a flipped byte is found before a number is believed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from lynkeus.core import Batch, Calibration, Floats, ModelError, Schema, Scorer, Scores, Source, Tracking, plugins
from lynkeus.core.protocols import Classifying, Locating
from lynkeus.files.model_folder import MODEL, verify_model, write_model
from lynkeus.fitting.views.live import Live
from lynkeus.fitting.views.live_channels import LiveChannels
from lynkeus.sources import Window
from lynkeus.sources.wrappers.pictures import Pictures

FORMAT = 1
REFERENCE = "reference.safetensors"
WORTH_LOCATING = 0.01  # a scorer that must explain to locate does so only for rows at most this probable


class Scored(NamedTuple):
    """A batch and what was found: `scores`, `p_values`, `rates` (n, outputs), `where` (n, outputs) channel names,
    `kinds` (n,) of fault, '' where it looks good, by scorers that name them."""

    batch: Batch
    scores: Scores
    p_values: Floats
    rates: Floats | None
    where: npt.NDArray[np.str_]
    kinds: npt.NDArray[np.str_] | None = None


@dataclass
class Fitted:
    """`name` of the scorer in the table of scorers; `schema` of the data as it comes from the file; `window` and
    `stride` in rows (0: single rows); `layout` as a dictionary; one calibration per output; `reference` (k, channel)
    good samples; `lineage`: what it was fitted on, when, by which version, what was excluded."""

    name: str
    scorer: Scorer
    schema: Schema
    channels: LiveChannels
    calibrations: dict[str, Calibration]
    reference: Floats
    window: int = 0
    stride: int = 0
    layout: Mapping[str, Any] | None = None
    lineage: dict[str, Any] = field(default_factory=dict)

    def require_budget(self, budget_per_hour: float) -> None:
        """Raise CalibrationError where the reference cannot support so few false alarms, or knows no times."""
        for calibration in self.calibrations.values():
            calibration.threshold(budget_per_hour)

    def prepare(self, source: Source) -> Source:
        """What the scorer reads: images, or windows of live channels. Raises SchemaError where the data are others."""
        if self.schema.kind == "image" and source.schema.kind == "table":
            source = Pictures(source, int(self.schema.shape[1] or 0))
        self.schema.require(source.schema, f"the model ({self.name})")
        live = Live(source, self.channels)
        return Window(live, self.window, self.stride or None) if self.window else live

    def score(self, source: Source, fresh: bool = True) -> Iterator[Scored]:
        """Score a source in time order; a Tracking scorer starts afresh unless told otherwise."""
        return self.score_prepared(self.prepare(source), fresh)

    def score_prepared(self, prepared: Source, fresh: bool = True) -> Iterator[Scored]:
        """As `score`, of what `prepare` gave: its `messages` then say what was found on the way."""
        if fresh and isinstance(self.scorer, Tracking):
            self.scorer.resume({})
        for batch in prepared:
            yield self.judge(batch)
            if isinstance(self.scorer, Tracking):
                self.scorer.update(batch)

    def judge(self, batch: Batch) -> Scored:
        """Score one prepared batch, without moving the scorer past it."""
        scores = self.scorer.score(batch)
        columns = [self.calibrations[output] for output in self.scorer.outputs]
        p_values = np.stack([c.p_value(scores[:, k]) for k, c in enumerate(columns)], axis=1)
        rates = None
        if all(calibration.hours is not None for calibration in columns):
            rates = np.stack([c.alarms_per_hour(scores[:, k]) for k, c in enumerate(columns)], axis=1)
        kinds = self.scorer.classify(batch) if isinstance(self.scorer, Classifying) else None
        return Scored(batch, scores, p_values, rates, self._locate(batch, p_values), kinds)

    def explain(self, batch: Batch, output: str) -> Floats:
        """Evidence of each live channel (n, channel): the largest over the shots of a window."""
        outputs = self.scorer.outputs
        whole = self.scorer.explain(batch, output) if len(outputs) > 1 else self.scorer.explain(batch)  # type: ignore[call-arg]
        return (
            whole
            if whole.ndim == 2
            else np.take_along_axis(whole, np.abs(whole).argmax(axis=2)[:, :, None], axis=2)[:, :, 0]
        )

    def _locate(self, batch: Batch, p_values: Floats) -> npt.NDArray[np.str_]:
        if batch.schema.kind == "image":
            return self._pixel(batch, p_values)
        names = np.array(batch.schema.names or [f"column {k}" for k in range(batch.values.shape[1])])
        if isinstance(self.scorer, Locating):
            where = self.scorer.locate(batch)
        else:
            where = np.full(p_values.shape, "", dtype=names.dtype)
            rare = np.flatnonzero((p_values <= WORTH_LOCATING).any(axis=1))
            if len(rare):
                part = batch[rare]
                for k, output in enumerate(self.scorer.outputs):
                    where[rare, k] = names[np.abs(self.explain(part, output)).argmax(axis=1)]
        return np.where(np.isnan(p_values), "", where)

    def _pixel(self, batch: Batch, p_values: Floats) -> npt.NDArray[np.str_]:
        """Where in a rare image the evidence is strongest."""
        where = np.full(p_values.shape, "", dtype="U32")
        rare = np.flatnonzero((p_values <= WORTH_LOCATING).any(axis=1))
        if len(rare):
            evidence = np.abs(self.scorer.explain(batch[rare])).max(axis=1)
            peaks = evidence.reshape(len(rare), -1).argmax(axis=1)
            rows, columns = np.unravel_index(peaks, evidence.shape[1:])
            where[rare] = np.array([f"x {x}, y {y}" for x, y in zip(columns, rows, strict=True)])[:, None]
        return where

    def save(self, folder: Path, more: Mapping[str, bytes] | None = None) -> None:
        """Write the folder as a whole, with `more` files in it: it is complete, or what was there before stays.

        Raises ModelError otherwise.
        """
        write_model(folder, self._write, more)

    def _write(self, partial: Path) -> None:
        self.scorer.save(partial / "scorer")
        save_file({"reference": np.ascontiguousarray(self.reference)}, str(partial / REFERENCE))
        (partial / MODEL).write_text(json.dumps(self.to_dict(), indent=1), encoding="utf-8")

    def to_dict(self) -> dict[str, Any]:
        """All but scorer and reference, as plain JSON types."""
        return {
            "format": FORMAT,
            "scorer": self.name,
            "schema": self.schema.to_dict(),
            "channels": self.channels.to_dict(),
            "window": self.window,
            "stride": self.stride,
            "layout": self.layout,
            "calibrations": {name: calibration.to_dict() for name, calibration in self.calibrations.items()},
            "lineage": self.lineage,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], scorer: Scorer, reference: Floats) -> Self:
        """Inverse of `to_dict`."""
        return cls(
            content["scorer"],
            scorer,
            Schema.from_dict(content["schema"]),
            LiveChannels.from_dict(content["channels"]),
            {name: Calibration.from_dict(fields) for name, fields in content["calibrations"].items()},
            reference,
            content["window"],
            content["stride"],
            content["layout"],
            content["lineage"],
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a model folder. Raises ModelError naming the file that is missing, damaged or of another version."""
        verify_model(folder)
        content = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ModelError(f"{folder / MODEL}: format {content['format']}, this version reads {FORMAT}; fit it again")
        scorer = plugins.load("scorers", content["scorer"]).load(folder / "scorer")
        return cls.from_dict(content, scorer, load_file(str(folder / REFERENCE))["reference"])
