"""Spots: the highest places of a map, at their places."""

from __future__ import annotations

import numpy as np
import pytest

from lynkeus.scorers.inspect.spots import APART, FAINTEST, SIDE, SPOTS, find_spots

ROWS, COLUMNS = 160, 240


def empty() -> np.ndarray:
    return np.zeros((ROWS // SIDE, COLUMNS // SIDE))


def hill(grid: np.ndarray, y: float, x: float, height: float, width: float = 6.0) -> None:
    """At a pixel; `width` in pixels."""
    row, column = (SIDE * axis + (SIDE - 1) / 2 for axis in np.mgrid[: grid.shape[0], : grid.shape[1]])
    np.maximum(grid, height * np.exp(-((row - y) ** 2 + (column - x) ** 2) / (2 * width**2)), out=grid)


def test_spots_lie_between_squares_and_are_sorted_by_height() -> None:
    grid = empty()
    for y, x, height in ((34.3, 50.2, 8.0), (112.0, 179.9, 12.0), (40.0, 120.0, 6.0), (130.0, 33.0, 4.0)):
        hill(grid, y, x, height)
    spots = find_spots(grid, ROWS, COLUMNS)
    assert len(spots) == SPOTS
    np.testing.assert_allclose([(spot.x, spot.y) for spot in spots], [(179.9, 112), (50.2, 34.3), (120, 40)], atol=0.1)
    assert [spot.sigma for spot in spots] == pytest.approx([12, 8, 6], rel=0.02)
    half = 2 * np.pi * np.log(2) * 6**2
    assert [spot.area for spot in spots] == pytest.approx([half] * 3, rel=0.1)


def test_a_wider_spot_has_a_larger_area() -> None:
    small, large = empty(), empty()
    hill(small, 80, 120, 9, width=5)
    hill(large, 80, 120, 9, width=20)
    assert find_spots(large, ROWS, COLUMNS)[0].area > 5 * find_spots(small, ROWS, COLUMNS)[0].area


def test_two_peaks_of_one_spot_are_one() -> None:
    near, far = empty(), empty()
    for grid, apart in ((near, APART - 6), (far, APART + 6)):
        hill(grid, 80, 100, 9, width=3)
        hill(grid, 80, 100 + apart, 8, width=3)
    assert len(find_spots(near, ROWS, COLUMNS)) == 1
    assert len(find_spots(far, ROWS, COLUMNS)) == 2


def test_there_are_no_spots_where_nothing_is_high() -> None:
    assert find_spots(np.full((24, 24), FAINTEST - 0.1), 48, 48) == ()
    assert find_spots(np.full((1, 1), -2.0), 1, 2) == ()


def test_spots_stay_inside_the_image() -> None:
    grid = np.zeros((5, 9))
    grid[4, 8] = 9
    (spot,) = find_spots(grid, 9, 17)
    assert (spot.x, spot.y) == (16, 8)
    assert spot.area <= 9 * 17
