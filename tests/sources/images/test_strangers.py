"""Images as strangers bring them: known folders, deep greys, pages, transparency, other formats, arrays in files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from lynkeus.core import CalibrationError, SourceError
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.views.as_read import Images
from lynkeus.sources import Layout, open_source
from lynkeus.sources.images.bundle_writer import write_images
from lynkeus.sources.images.folder import ImageSource
from lynkeus.sources.images.frames import FrameSource, are_pictures, pictures_in
from lynkeus.sources.images.known_folders import chosen
from lynkeus.sources.images.pixel_rule import PixelRule
from lynkeus.sources.wrappers.distinct import Distinct

RNG = np.random.default_rng(3)
MVTEC = ("train/good/1.png", "test/good/1.png", "test/dent/1.png", "ground_truth/dent/1_mask.png")


def picture(path: Path, pixels: np.ndarray | None = None, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (20, 30), np.uint8) if pixels is None else pixels).save(path, **options)
    return path


def files_of(source: ImageSource) -> list[str]:
    return [str(file) for batch in source for file in batch.meta["file"]]


def values_of(source: ImageSource) -> np.ndarray:
    return np.concatenate([batch.values for batch in source])


@pytest.mark.parametrize(
    ("files", "good", "judged"),
    [
        (MVTEC, MVTEC[:1], MVTEC[1:3]),
        ((*MVTEC, "validation/good/1.png"), MVTEC[:1], (*MVTEC[1:3], "validation/good/1.png")),
        (("bottle/" + MVTEC[0], "bottle/" + MVTEC[2]), ("bottle/" + MVTEC[0],), ("bottle/" + MVTEC[2],)),
        (("good/a.png", "NG/b.png", "mask/b.png"), ("good/a.png",), ("good/a.png", "NG/b.png")),
        (("OK/a.png", "Not good/b.png"), ("OK/a.png",), ("OK/a.png", "Not good/b.png")),
        (("a.png", "b.png", "b_mask.png"), ("a.png", "b.png"), ("a.png", "b.png")),
        (("good/a.png", "scratches/b.png", "c.png"), ("good/a.png",), ("good/a.png", "scratches/b.png", "c.png")),
        (("day1/a.png", "day2/b.png"), ("day1/a.png", "day2/b.png"), ("day1/a.png", "day2/b.png")),
        (("Normal/a.png", "Anomaly/a.png", "Masks/a.png"), ("Normal/a.png",), ("Normal/a.png", "Anomaly/a.png")),
        (("train/a.png", "b.png"), ("train/a.png", "b.png"), ("train/a.png", "b.png")),
    ],
)
def test_folders_that_say_what_they_hold(
    files: tuple[str, ...], good: tuple[str, ...], judged: tuple[str, ...]
) -> None:
    for use, expected in (("good", good), ("judged", judged), ("all", files)):
        kept, line = chosen(files, use)
        assert tuple(kept) == expected
        assert bool(line) == (len(kept) < len(files))


def test_what_is_left_out_of_a_category_is_said_and_never_learned(tmp_path: Path) -> None:
    for file in MVTEC:
        picture(tmp_path / file)
    source = open_source(tmp_path)
    assert files_of(source) == ["train/good/1.png"]
    (line,) = source.messages
    assert "1 images are learned from as good (train/good), 3 are left out" in line
    assert "ground_truth/dent (1, masks)" in line
    judged = ImageSource(tmp_path, use="judged")
    assert files_of(judged) == ["test/dent/1.png", "test/good/1.png"]
    assert files_of(ImageSource(tmp_path)) == sorted(MVTEC)


def test_a_folder_of_defects_alone_is_not_learned_as_good(tmp_path: Path) -> None:
    picture(tmp_path / "NG" / "1.png")
    with pytest.raises(SourceError, match=r"0 images are learned .* NG \(1, not good\)"):
        open_source(tmp_path)
    assert len(open_source(tmp_path / "NG")) == 1  # asked for by name


def test_labels_of_a_table_count_more_than_names_of_folders(tmp_path: Path) -> None:
    picture(tmp_path / "good" / "1.png")
    picture(tmp_path / "NG" / "2.png")
    (tmp_path / "meta.txt").write_text("file,label\n1.png,good\n2.png,defect\n")
    meta = (tmp_path / "meta.txt").rename(tmp_path.parent / "labels.csv")
    assert files_of(open_source(tmp_path, None, meta)) == ["NG/2.png", "good/1.png"]
    meta.write_text("file,place\n1.png,3\n2.png,4\n")
    assert files_of(open_source(tmp_path, None, meta)) == ["good/1.png"]


def test_other_files_and_links_are_counted_and_named(tmp_path: Path) -> None:
    picture(tmp_path / "all" / "1.png")
    (tmp_path / "all" / "raw.dng").touch()
    (tmp_path / "all" / "notes.txt").touch()
    (tmp_path / "all" / ".hidden").touch()
    picture(tmp_path / "more" / "2.png")
    (tmp_path / "all" / "link").symlink_to(tmp_path / "more")
    source = open_source(tmp_path / "all")
    first, second = source.messages
    assert first.startswith("2 files of ")
    assert "notes.txt, raw.dng" in first
    assert "1 links to folders" in second
    assert len(source) == 1


def test_grey_of_16_bits_in_a_narrow_range_gets_one_scale(tmp_path: Path) -> None:
    values = [(30_000 + RNG.integers(0, 800, (20, 30))).astype(np.uint16) for _ in range(4)]
    for number, one in enumerate(values):
        picture(tmp_path / f"{number}.png", one)
    source = open_source(tmp_path)
    found = values_of(source)
    assert len(np.unique(found)) > 100  # by the upper 8 bits it were four
    step = (source.rule.white - source.rule.black) / 255
    np.testing.assert_allclose(found[:, 0] * step + source.rule.black, np.stack(values), atol=step)
    assert "one scale for all images" in source.messages[-1]
    dark = picture(tmp_path / "new" / "dark.png", np.full((20, 30), 20_000, np.uint16))
    assert values_of(ImageSource(dark, rule=source.rule)).max() == 0
    view = Images.from_dict(Images(source.schema, None, source.rule).to_dict())
    assert view.rule == source.rule
    bundle = write_images(source, tmp_path / "B")
    assert bundle.rule == source.rule
    np.testing.assert_array_equal(values_of(bundle), found)


def test_a_model_of_before_there_was_a_rule_reads_as_it_did(tmp_path: Path) -> None:
    old = Images.from_dict({"schema": ImageSource(picture(tmp_path / "a.png")).schema.to_dict(), "layout": None}).rule
    deep = np.full((20, 30), 30_000, np.uint16)
    assert (values_of(ImageSource(picture(tmp_path / "b.png", deep), rule=old)) == 30_000 >> 8).all()
    clear = np.zeros((20, 30, 4), np.uint8) + np.array([9, 8, 7, 0], np.uint8)
    assert (values_of(ImageSource(picture(tmp_path / "c.png", clear), rule=old))[0, 0] == 9).all()


def test_a_wide_range_of_16_bits_and_a_few_deep_ones_among_others_keep_the_fixed_rule(tmp_path: Path) -> None:
    picture(tmp_path / "wide" / "1.png", RNG.integers(0, 60_000, (20, 30)).astype(np.uint16))
    assert not ImageSource(tmp_path / "wide").rule.scales
    for number in range(3):
        picture(tmp_path / "mixed" / f"{number}.png")
    picture(tmp_path / "mixed" / "deep.png", np.full((20, 30), 500, np.uint16))
    assert not ImageSource(tmp_path / "mixed").rule.scales


def test_each_page_is_an_image_but_copies_and_masks_of_pages_are_none(tmp_path: Path) -> None:
    pages = [Image.fromarray(RNG.integers(0, 256, (20, 30), np.uint8)) for _ in range(3)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "one.tif")
    small = Image.fromarray(np.zeros((10, 15), np.uint8))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    pages[0].save(tmp_path / "pyramid.tif", save_all=True, append_images=[small])
    (tmp_path.parent / "pages.csv").write_text("file,lamp\nscan.tif,5\none.tif,6\npyramid.tif,7\n")
    source = ImageSource(tmp_path, tmp_path.parent / "pages.csv")
    assert files_of(source) == ["one.tif", "pyramid.tif", "scan.tif#1", "scan.tif#2", "scan.tif#3"]
    assert source.metadata.columns["lamp"].tolist() == [6, 7, 5, 5, 5]
    for number, page in enumerate(pages):
        np.testing.assert_array_equal(source.read(f"scan.tif#{number + 1}")[0], np.asarray(page))
    assert source.origin["images"] == 5


@pytest.mark.parametrize(("ending", "off"), [("webp", 0), ("gif", 0), ("jp2", 0), ("webp", None)])
def test_other_formats_are_read(tmp_path: Path, ending: str, off: int | None) -> None:
    pixels = RNG.integers(0, 256, (20, 30), np.uint8)
    options = {"lossless": True} if ending == "webp" and off == 0 else {}
    picture(tmp_path / f"a.{ending}", pixels, **options)
    found = values_of(ImageSource(tmp_path, colour=False))
    assert found.shape == (1, 1, 20, 30)
    if off is not None:
        np.testing.assert_allclose(found[0, 0], pixels, atol=1)  # colours are made grey


def test_what_is_not_visible_does_not_count(tmp_path: Path) -> None:
    shown = RNG.integers(0, 256, (20, 30, 3), np.uint8)
    alpha = np.where(np.arange(30) < 12, 0, 255).astype(np.uint8) + np.zeros((20, 1), np.uint8)
    for name, hidden in (("a.png", 0), ("b.png", 200)):
        colours = np.where(alpha[:, :, None] > 0, shown, hidden).astype(np.uint8)
        picture(tmp_path / name, np.dstack([colours, alpha]))
    first, second = values_of(ImageSource(tmp_path))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first[:, :, 12:], shown.transpose(2, 0, 1)[:, :, 12:])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((24, 64, 64), True), ((24, 20, 150), True), ((24, 3, 64, 64), True), ((24, 64, 64, 3), True),
        ((24, 8, 4096), False), ((24, 16, 128), False), ((24, 64), False), ((24, 5, 64, 64), False),
    ],
)  # fmt: skip
def test_pictures_are_told_from_waveforms_by_their_sides(shape: tuple[int, ...], expected: bool) -> None:
    assert are_pictures(shape) == expected


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "frames.h5", "w") as file:
        file["entry/data/data"] = RNG.integers(0, 4000, (24, 32, 40)).astype(np.uint16)
        file["entry/time"] = np.arange(24.0)
    return tmp_path / "frames.h5"


def test_an_array_of_pictures_in_hdf5_is_images(frames: Path) -> None:
    source = open_source(frames)
    assert isinstance(source, FrameSource)
    assert files_of(source)[:2] == ["frames.h5#1", "frames.h5#2"]
    found = values_of(source)
    assert found.shape == (24, 1, 32, 40)
    assert found.dtype == np.uint8
    assert len(np.unique(found)) > 100  # 4,000 of 65,535 get a scale
    layout = Layout.from_dict({"blocks": [{"dataset": "entry/data/data"}]})
    np.testing.assert_array_equal(values_of(open_source(frames, layout)), found)
    np.testing.assert_array_equal(values_of(source.again()), found)
    bundle = write_images(source, frames.parent / "B")
    np.testing.assert_array_equal(values_of(bundle), found)


@pytest.mark.parametrize("colour", [False, True])
def test_arrays_of_numpy_are_images_where_images_are_meant(tmp_path: Path, colour: bool) -> None:
    values = RNG.random((6, 18, 24, 3) if colour else (6, 12, 150))
    np.savez(tmp_path / "a.npz", X=values, y=np.zeros(6, int))
    np.save(tmp_path / "a.npy", values)
    for name in ("a.npz", "a.npy"):
        source = open_source(tmp_path / name, pictures=True)
        assert isinstance(source, FrameSource)
        pixels = np.moveaxis(values_of(source), 1, 3) / 255
        np.testing.assert_allclose(pixels, values if colour else values[..., None], atol=1 / 255)
        assert not isinstance(open_source(tmp_path / name), FrameSource)


def test_two_arrays_of_pictures_are_asked_about(frames: Path) -> None:
    with h5py.File(frames, "a") as file:
        file["dark"] = np.zeros((4, 32, 40), np.uint16)
    with pytest.raises(SourceError, match="several arrays of pictures, dark, entry/data/data; say with --layout"):
        open_source(frames)
    layout = Layout.from_dict({"blocks": [{"dataset": "dark"}]})
    assert pictures_in(frames, layout) == "dark"


def test_an_array_that_is_missing_or_empty_is_one_line(frames: Path) -> None:
    with pytest.raises(SourceError, match="no array 'gone'; the file holds"):
        FrameSource(frames, "gone")
    with h5py.File(frames, "a") as file:
        file["none"] = np.zeros((0, 32, 40), np.uint8)
    with pytest.raises(SourceError, match="holds no picture"):
        FrameSource(frames, "none")


def test_a_rule_has_words_and_survives_json() -> None:
    rule = PixelRule(10.0, 500.0)
    assert PixelRule.from_dict(rule.to_dict()) == rule
    assert "10 to 500 become 0 to 255" in rule.words()[0]
    assert PixelRule.from_dict(None) == PixelRule(background=None)
    assert PixelRule().words() == []


def test_copies_count_once_and_are_named_in_every_pass(tmp_path: Path) -> None:
    first = RNG.integers(0, 256, (20, 30), np.uint8)
    for name in ("a.png", "b.bmp", "d.png"):
        picture(tmp_path / name, first)
    picture(tmp_path / "c.png")
    source = Distinct(ImageSource(tmp_path))
    for _ in range(2):
        assert files_of(source) == ["a.png", "c.png"]
        assert len(source) == 2
        (line,) = source.messages
        assert line.startswith("2 images have the same pixels as others and do not count: b.bmp is a.png, d.png is a")


def test_a_reference_of_copies_is_refused_in_one_line(tmp_path: Path) -> None:
    for number in range(30):
        picture(tmp_path / f"{number:02d}.png", np.full((20, 30), number % 3, np.uint8))
    with pytest.raises(CalibrationError, match=r"only 3 different images.* 27 images have the same pixels as others"):
        fit(open_source(tmp_path), FitSettings("nearest_neighbours"))


def test_pictures_of_few_values_beside_images_of_the_same_name_are_masks(tmp_path: Path) -> None:
    for name in "abc":
        picture(tmp_path / f"{name}.jpg")
        mask = np.zeros((20, 30), np.uint8)
        mask[3:5, 4:9] = 255
        picture(tmp_path / f"{name}.png", mask)
    picture(tmp_path / "d.png")
    for use in ("good", "judged"):
        source = ImageSource(tmp_path, use=use)
        assert source.images == ("a.jpg", "b.jpg", "c.jpg", "d.png")
        assert any("3 images of few values beside others" in line and "a.png" in line for line in source.messages)
    assert len(ImageSource(tmp_path)) == 7
    picture(tmp_path / "b.png")  # no mask, so that neither are the others
    assert len(ImageSource(tmp_path, use="good")) == 7


def test_images_of_another_depth_than_those_learned_from_are_said(tmp_path: Path) -> None:
    grey = RNG.integers(100, 200, (4, 20, 30))
    for number, pixels in enumerate(grey):
        picture(tmp_path / "8" / f"{number}.png", pixels.astype(np.uint8))
        picture(tmp_path / "16" / f"{number}.png", (20 * pixels).astype(np.uint16))
    np.save(tmp_path / "8.npy", grey.astype(np.uint8))
    np.save(tmp_path / "16.npy", (20 * grey).astype(np.uint16))
    rules = {depth: PixelRule.from_dict(ImageSource(tmp_path / depth).rule.to_dict()) for depth in ("8", "16")}
    assert (rules["8"].deep, rules["16"].deep) == (False, True)
    for learned, rule in rules.items():
        for depth in ("8", "16"):
            for source in (
                ImageSource(tmp_path / depth, rule=rule),
                FrameSource(tmp_path / f"{depth}.npy", f"{depth}.npy", rule=rule),
            ):
                said = [line for line in source.messages if "grey values do not mean the same" in line]
                assert len(said) == (depth != learned)
    before = PixelRule.from_dict({"black": None, "white": None, "background": 128})
    assert not any("grey values" in line for line in ImageSource(tmp_path / "16", rule=before).messages)


@pytest.mark.parametrize("pair", [("0", "1"), ("Negative", "positive"), ("class-0", "class-1")])
def test_of_two_folders_that_do_not_say_which_is_good_it_is_asked(pair: tuple[str, str]) -> None:
    files = [f"{name}/{number}.png" for name in pair for number in range(3)]
    kept, line = chosen(files, "good")
    assert kept == []
    assert "(3 images) and" in line
    assert "it is not known which holds good images: give that one" in line
    assert chosen(files, "judged") == (files, "")
    assert chosen([f"{name}/a.png" for name in ("0", "1", "2")], "good")[1] == ""  # these are numbered
    assert chosen([f"cell{name}/a.png" for name in pair], "good")[1] == ""
