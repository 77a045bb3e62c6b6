"""Hit filter: which hits of a time projection chamber are noise, learned from what a tracker made of them.

Dense and convolutional networks and boosted trees learn from hits on and off tracks; that which removes most noise from
hits that it has not seen is taken. What is removed is stated by the signal that is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from torch import nn

from lynkeus.core import (
    About,
    Array,
    Batch,
    Evidence,
    Finding,
    Floats,
    LastBatch,
    SchemaError,
    Scores,
    SettingsError,
    Source,
    Unseen,
)
from lynkeus.scorers.hits.choose import Chosen, Known, choose, read_known
from lynkeus.scorers.hits.keep import load_filter, save_filter
from lynkeus.scorers.hits.learners import METHODS, LearnSettings
from lynkeus.scorers.hits.working_point import LABELS, SIGNAL
from lynkeus.sources.hits.names import patch_of
from lynkeus.transforms.missing import with_enough_data

AUTO = "auto"


@dataclass
class HitFilter:
    """`anomaly`: log odds of a hit being noise.

    `method`: trees, dense, convolutional, or auto: the one that removes most of hits that it has not seen, the names of
    several after commas are tried. `signal_loss`: share of the signal that may be removed; `loss_of`: signal, by a
    model of the mistakes of the labels, or labels: all hits that are labelled as on a track. `patch`: pads x times of
    the cells, such as 5x7, where the names of their columns do not say it. `evenly`: the loss is spread over hits
    however they look, and `anomaly` is less what signal that looks alike scores; else whole steep tracks are lost.
    `trees`, `leaves`, `width`, `training`: of trees and networks; at most `most` hits are learned from.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(
        ("hit",), True, "what each column adds, beside usual hits on tracks", "seconds to minutes", labels="known",
        constants=True, recommended=True,
    )  # fmt: skip
    method: str = AUTO
    signal_loss: float = 0.05
    loss_of: str = SIGNAL
    patch: str = ""
    trees: int = 200
    leaves: int = 24
    width: int = 64
    most: int = 400_000
    seed: int = 0
    evenly: bool = True
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._memo: LastBatch[Floats] = LastBatch()
        self.messages: list[str] = []
        if not 0 < float(self.signal_loss) < 1:
            raise SettingsError(f"signal_loss must lie between 0 and 1, such as 0.05, got {self.signal_loss!r}")
        if self.loss_of not in (SIGNAL, LABELS):
            raise SettingsError(f"loss_of must be {SIGNAL} or {LABELS}, got {self.loss_of!r}")
        unknown = sorted(set(self.methods) - set(METHODS))
        if unknown:
            raise SettingsError(f"method must be auto or of {', '.join(METHODS)}, got {', '.join(unknown)}")

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the methods that are tried."""
        return METHODS if self.method == AUTO else tuple(part.strip() for part in str(self.method).split(","))

    def fit(self, source: Source) -> Self:
        """Learn from hits with truth 0 (on a track) and 1 (noise). Raises SettingsError where there is only one kind,
        CalibrationError for too few hits of one."""
        if source.schema.kind != "hit":
            raise SchemaError(f"hit_filter reads hits, got a {source.schema.kind}")
        self._memo.forget()
        self.schema_ = source.schema
        known = read_known(source, self.most, self.seed)
        loss, names = float(self.signal_loss), source.schema.names
        self.take(choose(known, names, self._patch(), self._settings(), self.methods, loss, self.loss_of))
        self.centre_, self.spread_ = _usual(known)
        self._positions, self._unseen = known.position, self.chosen_.unseen
        return self

    def take(self, chosen: Chosen) -> None:
        """Take what was learned."""
        self.chosen_, self.point_, self.learner_ = chosen, chosen.point, chosen.learner
        self.messages = chosen.lines(float(self.signal_loss), self.loss_of)

    def _settings(self) -> LearnSettings:
        return LearnSettings(int(self.trees), int(self.leaves), int(self.width), dict(self.training), int(self.seed),
                             bool(self.evenly))  # fmt: skip

    def _patch(self) -> tuple[list[int], tuple[int, int]]:
        places, shape = patch_of(self.schema_.names)
        if not self.patch:
            return places, shape
        try:
            pads, times = (int(part) for part in str(self.patch).lower().split("x"))
        except ValueError as error:
            raise SettingsError(f"patch must be pads x times such as 5x7, got {self.patch!r}") from error
        if pads * times != len(places):
            raise SettingsError(f"patch {self.patch}: there are {len(places)} columns of cells; give as many")
        return places, (pads, times)

    def score(self, batch: Batch) -> Scores:
        """Return log odds (n, 1); NaN for a hit that misses more than half of its values."""
        self.schema_.require(batch.schema, "this hit_filter")
        if not len(batch):
            return np.empty((0, 1))
        return with_enough_data(batch, self._memo.of(batch, lambda one: self.learner_.decide(one.values)))

    def unseen(self, batch: Batch) -> Unseen:
        """Return scores of hits that were learned from by learners that have not seen them."""
        scores = np.full((len(batch), 1), np.nan)
        place = np.searchsorted(self._positions, batch.meta["position"])
        place = np.minimum(place, len(self._positions) - 1)
        there = self._positions[place] == batch.meta["position"]
        scores[there, 0] = self._unseen[place[there]]
        return Unseen(scores, np.full(scores.shape, "", dtype=str))

    def further(self, batch: Batch) -> dict[str, Array]:
        """Return `noise_probability`, by the model of the mistakes of the labels, and `remove` at the stated loss; what
        has no score is kept."""
        scores = self.score(batch)[:, 0]
        chance = self.point_.mistakes.noise_probability(self.chosen_.chances.of(scores))
        remove = np.nan_to_num(scores, nan=-np.inf) > self.point_.threshold
        return {"noise_probability": chance, "remove": remove}

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Return in the shape of `values` by how much the log odds fall where a column has the usual value of hits on
        tracks instead."""
        self.schema_.require(batch.schema, "this hit_filter")
        found = np.zeros(batch.values.shape)
        if not len(batch):
            return found
        whole = self.learner_.decide(batch.values)
        for column, usual in enumerate(self.centre_):
            changed = batch.values.copy()
            changed[:, column] = usual
            found[:, column] = whole - self.learner_.decide(changed)
        return found

    def find(self, batch: Batch, output: str = "anomaly") -> list[tuple[Finding, ...]]:
        """Name for hits that are removed the column that is farthest from that of hits on tracks, in their spread."""
        found: list[tuple[Finding, ...]] = [()] * len(batch)
        removed = np.flatnonzero(self.further(batch)["remove"])
        if len(removed):
            away = np.abs(np.nan_to_num((batch.values[removed] - self.centre_) / self.spread_))
            said = [(Finding(where=name),) for name in self.schema_.names]
            for row, column in zip(removed.tolist(), away.argmax(axis=1).tolist(), strict=True):
                found[row] = said[column]
        return found

    def as_module(self) -> nn.Module:
        """Return the scorer as a module from raw values (n, columns) to scores (n, 1)."""
        from lynkeus.networks.hits.export import HitScores

        return HitScores(self.learner_.as_module())

    def export(self, path: Path, model: Mapping[str, Any]) -> float:
        """Write it as ONNX, from raw values to scores, with the threshold; see `export_onnx`."""
        from lynkeus.scorers.onnx.export import export_onnx  # it needs packages that a fit does not

        more = {"threshold": self.point_.threshold, "signal_loss": float(self.signal_loss)}
        return export_onnx(self, path, more=more)

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        save_filter(self, folder, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        return load_filter(cls, folder)


def _usual(known: Known) -> tuple[Floats, Floats]:
    """Return median and spread of each column over hits on tracks."""
    signal = known.values[known.noise == 0].astype(float)
    low, centre, high = np.nan_to_num(np.nanquantile(signal, (0.16, 0.5, 0.84), axis=0))
    spread = 0.5 * (high - low)
    return centre, np.where(spread > 1e-12, spread, np.maximum(np.nan_to_num(np.nanstd(signal, axis=0)), 1e-6))
