import numpy as np
import pytest

from lynkeus.commission.jitter import measure_jitter
from lynkeus.core import Batch, Schema, SchemaError, SourceError
from lynkeus.sources import InMemory, Window


def _source(values: np.ndarray, batch_size: int = 1000) -> InMemory:
    schema = Schema("table", tuple(f"c{k}" for k in range(values.shape[1])), ("mm",), (values.shape[1],), 10.0)
    return InMemory(Batch(schema, values), batch_size)


def test_drift_and_incidents_are_not_jitter():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(12_000, 3)) * [1.0, 2.0, 3.0] + np.linspace(0, 50, 12_000)[:, None]
    values[3000:4000] += 1e3
    values[5000:5200, 1] = np.nan
    known = measure_jitter(_source(values), np.ones(3, bool))
    np.testing.assert_allclose(known.jitter, np.hypot([1.0, 2.0, 3.0], 50 / 20 / np.sqrt(12)), rtol=0.05)
    np.testing.assert_allclose(known.centre, 25, atol=8)
    assert known.rows == 12_000


def test_it_does_not_depend_on_how_batches_are_cut():
    values = np.random.default_rng(1).normal(size=(2500, 4))
    whole, cut = (measure_jitter(_source(values, size), np.ones(4, bool)) for size in (2500, 77))
    np.testing.assert_allclose(whole.jitter, cut.jitter)
    np.testing.assert_allclose(np.abs(whole.directions), np.abs(cut.directions))
    assert whole.rows == cut.rows == 2500


def test_the_strongest_direction_is_how_the_channels_move_together():
    rng = np.random.default_rng(2)
    together = np.array([3.0, -3.0, 0.0, 1.0])
    values = rng.normal(size=(6000, 4)) + rng.normal(size=(6000, 1)) * together
    values[:, 2] = 7.0
    known = measure_jitter(_source(values), np.array([True, True, False, True]))
    first = known.directions[0] / known.jitter.clip(1e-9)
    assert first[0] * first[1] < 0
    assert np.abs(first).max() == pytest.approx(1.0)
    assert first[2] == 0.0
    assert known.jitter[2] == 0.0
    mixture = known.mixture(np.random.default_rng(0)) / known.jitter.clip(1e-9)
    assert np.abs(mixture).max() == pytest.approx(1.0)


def test_refusals():
    values = np.zeros((599, 2))
    with pytest.raises(SourceError, match="599 rows"):
        measure_jitter(_source(values), np.ones(2, bool))
    with pytest.raises(SchemaError, match="waveform"):
        measure_jitter(Window(_source(values), 10), np.ones(2, bool))
