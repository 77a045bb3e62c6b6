"""ParticleNet (arXiv:1902.08570): a network on the nearest neighbours among the particles of a jet, without padding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from lynkeus.core import About
from lynkeus.networks.taggers.particle_net import FULL, LITE
from lynkeus.networks.taggers.particle_net import ParticleNet as Network
from lynkeus.scorers.taggers.sized import SizedTagger


@dataclass
class ParticleNet(SizedTagger):
    """`size`: lite (26 thousand parameters, a quarter of an hour for 40,000 jets on a CPU) or full (366 thousand);
    `network`: others, see ParticleNetSizes.

    The rest: see SizedTagger.
    """

    name: ClassVar[str] = "particle_net"
    about: ClassVar[About] = About(
        ("cloud",), True, "particles left out", "minutes to hours", labels="classes", weights=True, recommended=True,
        tags=True,
    )  # fmt: skip
    known_sizes: ClassVar[Mapping[str, Any]] = {"lite": LITE, "full": FULL}
    made: ClassVar[Any] = Network
