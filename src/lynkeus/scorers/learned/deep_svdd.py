"""Deep one-class: good samples are mapped near one point, others land elsewhere (Deep SVDD, Ruff et al. 2018).

What keeps it from the trivial answer, all samples to the centre: no biases, no bounded activations, a centre that is
fixed before training and has no coordinate near zero, and a check that the map still tells samples apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from lynkeus.core import About, Batch, Evidence, Scores, Source
from lynkeus.explain.gradient import input_gradient
from lynkeus.networks.build import architecture
from lynkeus.networks.dense import wide_layer
from lynkeus.scorers.learned.trained import Trained, learn, per_sample
from lynkeus.training import ADAM, Losses, TrainSettings, Update
from lynkeus.training.task import in_chunks
from lynkeus.transforms.missing import with_enough_data

DEFAULTS = TrainSettings(epochs=60, decay=1e-6)
TABLES = TrainSettings(epochs=10, batch_size=0, decay=1e-6, clip_norm=0.0)
NEAREST = 1e-6  # squared distance of a known anomaly at which its push stops growing
LEAST_CENTRE = 0.1  # coordinates of the centre nearer to 0 than this could be reached by zero weights


class OneClass(nn.Module):
    """An encoder without biases, and the centre that its codes are drawn to."""

    centre: Tensor

    def __init__(self, encoder: nn.Module, latent: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("centre", torch.full((latent,), LEAST_CENTRE))

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(x) - self.centre

    def fix_centre(self, x: Tensor) -> None:
        """The mean code, moved away from zero."""
        mean = in_chunks(self.encoder, x).mean(dim=0)
        sign = torch.where(mean < 0, -1.0, 1.0)
        self.centre.copy_(torch.where(mean.abs() < LEAST_CENTRE, LEAST_CENTRE * sign, mean))


class DistanceToCentre:
    """The task: mean squared distance of good samples to the centre."""

    betas = ADAM

    def __init__(self, encoder: nn.Module, latent: int) -> None:
        self.networks = nn.ModuleDict({"one_class": OneClass(encoder, latent)})

    def start(self, x: Tensor) -> None:
        """The centre: the mean code of the untrained network, moved away from zero; never changed again."""
        self.networks["one_class"].fix_centre(x)

    def step(self, x: Tensor, y: Tensor, update: Update, weight: Tensor | None = None) -> Losses:
        """Known anomalies are not learned from."""
        squared = self.loss(x) if weight is None else self.loss(x) * weight
        pull = squared[y == 0].sum() / (y == 0).sum().clamp(min=1)
        update("one_class", pull)
        return {"pull": pull}

    def score(self, x: Tensor) -> Tensor:
        """Return the distance to the centre (b,)."""
        return (self.networks["one_class"](x) ** 2).sum(dim=1).sqrt()

    def loss(self, x: Tensor) -> Tensor:
        """Return the squared distance to the centre (b,)."""
        return (self.networks["one_class"](x) ** 2).sum(dim=1)

    def spread(self, x: Tensor) -> Tensor:
        """Return the spread of the codes relative to the distance of the centre from 0; 0 where the network has
        collapsed."""
        network = self.networks["one_class"]
        return network(x).std(dim=0).mean() / network.centre.abs().mean()


@dataclass
class DeepSvdd(Trained):
    """`anomaly`: distance to the centre of good samples in what the network makes of them.

    `network`, `latent`, `width`, `windows`, `training`: see Autoencoder.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(
        ("table", "waveform", "image"), True, "gradient", "seconds to minutes", constants=True, weights=True
    )
    network: str = "auto"
    latent: int = 32
    width: int = 0
    windows: str = "auto"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def make_task(self, shape: tuple[int, ...]) -> DistanceToCentre:
        """The network for samples of that shape, untrained."""
        if self._is_wide(shape):
            return DistanceToCentre(wide_layer(shape[0], self.width, self.latent, bias=False), self.latent)
        parts = architecture(self.network, shape)
        latent = parts.code_length(shape, self.latent)
        return DistanceToCentre(parts.encoder(shape, latent, self.width or parts.width, False), latent)

    def _is_wide(self, shape: tuple[int | None, ...]) -> bool:
        return len(shape) == 1 and self.network == "auto"

    def fit(self, source: Source) -> Self:
        """Train on good samples. Raises SchemaError where nothing can be learned."""
        self.task_ = learn(self, source, TABLES if self._is_wide(source.schema.shape) else DEFAULTS)
        return self

    def score(self, batch: Batch) -> Scores:
        """Return (n, 1) distances; NaN for a sample that misses more than half of its values."""
        return with_enough_data(batch, per_sample(self, batch, self.task_.score))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Gradient of the score times the deviation from the mean, of every number."""
        return per_sample(self, batch, input_gradient(self.task_.score))
