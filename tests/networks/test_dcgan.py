"""The published networks: shapes in all published sizes, numbers of parameters by hand, what is refused."""

import pytest
import torch

from lynkeus.core import SettingsError
from lynkeus.networks.dcgan import DcganEncoder, DcganGenerator, dcgan_critic
from lynkeus.scorers.learned.adversarial.scorer import Adversarial


@pytest.mark.parametrize(("side", "channels"), [(28, 1), (64, 1), (128, 3), (256, 3)])
def test_shapes_in_all_published_sizes(side: int, channels: int) -> None:
    shape = (channels, side, side)
    images = DcganGenerator(shape, 7, 2)(torch.randn(2, 7))
    assert images.shape == (2, *shape)
    assert DcganEncoder(shape, 7, 2)(images).shape == (2, 7)
    output = dcgan_critic(shape, 2).eval()(images, with_slope=True)
    assert output.value.shape == output.slope.shape == (2,)
    assert (output.slope > 0).all()


def test_the_numbers_of_parameters_at_the_published_size_are_those_of_the_layers() -> None:
    """Six halvings from 256 to 4: 64, 128, ... 2048 channels, kernels of 4 x 4."""
    with torch.device("meta"):
        networks = Adversarial(network="dcgan").make_task((3, 256, 256)).networks
    channels = [64 * 2**step for step in range(6)]
    between = sum(16 * narrow * 2 * narrow for narrow in channels[:-1])
    norms, wide = 2 * sum(channels[1:]), channels[-1]
    counts = {name: sum(weight.numel() for weight in network.parameters()) for name, network in networks.items()}
    outer = 16 * 3 * 64
    assert counts["generator"] == 16 * 2048 * wide + between + norms + 2 * 64 + outer + 3
    assert counts["encoder"] == 16 * 2048 * wide + 2048 + between + norms + outer + 64
    assert counts["critic"] == 16 * wide + 1 + between + norms + outer + 64


def test_a_sample_is_judged_by_itself_and_a_generator_that_is_used_drops_nothing() -> None:
    critic, generator = dcgan_critic((1, 28, 28), 4).eval(), DcganGenerator((1, 28, 28), 5, 4).eval()
    codes = torch.randn(3, 5)
    torch.testing.assert_close(generator(codes), generator(codes))
    x = torch.randn(4, 1, 28, 28)
    torch.testing.assert_close(critic(x).value[:2], critic(x[:2]).value)


@pytest.mark.parametrize("shape", [(1, 28, 32), (1, 27, 27), (1, 100, 100), (1, 4, 4), (7,)])
def test_other_shapes_are_refused_with_what_to_do(shape: tuple[int, ...]) -> None:
    with pytest.raises(SettingsError, match="28, 64, 128 or 256"):
        dcgan_critic(shape, 4)
