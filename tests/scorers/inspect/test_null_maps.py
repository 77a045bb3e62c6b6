"""From views to sigmas: what is null_maps at a place is taken off there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lynkeus.files.arrays import arrays_of, part_of
from lynkeus.scorers.inspect.grid import to_pixels
from lynkeus.scorers.inspect.null_maps import LEAST_SIGMA, MAP_WEIGHTS, SCORE_WEIGHTS, NullMaps

VIEWS = len(MAP_WEIGHTS)


def views(count: int, seed: int, rows: int = 24, columns: int = 36) -> list[np.ndarray]:
    """Of five views: the left half is usually higher, the lower half moves more."""
    noise = np.random.default_rng(seed).normal(size=(count, VIEWS, rows, columns))
    noise[:, :, rows // 2 :] *= 3
    noise[..., : columns // 2] += 4
    return list(noise - 6)


def test_maps_of_good_images_have_mean_zero_and_spread_one_everywhere() -> None:
    null_maps = NullMaps.fit(views(60, seed=0))
    maps = np.stack([to_pixels(null_maps.map(one), 24 * 8, 36 * 8, 8) for one in views(60, seed=1)])
    assert abs(maps.mean()) < 0.05
    assert maps.std() == pytest.approx(1, rel=0.1)
    inner = (slice(None), slice(2, 10)), (slice(None), slice(14, 22))
    for part in (maps[inner[0]], maps[inner[1]]):
        assert part[..., 3:14].mean() == pytest.approx(0, abs=0.2)
        assert part[..., 22:33].mean() == pytest.approx(0, abs=0.2)
        assert part[..., 3:14].std() == pytest.approx(1, rel=0.25)


def test_one_view_alone_does_not_make_a_spot_as_high_as_all() -> None:
    null_maps = NullMaps.fit(views(60, seed=0))
    (one,) = views(1, seed=1)
    single, every = one.copy(), one.copy()
    single[0, 6, 28] += 12
    every[:, 6, 28] += 12
    assert null_maps.map(every)[6, 28] > 1.5 * null_maps.map(single)[6, 28] > null_maps.map(one).max()
    assert null_maps.height(every) > null_maps.height(single) > null_maps.height(one)


def test_what_never_changes_gives_finite_maps(agree: Callable[..., None]) -> None:
    null_maps = NullMaps.fit([np.zeros((VIEWS, 5, 7))] * 9)
    assert np.isfinite(null_maps.height(np.ones((VIEWS, 5, 7))))
    np.testing.assert_array_equal(null_maps.map(np.zeros((VIEWS, 5, 7))), 0)
    assert np.isfinite(null_maps.map(np.ones((VIEWS, 1, 1)))).all()
    back = part_of(NullMaps, arrays_of(null_maps))
    agree(back.map(np.ones((VIEWS, 9, 9))), null_maps.map(np.ones((VIEWS, 9, 9))), single=True)


def test_every_view_is_weighed_by_how_much_it_usually_moves() -> None:
    scale = np.array([1, 20, 0.1, 5, 0.5])[:, None, None]
    plain, scaled = (NullMaps.fit([factor * one for one in views(60, seed=0)]) for factor in (1, scale))
    for one in views(3, seed=1):
        np.testing.assert_allclose(scaled.map(scale * one), plain.map(one), atol=1e-6)
        assert scaled.height(scale * one) == pytest.approx(plain.height(one))
    assert len(SCORE_WEIGHTS) == len(LEAST_SIGMA) == VIEWS
