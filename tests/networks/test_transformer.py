"""Transformer networks: shapes, zero stays zero without biases, gradients, the order of time."""

import pytest
import torch

from lynkeus.core import SettingsError
from lynkeus.networks.build import architecture
from lynkeus.networks.sequence_to_sequence import TransformerSequences
from lynkeus.networks.transformer import Positions

SHAPE = (5, 12)
PARTS = architecture("transformer", SHAPE)


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn((4, *SHAPE), generator=torch.Generator().manual_seed(0))


def test_codes_and_samples_have_their_shapes(x: torch.Tensor) -> None:
    code = PARTS.encoder(SHAPE, 3, 8, True)(x)
    assert code.shape == (4, 3)
    assert PARTS.decoder(SHAPE, 3, 8)(code).shape == x.shape
    with pytest.raises(SettingsError, match="does not read samples of shape"):
        architecture("transformer", (5,))


def test_zero_stays_exactly_zero_without_biases(x: torch.Tensor) -> None:
    assert not PARTS.encoder(SHAPE, 3, 8, False)(torch.zeros_like(x)).any()
    assert PARTS.encoder(SHAPE, 3, 8, True)(torch.zeros_like(x)).any()


def test_every_shot_takes_part(x: torch.Tensor) -> None:
    encoder = PARTS.encoder(SHAPE, 3, 8, False)
    x.requires_grad_(True)
    encoder(x).square().sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().amax(dim=1) > 0).all()
    assert all(weight.grad is not None for weight in encoder.parameters())


def test_the_order_of_time_matters(x: torch.Tensor) -> None:
    encoder = PARTS.encoder(SHAPE, 3, 8, False)
    assert not torch.allclose(encoder(x), encoder(x.flip(2)), atol=1e-5)


def test_positions_turn_and_do_not_stretch() -> None:
    shots = torch.randn(3, 12, 8)
    turned = Positions(12, 8)(shots)
    torch.testing.assert_close(turned.norm(dim=2), shots.norm(dim=2))
    torch.testing.assert_close(turned[:, 0], shots[:, 0])
    # What two turned shots have in common depends on how far apart they are only.
    same = Positions(12, 8)(shots[:, :1].expand(-1, 12, -1))
    products = (same[:, 1:] * same[:, :-1]).sum(dim=2)
    torch.testing.assert_close(products, products[:, :1].expand_as(products))


def test_the_writer_does_not_see_the_shots_to_come(x: torch.Tensor) -> None:
    network = TransformerSequences(SHAPE, 8)
    taught, free = network.train()(x), network.eval()(x)
    assert taught.shape == free.shape == x.shape
    torch.testing.assert_close(taught[:, :, -1], free[:, :, -1], rtol=1e-4, atol=1e-5)
    read = torch.randn(4, 1, 8)
    written = torch.randn(4, 6, 5)
    first = network._write(read, written)
    written[:, 3:] += 1.0
    torch.testing.assert_close(network._write(read, written)[:, :4], first[:, :4])
