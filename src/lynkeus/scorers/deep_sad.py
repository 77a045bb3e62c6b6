"""Deep SAD: one-class learning that also pushes away what is known to be faulty (Ruff et al. 2020, arXiv:1906.02694).

The loss is the mean of d^(2 label) with label +1 for samples that are good, or not known to be otherwise, and -1 for
known anomalies: these land far from the centre. Five labels help, and none of them has to look like the next fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from lynkeus.core import About, Batch, Evidence, Scores, Source
from lynkeus.explain.gradient import input_gradient
from lynkeus.networks.build import architecture
from lynkeus.scorers.deep_svdd import DistanceToCentre
from lynkeus.scorers.learned import learn, load_learned, per_sample, save_learned
from lynkeus.training import TrainSettings
from lynkeus.transforms.missing import with_enough_data

DEFAULTS = TrainSettings(epochs=60, decay=1e-6, known_share=0.25)


@dataclass
class DeepSad:
    """`anomaly`: distance to the centre of good samples, from which known anomalies were pushed away.

    `known_weight` of these against all others; the rest: see DeepSvdd.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(
        ("table", "waveform", "image"), True, "gradient", "seconds to minutes", labels="known", constants=True
    )
    network: str = "auto"
    latent: int = 32
    width: int = 0
    known_weight: float = 1.0
    windows: str = "raw"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def make_task(self, shape: tuple[int, ...]) -> DistanceToCentre:
        """The network for samples of that shape, untrained."""
        parts = architecture(self.network, shape)
        encoder = parts.encoder(shape, self.latent, self.width or parts.width, False)
        return DistanceToCentre(encoder, self.latent, self.known_weight)

    def fit(self, source: Source) -> Self:
        """Train on samples whose truth is 0, or not 0 for known anomalies. Raises SchemaError for nothing to learn."""
        learn(self, source, DEFAULTS)
        return self

    def score(self, batch: Batch) -> Scores:
        """(n, 1) distances; NaN for a sample that misses more than half of its values."""
        return with_enough_data(batch, per_sample(self, batch, self.task_.score))

    def explain(self, batch: Batch) -> Evidence:
        """Integrated gradients of the score, of every number."""
        return per_sample(self, batch, input_gradient(self.task_.score))

    def save(self, folder: Path) -> None:
        """Write to a folder."""
        save_learned(self, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        return load_learned(cls, folder)
