"""Planted blemishes: the mask is where the image changed, in grey and colour, down to the smallest images."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from lynkeus.transforms.blemishes import KINDS, LEAST_CHANGE, LEAST_GREY, MOST, plant_blemishes


def surface(channels: int, rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """Smooth structure around grey 120."""
    noise = np.random.default_rng(seed).normal(size=(channels, rows, columns))
    return np.clip(120 + 60 * gaussian_filter(noise, (0, 2, 2)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_mask_is_where_the_image_changed(channels: int) -> None:
    image, others = surface(channels, 120, 160), [surface(channels, 90, 130, seed=1)]
    before, shares = image.copy(), []
    for seed in range(60):
        made, mask = plant_blemishes(image, others, np.random.default_rng(seed))
        assert made.dtype == np.uint8
        assert made.shape == image.shape
        assert mask.shape == (120, 160)
        change = np.abs(made.astype(int) - image).max(axis=0)
        assert (change[~mask] <= MOST * (1 + max(LEAST_GREY, LEAST_CHANGE * 255))).all()  # too little to be called one
        assert (change[mask] > 0).mean() > 0.9 or not mask.any()  # one blemish over another may undo it
        shares.append(mask.mean())
    np.testing.assert_array_equal(image, before)
    assert 0 < np.median(shares) < 0.3  # most of an image stays good
    assert np.mean(np.array(shares) > 0) > 0.9


def test_the_same_seed_plants_the_same() -> None:
    image = surface(3, 64, 80)
    first, again = (plant_blemishes(image, [image], np.random.default_rng(5)) for _ in range(2))
    other = plant_blemishes(image, [image], np.random.default_rng(6))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[0] != other[0]).any()


@pytest.mark.parametrize("size", [(16, 16), (10, 10), (8, 500), (500, 8), (3, 3), (1, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_small_and_narrow_images_stay_whole(size: tuple[int, int], channels: int) -> None:
    image, random = surface(channels, *size), np.random.default_rng(0)
    for _ in range(40):
        made, mask = plant_blemishes(image, [image, surface(channels, 40, 40)], random)
        assert made.shape == image.shape
        assert mask.shape == size


@pytest.mark.parametrize("grey", [0, 255])
def test_black_and_white_images_do_too(grey: int) -> None:
    image, random = np.full((3, 64, 64), grey, np.uint8), np.random.default_rng(0)
    for _ in range(20):
        made, mask = plant_blemishes(image, [image], random)
        assert np.abs(made.astype(int) - grey)[:, ~mask].max(initial=0) <= MOST * (1 + LEAST_CHANGE * 255)


def test_blemishes_come_in_all_sizes() -> None:
    image, random = surface(1, 200, 200), np.random.default_rng(0)
    areas = np.array([plant_blemishes(image, [image], random)[1].sum() for _ in range(100)])
    assert len(KINDS) == 5
    assert (areas < 200).any()
    assert (areas > 4000).any()
