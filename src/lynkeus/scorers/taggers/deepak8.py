"""DeepAK8 (arXiv:2004.08262): convolutions along the particles of a jet in order of pT, and along its vertices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from lynkeus.core import About, Array
from lynkeus.networks.taggers.deep.ak8 import DeepAK8 as Network
from lynkeus.networks.taggers.deep.ak8 import DeepAK8Sizes, Tower
from lynkeus.networks.taggers.deep.collections import Collection
from lynkeus.scorers.taggers.by_collections import ByCollections
from lynkeus.scorers.taggers.collections import PARTICLES, VERTICES, present
from lynkeus.scorers.taggers.network import NETWORK


@dataclass
class DeepAK8(ByCollections):
    """Reads 100 "particles" and seven of "vertices", where there are any.

    Settings: see ParticleNet; how groups are made of particles: see `collections`.
    """

    name: ClassVar[str] = "deepak8"
    about: ClassVar[About] = About(
        ("cloud",), True, "particles left out", "minutes to hours", labels="classes", weights=True, tags=True
    )
    wanted: ClassVar[tuple[str, ...]] = (PARTICLES, VERTICES)

    def make_network(self, names: tuple[str, ...], classes: int) -> nn.Module:
        """See `NetworkTagger`; sizes as published."""
        sizes = present(names, self.wanted)
        first = 32 if self.first_form_ else 64
        known = {PARTICLES: (100, (first, 64, 128), (2, 2, 2)), VERTICES: (7, (32, 64), (2, 2))}
        towers = tuple(
            Tower(Collection(name, sizes[name], most), channels, units, mapped=not self.first_form_)
            for name, (most, channels, units) in known.items()
            if name in sizes
        )
        return Network(classes, DeepAK8Sizes(towers))

    def in_first_form(self, arrays: Mapping[str, Array]) -> bool:
        """See `ByCollections`: the first stage was narrower and had no map beside its first unit."""
        return f"{NETWORK}tagger.towers.0.units.0.shortcut.weight" not in arrays
