"""Smoothed: another scorer's maps of the sections of a run, corrected for places and joined over sections in a row."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from lynkeus.core import (
    About,
    Array,
    Batch,
    Evidence,
    Floats,
    SchemaError,
    Scorer,
    Scores,
    SettingsError,
    Source,
    Tracking,
    plugins,
)
from lynkeus.files.arrays import read_scorer, write_folder
from lynkeus.scorers.combine.score_maps import SpatialCorrection, TimeCorrection

KINDS = ("image", "histogram")
MEMBER = "scorer"


@dataclass
class Smoothed:
    """`anomaly` of a section of a run (a lumisection, a minute; one sample each, in the order of time): the highest
    place of the corrected map, in units of what is usual there.

    The map is the size of what `scorer`, with its `options`, explains. `spatial`: divided by the average of good
    sections; `neighbours`: and averaged over a Gaussian of so many cells (images only); `sections`: joined with those
    before it (1: not), of the same `meta["run"]`, by their `meta["livetime_s"]`, where there are any. It follows the
    run: its state is the last sections. Learned: `inner_`, `correction_`.
    """

    about: ClassVar[About] = About(("image", "histogram"), False, "the corrected map", "that of its scorer", runs=True)
    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    scorer: str = "binned_chi2"
    options: Mapping[str, Any] = field(default_factory=dict)
    spatial: bool = True
    neighbours: float = 0.0
    sections: int = 3
    how: str = "mean"

    def fit(self, source: Source) -> Self:
        """Fit the scorer, then learn what is usual at each place from the same good sections.

        Raises SchemaError for another kind, SettingsError for a scorer that follows its instrument itself, or settings
        that make no sense.
        """
        self._time()
        if source.schema.kind not in KINDS:
            raise SchemaError(f"the scorer smoothed reads sections as images or histograms, not a {source.schema.kind}")
        if self.neighbours and (source.schema.kind != "image" or not self.spatial):
            raise SettingsError("neighbours are averaged over in images, with the spatial correction")
        self.inner_: Scorer = plugins.make_scorer(self.scorer, self.options)
        if isinstance(self.inner_, Tracking):
            raise SettingsError(f"{self.scorer} follows its instrument in time; use it alone")
        self.schema_ = source.schema
        self.inner_.fit(source)
        if self.spatial:
            found = [(self._maps(batch), _livetime(batch)) for batch in source]
            maps, livetime = (np.concatenate(parts) for parts in zip(*found, strict=True))
            self.correction_ = SpatialCorrection.fit(maps, self.neighbours, livetime)
        self.resume({})
        return self

    def score(self, batch: Batch) -> Scores:
        """Return the scores (n, 1); NaN for a section that the scorer does not judge, or that was dead."""
        corrected = self._corrected(batch)
        places = tuple(range(1, corrected.ndim))
        highest = np.where(np.isfinite(corrected), corrected, -np.inf).max(axis=places, initial=-np.inf)
        return np.where(np.isfinite(highest), highest, np.nan)[:, None]

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """The corrected map, 0 where there is no data."""
        return np.nan_to_num(self._corrected(batch))

    def update(self, batch: Batch) -> None:
        """Remember the last sections, which the next ones are averaged with."""
        joined = self._with_last(batch)
        self.last_ = {name: column[max(len(column) - self.sections + 1, 0) :] for name, column in joined.items()}

    def state(self) -> dict[str, Array]:
        """The maps of the last sections, their livetimes and runs."""
        return dict(self.last_)

    def resume(self, state: dict[str, Array]) -> None:
        """Go on from a state of `state`, or afresh with None."""
        self.last_ = dict(state)

    def save(self, folder: Path) -> None:
        """Write to a folder, the scorer inside to one of its own."""
        arrays = {"usual": self.correction_.usual} if self.spatial else {}
        write_folder(folder, self.schema_, asdict(self), arrays)
        self.inner_.save(folder / MEMBER)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.inner_ = plugins.load("scorers", scorer.scorer).load(folder / MEMBER)
        if scorer.spatial:
            scorer.correction_ = SpatialCorrection(arrays["usual"], scorer.neighbours)
        scorer.resume({})
        return scorer

    def _time(self) -> TimeCorrection:
        return TimeCorrection(self.sections, self.how)

    def _maps(self, batch: Batch) -> Floats:
        """Return maps in the shape of the values; NaN where a value is missing, and in sections that are not judged."""
        maps = np.abs(np.asarray(self.inner_.explain(batch, self.inner_.outputs[0]), np.float64))
        judged = np.isfinite(self.inner_.score(batch)).any(axis=1)
        there = np.isfinite(batch.values) & judged.reshape(-1, *[1] * (maps.ndim - 1))
        return np.where(there, maps, np.nan)

    def _corrected(self, batch: Batch) -> Floats:
        self.schema_.require(batch.schema, "the scorer smoothed")
        if not len(batch):
            return np.zeros(batch.values.shape)
        joined = self._with_last(batch)
        return self._time().apply(joined["maps"], joined["run"], joined["livetime"])[-len(batch) :]

    def _with_last(self, batch: Batch) -> dict[str, Array]:
        """Maps, corrected for places only, runs as numbers and livetimes: of the last sections, then of these."""
        maps = self._maps(batch)
        names = batch.meta.get("run", np.zeros(len(batch), np.int64))
        new = {
            "maps": self.correction_.apply(maps) if self.spatial else maps,
            "run": np.array([zlib.crc32(str(name).encode()) for name in names], np.int64),
            "livetime": _livetime(batch),
        }
        return {name: np.concatenate([self.last_[name], own]) if self.last_ else own for name, own in new.items()}


def _livetime(batch: Batch) -> Floats:
    return np.asarray(batch.meta.get("livetime_s", np.ones(len(batch))), np.float64)
