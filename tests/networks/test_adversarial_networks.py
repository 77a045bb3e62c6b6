"""Generator, critic and encoder: shapes of every kind, and the slope against autograd."""

import pytest
import torch

from lynkeus.networks.critic import FEATURES, critic, encoder
from lynkeus.networks.generator import generator

SHAPES = [(7,), (3, 1), (3, 5), (2, 10), (6, 182), (1, 4, 4), (1, 28, 28), (3, 31, 64), (1, 256, 256)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_codes_become_samples_and_samples_codes(shape: tuple[int, ...]) -> None:
    samples = generator(shape, 5, 8)(torch.randn(2, 5))
    assert samples.shape == (2, *shape)
    assert encoder(shape, 5, 8)(samples).shape == (2, 5)
    output = critic(shape, 8)(samples)
    assert (output.value.shape, output.features.shape) == ((2,), (2, FEATURES))


@pytest.mark.parametrize("shape", [(7,), (2, 10), (1, 9, 9)], ids=str)
def test_the_slope_is_that_of_each_sample_by_itself(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network, x = critic(shape, 8), torch.randn(4, *shape)
    slopes = network(x, with_slope=True).slope
    for row, slope in zip(x, slopes, strict=True):
        gradient = torch.autograd.functional.jacobian(lambda one: network(one[None]).value.sum(), row)
        torch.testing.assert_close(gradient.norm(), slope.detach())
    slopes.sum().backward()  # the penalty trains the critic
    assert next(network.parameters()).grad.abs().sum() > 0


def test_features_are_given_out_in_their_own_unit() -> None:
    network, x = critic((7,), 8), torch.randn(4, 7)
    before = network(x)
    network.feature_sigma.fill_(2.0)
    torch.testing.assert_close(network(x).features, before.features / 2)
    torch.testing.assert_close(network(x).value, before.value)


def test_a_generator_treats_each_sample_by_itself() -> None:
    made = generator((1, 12, 12), 5, 8)
    codes = torch.randn(3, 5)
    torch.testing.assert_close(made(codes)[:1], made(codes[:1]))
