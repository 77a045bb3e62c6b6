"""Sequence to sequence: one bad channel among many is seen and named, what is not a waveform is refused."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, SchemaError, SettingsError
from lynkeus.scorers.learned.sequence_to_sequence import SequenceToSequence

SCHEMA = Schema("waveform", tuple("abcdefgh"), (), (8, 6))
QUICK = {"epochs": 8, "batch_size": 32}


@dataclass(frozen=True)
class Given:
    batch: Batch

    @property
    def schema(self) -> Schema:
        return self.batch.schema

    def __iter__(self) -> Iterator[Batch]:
        yield self.batch


def waves(count: int, seed: int) -> Batch:
    """One oscillation of any phase, seen by eight channels, and noise."""
    draw = np.random.default_rng(seed)
    phase = draw.uniform(0, 2 * np.pi, (count, 1, 1))
    values = np.sin(phase + np.arange(6) + 0.3 * np.arange(8)[:, None]) + 0.05 * draw.normal(size=(count, 8, 6))
    return Batch(SCHEMA, values)


@pytest.mark.parametrize("network", ["gru", "lstm", pytest.param("transformer", marks=pytest.mark.slow)])
def test_a_noisy_channel_is_seen_and_named(network: str) -> None:
    scorer = SequenceToSequence(network=network, width=16, training=QUICK).fit(Given(waves(600, 1)))
    good, bad = waves(50, 2), waves(50, 2)
    bad.values[:, 3] += np.random.default_rng(3).normal(size=(50, 6))
    assert np.mean(scorer.score(bad) > np.quantile(scorer.score(good), 0.95)) > 0.5
    worst = np.square(scorer.explain(bad)).mean(axis=2).argmax(axis=1)
    assert np.mean(worst == 3) > 0.6


def test_scores_are_in_what_is_usual() -> None:
    scorer = SequenceToSequence(width=8, training=QUICK).fit(Given(waves(300, 1)))
    usual = np.square(scorer.explain(waves(300, 1))).mean(axis=(0, 2))
    np.testing.assert_allclose(usual, 1.0, rtol=1e-3)


def test_other_kinds_and_networks_are_refused() -> None:
    table = Batch(Schema("table", ("a", "b"), (), (2,)), np.zeros((10, 2)))
    with pytest.raises(SchemaError, match="not a table"):
        SequenceToSequence().fit(Given(table))
    with pytest.raises(SettingsError, match="gru, lstm, transformer"):
        SequenceToSequence(network="convolution").fit(Given(waves(20, 1)))
