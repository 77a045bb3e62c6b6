"""What the network sees on one grid of cells: no seams between strips, cells where they are said to be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from lynkeus.networks.backbone import FAMILIES, backbone
from lynkeus.scorers.inspect import features as inspect_features
from lynkeus.scorers.inspect.features import FeatureMaps, cells, smoothed
from lynkeus.scorers.inspect.grid import CENTRE, STRIDE, centre_of, stride_for, to_pixels


@pytest.fixture(scope="module")
def maps() -> FeatureMaps:
    pytest.importorskip(FAMILIES["efficientnet_lite0"].package, reason="the weights are not installed")
    return FeatureMaps(backbone())


def picture(rows: int, columns: int, channels: int = 3) -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=(channels, rows, columns))
    return np.clip(120 + 150 * gaussian_filter(noise, (0, 2, 2)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("rows", [512, 603])
def test_strips_equal_the_whole(maps: FeatureMaps, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    image = picture(rows, 64)
    whole = maps.of(image)
    monkeypatch.setattr(inspect_features, "STRIP_PIXELS", 200 * 64)
    strips = maps.of(image)
    assert strips.shape == whole.shape
    assert whole.shape[0] == cells(rows)
    assert float((strips - whole).abs().mean() / whole.std()) < 1e-3
    assert float((strips - whole).abs().max() / whole.std()) < 0.1  # beyond the overlap hardly anything is felt


@pytest.mark.parametrize("size", [(1, 1), (8, 500), (10, 10), (96, 128), (97, 129)])
def test_any_size_has_cells(maps: FeatureMaps, size: tuple[int, int]) -> None:
    found = maps.of(picture(*size))
    assert found.shape[:2] == (cells(size[0]), cells(size[1]))
    assert torch.isfinite(found).all()


@pytest.mark.parametrize(
    ("size", "stride"), [((96, 128), 8), ((95, 300), 4), ((48, 48), 4), ((64, 20), 2), ((1, 1), 2)]
)
def test_small_images_have_cells_enough(size: tuple[int, int], stride: int) -> None:
    assert stride_for(*size) == stride


def test_an_enlarged_image_has_its_cells_where_they_are(maps: FeatureMaps) -> None:
    near = FeatureMaps(maps.network, 4)
    pixels = np.full((1, 40, 56), 128, np.uint8)
    plain = near.of(pixels)
    assert plain.shape[:2] == (10, 14)
    pixels[0, 16:20, 28:32] = 20  # the cell of row 4, column 7
    felt = (near.of(pixels) - plain).abs().sum(dim=2).numpy()
    assert np.unravel_index(felt.argmax(), felt.shape) == (4, 7)
    shown = to_pixels(felt, 40, 56, stride=4)
    row, column = np.unravel_index(shown.argmax(), shown.shape)
    assert np.hypot(row - centre_of(4, 4), column - centre_of(7, 4)) < 2


def test_grey_is_the_same_as_grey_in_three_channels(maps: FeatureMaps) -> None:
    image = picture(64, 80, 1)
    torch.testing.assert_close(maps.of(image), maps.of(np.repeat(image, 3, axis=0)))


def test_a_spot_is_felt_most_in_its_own_cell(maps: FeatureMaps) -> None:
    plain = picture(160, 192)
    for row, column in ((9, 11), (4, 17), (12, 3)):
        spotted = plain.copy()
        y, x = (int(STRIDE * k + CENTRE) for k in (row, column))
        spotted[:, y - 2 : y + 4, x - 2 : x + 4] = 0
        felt = ((maps.of(spotted) - maps.of(plain)) ** 2).sum(dim=2)
        at = np.unravel_index(int(felt.argmax()), felt.shape)
        assert np.abs(np.array(at) - (row, column)).max() <= 1


def test_a_map_is_smooth_and_lies_where_its_cells_are() -> None:
    grid = np.zeros((9, 12))
    grid[4, 5] = 9
    found = to_pixels(grid, 72, 96)
    assert found.shape == (72, 96)
    assert found.dtype == np.float32
    assert np.abs(np.diff(found, axis=1)).max() < 1.0
    assert (found >= -1e-6).all()
    rows, columns = np.mgrid[:72, :96]
    centre = [float((axis * found).sum() / found.sum()) for axis in (rows, columns)]
    assert centre == pytest.approx([STRIDE * 4 + CENTRE, STRIDE * 5 + CENTRE], abs=0.05)


def test_a_map_of_a_slope_is_that_slope() -> None:
    grid = np.arange(12.0).reshape(3, 4)
    found = to_pixels(grid, 24, 32)
    np.testing.assert_allclose(np.diff(found[12, 12:20]), 1 / STRIDE, atol=1e-5)
    assert 0 <= found.min() < 1
    assert 10 < found.max() <= 11
    np.testing.assert_allclose(to_pixels(np.full((1, 1), 2.0), 5, 3), 2.0, atol=1e-6)
    np.testing.assert_allclose(to_pixels(np.full((3, 4), -1.0), 30, 37), -1.0, atol=1e-6)


def test_smoothing_takes_the_mean_of_the_neighbours() -> None:
    features = torch.arange(25.0).reshape(5, 5, 1)
    assert float(smoothed(features)[2, 2, 0]) == pytest.approx(12)
    assert float(smoothed(features)[0, 0, 0]) == pytest.approx((4 * 0 + 2 * 1 + 2 * 5 + 6) / 9)
