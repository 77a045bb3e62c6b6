"""Boosted trees of substructure observables of jets: what a network has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from lynkeus.core import About, Array, Batch, Floats, SettingsError, Source
from lynkeus.files.arrays import arrays_of, part_of
from lynkeus.scorers.taggers.by_observables import ByObservables
from lynkeus.scorers.taggers.tagger import names_of
from lynkeus.transforms.boosted import Boosted, boosted_of, two_sided
from lynkeus.transforms.jets.observables import OBSERVABLES


@dataclass
class JetObservables(ByObservables):
    """Boosted trees of substructure observables; see `lynkeus.transforms.jets.observables`.

    `use`: which observables, () all; at most `trees` steps of `leaves` leaves with `learning_rate`, fewer where
    held-out jets gain no more; `reweight`: see `training_weight`. Learned: `trees_`.
    """

    name: ClassVar[str] = "jet_observables"
    about: ClassVar[About] = About(
        ("cloud",), False, "particles left out", "seconds to minutes", labels="classes", weights=True, tags=True,
    )  # fmt: skip
    classes: Any = ()
    use: Any = ()
    radius: float = 0.8
    z_cut: float = 0.1
    reweight: str = "classes"
    trees: int = 400
    leaves: int = 24
    learning_rate: float = 0.06
    seed: int = 0

    def __post_init__(self) -> None:
        self.classes, self.use = names_of(self.classes), names_of(self.use)
        unknown = sorted(set(self.use) - set(OBSERVABLES))
        if unknown:
            raise SettingsError(f"no observable {', '.join(unknown)}; there are: {', '.join(OBSERVABLES)}")

    def learn(self, source: Source) -> None:
        """Grow the trees in one pass over the jets, whose observables are kept in memory."""
        known = self.read(source)
        model = HistGradientBoostingClassifier(
            max_iter=self.trees, max_leaf_nodes=self.leaves, learning_rate=self.learning_rate, l2_regularization=1.0,
            early_stopping=True, validation_fraction=0.15, n_iter_no_change=15, random_state=self.seed,
        )  # fmt: skip
        model.fit(known.values[:, self._columns], known.truth, known.weight)
        self.trees_, self.messages = boosted_of(model), known.said
        self.facts = {"trees": int(model.n_iter_), "observables": [OBSERVABLES[k] for k in self._columns]}

    @property
    def _columns(self) -> list[int]:
        return [OBSERVABLES.index(name) for name in self.use or OBSERVABLES]

    def logits(self, batch: Batch) -> Floats:
        """Return (n, classes) log odds by the trees."""
        values = self.observables_of(batch)
        found = two_sided(self.trees_.decide(values[:, self._columns]))
        found[np.isnan(values[:, 0])] = np.nan
        return found

    def to_arrays(self) -> dict[str, Array]:
        """Return the trees as arrays."""
        return arrays_of(self.trees_, "trees_")

    def take_arrays(self, arrays: Mapping[str, Array], folder: Path) -> None:
        """Take the trees. Raises ModelError where they are damaged."""
        self.trees_ = part_of(Boosted, arrays, "trees_")
        self.trees_.require(len(self._columns))
