"""From odds to sigmas and spots: what is usual at a place is taken off there, and spots are at their places."""

from __future__ import annotations

import numpy as np
import pytest

from lynkeus.scorers.inspect_grid import CENTRE, STRIDE
from lynkeus.scorers.inspect_usual import FAINTEST, SPOTS, Usual, find_spots


def odds(count: int, seed: int, rows: int = 24, columns: int = 36) -> list[np.ndarray]:
    """Of two views: the left half is usually higher, the lower half moves more."""
    noise = np.random.default_rng(seed).normal(size=(count, 2, rows, columns))
    noise[:, :, rows // 2 :] *= 3
    noise[..., : columns // 2] += 4
    return list(noise - 6)


def test_maps_of_good_images_have_mean_zero_and_spread_one_everywhere() -> None:
    usual = Usual.fit(odds(60, seed=0))
    maps = np.stack([usual.map(one) for one in odds(60, seed=1)])
    assert abs(maps.mean()) < 0.05
    assert maps.std() == pytest.approx(1, rel=0.1)
    inner = (slice(None), slice(2, 10)), (slice(None), slice(14, 22))
    for part in (maps[inner[0]], maps[inner[1]]):
        assert part[..., 3:14].mean() == pytest.approx(0, abs=0.2)
        assert part[..., 22:33].mean() == pytest.approx(0, abs=0.2)
        assert part[..., 3:14].std() == pytest.approx(1, rel=0.25)


def test_one_view_alone_does_not_make_a_spot_as_high_as_both() -> None:
    usual = Usual.fit(odds(60, seed=0))
    (one,) = odds(1, seed=1)
    single, both = one.copy(), one.copy()
    single[0, 6, 28] += 12
    both[:, 6, 28] += 12
    assert usual.map(both)[6, 28] > 1.5 * usual.map(single)[6, 28] > usual.map(one).max()
    assert usual.height(both) > usual.height(single) > usual.height(one)


def test_what_never_changes_gives_finite_maps() -> None:
    usual = Usual.fit([np.zeros((2, 5, 7))] * 9)
    assert np.isfinite(usual.height(np.ones((2, 5, 7))))
    np.testing.assert_array_equal(usual.map(np.zeros((2, 5, 7))), 0)
    assert np.isfinite(usual.map(np.ones((2, 1, 1)))).all()
    back = Usual.from_arrays(usual.to_arrays())
    np.testing.assert_array_equal(back.map(np.ones((2, 9, 9))), usual.map(np.ones((2, 9, 9))))


def hill(grid: np.ndarray, row: float, column: float, height: float, width: float = 1.2) -> None:
    y, x = np.mgrid[: grid.shape[0], : grid.shape[1]]
    np.maximum(grid, height * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * width**2)), out=grid)


def test_spots_lie_between_cells_and_are_sorted_by_height() -> None:
    grid = np.zeros((20, 30))
    for row, column, height in ((4.3, 6.2, 8.0), (14.0, 22.4, 12.0), (5.0, 21.0, 6.0), (16.0, 4.0, 4.0)):
        hill(grid, row, column, height)
    spots = find_spots(grid, 160, 240)
    assert len(spots) == SPOTS
    places = [((spot.x - CENTRE) / STRIDE, (spot.y - CENTRE) / STRIDE) for spot in spots]
    np.testing.assert_allclose(places, [(22.4, 14.0), (6.2, 4.3), (21.0, 5.0)], atol=0.15)
    assert [spot.sigma for spot in spots] == pytest.approx([12, 8, 6], rel=0.1)  # of the cell, not between
    assert all(9 * STRIDE**2 / 4 <= spot.area <= 25 * STRIDE**2 for spot in spots)


def test_a_wider_spot_has_a_larger_area() -> None:
    small, large = np.zeros((20, 30)), np.zeros((20, 30))
    hill(small, 10, 15, 9, width=0.8)
    hill(large, 10, 15, 9, width=3)
    assert find_spots(large, 160, 240)[0].area > 5 * find_spots(small, 160, 240)[0].area


def test_there_are_no_spots_where_nothing_is_high() -> None:
    assert find_spots(np.full((6, 6), FAINTEST - 0.1), 48, 48) == ()
    assert find_spots(np.full((1, 1), -2.0), 5, 5) == ()


def test_spots_stay_inside_the_image() -> None:
    grid = np.zeros((2, 3))
    grid[1, 2] = 9
    (spot,) = find_spots(grid, 9, 18)
    assert spot.x <= 17
    assert spot.y <= 8
    assert spot.area <= 9 * 18
