"""Recurrent networks: shapes, zero stays zero without biases, gradients, the order of time."""

import pytest
import torch

from lynkeus.core import SettingsError
from lynkeus.networks.build import architecture
from lynkeus.networks.recurrent import SequenceEncoder
from lynkeus.networks.sequence_to_sequence import RecurrentSequences

SHAPE = (5, 12)


@pytest.fixture(params=["gru", "lstm"])
def cell(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn((4, *SHAPE), generator=torch.Generator().manual_seed(0))


def test_codes_and_samples_have_their_shapes(cell: str, x: torch.Tensor) -> None:
    parts = architecture(cell, SHAPE)
    code = parts.encoder(SHAPE, 3, 8, True)(x)
    assert code.shape == (4, 3)
    assert parts.decoder(SHAPE, 3, 8)(code).shape == x.shape


def test_tables_are_refused_in_words(cell: str) -> None:
    with pytest.raises(SettingsError, match="does not read samples of shape"):
        architecture(cell, (5,))


def test_zero_stays_exactly_zero_without_biases(cell: str, x: torch.Tensor) -> None:
    assert not architecture(cell, SHAPE).encoder(SHAPE, 3, 8, False)(torch.zeros_like(x)).any()
    assert architecture(cell, SHAPE).encoder(SHAPE, 3, 8, True)(torch.zeros_like(x)).any()


def test_every_shot_and_every_weight_takes_part(cell: str, x: torch.Tensor) -> None:
    encoder = architecture(cell, SHAPE).encoder(SHAPE, 3, 8, False)
    x.requires_grad_(True)
    encoder(x).square().sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().amax(dim=1) > 0).all()
    assert all(weight.grad is not None and weight.grad.any() for weight in encoder.parameters())


def test_the_order_of_time_matters(cell: str, x: torch.Tensor) -> None:
    encoder = architecture(cell, SHAPE).encoder(SHAPE, 3, 8, False)
    assert not torch.allclose(encoder(x), encoder(x.flip(2)), atol=1e-5)


def test_the_published_network_of_the_orbits() -> None:
    parts = architecture("xfel_orbits", (64, 10))
    encoder = parts.encoder((64, 10), parts.code_length((64, 10), 32), parts.width, False)
    x = torch.randn(3, 64, 10)
    assert encoder(x).shape == (3, 160)
    torch.testing.assert_close(
        encoder(x[:, :, :10])[:, :16], encoder(torch.cat([x[:, :, :1], 0 * x[:, :, 1:]], 2))[:, :16]
    )
    with pytest.raises(SettingsError, match="each of 10 shots"):
        parts.encoder((64, 10), 16, 16, False)
    shapes = sorted(tuple(weight.shape) for weight in encoder.parameters())
    assert shapes == [(16, 16), (48, 16), (48, 64)]  # linear, and the three gates of a GRU(64, 16)


def test_pulses_of_zeros_before_the_first_one_leave_no_trace() -> None:
    encoder = SequenceEncoder(7, 3, 8)
    pulses = torch.randn(2, 4, 7)
    padded = torch.cat([torch.zeros(2, 5, 7), pulses], dim=1)
    torch.testing.assert_close(encoder(padded)[:, 5:], encoder(pulses), rtol=0, atol=1e-6)  # a dozen roundings of 6e-8
    assert not encoder(padded)[:, :5].any()


def test_a_window_is_written_last_shot_first_and_from_its_own_shots(cell: str, x: torch.Tensor) -> None:
    network = RecurrentSequences(cell, SHAPE, 8)
    taught = network.train()(x)
    free = network.eval()(x)
    assert taught.shape == free.shape == x.shape
    # The last shot of the window is written first: nothing that was given can change it yet.
    torch.testing.assert_close(taught[:, :, -1], free[:, :, -1])
    assert not torch.allclose(taught[:, :, 0], free[:, :, 0], atol=1e-5)
