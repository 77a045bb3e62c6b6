from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from lynkeus.core import SettingsError, SourceError
from lynkeus.sources.images.crops import Crops
from lynkeus.sources.images.files import read_picture


@pytest.mark.parametrize(
    ("crops", "rows", "columns"),
    [(Crops(64), 64, 64), (Crops(64, 16), 200, 333), (Crops(64, 63), 70, 80), (Crops(256, 32), 2816, 3488)],
)
def test_tiles_cover_every_pixel_and_share_the_overlap(crops: Crops, rows: int, columns: int):
    covered = np.zeros((rows, columns), bool)
    corners = crops.corners(rows, columns)
    for x, y in corners:
        tile = covered[y : y + crops.size, x : x + crops.size]
        assert tile.shape == (crops.size, crops.size)
        tile[:] = True
    assert covered.all()
    assert len(np.unique(corners, axis=0)) == len(corners)
    for axis in (0, 1):
        steps = np.diff(np.unique(corners[:, axis]))
        assert steps.max(initial=0) <= crops.size - crops.overlap


def test_a_published_image_of_the_inside_of_a_cavity_has_154_crops_of_256():
    assert len(Crops(256).corners(2816, 3488)) == 154


def _ramp(columns: int, rows: int) -> Image.Image:
    """Every pixel holds its x."""
    return Image.fromarray(np.broadcast_to(np.arange(columns, dtype=np.uint8), (rows, columns)).copy())


def test_what_is_stored_lies_where_it_says():
    for crops in (Crops(), Crops(60), Crops(60, centre=True), Crops(60, 20, resize=20), Crops(60, 0, True, 45)):
        stored, place = crops.store(_ramp(250, 101))
        assert (place.rows, place.columns) == stored.size[::-1]
        middle = place.x + place.scale * (np.arange(place.columns) + 0.5) - 0.5
        np.testing.assert_allclose(np.asarray(stored)[5], middle, atol=1)
        corners = crops.corners(place.rows, place.columns)
        assert (corners + (crops.side or 1) <= stored.size).all()


@pytest.mark.parametrize("crops", [Crops(64, 16, resize=32), Crops(96, 0, True, 24), Crops(60, 0, True, 25)])
def test_a_jpeg_that_is_decoded_smaller_is_the_same_picture(tmp_path: Path, crops: Crops):
    smooth = gaussian_filter(np.random.default_rng(0).normal(size=(200, 304)), 6)
    Image.fromarray((127 + 100 * smooth / abs(smooth).max()).astype(np.uint8)).save(tmp_path / "1.jpg", quality=98)
    whole, place = crops.store(*read_picture(tmp_path / "1.jpg", colour=False))
    small, shrunk = read_picture(tmp_path / "1.jpg", colour=False, shrink=crops.shrink)
    assert shrunk == crops.shrink
    assert small.width < 160
    picture, other = crops.store(small, shrunk)
    assert other == place
    difference = np.asarray(picture).astype(float) - np.asarray(whole)
    assert abs(difference[1:-1, 1:-1]).max() < 8
    assert abs(difference).mean() < 3


def test_whole_images_shrink_to_the_longer_side_and_never_grow():
    stored, place = Crops(resize=50).store(_ramp(250, 101))
    assert (stored.size, place.scale) == ((50, 20), 5)
    assert Crops(resize=500).store(_ramp(250, 101))[0].size == (250, 101)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(SourceError, match="is 250 x 101 pixels, smaller than a crop of 128"):
        Crops(128).store(_ramp(250, 101))
    for wrong in ({"size": -1}, {"overlap": 4}, {"centre": True}, {"size": 8, "overlap": 8}, {"size": 8, "resize": 9}):
        with pytest.raises(SettingsError):
            Crops(**wrong)
