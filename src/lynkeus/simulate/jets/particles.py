"""Particles: many particles of many jets or events, one after the other, as generators make and detectors see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from lynkeus.core.batch import Array, Floats

NEUTRINOS = (12, 14, 16)
STRANGE, CHARM, BEAUTY, TAU = 3, 4, 5, 15


@dataclass(frozen=True)
class Particles:
    """n particles: `owner` (n,) the number of the jet or event, `pdg` (n,) its code, `p` (n, 4) px, py, pz, energy in
    GeV, `origin` (n, 3) where it was made in mm from the collision, `ancestor` (n,): 5 from a b hadron, else 4 from a c
    hadron, else 15 from a tau, else 3 from a strange hadron that flew, else 0."""

    owner: Array
    pdg: Array
    p: Floats
    origin: Floats
    ancestor: Array

    def __len__(self) -> int:
        """Return how many particles there are."""
        return len(self.owner)

    def columns(self) -> tuple[Array, ...]:
        """Return owner, pdg, p, origin and ancestor."""
        return tuple(getattr(self, one.name) for one in fields(self))

    def moved(self, p: Floats) -> Self:
        """Return the same particles with other momenta."""
        return replace(self, p=p)

    def cut(self, chosen: Array) -> Self:
        """Return those chosen by a mask or by numbers."""
        return type(self)(*(column[chosen] for column in self.columns()))

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Return all of several."""
        return cls(*map(np.concatenate, zip(*(part.columns() for part in parts), strict=True)))

    @classmethod
    def prompt(cls, owner: Array, pdg: Array, p: Floats) -> Self:
        """Return particles that are made at the collision."""
        return cls(owner, pdg, p, np.zeros((len(owner), 3)), np.zeros(len(owner), np.int64))
