"""Hundreds of channels and few modes: products that cost little say the same as the full ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lynkeus.core import Batch, Schema
from lynkeus.scorers.orbit.geometry import Geometry
from lynkeus.scorers.orbit.scorer import Orbit
from lynkeus.scorers.orbit.thin import Thin
from lynkeus.sources import InMemory, Window
from lynkeus.transforms.conditional import ConditionalModel
from lynkeus.transforms.modes import LEAST, Modes, find_modes

CHANNELS, MODES, ROWS = LEAST + 8, 6, 3000
START_NS = 1_700_000_000_000_000_000


def rows(seed: int) -> np.ndarray:
    machine, rng = np.random.default_rng(1), np.random.default_rng(seed)
    loadings = machine.standard_normal((MODES, CHANNELS))
    noise = np.exp(0.4 * machine.standard_normal(CHANNELS))
    drawn = rng.standard_normal((ROWS, MODES)) @ loadings + noise * rng.standard_normal((ROWS, CHANNELS))
    return (drawn + 50.0 * machine.standard_normal(CHANNELS)).astype(np.float32)


def windows(values: np.ndarray) -> Window:
    schema = Schema("table", tuple(f"P{number}" for number in range(CHANNELS)), ("um",), (CHANNELS,))
    times = START_NS + 100_000_000 * np.arange(len(values))
    return Window(InMemory(Batch(schema=schema, values=values, time_ns=times), 1000), 10)


@pytest.fixture(scope="module")
def orbit() -> Orbit:
    return Orbit().fit(windows(rows(2)))


@pytest.fixture
def modes() -> Modes:
    rng = np.random.default_rng(0)
    return Modes(np.exp(rng.standard_normal(40)), 3.0 * rng.standard_normal((40, 4)))


@pytest.mark.parametrize("masked", [(), (3, 17, 18)])
def test_thin_matrices_are_the_full_ones(modes: Modes, masked: tuple[int, ...]) -> None:
    covariance = np.diag(modes.noise) + modes.loadings @ modes.loadings.T
    assert modes.precision() @ covariance == pytest.approx(np.eye(40), abs=1e-9)
    model = ConditionalModel(np.zeros(40), np.sqrt(np.diag(covariance)), modes.precision(), modes)
    used = ~np.isin(np.arange(40), masked)
    thin, full = Geometry.of(model, used), Geometry.of(replace(model, modes=None), used)
    assert isinstance(thin.to_residual, Thin)
    some = np.random.default_rng(1).multivariate_normal(np.zeros(40), covariance, 20)
    residual = some @ full.exact
    assert some @ thin.to_residual == pytest.approx(residual, abs=1e-4)
    assert residual @ thin.to_jitter == pytest.approx(residual @ full.to_jitter, abs=1e-3)
    assert thin.correlation == pytest.approx(full.correlation, abs=1e-6)
    assert thin.exact == pytest.approx(full.exact, abs=1e-9)
    # Both turn what is in use into directions of variance 1, whatever the axes are.
    size = [np.square(residual @ one.flip).sum(axis=1) for one in (thin, full)]
    assert size[0] == pytest.approx(size[1], rel=1e-3)


def test_few_modes_are_found_where_there_are_few(orbit: Orbit) -> None:
    assert orbit.model_.modes is not None
    assert orbit.model_.modes.loadings.shape[1] <= 2 * MODES


def test_no_modes_where_channels_share_more() -> None:
    rng = np.random.default_rng(0)
    neighbours = np.eye(CHANNELS) + 0.6 * (np.eye(CHANNELS, k=1) + np.eye(CHANNELS, k=-1)) / 1.3
    drawn = rng.standard_normal((ROWS, CHANNELS)) @ neighbours
    covariance = np.cov(drawn.T)
    assert find_modes(covariance, np.linalg.inv(covariance), ROWS) is None


def test_a_fault_among_many_channels_is_found_and_kept(orbit: Orbit, tmp_path) -> None:
    values = rows(3)
    values[1500:1560, 77] += 1.5 * values[:, 77].std()
    orbit.save(tmp_path)
    again = Orbit.load(tmp_path)
    for scorer in (orbit, again):
        scorer.resume({})
        scores, named = [], []
        for batch in windows(values):
            scores.append(scorer.score(batch))
            named += [found[0].where for found in scorer.find(batch, "monitor")]
            scorer.update(batch)
        monitor = np.concatenate(scores)[:, 0]
        assert monitor[150:156].min() > 2.0 * np.delete(monitor, range(149, 158)).max()
        assert named[150:156] == ["P77"] * 6
