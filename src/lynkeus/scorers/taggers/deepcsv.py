"""DeepCSV (arXiv:1712.07158): a dense network on the jet, its leading tracks and its leading vertex."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from lynkeus.core import About
from lynkeus.networks.taggers.deep.collections import Collection
from lynkeus.networks.taggers.deep.csv import DeepCSV as Network
from lynkeus.networks.taggers.deep.csv import DeepCSVSizes
from lynkeus.scorers.taggers.by_collections import ByCollections
from lynkeus.scorers.taggers.collections import CHARGED, GLOBAL, VERTICES, present


@dataclass
class DeepCSV(ByCollections):
    """Reads "global", six "charged" particles and one of "vertices", where there are any.

    Settings: see ParticleNet; how groups are made of particles: see `collections`.
    """

    name: ClassVar[str] = "deepcsv"
    about: ClassVar[About] = About(
        ("cloud",), True, "particles left out", "minutes", labels="classes", weights=True, tags=True
    )
    wanted: ClassVar[tuple[str, ...]] = (GLOBAL, CHARGED, VERTICES)

    def make_network(self, names: tuple[str, ...], classes: int) -> nn.Module:
        """See `NetworkTagger`."""
        sizes = present(names, self.wanted)
        most = {CHARGED: 6, VERTICES: 1}
        read = tuple(Collection(name, sizes[name], most[name]) for name in most if name in sizes)
        return Network(classes, DeepCSVSizes(sizes[GLOBAL], read))
