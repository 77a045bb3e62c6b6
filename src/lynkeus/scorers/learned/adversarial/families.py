"""Families of networks that play against each other, and how each is trained unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from lynkeus.core import SettingsError
from lynkeus.networks.critic import Critic, critic, encoder
from lynkeus.networks.dcgan import DcganEncoder, DcganGenerator, dcgan_critic
from lynkeus.networks.generator import generator
from lynkeus.networks.shapes import Shape
from lynkeus.scorers.learned.autoencoder import latent_size
from lynkeus.training import ADAM, TrainSettings

ENCODING = TrainSettings(epochs=30, batch_size=32, learning_rate=2e-3)


@dataclass(frozen=True)
class GameNetworks:
    """`generator` and `encoder` (shape, latent, width), `critic` (shape, width).

    `steps` of the generator in at most `epochs`; `batch`: samples in a step of the critic, `betas` of Adam in the game;
    `encoding`: how the encoder is trained, with `encoder_betas`; `latent`, `width`: 0 by the sample.
    """

    generator: Callable[[Shape, int, int], nn.Module]
    critic: Callable[[Shape, int], Critic]
    encoder: Callable[[Shape, int, int], nn.Module]
    steps: int = 800
    epochs: int = 400
    batch: int = 16
    rate: float = 1e-3
    clip_norm: float = 5.0
    betas: tuple[float, float] = (0.0, 0.9)
    encoding: TrainSettings = ENCODING
    encoder_betas: tuple[float, float] = ADAM
    latent: int = 0
    width: int = 0

    def code_length(self, shape: Shape, asked: int) -> int:
        """Return how many numbers a code has."""
        return asked or self.latent or latent_size(shape)

    def wide(self, shape: Shape, asked: int) -> int:
        """Return the width of the networks, in channels or numbers."""
        return asked or self.width or (128 if len(shape) == 1 else 8)

    def game(self, critic_steps: int) -> TrainSettings:
        """Return how generator and critic are trained, but for the number of epochs."""
        return TrainSettings(batch_size=self.batch * critic_steps, learning_rate=self.rate, clip_norm=self.clip_norm)


PUBLISHED_RATE, PUBLISHED_BETAS = 1e-5, (0.25, 0.999)
FAMILIES = {
    "auto": GameNetworks(generator, critic, encoder),
    # As published for images of cavities of 256 x 256 x 3; days on a GPU. Not published: epochs of the encoder.
    "dcgan": GameNetworks(
        DcganGenerator,
        dcgan_critic,
        DcganEncoder,
        steps=400_000,
        epochs=400_000,
        batch=128,
        rate=PUBLISHED_RATE,
        clip_norm=0.0,
        betas=PUBLISHED_BETAS,
        encoding=TrainSettings(epochs=60, batch_size=128, learning_rate=PUBLISHED_RATE, clip_norm=0.0),
        encoder_betas=PUBLISHED_BETAS,
        latent=2048,
        width=64,
    ),
}


def family(name: str) -> GameNetworks:
    """Return the family of that name. Raises SettingsError where there is none."""
    if name not in FAMILIES:
        raise SettingsError(f"network must be one of {', '.join(FAMILIES)}, got {name!r}")
    return FAMILIES[name]
