import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lynkeus.core import SourceError
from lynkeus.sources.images.folder import ImageSource
from lynkeus.sources.images.masks import read_masks

DATA = Path(os.environ.get("LYNKEUS_DATA", "nowhere")) / "magnetic_tile"


def mask(path: Path, x: int, rows: int = 8, columns: int = 10) -> None:
    """One defect pixel at `x` of the first row."""
    pixels = np.zeros((rows, columns), np.uint8)
    pixels[0, x] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def places(found) -> list[int]:
    return [int(m[0].argmax()) if m.any() else -1 for m in found]


def test_masks_beside_the_images_in_a_folder_of_their_own_or_with_a_suffix(tmp_path: Path):
    files, sizes = ["a/1.jpg", "b/1.jpg", "b/2.jpg"], [(8, 10)] * 3
    for k, file in enumerate(files):
        mask(tmp_path / "beside" / file, 0)  # stands for the image: a mask of it would be 0
        if k < 2:
            mask(tmp_path / "beside" / file.replace(".jpg", ".png"), k + 1)
        mask(tmp_path / "own" / file.replace(".jpg", ".png"), k + 4)
        mask(tmp_path / "marked" / file.replace(".jpg", "_mask.png"), k + 6)
    mask(tmp_path / "flat" / "2.bmp", 9)
    assert places(read_masks(tmp_path / "beside", files, sizes)) == [1, 2, -1]
    assert places(read_masks(tmp_path / "own", files, sizes)) == [4, 5, 6]
    assert places(read_masks(tmp_path / "marked", files, sizes)) == [6, 7, 8]
    assert places(read_masks(tmp_path / "flat", files, sizes)) == [-1, -1, 9]


def test_a_mask_of_another_size_is_refused_by_name(tmp_path: Path):
    mask(tmp_path / "1.png", 0)
    mask(tmp_path / "2.png", 0, 9, 9)
    with pytest.raises(SourceError, match=r"of another size than their image: 2\.png 9 x 9 for 8 x 10 pixels"):
        list(read_masks(tmp_path, ["1.jpg", "2.jpg"], [(8, 10)] * 2))


def test_no_masks_several_masks_and_broken_masks_are_refused(tmp_path: Path):
    with pytest.raises(SourceError, match="no mask for any of 1 images"):
        read_masks(tmp_path, ["1.jpg"], [(8, 10)])
    (tmp_path / "1.png").touch()
    with pytest.raises(SourceError, match=r"1\.png: is empty"):
        list(read_masks(tmp_path, ["1.jpg"], [(8, 10)]))
    mask(tmp_path / "1_mask.png", 1)
    with pytest.raises(SourceError, match=r"several masks, 1\.png, 1_mask\.png"):
        read_masks(tmp_path, ["1.jpg"], [(8, 10)])


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the magnetic tile data in LYNKEUS_DATA")
def test_the_masks_of_the_magnetic_tiles():
    source = ImageSource(DATA / "MT_Crack" / "Imgs" / "*.jpg")
    sizes = [source.read(file).shape[1:] for file in source.images]
    shares = [float(m.mean()) for m in read_masks(DATA / "MT_Crack", source.images, sizes)]
    assert len(shares) == 57
    assert 0 < min(shares) < max(shares) < 0.2
