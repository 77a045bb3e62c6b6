import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lynkeus.core import SettingsError, SourceError, concatenate
from lynkeus.sources import files_of, open_source
from lynkeus.sources.images.files import map_names
from lynkeus.sources.images.folder import ImageSource
from lynkeus.sources.images.frames import FrameSource
from lynkeus.sources.images.pixel_rule import PixelRule

RNG = np.random.default_rng(0)
DATA = Path(os.environ.get("LYNKEUS_DATA", "nowhere")) / "magnetic_tile"


def grey(rows: int = 20, columns: int = 30) -> np.ndarray:
    return RNG.integers(0, 256, (rows, columns), np.uint8)


def colour(rows: int = 20, columns: int = 30) -> np.ndarray:
    return RNG.integers(0, 256, (rows, columns, 3), np.uint8)


def save(pixels: np.ndarray, path: Path, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def test_a_folder_of_grey_images_in_order_of_their_paths(tmp_path: Path):
    names = ["b/2.png", "a/10.PNG", "a/9.tif", "c.bmp"]
    images = {name: grey() for name in names}
    for name, pixels in images.items():
        save(pixels, tmp_path / name)
    save(grey(), tmp_path / ".thumbnails" / "x.png")
    (tmp_path / "._c.png").write_bytes(b"of a Mac")
    (tmp_path / "notes.txt").write_text("no image")
    source = ImageSource(tmp_path)
    assert source.schema.names == ("grey",)
    assert source.schema.shape == (1, None, None)
    (batch,) = source
    assert batch.meta["file"].tolist() == sorted(names)
    assert batch.values.dtype == np.uint8
    for k, name in enumerate(sorted(names)):
        np.testing.assert_array_equal(batch.values[k, 0], images[name])
    np.testing.assert_array_equal(source.read("c.bmp")[0], images["c.bmp"])
    assert (len(source), source.messages, files_of(source)) == (4, [], (tmp_path,))


def test_one_colour_image_makes_all_rgb(tmp_path: Path):
    one, other = grey(), colour()
    save(one, tmp_path / "1.png")
    save(other, tmp_path / "2.png")
    (batch,) = ImageSource(tmp_path)
    assert batch.schema.names == ("red", "green", "blue")
    np.testing.assert_array_equal(batch.values[0], np.stack([one] * 3))
    np.testing.assert_array_equal(batch.values[1], other.transpose(2, 0, 1))
    assert ImageSource(tmp_path, colour=False).schema.names == ("grey",)
    assert next(iter(ImageSource(tmp_path / "1.png", colour=True))).values.shape == (1, 3, 20, 30)


def test_sizes_that_differ_share_no_batch_and_no_batch_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lynkeus.sources.images.folder.BATCH_PIXELS", 1500)
    for k, (rows, columns) in enumerate([(20, 30)] * 5 + [(30, 20)] * 2 + [(60, 60), (20, 30)]):
        save(grey(rows, columns), tmp_path / f"{k}.png")
    shapes = [batch.values.shape for batch in ImageSource(tmp_path)]
    assert shapes == [(2, 1, 20, 30)] * 2 + [(1, 1, 20, 30), (2, 1, 30, 20), (1, 1, 60, 60), (1, 1, 20, 30)]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotation_by_exif_is_applied(tmp_path: Path, orientation: int):
    shown = np.zeros((16, 48, 3), np.uint8)
    shown[:8, :16, 0] = 255  # as a viewer shows it: red in the upper left corner
    stored = {
        1: shown, 2: shown[:, ::-1], 3: shown[::-1, ::-1], 4: shown[::-1], 5: shown.transpose(1, 0, 2),
        6: np.rot90(shown), 7: np.rot90(shown, 2).transpose(1, 0, 2), 8: np.rot90(shown, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(np.ascontiguousarray(stored), tmp_path / "1.jpg", exif=exif, quality=100, subsampling=0)
    (batch,) = ImageSource(tmp_path)
    assert batch.values.shape == (1, 3, 16, 48)
    np.testing.assert_allclose(batch.values[0].transpose(1, 2, 0), shown, atol=3)


def test_every_kind_of_pixel_becomes_8_bits_by_a_rule_that_does_not_look_at_the_image(tmp_path: Path):
    deep = np.array([[0, 255, 256, 4095, 65535]], np.uint16)
    save(deep, tmp_path / "16.png")
    save(deep, tmp_path / "16.tif")
    save(deep.astype(np.int32), tmp_path / "32.tif")
    save(np.array([[0, 0.25, np.nan, 0.5, 1]], np.float32), tmp_path / "float.tif")
    save(np.array([[[7, 0]] * 4 + [[7, 255]]], np.uint8), tmp_path / "alpha.png")
    save(np.array([[False, True, False, True, True]]), tmp_path / "bits.png")
    read = {str(f): v for b in ImageSource(tmp_path) for f, v in zip(b.meta["file"], b.values[:, 0, 0], strict=True)}
    for name in ("16.png", "16.tif", "32.tif"):
        assert read[name].tolist() == [0, 0, 1, 15, 255], name
    assert read["float.tif"].tolist() == [0, 64, 0, 128, 255]
    assert read["alpha.png"].tolist() == [128] * 4 + [7]  # behind what is not visible there is a fixed grey
    assert read["bits.png"].tolist() == [0, 255, 0, 255, 255]


@pytest.mark.parametrize("kind", ["files", "array"])
def test_that_pixels_have_no_value_is_said(kind: str, tmp_path: Path):
    pictures = np.random.default_rng(1).uniform(size=(6, 16, 16)).astype(np.float32)
    pictures[2, 3, 4] = pictures[5, 0, 0] = np.nan
    path = tmp_path / "a"
    if kind == "files":
        path.mkdir()
        for number, picture in enumerate(pictures):
            save(picture, path / f"{number}.tif")
    else:
        np.save(path := tmp_path / "a.npy", pictures)
    for rule in (None, PixelRule()):
        source = ImageSource(path, rule=rule) if kind == "files" else FrameSource(path, path.name, rule=rule)
        assert "2 of 6 images that were looked at have pixels without a value (NaN): taken as black" in source.messages


def test_cmyk_palettes_and_transparency_become_rgb(tmp_path: Path):
    red = Image.new("RGB", (16, 16), (255, 0, 0))
    red.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=100)
    red.convert("P").save(tmp_path / "palette.png", transparency=b"\xff" * 256)
    red.convert("RGBA").save(tmp_path / "alpha.png")
    red.convert("YCbCr").save(tmp_path / "ycc.tif")
    (batch,) = ImageSource(tmp_path)
    wanted = np.broadcast_to(np.array([255, 0, 0]).reshape(1, 3, 1, 1), batch.values.shape)
    np.testing.assert_allclose(batch.values, wanted, atol=2)
    Image.fromarray(grey()).convert("P").save(tmp_path / "cmyk.jpg.png")
    assert ImageSource(tmp_path / "cmyk.jpg.png").schema.names == ("grey",)


def _bad(folder: Path) -> None:
    """Seven ways to be no image, beside two that are."""
    good = save(colour(200, 300), folder / "good 1.jpg")
    save(colour(200, 300), folder / "good 2.png")
    (folder / "cut.jpg").write_bytes(good.read_bytes()[:9000])
    (folder / "cut.png").write_bytes((folder / "good 2.png").read_bytes()[:9000])
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("I am no image")
    Image.fromarray(colour()).save(folder / "web.ppm")
    (folder / "web.ppm").rename(folder / "web.png")
    Image.new("RGBA", (9, 9), (255, 0, 0, 0)).save(folder / "unseen.png")
    save(np.full((2, 2), 7.5, np.float32), folder / "float.tif")


def test_images_that_cannot_be_read_are_skipped_and_named_once(tmp_path: Path):
    _bad(tmp_path)
    source = ImageSource(tmp_path)
    for _ in range(2):
        assert concatenate(list(source)).meta["file"].tolist() == ["good 1.jpg", "good 2.png"]
        assert len(source) == 2
        assert set(source.skipped) == {
            "cut.jpg",
            "cut.png",
            "empty.jpg",
            "text.jpg",
            "web.png",
            "float.tif",
            "unseen.png",
        }
        (message,) = source.messages
    assert message.startswith("7 of 9 images were skipped: cut.jpg is corrupt")
    assert message.endswith("and 2 more")
    assert "empty (0 bytes)" in source.skipped["empty.jpg"]
    assert source.skipped["text.jpg"] == "is not a JPEG, PNG, TIFF, BMP, WEBP, GIF or JPEG2000 image by its content"
    assert source.skipped["unseen.png"] == "is transparent everywhere; save it without its alpha channel"
    assert source.skipped["web.png"] == source.skipped["text.jpg"]
    assert "float pixels from 7.5 to 7.5" in source.skipped["float.tif"]
    with pytest.raises(SourceError, match=r"cut\.jpg: is corrupt"):
        source.read("cut.jpg")


def test_nothing_to_read_is_an_error(tmp_path: Path):
    with pytest.raises(SourceError, match="no image with the ending"):
        ImageSource(tmp_path)
    (tmp_path / "a.jpg").touch()
    with pytest.raises(SourceError, match=r"a\.jpg: is empty .*none of 1 images can be read"):
        ImageSource(tmp_path)
    (tmp_path / "a.jpg").unlink()
    good = save(colour(200, 300), tmp_path / "b.jpg")
    good.write_bytes(good.read_bytes()[:9000])
    with pytest.raises(SourceError, match="none of 1 images can be read"):
        list(ImageSource(tmp_path))


def test_a_decompression_bomb_is_skipped(tmp_path: Path):
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0))
    packed = chunk(b"IDAT", zlib.compress(bytes(1000)))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + packed + chunk(b"IEND", b""))
    save(grey(), tmp_path / "good.png")
    source = ImageSource(tmp_path)
    assert len(list(source)) == 1
    assert source.skipped["bomb.png"] == "has more than 179 megapixels; cut it into smaller images"


def test_awkward_names_and_one_name_in_two_folders(tmp_path: Path):
    names = ["Größe [1]/a b.png", 'Größe [1]/it\'s "x".png', "ä/a b.png", "{0} #%.png"]
    images = {name: grey() for name in names}
    for name, pixels in images.items():
        save(pixels, tmp_path / name)
    (tmp_path / os.fsdecode(b"latin\xfc.png")).write_bytes((tmp_path / names[3]).read_bytes())
    source = ImageSource(tmp_path)
    for file, values in zip(*((b := concatenate(list(source))).meta["file"], b.values), strict=False):
        np.testing.assert_array_equal(values[0], images[str(file)])
    assert len(source) == 4
    assert "not UTF-8" in source.messages[0]
    source.messages[0].encode()
    inner = open_source(tmp_path / "Größe [1]")
    assert concatenate(list(inner)).meta["file"].tolist() == ["a b.png", 'it\'s "x".png']


def test_a_pattern_is_relative_to_what_stands_before_it(tmp_path: Path):
    for name in ("good/1.jpg", "good/1.png", "bad/2.jpg"):
        save(grey(), tmp_path / name)
    assert ImageSource(f"{tmp_path}/*/*.jpg").images == ("bad/2.jpg", "good/1.jpg")
    assert ImageSource(f"{tmp_path}/good/*.jpg").images == ("1.jpg",)
    assert ImageSource(tmp_path / "good" / "1.png").images == ("1.png",)


def test_open_source_tells_images_from_tables(tmp_path: Path):
    save(grey(), tmp_path / "cell" / "1.png")
    assert isinstance(open_source(tmp_path), ImageSource)
    assert isinstance(open_source(tmp_path / "cell" / "*.png"), ImageSource)
    with pytest.raises(SettingsError, match="images need no --layout"):
        open_source(tmp_path, "xfel_orbits")
    (tmp_path / "meta.csv").write_text("file,cell\n1.png,3\n")
    with pytest.raises(SourceError, match=r"holds images \(cell/1\.png, 1 in all\) and tables \(meta\.csv, 1 in all\)"):
        open_source(tmp_path)
    (batch,) = open_source(tmp_path, meta=tmp_path / "meta.csv")
    assert batch.meta["cell"].tolist() == [3]
    assert open_source(f"{tmp_path}/*.csv").schema.kind == "table"


def test_the_origin_knows_other_images_without_reading_them(tmp_path: Path):
    for k in range(3):
        save(grey(), tmp_path / f"{k}.png")
    origin = ImageSource(tmp_path).origin
    assert (origin["images"], origin["first"], origin["last"]) == (3, "0.png", "2.png")
    assert ImageSource(tmp_path / "*.png").origin["folder"] == origin["folder"] == str(tmp_path)
    assert origin == ImageSource(tmp_path).origin
    shutil.move(tmp_path / "2.png", tmp_path / "3.png")
    assert origin["sha256_of_names_and_sizes"] != ImageSource(tmp_path).origin["sha256_of_names_and_sizes"]


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a/1.jpg", "b/2.png"], ["1.npy", "2.npy"]),
        (["a/1.jpg", "b/1.jpg", "c/3.tif"], ["a/1.npy", "b/1.npy", "3.npy"]),
        (["1.jpg", "1.png", "b/1.png"], ["1.jpg.npy", "1.png.npy", "b/1.npy"]),
        (["A.jpg", "sub/a.jpg", "x.y.png"], ["A.npy", "sub/a.npy", "x.y.npy"]),
    ],
)
def test_no_two_images_share_a_map(files: list[str], names: list[str]):
    assert map_names(files) == names


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the magnetic tile data in LYNKEUS_DATA")
def test_the_magnetic_tiles_without_their_masks():
    source = ImageSource(DATA / "MT_*" / "Imgs" / "*.jpg")
    assert len(source) == 1344
    assert source.schema.names == ("grey",)
    file = source.images[700]
    with Image.open(DATA / file) as image:
        np.testing.assert_array_equal(source.read(file)[0], np.asarray(image))
