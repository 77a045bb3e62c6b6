"""DeepJet (arXiv:2008.10519): each particle through 1x1 convolutions, each collection through an LSTM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from lynkeus.core import About, Array
from lynkeus.networks.taggers.deep.collections import Collection
from lynkeus.networks.taggers.deep.jet import DeepJet as Network
from lynkeus.networks.taggers.deep.jet import DeepJetSizes, Read
from lynkeus.scorers.taggers.by_collections import ByCollections
from lynkeus.scorers.taggers.collections import CHARGED, GLOBAL, NEUTRAL, VERTICES, present
from lynkeus.scorers.taggers.network import NETWORK

LAYERS = 4  # of a convolution: map, ReLU, normalisation, dropout


@dataclass
class DeepJet(ByCollections):
    """Reads "global", 25 "charged" and 25 "neutral" particles, and four of "vertices", where there are any.

    Settings: see ParticleNet; how groups are made of particles: see `collections`.
    """

    name: ClassVar[str] = "deepjet"
    about: ClassVar[About] = About(
        ("cloud",), True, "particles left out", "minutes to hours", labels="classes", weights=True, tags=True
    )
    wanted: ClassVar[tuple[str, ...]] = (GLOBAL, CHARGED, NEUTRAL, VERTICES)

    def make_network(self, names: tuple[str, ...], classes: int) -> nn.Module:
        """See `NetworkTagger`; sizes as published."""
        sizes = present(names, self.wanted)
        known = {
            CHARGED: (25, (64, 32, 32, 8), 150), NEUTRAL: (25, (32, 16, 4), 50), VERTICES: (4, (64, 32, 32, 8), 50),
        }  # fmt: skip
        reads = tuple(
            Read(Collection(name, sizes[name], most), widths, memory, self.first_form_)
            for name, (most, widths, memory) in known.items()
            if name in sizes
        )
        return Network(classes, DeepJetSizes(sizes[GLOBAL], reads))

    def in_first_form(self, arrays: Mapping[str, Array]) -> bool:
        """See `ByCollections`: normalisation followed the last convolution, too."""
        own = [name for name in arrays if name.startswith(f"{NETWORK}tagger.sequences.0.convolutions.")]
        places = {int(name.rsplit(".", 2)[1]) for name in own}
        return bool(places) and max(places) % LAYERS != 0
