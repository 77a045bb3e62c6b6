"""Orbit on data with gaps: channels that are gone for long, values that are missing here and there."""

from dataclasses import replace

import numpy as np
import pytest
from tests.scorers.orbit.test_scorer import (
    ROWS,
    START,
    WINDOWS,
    Held,
    fault,
    limits,
    orbit,
    simulated,
    unseen,
    watch,
)

from lynkeus.core import Batch
from lynkeus.scorers.orbit import loops
from lynkeus.scorers.orbit.gaps import fill
from lynkeus.scorers.orbit.scorer import Orbit
from lynkeus.simulate.beam.orbit import machine
from lynkeus.sources import Window
from lynkeus.transforms.missing import fill_from_others

__all__ = ["orbit"]  # a fixture
GONE = slice(600, ROWS)
RNG_SEED = 7


def with_gaps(rows: Batch, how: str, spared: int = -1) -> Batch:
    """Rows in which channels, or single values, are missing, and whose source says so."""
    values, rng = np.array(rows.values), np.random.default_rng(RNG_SEED)
    others = np.delete(np.arange(values.shape[1]), spared)
    if how.endswith("channels"):
        values[GONE, rng.choice(others, int(how.split()[0]), replace=False)[:, None]] = np.nan
    else:
        values[rng.random(values.shape) < float(how.split("%")[0]) / 100.0] = np.nan
    return replace(rows.with_values(values), meta={"missing_is_said": np.ones(len(values), bool)})


HOWS = ["1 channels", "40 channels", "1% of all values", "10% of all values"]


@pytest.mark.parametrize("how", [*HOWS, "3 channels"])
def test_what_is_missing_and_said_to_be_is_no_fault_of_a_channel_nor_a_moved_beam(orbit: Orbit, how: str) -> None:
    scores, _ = watch(orbit, with_gaps(unseen(), how))
    assert (scores.max(axis=0) < limits()).all()


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("kind", ["noisy", "offset", "stuck"])
def test_a_broken_monitor_is_named_beside_what_is_missing(orbit: Orbit, kind: str, how: str) -> None:
    rows = with_gaps(unseen(fault(kind, 120)), how, 120)
    scores, names = watch(orbit, rows)
    assert np.median(scores[WINDOWS, 0]) > limits()[0]
    assert (names[WINDOWS, 0] == machine().names[120]).mean() >= 0.8
    assert scores[WINDOWS, 1].max() < limits()[1]
    after = slice(WINDOWS.stop + 4, None)
    assert (scores[after].max(axis=0) < limits()).all()


@pytest.mark.parametrize("how", HOWS)
def test_a_moved_beam_is_seen_beside_what_is_missing(orbit: Orbit, how: str) -> None:
    scores, _ = watch(orbit, with_gaps(unseen(fault("step", 120)), how))
    assert (scores[WINDOWS, 1] > limits()[1]).all()
    assert scores[WINDOWS, 0].max() < limits()[0]


def test_a_channel_that_is_gone_and_nobody_says_so_is_named(orbit: Orbit) -> None:
    rows = replace(with_gaps(unseen(), "1 channels"), meta={})
    gone = machine().names[int(np.flatnonzero(np.isnan(rows.values[GONE.start]))[0])]
    scores, names = watch(orbit, rows)
    first = slice(GONE.start // 10, GONE.start // 10 + 50)
    assert (scores[first, 0] > limits()[0]).all()
    assert (names[first, 0] == gone).all()
    assert scores[:, 1].max() < limits()[1]
    orbit.resume({})
    found = orbit.find(next(iter(Window(Held(rows, 700), 10))), "monitor")[-1][0]
    assert "giving no values" in found.says


def test_a_channel_that_comes_back_elsewhere_is_named(orbit: Orbit) -> None:
    rows = unseen(fault("offset", 120, START, 900, 6.0))
    values = np.array(rows.values)
    values[START - 300 : START + 300, 120] = np.nan
    rows = replace(rows.with_values(values), meta={"missing_is_said": np.ones(len(values), bool)})
    scores, names = watch(orbit, rows)
    back = slice((START + 300) // 10, (START + 300) // 10 + 10)
    assert (scores[: back.start].max(axis=0) < limits()).all()
    assert (scores[back, 0] > limits()[0]).all()
    assert (names[back, 0] == machine().names[120]).all()


@pytest.mark.parametrize("how", ["3 channels", "10% of all values"])
def test_how_the_stream_is_cut_does_not_matter_where_values_are_missing(orbit: Orbit, how: str) -> None:
    rows = with_gaps(unseen(fault("offset", 60, 1000, 800), fault("step", 120, 2400, 600)), how, 60)[:4000]
    whole, _ = watch(orbit, rows, 1500)
    cut, _ = watch(orbit, rows, 70)
    differs = np.abs(cut - whole) > 0.02 + 1e-3 * np.abs(whole)
    assert differs.any(axis=1).mean() < 0.01


@pytest.mark.parametrize("how", ["3 channels", "10% of all values"])
def test_compiled_loops_say_what_numpy_says_where_values_are_missing(
    orbit: Orbit, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = with_gaps(unseen(fault("offset", 60, 1000, 800)), how, 60)
    expected, _ = watch(orbit, rows)
    monkeypatch.setattr(loops, "ENOUGH", 0)
    assert loops.compiled() is not None
    found, _ = watch(orbit, rows)
    assert (np.abs(found - expected) > 0.05 + 2e-3 * np.abs(expected)).any(axis=1).mean() < 0.01


def test_a_reference_with_gaps_is_learned_from(orbit: Orbit) -> None:
    """What the others say of a channel is as sharp as without gaps, and tails are of what was there."""
    rows = simulated()[:9000]
    values = np.array(rows.values)
    values[2000:5000, 120] = np.nan
    values[np.random.default_rng(4).random(values.shape) < 0.05] = np.nan
    scorer = Orbit().fit(Window(Held(rows.with_values(values)), 10))
    sharper = np.log(scorer.model_.conditional_sigma / orbit.model_.conditional_sigma)
    assert np.abs(sharper).max() < 0.25
    assert abs(np.log(scorer.gate_.sigma[120] / orbit.gate_.sigma[120])) < 0.25
    scores, _ = watch(scorer, unseen())
    assert (scores.max(axis=0) < limits()).all()


def test_each_shot_is_filled_by_the_other_channels_and_keeps_what_the_channel_is_off() -> None:
    """Against a whole solution of each window by itself."""
    rng, windows, length = np.random.default_rng(3), 6, 5
    root = rng.normal(size=(4, 4)) + 2.0 * np.eye(4)
    precision = np.linalg.inv(root @ root.T)
    sigma = 1.0 / np.sqrt(np.diag(precision))
    correlation = precision * np.outer(sigma, sigma)
    rows = rng.normal(size=(windows * length, 4)) @ root.T
    missing = rng.random(rows.shape) < 0.3
    missing[:, 0] = False
    missing[:length, 1] = True  # one channel is gone for a whole window
    away = np.where(missing, 0.0, rows)
    expected = fill_from_others(np.where(missing, np.nan, rows), precision)
    mean, gaps, less = fill(away, missing, length, sigma, correlation)
    np.testing.assert_allclose(mean, expected.reshape(windows, length, 4).mean(axis=1), atol=1e-9)
    off = rng.normal(size=4)
    for row in range(windows):
        shots, gone = expected[row * length : (row + 1) * length], missing[row * length : (row + 1) * length]
        moved = shots / sigma
        for shot in range(length):
            own = np.flatnonzero(gone[shot])
            moved[shot, own] += off[own] @ np.linalg.inv(correlation[np.ix_(own, own)])
        found = gaps[row].filled((mean[row] / sigma) @ correlation, off, correlation)
        np.testing.assert_allclose(found, moved.mean(axis=0) @ correlation, atol=1e-9)
        np.testing.assert_allclose(less[row][0], sum(1 - _left(correlation, shot) for shot in gone), atol=1e-5)
    np.testing.assert_allclose(away.reshape(windows, length, 4).mean(axis=1), 0.0, atol=1e-9)


def _left(correlation: np.ndarray, gone: np.ndarray) -> float:
    """The variance of the residual of the first channel without some."""
    own = np.flatnonzero(gone)
    return 1.0 - correlation[0, own] @ np.linalg.inv(correlation[np.ix_(own, own)]) @ correlation[own, 0]
