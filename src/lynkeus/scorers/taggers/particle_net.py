"""ParticleNet (arXiv:1902.08570): a network on the nearest neighbours among the particles of a jet, without padding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import nn

from lynkeus.core import About, Batch, Packed
from lynkeus.networks.taggers.particle_net import FULL, LITE
from lynkeus.networks.taggers.particle_net import ParticleNet as Network
from lynkeus.scorers.taggers.inputs import features_of, network_inputs
from lynkeus.scorers.taggers.network import NetworkTagger, one_of
from lynkeus.scorers.taggers.tagger import names_of

SIZES = {"lite": LITE, "full": FULL}


@dataclass
class ParticleNet(NetworkTagger):
    """`size`: lite (26 thousand parameters, a quarter of an hour for 40,000 jets on a CPU) or full (366 thousand).

    `classes`: which to tell apart, () all; `reweight`: see `training_weight`; `training`: see TrainSettings.
    """

    name: ClassVar[str] = "particle_net"
    about: ClassVar[About] = About(
        ("cloud",), True, "particles left out", "minutes to hours", labels="classes", weights=True, recommended=True,
        tags=True,
    )  # fmt: skip
    classes: Any = ()
    size: str = "lite"
    reweight: str = "classes"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.classes = names_of(self.classes)
        one_of(self.size, SIZES, "size")

    def make_network(self, names: tuple[str, ...], classes: int) -> nn.Module:
        """See `NetworkTagger`."""
        return Network(len(features_of(names)), classes, SIZES[self.size])

    def inputs_of(self, batch: Batch) -> Packed:
        """See `network_inputs`."""
        return network_inputs(batch)
