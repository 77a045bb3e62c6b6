"""Autoencoder: what a network, trained on good samples, cannot reconstruct (Hinton & Salakhutdinov 2006).

A narrow layer keeps it from copying all it is given. For tables there is a wide one instead, which learns to mend rows
of which some numbers were taken from other rows (denoising, Vincent et al. 2008): columns are learned from each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from lynkeus.core import About, Batch, Evidence, Scores, Source
from lynkeus.networks.build import architecture
from lynkeus.networks.dense import wide_layer
from lynkeus.scorers.learned.trained import Trained, learn, per_sample
from lynkeus.training import ADAM, Losses, TrainSettings, Update, mean_loss, weights_of
from lynkeus.transforms.missing import with_enough_data

DEFAULTS = TrainSettings(epochs=60)
MENDING = TrainSettings(epochs=10, batch_size=0, learning_rate=0.02, clip_norm=0.0)
SWAPPED = 0.2  # share of the numbers of a row that are those of another one, where rows are mended


class Reconstruction:
    """The task: mean squared error between samples and what comes out.

    `swapped`: share of the numbers of a sample that are replaced by those of another one before they go in.
    """

    betas = ADAM

    def __init__(self, network: nn.Module, swapped: float = 0.0) -> None:
        self.networks = nn.ModuleDict({"autoencoder": network})
        self.swapped = swapped

    def start(self, x: Tensor) -> None:
        """Learn nothing before the first epoch."""

    def step(self, x: Tensor, y: Tensor, update: Update, weight: Tensor | None = None) -> Losses:
        """Step the network on the mean square residual of the good samples and return it; known anomalies teach it
        nothing."""
        good, weight = x[y == 0], weights_of(y == 0, weight)
        given = _swapped(good, self.swapped) if self.swapped else good
        loss = mean_loss((self.networks["autoencoder"](given) - good) ** 2, weight) if len(good) else x.sum() * 0.0
        update("autoencoder", loss)
        return {"reconstruction": loss}

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return the samples as the network reconstructs them (b, c, ...)."""
        out: Tensor = self.networks["autoencoder"](x)
        return out

    def residual(self, x: Tensor) -> Tensor:
        """Return what was not reconstructed (b, c, ...), in sigmas."""
        return x - self.reconstruct(x)

    def score(self, x: Tensor) -> Tensor:
        """Return the root mean square residual (b,)."""
        return (self.residual(x) ** 2).flatten(1).mean(dim=1).sqrt()

    def loss(self, x: Tensor) -> Tensor:
        """Return the mean square residual (b,)."""
        return (self.residual(x) ** 2).flatten(1).mean(dim=1)

    def spread(self, x: Tensor) -> Tensor:
        """Return how much outputs differ from sample to sample (scalar), relative to how much the samples do."""
        out = self.networks["autoencoder"](x)
        return out.std(dim=0).mean() / torch.clamp(x.std(dim=0).mean(), min=1e-12)


def _swapped(x: Tensor, share: float) -> Tensor:
    other = x[torch.randperm(len(x), device=x.device)]
    return torch.where(torch.rand_like(x) < share, other, x)


@dataclass
class Autoencoder(Trained):
    """`anomaly`: root mean square of what is not reconstructed, in sigmas, of rows, waveforms or images.

    `network`: auto, dense, convolution, ...; `latent` numbers describe a sample (0: by its size; of a table as many as
    the one wide layer of auto has), `width` of the widest layer (0: as the network says); `windows` raw, z or auto: see
    Inputs; `training`: see TrainSettings.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(
        ("table", "waveform", "image"), True, "what is not reconstructed", "seconds to minutes", constants=True,
        weights=True,
    )  # fmt: skip
    network: str = "auto"
    latent: int = 0
    width: int = 0
    windows: str = "auto"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def make_task(self, shape: tuple[int, ...]) -> Reconstruction:
        """The networks for samples of that shape, untrained."""
        if self._mends(shape):
            return Reconstruction(wide_layer(shape[0], self.width, shape[0]), SWAPPED)
        parts = architecture(self.network, shape)
        width = self.width or parts.width
        latent = self.latent or latent_size(shape)
        return Reconstruction(
            nn.Sequential(parts.encoder(shape, latent, width, True), parts.decoder(shape, latent, width))
        )

    def _mends(self, shape: tuple[int | None, ...]) -> bool:
        return len(shape) == 1 and self.network == "auto" and not self.latent

    def fit(self, source: Source) -> Self:
        """Train on good samples. Raises SchemaError where nothing can be learned."""
        self.task_ = learn(self, source, MENDING if self._mends(source.schema.shape) else DEFAULTS)
        return self

    def score(self, batch: Batch) -> Scores:
        """Return (n, 1) sigmas; NaN for a sample that misses more than half of its values."""
        return with_enough_data(batch, per_sample(self, batch, self.task_.score))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Signed residual of every number in sigmas."""
        return per_sample(self, batch, self.task_.residual)


def latent_size(shape: tuple[int, ...]) -> int:
    """A quarter of the columns of a table, 2 to 32; 16 numbers for waveforms and images."""
    return min(32, max(2, shape[0] // 4)) if len(shape) == 1 else 16
