"""Occlusion on scores whose parts are known."""

from collections.abc import Callable

import numpy as np
import pytest

from lynkeus.explain import occlusion as module
from lynkeus.explain.occlusion import occlusion

RESIDUAL = np.random.default_rng(0).normal(size=(50, 4, 6))


def energy(residual: np.ndarray) -> np.ndarray:
    """A sum over channels."""
    return np.nansum(residual**2, axis=(1, 2))


def test_a_sum_over_channels_drops_by_each_channels_part() -> None:
    np.testing.assert_allclose(occlusion(energy, RESIDUAL, np.eye(6)), (RESIDUAL**2).sum(axis=1))


def test_the_shadow_on_other_channels_goes_with_its_channel() -> None:
    correlation = np.full((6, 6), -0.5) + 1.5 * np.eye(6)
    fault = np.zeros((1, 4, 6))
    fault[0, :, 2] = 3.0
    drop = occlusion(energy, fault @ correlation, correlation)[0]
    assert drop.argmax() == 2
    assert drop[2] == pytest.approx(energy(fault @ correlation)[0])


def test_it_may_be_computed_in_pieces(monkeypatch: pytest.MonkeyPatch, agree: Callable[..., None]) -> None:
    whole = occlusion(energy, RESIDUAL, np.eye(6))
    monkeypatch.setattr(module, "CHUNK_NUMBERS", 300)
    agree(occlusion(energy, RESIDUAL, np.eye(6)), whole)


def test_nothing_gives_nothing() -> None:
    assert occlusion(energy, RESIDUAL[:0], np.eye(6)).shape == (0, 6)
