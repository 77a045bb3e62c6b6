"""Encoders and decoders by name, for the shape of a sample."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from torch import nn

from lynkeus.core import SettingsError
from lynkeus.networks.convolution import ConvolutionDecoder, ConvolutionEncoder
from lynkeus.networks.dense import DenseDecoder, DenseEncoder
from lynkeus.networks.recurrent import RecurrentDecoder, RecurrentEncoder, ShotByShot
from lynkeus.networks.shapes import Shape
from lynkeus.networks.transformer import TransformerDecoder, TransformerEncoder

Encoder = Callable[[Shape, int, int, bool], nn.Module]
Decoder = Callable[[Shape, int, int], nn.Module]


class Architecture(NamedTuple):
    """`axes`: how many axes a sample may have; encoder(shape, latent, width, bias), decoder(shape, latent, width)."""

    axes: tuple[int, ...]
    encoder: Encoder
    decoder: Decoder
    width: int


ARCHITECTURES: dict[str, Architecture] = {
    "dense": Architecture((1, 2, 3), DenseEncoder, DenseDecoder, 128),
    "convolution": Architecture((2, 3), ConvolutionEncoder, ConvolutionDecoder, 16),
    "gru": Architecture((2,), partial(RecurrentEncoder, "gru"), partial(RecurrentDecoder, "gru"), 64),
    "lstm": Architecture((2,), partial(RecurrentEncoder, "lstm"), partial(RecurrentDecoder, "lstm"), 64),
    "transformer": Architecture((2,), TransformerEncoder, TransformerDecoder, 64),
}


def architecture(name: str, shape: Shape) -> Architecture:
    """By name; "auto" is dense for tables and convolution for all else. Raises SettingsError where it does not fit."""
    if name == "auto":
        name = "dense" if len(shape) == 1 else "convolution"
    if name not in ARCHITECTURES:
        raise SettingsError(f"network must be auto or one of {', '.join(ARCHITECTURES)}, got {name!r}")
    found = ARCHITECTURES[name]
    if len(shape) not in found.axes:
        raise SettingsError(f"the network {name!r} does not read samples of shape {shape}; use network = auto")
    return found
