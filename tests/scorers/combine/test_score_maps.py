"""Score maps corrected: towers planted dead, hot or degraded in occupancy maps, with few false discoveries."""

import numpy as np
import pytest

from lynkeus.core import SettingsError
from lynkeus.scorers.combine.score_maps import SpatialCorrection, TimeCorrection, smoothed

ROWS, COLUMNS, SECTIONS = 34, 72, 20


def occupancy(runs: int, seed: int, factor: float | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits (section, row, column), where a tower is faulty for all but the first sections of a run, and the runs.

    Towers near the ends of the barrel have five times the hits of those in the middle.
    """
    response = np.random.default_rng(99)
    along = np.abs(np.linspace(-1, 1, ROWS))[:, None]
    rate = 60 * (0.5 + 2.5 * along**2) * response.gamma(60, 1 / 60, (ROWS, COLUMNS))
    rng = np.random.default_rng(seed)
    hits = rng.poisson(np.repeat((rate * rng.uniform(0.6, 1.4, (runs, 1, 1)))[:, None], SECTIONS, axis=1)).astype(float)
    faulty = np.zeros(hits.shape, bool)
    for run in range(runs if factor is not None else 0):
        for row, column in rng.integers((ROWS, COLUMNS), size=(6, 2)):
            hits[run, 5:, row, column] = rng.binomial(hits[run, 5:, row, column].astype(int), min(factor, 1.0))
            if factor > 1:
                hits[run, 5:, row, column] += rng.poisson((factor - 1) * hits[run, 5:, row, column])
            faulty[run, 5:, row, column] = True
    shape = (-1, ROWS, COLUMNS)
    return hits.reshape(shape), faulty.reshape(shape), np.repeat(np.arange(runs), SECTIONS)


def loss(hits: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Squared difference to the mean map, brought to the hits of the section, as an autoencoder has it at best."""
    return (hits - mean * (hits.sum(axis=(1, 2)) / mean.sum())[:, None, None]) ** 2


def false_discoveries(scores: np.ndarray, faulty: np.ndarray) -> float:
    """Share of good towers among those above the threshold that 99 % of the faulty ones reach."""
    threshold = np.quantile(scores[faulty], 0.01)
    return float((scores[~faulty] >= threshold).sum() / (scores >= threshold).sum())


@pytest.mark.parametrize(("factor", "at_most"), [(0.0, (0.6, 0.25)), (3.0, (0.1, 0.005))])
def test_each_correction_has_fewer_false_discoveries_and_both_fewest(
    factor: float, at_most: tuple[float, float]
) -> None:
    mean = occupancy(10, 1)[0].mean(axis=0)
    spatial = SpatialCorrection.fit(loss(occupancy(15, 2)[0], mean))
    hits, faulty, run = occupancy(15, 3, factor)
    plain = loss(hits, mean)
    time = TimeCorrection(3)
    found = {"none": plain, "spatial": spatial.apply(plain), "both": time.apply(spatial.apply(plain), run)}
    rate = {name: false_discoveries(scores, faulty) for name, scores in found.items()}
    assert rate["none"] > 0.7
    assert rate["spatial"] < at_most[0]
    assert rate["both"] < at_most[1]
    assert rate["both"] < rate["spatial"] < rate["none"]


def test_good_maps_are_about_one_everywhere() -> None:
    maps = np.random.default_rng(0).exponential(np.linspace(1, 50, 30).reshape(5, 6), (4000, 5, 6))
    maps[:, 2, 3] = np.nan
    corrected = SpatialCorrection.fit(maps[:2000]).apply(maps[2000:])
    assert np.isnan(corrected[:, 2, 3]).all()
    np.testing.assert_allclose(np.delete(corrected.reshape(2000, -1), 15, axis=1).mean(axis=0), 1.0, atol=0.15)


def test_a_long_section_counts_more_for_what_is_usual() -> None:
    maps = np.stack([np.full((2, 2), 1.0), np.full((2, 2), 4.0)])
    np.testing.assert_allclose(SpatialCorrection.fit(maps, weight=np.array([2.0, 1.0])).usual, 2.0)


def test_neighbours_are_averaged_and_edges_and_gaps_do_not_pull_down() -> None:
    flat = np.ones((3, 8, 9))
    flat[1, 4, 4] = np.nan
    result = smoothed(flat, 1.5)
    assert np.isnan(result[1, 4, 4])
    np.testing.assert_allclose(result[~np.isnan(flat)], 1.0)
    block = np.random.default_rng(0).exponential(1.0, (200, 20, 20))
    usual = SpatialCorrection.fit(block[:100])
    block[100:, 8:12, 8:12] *= 2.0
    contrast = [
        one.apply(block[100:])[:, 9, 9].mean() / one.apply(block[100:])[:, :4, :4].std()
        for one in (usual, SpatialCorrection(usual.usual, 1.2))
    ]
    assert contrast[1] > 2 * contrast[0]


@pytest.mark.parametrize("how", ["mean", "product"])
def test_sections_join_those_before_them_in_their_own_run(how: str) -> None:
    maps = np.array([1.0, 4.0, 16.0, 9.0, 9.0])[:, None, None] * np.ones((1, 2, 2))
    run = np.array(["a", "a", "a", "b", "b"])
    joined = TimeCorrection(2, how).apply(maps, run)[:, 0, 0]
    np.testing.assert_allclose(joined, [1.0, 2.5, 10.0, 9.0, 9.0] if how == "mean" else [1.0, 2.0, 8.0, 9.0, 9.0])


def test_dead_sections_do_not_count_and_short_ones_count_for_less() -> None:
    maps = np.array([2.0, np.nan, 8.0, 100.0, 8.0])[:, None, None] * np.ones((1, 1, 1))
    joined = TimeCorrection(3).apply(maps, livetime=np.array([1.0, 1.0, 3.0, 0.0, 1.0]))[:, 0, 0]
    np.testing.assert_allclose(joined, [2.0, np.nan, (2 + 24) / 4, np.nan, 8.0])


def test_one_section_leaves_maps_as_they_are_and_order_of_correction_is_free_of_the_future() -> None:
    maps = np.random.default_rng(0).exponential(size=(6, 3, 4))
    np.testing.assert_array_equal(TimeCorrection(1).apply(maps), maps)
    np.testing.assert_allclose(TimeCorrection(3).apply(maps)[:4], TimeCorrection(3).apply(maps[:4]))


def test_what_makes_no_sense_is_refused() -> None:
    for maps in (np.full((2, 3, 3), np.nan), -np.ones((2, 3, 3))):
        with pytest.raises(SettingsError, match="scores >= 0"):
            SpatialCorrection.fit(maps)
    for settings in ({"sections": 0}, {"how": "median"}):
        with pytest.raises(SettingsError, match="joins one section or more"):
            TimeCorrection(**settings)
