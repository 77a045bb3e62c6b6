"""VariationalAutoencoder: what it learns of the noise, and what it says where it learned nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, SettingsError
from lynkeus.scorers.learned.variational_autoencoder import VariationalAutoencoder
from lynkeus.sources import InMemory

Sources = Callable[..., Any]


def test_each_channel_has_the_noise_that_its_hidden_numbers_leave() -> None:
    """Eight columns see two motions; half of them with a noise of 0.1, half with 0.4."""
    rng = np.random.default_rng(0)
    noise = np.tile([0.1, 0.4], 4)
    values = rng.normal(size=(2000, 2)) @ rng.normal(size=(2, 8)) + noise * rng.normal(size=(2000, 8))
    schema = Schema("table", tuple(f"c{k}" for k in range(8)), (), (8,))
    training = {"epochs": 25, "learning_rate": 3e-3}
    scorer = VariationalAutoencoder(latent=2, training=training).fit(InMemory(Batch(schema, values)))
    found = scorer.task_.networks["variational"].variance.sqrt().numpy() * scorer.inputs_.sigma
    np.testing.assert_allclose(found[1::2], 0.4, rtol=0.25)
    assert found[::2].max() < 0.3


def test_codes_that_are_not_used_are_reported_as_a_collapse(table: Sources, shots: np.ndarray) -> None:
    scorer = VariationalAutoencoder(kl_weight=1000.0, training={"epochs": 6}).fit(table(shots[:2000]))
    assert scorer.history_.verdict == "collapsed"
    assert "do not use" in scorer.history_.says()


def test_another_score_is_refused_and_the_choices_named(table: Sources, shots: np.ndarray) -> None:
    with pytest.raises(SettingsError, match="elbo, reconstruction"):
        VariationalAutoencoder("likelihood").fit(table(shots[:100]))
