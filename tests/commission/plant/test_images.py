"""Blemishes planted into images: of every kind and size, with where they are, in bytes and in other numbers."""

import numpy as np
import pytest

from lynkeus.commission.plant.images import KINDS, Blemishes
from lynkeus.commission.plant.planter import NEAR
from lynkeus.core import Finding


def image(seed: int, side: int = 96, channels: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(120 + 2 * seed, 6, (channels, side, side)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def planter() -> Blemishes:
    return Blemishes.fit([image(seed) for seed in range(6)])


@pytest.mark.parametrize("kind", KINDS)
def test_what_changed_is_where_the_mask_says(planter, kind) -> None:
    for size in planter.kinds[kind].sizes:
        good = image(9)
        made, truth = planter.plant(good, kind, size, np.random.default_rng(4))
        assert made.dtype == np.uint8
        if kind == "exposure":
            assert truth.change == "none"
            assert truth.holds(Finding(where="x 3, y 4")) is None
            continue
        assert truth.mask.any()
        assert (made != good).any(axis=0)[truth.mask].mean() > 0.7
        rows, columns = np.nonzero(truth.mask)
        assert truth.holds(Finding(where=f"x {columns[0]}, y {rows[0]}"))
        spot = float(columns[0]), float(columns[0])
        assert truth.holds(Finding(region={"x": spot, "y": (float(rows[0]), float(rows[0]))}))
        assert 0 < truth.luck < 1


def test_a_spot_elsewhere_or_none_is_wrong(planter) -> None:
    _, truth = planter.plant(image(9), "pit", 1.5, np.random.default_rng(4))
    rows, columns = np.nonzero(truth.mask)
    far = (columns.max() + 2 * NEAR) % 96
    assert not truth.holds(Finding(where=f"x {far:.0f}, y {rows[0]}"))
    assert not truth.holds(Finding())
    assert not truth.holds(Finding(where="x left, y right"))


def test_images_that_are_no_bytes_keep_their_numbers() -> None:
    good = image(1).astype(np.float32) / 255.0
    made, truth = Blemishes.fit([good, image(2).astype(np.float32) / 255.0]).plant(
        good, "pit", 6.0, np.random.default_rng(0)
    )
    assert made.dtype == np.float32
    assert 0.0 <= made.min() <= made.max() <= 1.0
    np.testing.assert_array_equal(made[:, ~(made != good).any(axis=0)], good[:, ~(made != good).any(axis=0)])
    assert (made != good).any(axis=0)[truth.mask].mean() > 0.7


def test_sizes_that_do_not_fit_into_small_images_are_not_offered() -> None:
    small = Blemishes.fit([image(seed, side=16) for seed in range(3)])
    assert max(small.kinds["pit"].sizes) <= 16 / 3
    assert max(small.kinds["stain"].sizes) <= 16 / 3
