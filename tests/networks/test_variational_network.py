"""Variational against torch.distributions; codes are drawn in training only."""

import torch
from torch.distributions import Normal, kl_divergence

from lynkeus.networks.dense import DenseDecoder, DenseEncoder
from lynkeus.networks.variational import LEAST_SIGMA, Variational, divergence


def small(channels: int) -> Variational:
    torch.manual_seed(0)
    return Variational(DenseEncoder((channels,), 4, 8), DenseDecoder((channels,), 2, 8), 1, channels)


def test_the_divergence_is_that_of_torch() -> None:
    mean, log_variance = torch.randn(7, 3), torch.randn(7, 3)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(divergence(mean, log_variance), expected)


def test_codes_are_drawn_in_training_and_are_means_after_it() -> None:
    network, x = small(5), torch.randn(9, 5)
    assert not torch.equal(network(x).mean, network(x).mean)
    network.eval()
    torch.testing.assert_close(network(x).mean, network(x).mean)


def test_a_channel_that_stands_still_keeps_some_noise() -> None:
    network = small(3)
    network.eval().variance.zero_()
    torch.testing.assert_close(network(torch.zeros(4, 3)).sigma, torch.full((4, 3), LEAST_SIGMA))
