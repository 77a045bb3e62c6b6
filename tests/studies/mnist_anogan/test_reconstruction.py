"""Sharpness and mean square error: a blurred image reconstructs better and looks worse than a shifted sharp one."""

import numpy as np
from scipy.ndimage import gaussian_filter

from lynkeus.studies.mnist_anogan.reconstruction import mean_square_error, sharpness


def images() -> np.ndarray:
    """Bright squares in random places on a dark ground, with fine noise."""
    rng = np.random.default_rng(0)
    found = 0.1 * rng.normal(size=(30, 1, 32, 32))
    for image in found:
        row, column = rng.integers(6, 18, size=2)
        image[0, row : row + 8, column : column + 8] += 1.0
    return found


def test_the_same_image_is_without_error_and_as_sharp() -> None:
    assert mean_square_error(images(), images()) == 0.0
    assert sharpness(images(), images()) == 1.0


def test_blurred_images_are_less_sharp_the_more_they_are_blurred_noisy_ones_more() -> None:
    blurred = [sharpness(images(), gaussian_filter(images(), (0, 0, sigma, sigma))) for sigma in (0.5, 1.0, 2.0)]
    assert 1.0 > blurred[0] > blurred[1] > blurred[2] > 0.0
    assert sharpness(images(), images() + np.random.default_rng(1).normal(size=images().shape)) > 2.0


def test_what_looks_better_may_reconstruct_worse() -> None:
    blurred, shifted = gaussian_filter(images(), (0, 0, 1.5, 1.5)), np.roll(images(), 3, axis=-1)
    assert mean_square_error(images(), blurred) < mean_square_error(images(), shifted)
    assert sharpness(images(), blurred) < 0.1 < 0.8 < sharpness(images(), shifted) < 1.2


def test_the_unit_of_the_images_does_not_matter_for_sharpness() -> None:
    made = gaussian_filter(images(), (0, 0, 1, 1))
    np.testing.assert_allclose(sharpness(255 * images(), 255 * made), sharpness(images(), made))


def test_a_wave_as_fine_as_half_of_the_grid_counts_and_a_coarse_one_does_not() -> None:
    x = np.arange(64)
    fine, coarse = (np.tile(np.sin(2 * np.pi * frequency * x), (1, 1, 64, 1)) for frequency in (0.4, 0.1))
    np.testing.assert_allclose(sharpness(fine, fine + coarse), 1.0, rtol=0.01)
    np.testing.assert_allclose(sharpness(fine, 0.5 * fine), 0.25)
