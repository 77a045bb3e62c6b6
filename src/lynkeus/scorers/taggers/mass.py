"""The best cut on the mass of jets: how much likelier it is in a class than in the others, by histograms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lynkeus.core import About, Array, Batch, Floats, SettingsError, Source
from lynkeus.scorers.taggers.by_observables import ByObservables
from lynkeus.scorers.taggers.tagger import names_of
from lynkeus.transforms.jets.observables import OBSERVABLES

MASSES = ("mass", "sdmass")
MASS_BINS = 60
PRIOR = 1.0  # of a jet in each bin of each class, shared, so that no bin is empty


@dataclass
class JetMass(ByObservables):
    """The best cut on one mass: how much likelier it is in a class than in the others, by histograms.

    `mass`: sdmass (soft drop) or mass; the rest: see JetObservables. Learned: `edges_` in GeV, `shares_` (classes,
    bins).
    """

    name: ClassVar[str] = "jet_mass"
    quick: ClassVar[bool] = True
    about: ClassVar[About] = About(
        ("cloud",), False, "particles left out", "seconds", labels="classes", weights=True, tags=True,
    )  # fmt: skip
    classes: Any = ()
    mass: str = "sdmass"
    radius: float = 0.8
    z_cut: float = 0.1
    reweight: str = "classes"

    def __post_init__(self) -> None:
        self.classes = names_of(self.classes)
        if self.mass not in MASSES:
            raise SettingsError(f"mass must be one of {', '.join(MASSES)}, got {self.mass!r}")

    def learn(self, source: Source) -> None:
        """Count jets in bins of the mass that hold equally many."""
        known = self.read(source)
        values = known.values[:, OBSERVABLES.index(self.mass)]
        inner = np.unique(np.quantile(values, np.linspace(0, 1, MASS_BINS + 1)[1:-1]))
        place = np.searchsorted(inner, values, side="right")
        bins = len(inner) + 1
        each = [known.truth == k for k in range(len(self.outputs))]
        filled = np.stack([np.bincount(place[own], known.weight[own], minlength=bins) for own in each])
        prior = PRIOR * filled.sum(axis=0) / filled.sum()
        self.edges_ = inner
        self.shares_ = (filled + prior) / (filled + prior).sum(axis=1, keepdims=True)
        self.messages = known.said

    def logits(self, batch: Batch) -> Floats:
        """Return (n, classes) log of how likely the mass is in each class."""
        values = self.observables_of(batch)[:, OBSERVABLES.index(self.mass)]
        found = np.log(self.shares_)[:, np.searchsorted(self.edges_, values, side="right").clip(0, len(self.edges_))].T
        return np.where(np.isnan(values)[:, None], np.nan, found)

    def to_arrays(self) -> dict[str, Array]:
        """Return edges and shares."""
        return {"edges": self.edges_, "shares": self.shares_}

    def take_arrays(self, arrays: Mapping[str, Array], folder: Path) -> None:
        """Take edges and shares."""
        self.edges_, self.shares_ = arrays["edges"], arrays["shares"]
