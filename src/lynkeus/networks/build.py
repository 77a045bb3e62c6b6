"""Encoders and decoders by name, for the shape of a sample."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from torch import nn

from lynkeus.core import SettingsError
from lynkeus.networks.convolution import ConvolutionDecoder, ConvolutionEncoder
from lynkeus.networks.dense import DenseDecoder, DenseEncoder
from lynkeus.networks.recurrent import RecurrentDecoder, RecurrentEncoder, ShotByShotEncoder
from lynkeus.networks.shapes import Shape
from lynkeus.networks.transformer import TransformerDecoder, TransformerEncoder

Encoder = Callable[[Shape, int, int, bool], nn.Module]
Decoder = Callable[[Shape, int, int], nn.Module]


class Architecture(NamedTuple):
    """`axes`: how many axes a sample may have; encoder(shape, latent, width, bias), decoder(shape, latent, width).

    `published`: numbers in a code for one-class learning, of the sample or of each of its shots; 0: as the scorer says.
    """

    axes: tuple[int, ...]
    encoder: Encoder
    decoder: Decoder
    width: int
    published: int = 0
    each_shot: bool = False

    def code_length(self, shape: Shape, asked: int) -> int:
        """Numbers in a code for one-class learning: as published, else as asked for."""
        return self.published * (shape[1] if self.each_shot else 1) or asked


ARCHITECTURES: dict[str, Architecture] = {
    "dense": Architecture((1, 2, 3), DenseEncoder, DenseDecoder, 128),
    "convolution": Architecture((2, 3), ConvolutionEncoder, ConvolutionDecoder, 16),
    "gru": Architecture((2,), partial(RecurrentEncoder, "gru"), partial(RecurrentDecoder, "gru"), 64),
    "lstm": Architecture((2,), partial(RecurrentEncoder, "lstm"), partial(RecurrentDecoder, "lstm"), 64),
    "transformer": Architecture((2,), TransformerEncoder, TransformerDecoder, 64),
    # One-class networks published for the European XFEL: GRU(64, 16) and a linear map, and the transformer beside it.
    "xfel_orbits": Architecture(
        (2,), partial(ShotByShotEncoder, "gru"), partial(RecurrentDecoder, "gru"), 16, 16, True
    ),
    "xfel_orbits_transformer": Architecture((2,), TransformerEncoder, TransformerDecoder, 64, 16),
}


def architecture(name: str, shape: Shape) -> Architecture:
    """Return the networks of that name; "auto" is dense for tables and convolution for all else. Raises SettingsError
    where it does not fit."""
    if name == "auto":
        name = "dense" if len(shape) == 1 else "convolution"
    if name not in ARCHITECTURES:
        raise SettingsError(f"network must be auto or one of {', '.join(ARCHITECTURES)}, got {name!r}")
    found = ARCHITECTURES[name]
    if len(shape) not in found.axes:
        raise SettingsError(f"the network {name!r} does not read samples of shape {shape}; use network = auto")
    return found
