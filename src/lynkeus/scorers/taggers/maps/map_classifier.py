"""Classes of density maps, by a network, by PCA and logistic regression, or by observables of clumping.

After the networks of Steinheimer et al. 2019 (arXiv:1906.06562), which told matter that broke up from matter that did
not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from lynkeus.core import About, Array, Floats, LastBatch, SettingsError
from lynkeus.networks.maps.padding import rings_of
from lynkeus.scorers.taggers.maps.tagger import METHODS, MapTagger
from lynkeus.scorers.taggers.maps.task import turned
from lynkeus.scorers.taggers.tagger import names_of
from lynkeus.training import TrainSettings
from lynkeus.transforms.clumping import clumping, pairs_apart

PAIRS = "pairs"
OWN_METHODS = (*METHODS, PAIRS)
DEFAULTS = TrainSettings(epochs=30, batch_size=0, learning_rate=1e-3, decay=1e-5, patience=8, held_out=0.15)


@dataclass
class MapClassifier(MapTagger):
    """The classes are those of the samples, the scores their probabilities.

    `method`: "spinodal" (three layers of small kernels), "published" or "released" (those of `eos_meter`), "dense",
    "pca" (20 scores of the places of maps, and logistic regression), "pairs" (the same of how often two charges of the
    first channel are so far apart, wherever they are) or "observables" (moments, clumps, Minkowski functionals of the
    first channel); `turns`: whether maps are mirrored and moved in training along axes that go round, which they do
    where opposite edges look like neighbours.
    """

    about: ClassVar[About] = About(
        ("image",), True, "prediction differences", "minutes", labels="classes", constants=True, tags=True
    )
    name: ClassVar[str] = "map_classifier"
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    defaults: ClassVar[TrainSettings] = DEFAULTS
    classes: tuple[str, ...] = ()
    method: str = "spinodal"
    turns: bool = True
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.classes = names_of(self.classes)
        self._memo = LastBatch()
        if self.method not in OWN_METHODS:
            raise SettingsError(f"method must be one of {', '.join(OWN_METHODS)}, got {self.method!r}")

    @property
    def by_scores(self) -> bool:
        """Return whether a linear method looks at principal components of its columns."""
        return self.method == PAIRS or super().by_scores

    @property
    def rings(self) -> tuple[bool, bool]:
        """Return whether rows and columns go round."""
        return self.rings_

    def look(self, values: Array) -> None:
        """Learn mean and spread of each channel, and whether edges are neighbours."""
        found = np.asarray(values, float)
        self.centre_ = np.nanmean(found, axis=(0, 2, 3))[:, None, None]
        self.sigma_ = np.maximum(np.nanstd(found, axis=(0, 2, 3))[:, None, None], 1e-12)
        self.rings_ = rings_of(values)

    def inputs(self, values: Array) -> Floats:
        """Return maps in spreads; missing places are as the mean."""
        found = (np.asarray(values, float) - self.centre_) / self.sigma_
        empty = ~np.isfinite(found).any(axis=(1, 2, 3), keepdims=True)
        return np.where(empty, np.nan, np.nan_to_num(found)).astype(np.float32)

    def back(self, x: Floats) -> Floats:
        """Return maps."""
        return x * self.sigma_ + self.centre_

    def observables_of(self, values: Array) -> Floats:
        """Return observables of clumping of the first channel, or how far its pairs are apart."""
        maps = np.nan_to_num(values[:, 0])
        return pairs_apart(maps, self.rings_).reshape(len(maps), -1) if self.method == PAIRS else clumping(maps)

    def change(self, x: Tensor) -> Tensor:
        """Return maps that are mirrored and moved."""
        return turned(x, self.rings_) if self.turns else x

    def to_arrays(self) -> dict[str, Array]:
        """Return what was learned."""
        own = {"centre": self.centre_, "sigma": self.sigma_, "rings": np.array(self.rings_)}
        return super().to_arrays() | own

    def take_arrays(self, arrays: Mapping[str, Array], folder: Any) -> None:
        """Take what `to_arrays` returned. Raises ModelError naming what is damaged."""
        self.centre_, self.sigma_ = arrays["centre"], arrays["sigma"]
        self.rings_ = (bool(arrays["rings"][0]), bool(arrays["rings"][1]))
        super().take_arrays(arrays, folder)
