"""Resolution: closed forms of PSNR, SSIM and power; coarse and fine again by what is linear."""

import numpy as np
import pytest

from lynkeus.metrics.resolution import power, psnr, ssim
from lynkeus.transforms.resolution import LinearFilter, bicubic, coarser, from_depth, to_depth


def test_psnr_ssim_and_power_in_closed_form() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(100, 20, (3, 2, 32, 32))
    off = truth + 5.0
    assert psnr(off, truth, 255.0) == pytest.approx(20 * np.log10(255 / 5))
    assert ssim(truth, truth, 255.0) == pytest.approx(1.0)
    assert (ssim(rng.permutation(truth, axis=3), truth, 255.0) < 0.3).all()
    white = power(truth)
    assert white.max() / white.min() < 1.3  # the same at all wavelengths
    x = np.arange(32)
    wave = np.tile(np.cos(2 * np.pi * x * 0.4), (1, 1, 32, 1))
    assert power(wave).argmax() == 6  # 0.4 / 0.5 of eight bands
    assert power(off) == pytest.approx(white)


def test_coarse_and_fine_again() -> None:
    rng = np.random.default_rng(0)
    fine = rng.normal(size=(2, 3, 12, 16))
    np.testing.assert_array_equal(from_depth(to_depth(fine, 4), 4), fine)
    assert to_depth(fine, 4).mean(axis=(2, 3)).shape == (2, 48)
    np.testing.assert_allclose(coarser(fine, 4)[1, 2, 1, 3], fine[1, 2, 4:8, 12:16].mean())
    assert coarser(fine[:, :, :11, :15], 4).shape == (2, 3, 2, 3)
    ramp = np.tile(np.arange(40.0), (1, 1, 40, 1))
    np.testing.assert_allclose(bicubic(coarser(ramp, 4), 4)[..., 10:30, 10:30], ramp[..., 10:30, 10:30])


def test_the_best_linear_filter_knows_what_is_linear() -> None:
    rng = np.random.default_rng(0)
    low = rng.normal(size=(20, 1, 12, 12))
    fine = np.repeat(np.repeat(low, 2, axis=2), 2, axis=3) + 0.5 * np.repeat(np.repeat(np.roll(low, 1, 3), 2, 2), 2, 3)
    found = LinearFilter.fit(low, fine, 2).of(low, 2)
    inner = (..., slice(None), slice(4, 20))
    assert np.abs(found - fine)[inner].mean() < 0.1  # edges do not go round, as they do in what it is to find
    assert np.abs(np.repeat(np.repeat(low, 2, 2), 2, 3) - fine)[inner].mean() > 0.3
