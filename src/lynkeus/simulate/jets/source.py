"""Jets of a hadron collider by class, with particles, vertices, observables and truth, seen by a parametric detector.

A folder each: generators (`shower`, `pythia`), `decays`, `detector`, `substructure`; classes of jets in `classes.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from lynkeus.core.batch import Batch, Schema
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.jets.chunk import CHUNK, batch_of, class_counts
from lynkeus.simulate.jets.columns import jet_schema
from lynkeus.simulate.jets.detector.response import Response
from lynkeus.simulate.jets.settings import WHO, Wanted, wanted
from lynkeus.simulate.jets.shower.jets import make_jets
from lynkeus.simulate.jets.shower.sudakov import Tune


@dataclass(frozen=True)
class JetSource:
    """`n` jets of `classes` ("top,qcd", or with shares "top:1,qcd:3"), each in random order: kind cloud.

    `pt` is the range in GeV of the reconstructed jet, flat as generated; `eta` the largest |eta|; `radius` of a jet (0:
    0.8 where a class has prongs, else 0.4). Truth: the number of the class; meta: observers jet_*, and truth_*. Jet k
    of a seed is the same however many there are. Raises SettingsError.
    """

    classes: str = "top,qcd"
    pt: str | float = "550-650"
    n: int = 10_000
    seed: int = 1
    eta: float = 2.0
    radius: float = 0.0
    generator: str = "shower"

    def __post_init__(self) -> None:
        for name in ("n", "seed"):
            number = getattr(self, name)
            if not isinstance(number, int) or number < 0:
                raise SettingsError(f"{WHO}: {name} must be a whole number, not negative, got {number!r}")
        if self.generator != "shower":
            raise SettingsError(f"{WHO}: generator {self.generator!r} is not one of shower")
        assert self.wanted

    @cached_property
    def wanted(self) -> Wanted:
        """Return what was asked for, checked."""
        return wanted(self.classes, self.pt, self.eta, self.radius)

    @cached_property
    def schema(self) -> Schema:
        """Return the schema: groups particles and vertices, and the classes in their order."""
        return jet_schema(self.wanted.classes)

    def __len__(self) -> int:
        return self.n

    def of_length(self, samples: int) -> Self:
        """Return the same simulation with so many jets."""
        return replace(self, n=samples)

    def __iter__(self) -> Iterator[Batch]:
        for number in range(-(-self.n // CHUNK)):
            yield self.chunk(number)[: self.n - number * CHUNK]

    def chunk(self, number: int) -> Batch:
        """Return the jets of the chunk of that number, from 0: CHUNK of them, from the seed and the number alone."""
        rng = np.random.default_rng([self.seed, number])
        label = class_counts(self.wanted.shares, rng)
        jets = make_jets(label, self.wanted, Tune(), Response(), rng)
        return batch_of(jets, label, self.wanted.classes, self.wanted.radius)
