"""Particle Transformer (arXiv:2202.03772): attention among the particles of a jet, with what is known of each pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from lynkeus.core import About
from lynkeus.networks.taggers.particle_transformer import PUBLISHED, ParticleTransformerSizes
from lynkeus.networks.taggers.particle_transformer import ParticleTransformer as Network
from lynkeus.scorers.taggers.network import DEFAULTS
from lynkeus.scorers.taggers.sized import SizedTagger
from lynkeus.training import TrainSettings

LITE = ParticleTransformerSizes((64, 128, 64), (32, 32), 4, 3, 1)


@dataclass
class ParticleTransformer(SizedTagger):
    """`size`: lite (three layers, for a CPU) or full, as published (2.1 million parameters: needs a GPU, or patience);
    `network`: others, see ParticleTransformerSizes.

    The rest: see SizedTagger.
    """

    name: ClassVar[str] = "particle_transformer"
    about: ClassVar[About] = About(
        ("cloud",), True, "particles left out", "minutes to days", labels="classes", weights=True, tags=True
    )
    defaults: ClassVar[TrainSettings] = DEFAULTS.replaced({"learning_rate": 1e-3, "batch_size": 64})
    similar: ClassVar[bool] = True
    known_sizes: ClassVar[Mapping[str, Any]] = {"lite": LITE, "full": PUBLISHED}
    made: ClassVar[Any] = Network
