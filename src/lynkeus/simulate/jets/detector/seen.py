"""Seen: what the detector makes of particles: tracks and calorimeter towers, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from lynkeus.core.batch import Array, Floats

CHARGED_HADRON, NEUTRAL_HADRON, PHOTON, ELECTRON, MUON = range(5)


@dataclass(frozen=True)
class Seen:
    """n objects: `owner` (n,) jet or event, `p` (n, 4) GeV, `charge` (n,), `kind` (n,): charged hadron, neutral hadron,
    photon, electron or muon; `impact` (n, 4): d0, its error, dz, its error in mm, 0 without a track; `ancestor` (n,) as
    in Particles, 0 of towers: the truth."""

    owner: Array
    p: Floats
    charge: Array
    kind: Array
    impact: Floats
    ancestor: Array

    def __len__(self) -> int:
        """Return how many objects there are."""
        return len(self.owner)

    def columns(self) -> tuple[Array, ...]:
        """Return all columns, in order."""
        return tuple(getattr(self, one.name) for one in fields(self))

    def cut(self, chosen: Array) -> Self:
        """Return those chosen by a mask or by numbers."""
        return type(self)(*(column[chosen] for column in self.columns()))

    def of(self, owner: Array) -> Self:
        """Return the same objects as those of other owners."""
        return replace(self, owner=owner)

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Return all of several."""
        return cls(*map(np.concatenate, zip(*(part.columns() for part in parts), strict=True)))
