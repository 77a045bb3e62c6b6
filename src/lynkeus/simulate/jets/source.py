"""Jets of a hadron collider by class, with particles, vertices, observables and truth, seen by a parametric detector.

A folder each: generators (`shower`, `pythia`), `decays`, `detector`; classes of jets in `classes.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from lynkeus.core.batch import Batch, Schema
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.jets.cache import kept_chunk
from lynkeus.simulate.jets.columns import jet_schema
from lynkeus.simulate.jets.make import make_chunk, make_chunks
from lynkeus.simulate.jets.plan import Plan
from lynkeus.simulate.jets.settings import WHO, Wanted, wanted
from lynkeus.simulate.jets.variation import Variation, variation_of

CHUNKS = {"pythia": 250, "shower": 500}  # jets: Pythia begins anew with each, which takes as long as 50 jets


@dataclass(frozen=True)
class JetSource:
    """`n` jets of `classes` ("top,qcd", or with shares "top:1,qcd:3"), in random order: kind cloud.

    `pt` is the range in GeV of the reconstructed jet, about flat; `eta` the largest |eta|; `radius` of a jet (0: 0.8
    where a class has prongs, else 0.4); `generator` shower (fast, our own) or pythia (needs the extra `jets`).
    Truth: the number of the class; meta: observers jet_*, and truth_*. Jet k of a seed is the same however
    many there are. `data` 1 makes what stands for data: `tune`, `tracking`, `d0_scale` and `fsr` differ (see Variation;
    each may be given), and the class is not in the truth but, in words, in meta `truth_label`. Raises SettingsError.
    """

    classes: str = "top,qcd"
    pt: str | float = "550-650"
    n: int = 10_000
    seed: int = 1
    eta: float = 2.0
    radius: float = 0.0
    generator: str = "shower"
    data: int = 0
    tune: str | None = None
    tracking: float | None = None
    d0_scale: float | None = None
    fsr: float | None = None

    def __post_init__(self) -> None:
        for name in ("n", "seed"):
            number = getattr(self, name)
            if not isinstance(number, int) or number < 0:
                raise SettingsError(f"{WHO}: {name} must be a whole number, not negative, got {number!r}")
        if self.generator not in CHUNKS:
            raise SettingsError(f"{WHO}: generator {self.generator!r} is not one of {', '.join(CHUNKS)}")
        assert self.plan

    @cached_property
    def wanted(self) -> Wanted:
        """Return what was asked for, checked."""
        return wanted(self.classes, self.pt, self.eta, self.radius)

    @cached_property
    def variation(self) -> Variation:
        """Return how the simulation is varied, checked."""
        given = {name: getattr(self, name) for name in ("tune", "tracking", "d0_scale", "fsr")}
        return variation_of(self.data, given)

    @cached_property
    def plan(self) -> Plan:
        """Return all that the jets hang on."""
        size = CHUNKS[self.generator]
        return Plan(self.wanted, self.variation, self.generator, self.seed, bool(self.data), size)

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
        size = self.plan.chunk
        for number, batch in enumerate(make_chunks(self.plan, -(-self.n // size))):
            yield batch[: self.n - number * size]

    def chunk(self, number: int) -> Batch:
        """Return the jets of the chunk of that number, from 0, made from the seed and the number alone."""
        return kept_chunk(self.plan, number) or make_chunk(self.plan, number)
