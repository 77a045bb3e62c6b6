"""Bad references: planted far runs are found, good references of many kinds are left alone."""

import numpy as np
import pytest

from lynkeus.fitting.reference_parts import far_runs, two_kinds

BINS, PLOTS = 40, 6
SLICES = [slice(k * BINS, (k + 1) * BINS) for k in range(PLOTS)]


def _drawn(runs: int, seed: int, spread: float = 0.0, shift: np.ndarray | None = None, freedom: float = np.inf):
    """(runs, bins) counts of runs of 300 to 3000 events, each plot a hill that moves as Student's t of so many degrees
    of freedom; in the first one it may have moved."""
    rng = np.random.default_rng(seed)
    events = rng.uniform(300, 3000, runs)
    moved = rng.normal(size=(runs, PLOTS)) if np.isinf(freedom) else rng.standard_t(freedom, (runs, PLOTS))
    at = 20 + spread * moved
    at[:, 0] += 0.0 if shift is None else shift
    hills = np.exp(-0.5 * ((np.arange(BINS) - at[..., None]) / 5) ** 2)
    shares = (hills / hills.sum(axis=2, keepdims=True)).reshape(runs, -1)
    return rng.poisson(shares * events[:, None]).astype(float), events


def test_far_runs_are_found() -> None:
    far = np.isin(np.arange(30), (3, 11, 20))
    counts, events = _drawn(30, 1, shift=4.0 * far)
    np.testing.assert_array_equal(far_runs(counts, events, SLICES), far)


@pytest.mark.parametrize("spread", [0.0, 0.5])
@pytest.mark.parametrize("runs", [12, 30, 100])
def test_good_references_are_left_alone(runs: int, spread: float) -> None:
    far, kinds = 0, 0
    for seed in range(10):
        counts, events = _drawn(runs, seed, spread)
        far += int(far_runs(counts, events, SLICES).any())
        kinds += two_kinds(counts, events, SLICES) is not None
    assert far <= 1
    assert kinds == 0


def test_runs_that_differ_by_a_wide_tail_are_not_left_out() -> None:
    """Those beyond six sigmas would be 4 % of them, and as many good runs would be called bad."""
    far = [far_runs(*_drawn(100, seed, 0.5, freedom=3.0), SLICES).sum() for seed in range(12)]
    assert np.mean(far) < 1.0


@pytest.mark.parametrize("part", [0.5, 0.3])
def test_two_kinds_are_told_apart(part: float) -> None:
    other = np.arange(40) < 40 * part
    counts, events = _drawn(40, 2, shift=4.0 * other)
    assert not far_runs(counts, events, SLICES).any()
    found = two_kinds(counts, events, SLICES)
    assert found is not None
    smaller, plot = found
    assert plot == 0
    assert (smaller == other).all() or (part == 0.5 and (smaller == ~other).all())


def test_a_steady_drift_is_one_kind() -> None:
    counts, events = _drawn(60, 3, shift=np.linspace(-3, 3, 60))
    assert two_kinds(counts, events, SLICES) is None


def test_few_empty_or_short_runs_are_not_looked_at() -> None:
    counts, events = _drawn(8, 4)
    assert not far_runs(counts, events, SLICES).any()
    assert two_kinds(np.zeros((30, BINS * PLOTS)), np.zeros(30), SLICES) is None
    assert not far_runs(np.zeros((30, BINS * PLOTS)), np.ones(30), SLICES).any()
