"""Autoencoder: what a narrow network, trained on good samples, cannot reconstruct (Hinton & Salakhutdinov 2006)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from lynkeus.core import About, Batch, Evidence, Scores, Source
from lynkeus.networks.build import architecture
from lynkeus.scorers.learned import learn, load_learned, per_sample, save_learned
from lynkeus.training import ADAM, Losses, TrainSettings, Update
from lynkeus.transforms.missing import with_enough_data

DEFAULTS = TrainSettings(epochs=60)


class Reconstruction:
    """The task: mean squared error between samples and what comes out."""

    betas = ADAM

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        self.networks = nn.ModuleDict({"autoencoder": nn.Sequential(encoder, decoder)})

    def start(self, x: Tensor) -> None:
        """Nothing to look at."""

    def step(self, x: Tensor, y: Tensor, update: Update) -> Losses:
        """Known anomalies are not learned from."""
        good = x[y == 0]
        loss = ((self.networks["autoencoder"](good) - good) ** 2).mean() if len(good) else x.sum() * 0.0
        update("autoencoder", loss)
        return {"reconstruction": loss}

    def residual(self, x: Tensor) -> Tensor:
        """(b, c, ...) what was not reconstructed, in sigmas."""
        return x - self.networks["autoencoder"](x)

    def score(self, x: Tensor) -> Tensor:
        """(b,) root mean square residual."""
        return (self.residual(x) ** 2).flatten(1).mean(dim=1).sqrt()

    def loss(self, x: Tensor) -> Tensor:
        """(b,) mean square residual."""
        return (self.residual(x) ** 2).flatten(1).mean(dim=1)

    def spread(self, x: Tensor) -> Tensor:
        """How much outputs differ, relative to how much the samples do."""
        out = self.networks["autoencoder"](x)
        return out.std(dim=0).mean() / torch.clamp(x.std(dim=0).mean(), min=1e-12)


@dataclass
class Autoencoder:
    """`anomaly`: root mean square of what is not reconstructed, in sigmas, of rows, waveforms or images.

    `network`: auto, dense, convolution, ...; `latent` numbers describe a sample (0: by its size), `width` of the widest
    layer (0: as the network says); `windows` raw or z; `training`: see TrainSettings.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(
        ("table", "waveform", "image"), True, "what is not reconstructed", "seconds to minutes", constants=True
    )
    network: str = "auto"
    latent: int = 0
    width: int = 0
    windows: str = "raw"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def make_task(self, shape: tuple[int, ...]) -> Reconstruction:
        """The networks for samples of that shape, untrained."""
        parts = architecture(self.network, shape)
        width = self.width or parts.width
        latent = self.latent or latent_size(shape)
        return Reconstruction(parts.encoder(shape, latent, width, True), parts.decoder(shape, latent, width))

    def fit(self, source: Source) -> Self:
        """Train on good samples. Raises SchemaError where nothing can be learned."""
        learn(self, source, DEFAULTS)
        return self

    def score(self, batch: Batch) -> Scores:
        """(n, 1) sigmas; NaN for a sample that misses more than half of its values."""
        return with_enough_data(batch, per_sample(self, batch, self.task_.score))

    def explain(self, batch: Batch) -> Evidence:
        """Signed residual of every number in sigmas."""
        return per_sample(self, batch, self.task_.residual)

    def save(self, folder: Path) -> None:
        """Write to a folder."""
        save_learned(self, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        return load_learned(cls, folder)


def latent_size(shape: tuple[int, ...]) -> int:
    """A quarter of the columns of a table, 2 to 32; 16 numbers for waveforms, 32 for images."""
    return {1: min(32, max(2, shape[0] // 4)), 2: 16}.get(len(shape), 32)
