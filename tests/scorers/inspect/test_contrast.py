"""Contrast: a map of cells is drawn to what is seen inside them."""

from __future__ import annotations

import numpy as np
import pytest

from lynkeus.scorers.inspect.contrast import GAIN, LEAST, Contrast, contrast, mean_squares
from lynkeus.scorers.inspect.grid import PLACES

ROWS, COLUMNS = 96, 144


def grained(seed: int, sigma: float = 6.0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(3, ROWS, COLUMNS)) * sigma
    return np.clip(120 + noise, 0, 255).astype(np.uint8)


def fitted(sigma: float = 6.0) -> Contrast:
    return Contrast.fit([mean_squares(grained(seed, sigma)) for seed in range(20)])


def hill() -> np.ndarray:
    """Of cells, about the middle of the image."""
    y, x = np.mgrid[: ROWS // 8, : COLUMNS // 8]
    return 8 * np.exp(-((y - 5.5) ** 2 + (x - 8.5) ** 2) / 8)


def test_contrast_is_the_difference_to_the_surroundings_in_grey_levels() -> None:
    plain = np.full((3, 41, 60), 90, np.uint8)
    np.testing.assert_allclose(contrast(plain), 0, atol=1e-4)
    assert contrast(plain).shape == (21, 30)
    step = plain.copy()
    step[..., 30:] = 130
    assert contrast(step)[10].max() == pytest.approx(40 * 0.24, rel=0.15)  # of two Gaussian means of one to three
    assert contrast(step)[10, :3].max() < 0.5


def test_a_small_dark_place_pulls_the_highest_point_to_itself() -> None:
    image = grained(seed=100)
    image[:, 50:54, 62:66] = 40
    shown, spots = fitted().show(hill(), image)
    assert shown.shape == (ROWS, COLUMNS)
    assert shown.dtype == np.float32
    peak = np.unravel_index(shown.argmax(), shown.shape)
    assert np.hypot(peak[0] - 51.5, peak[1] - 63.5) < 2
    assert (spots[0].x, spots[0].y) == pytest.approx((63.5, 51.5), abs=2)
    assert spots[0].sigma == pytest.approx(shown.max(), rel=0.05)
    plain, _ = fitted().show(hill(), np.full_like(image, 120))
    assert plain.max() < shown.max() <= (1 + GAIN) * plain.max()


def test_what_is_usual_at_a_place_does_not_raise_it() -> None:
    def half_rough(seed: int) -> np.ndarray:
        image = grained(seed, 6.0)
        image[..., COLUMNS // 2 :] = grained(seed + 1000, 25.0)[..., COLUMNS // 2 :]
        return image

    usual = Contrast.fit([mean_squares(half_rough(seed)) for seed in range(20)])
    shown, _ = usual.show(np.ones((ROWS // 8, COLUMNS // 8)), half_rough(100))
    left, right = shown[:, 20:50].mean(), shown[:, -50:-20].mean()
    assert left == pytest.approx(right, rel=0.02)
    assert 1 < left < 1.12
    assert (shown >= 1 - 1e-6).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (7, 5), (33, 18)])
def test_any_size(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (1, *size), dtype=np.uint8)
    usual = Contrast.fit([mean_squares(image)] * 3)
    assert usual.usual_contrast.shape == (PLACES, PLACES)
    assert (usual.usual_contrast >= LEAST).all()
    shown, _ = usual.show(np.ones([-(-length // 8) for length in size]), image)
    assert shown.shape == size
    assert np.isfinite(shown).all()
    back = Contrast.from_arrays(usual.to_arrays())
    np.testing.assert_array_equal(back.usual_contrast, usual.usual_contrast)
