"""Variational autoencoder: an encoder that gives a distribution of codes, a decoder that says how sure it is."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from lynkeus.networks.shapes import Codes, PerSample, Samples

MEMORY = 0.1  # share of the last batch
LEAST_SIGMA = 0.01  # of the decoder, in sigmas of good data: a channel that stands still would ask for 0


class Described(NamedTuple):
    """`mean` of the samples given their codes, `sigma` of each channel around it, `divergence` of the codes in nats."""

    mean: Samples
    sigma: Samples
    divergence: PerSample


class Variational(nn.Module):
    """`encoder` gives 2 * latent numbers: means and log variances. Codes are drawn in training, else means are used.

    The noise of each channel is what the decoder leaves (sigma-VAE, Rybkin et al. 2021, arXiv:2006.13202): with a fixed
    one the divergence weighs too much or too little, and the codes are not used, or not regular.
    """

    variance: Tensor

    def __init__(self, encoder: nn.Module, decoder: nn.Module, axes: int, channels: int) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.register_buffer("variance", torch.ones(channels, *([1] * (axes - 1))))

    def forward(self, x: Samples) -> Described:
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        log_variance = log_variance.clamp(-12.0, 6.0)
        code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp() if self.training else mean
        out = self.decoder(code)
        variance = self.variance
        if self.training:  # of this batch, remembered for scoring as batch normalisation does
            variance = ((x - out) ** 2).mean(dim=(0, *range(2, x.ndim)), keepdim=True)[0]
            self.variance.lerp_(variance.detach(), MEMORY)
        sigma = variance.clamp(min=LEAST_SIGMA**2).sqrt()
        return Described(out, sigma.expand_as(x), divergence(mean, log_variance))


def divergence(mean: Codes, log_variance: Codes) -> PerSample:
    """Kullback-Leibler divergence of normal codes from the standard normal distribution, in nats."""
    found: Tensor = 0.5 * (mean**2 + log_variance.exp() - 1.0 - log_variance).sum(dim=1)
    return found
