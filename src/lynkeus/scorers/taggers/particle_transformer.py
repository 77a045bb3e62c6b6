"""Particle Transformer (arXiv:2202.03772): attention among the particles of a jet, with what is known of each pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import nn

from lynkeus.core import About, Batch, Packed
from lynkeus.networks.taggers.particle_transformer import PUBLISHED, ParticleTransformerSizes
from lynkeus.networks.taggers.particle_transformer import ParticleTransformer as Network
from lynkeus.scorers.taggers.inputs import features_of, network_inputs
from lynkeus.scorers.taggers.network import DEFAULTS, NetworkTagger, one_of
from lynkeus.scorers.taggers.tagger import names_of
from lynkeus.training import TrainSettings

LITE = ParticleTransformerSizes((64, 128, 64), (32, 32), 4, 3, 1)
SIZES = {"lite": LITE, "full": PUBLISHED}


@dataclass
class ParticleTransformer(NetworkTagger):
    """`size`: lite (three layers, for a CPU) or full, as published (2.1 million parameters: needs a GPU, or patience).

    The rest: see ParticleNet.
    """

    name: ClassVar[str] = "particle_transformer"
    about: ClassVar[About] = About(
        ("cloud",), True, "particles left out", "minutes to days", labels="classes", weights=True, tags=True
    )
    defaults: ClassVar[TrainSettings] = DEFAULTS.replaced({"learning_rate": 1e-3, "batch_size": 64})
    similar: ClassVar[bool] = True
    classes: Any = ()
    size: str = "lite"
    reweight: str = "classes"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.classes = names_of(self.classes)
        one_of(self.size, SIZES, "size")

    @property
    def sizes(self) -> ParticleTransformerSizes:
        """Return the sizes of the network."""
        return SIZES[self.size]

    def make_network(self, names: tuple[str, ...], classes: int) -> nn.Module:
        """See `NetworkTagger`."""
        return Network(len(features_of(names)), classes, SIZES[self.size])

    def inputs_of(self, batch: Batch) -> Packed:
        """See `network_inputs`."""
        return network_inputs(batch)
