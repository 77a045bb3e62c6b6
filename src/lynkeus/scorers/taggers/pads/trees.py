"""Trees: good or not, and what else; grown of real pads and of planted faults, kept as arrays."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from scipy.special import expit, softmax
from sklearn.ensemble import HistGradientBoostingClassifier

from lynkeus.core import Array, Floats, ModelError
from lynkeus.scorers.taggers.pads.evidence import MONOTONE, NUMBERS
from lynkeus.transforms.boosted import Boosted, boosted_of, two_sided

CERTAIN = 0.002  # below it a spectrum is not bad


class Grown(NamedTuple):
    """`numbers` (n, NUMBERS) and the class (n,) of each, -2 for a fault of which no more is known."""

    numbers: Floats
    classes: Array

    @classmethod
    def join(cls, parts: list[Grown]) -> Grown:
        """Return the samples of all parts."""
        return cls(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class Trees(NamedTuple):
    """`bad`: log odds that a spectrum is not as it should be; `kind`: of the classes `kinds` (faults) each."""

    bad: Boosted
    kind: Boosted
    kinds: Array

    @classmethod
    def grow(cls, samples: Grown, seed: int) -> Self:
        """Learn from samples of good pads (class 0) and of faults. A gain that is shifted is no fault of the shape:
        whether a pad is one is told elsewhere, only which kind is learned here."""
        shifted = samples.classes == 3
        own = ~shifted
        settings: dict[str, Any] = {"learning_rate": 0.1, "l2_regularization": 1.0, "max_features": 0.25,
                                    "early_stopping": False, "random_state": seed}  # fmt: skip
        bad = HistGradientBoostingClassifier(max_iter=100, max_leaf_nodes=12, monotonic_cst=MONOTONE, **settings)
        bad.fit(samples.numbers[own], samples.classes[own] != 0)
        faulty = samples.classes > 0
        kind = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=10, **{**settings, "learning_rate": 0.15})
        kind.fit(samples.numbers[faulty], samples.classes[faulty])
        return cls(boosted_of(bad), boosted_of(kind), np.asarray(kind.classes_, np.int64))

    def probabilities(self, numbers: Floats, classes: int) -> tuple[Floats, Floats]:
        """Return (n,) how probably a spectrum is bad, and (n, classes) which fault it then is."""
        bad: Floats = expit(two_sided(self.bad.decide(numbers))[:, 1])
        found = np.zeros((len(numbers), classes))
        # Which fault it would be is asked of those alone that may have one.
        asked = bad > CERTAIN
        found[:, self.kinds] = 1.0 / len(self.kinds)
        found[np.ix_(asked, self.kinds)] = softmax(two_sided(self.kind.decide(numbers[asked])), axis=1)
        return bad, found

    def require(self, classes: int) -> None:
        """Raise ModelError where the trees do not fit the numbers or the classes."""
        for own in (self.bad, self.kind):
            own.require(len(NUMBERS))
        if not ((self.kinds >= 0) & (self.kinds < classes)).all():
            raise ModelError("the trees of the model are damaged: fit it again")
