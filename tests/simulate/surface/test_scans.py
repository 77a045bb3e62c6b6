"""Whole scans on disk: files, tables, masks, the same places seen again, and the physics of what limits a cavity."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import spearmanr

from lynkeus.core.batch import concatenate
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.surface.defects import Defect
from lynkeus.simulate.surface.limits import BARE_MV_M, limit_mv_m
from lynkeus.simulate.surface.scans import ScanPlan, properties, screw_entries, weak_spots
from lynkeus.sources import open_source
from lynkeus.sources.images.folder import ImageSource
from lynkeus.sources.writers.write import write_source

SMALL = ScanPlan(cavities=2, cells=2, angles=4, defects=6.0, size=(64, 80), pixel_um=20.0, ending="png", seed=3)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scans") / "a"
    write_source(SMALL, folder)
    return folder


def test_there_is_a_folder_per_cavity_and_scan_and_a_row_per_image(scans):
    rows = table(scans / "meta.csv")
    files = sorted(path.relative_to(scans / "images").as_posix() for path in (scans / "images").rglob("*.png"))
    assert len(files) == 2 * 2 * 2 * 4
    assert sorted(row["file"] for row in rows) == files
    assert files[0] == "cav001/1_bcp/c1_000.png"
    assert list(rows[0]) == (
        "file label cavity cell angle_deg side position vendor treatment scan time".split()  # noqa: SIM905
    )
    assert {row["angle_deg"] for row in rows} == {"0.0", "90.0", "180.0", "270.0"}
    assert {row["treatment"] for row in rows} == {"bcp", "ep"}
    times = {row["scan"]: row["time"] for row in rows if row["position"] == rows[0]["position"]}
    assert times["1_bcp"] < times["2_ep"]


def test_the_images_are_read_with_their_truth(scans):
    source = ImageSource(scans / "images", scans / "meta.csv")
    images = concatenate(list(source))
    assert source.messages == []
    assert images.values.shape == (32, 3, 64, 80)
    defect = {row["file"] for row in table(scans / "truth.csv")}
    assert 0 < len(defect) < 32
    np.testing.assert_array_equal(images.truth, [file in defect for file in images.meta["file"]])


def test_masks_and_spots_are_those_of_the_defects(scans):
    rows = table(scans / "truth.csv")
    masks = {path.relative_to(scans / "masks").as_posix() for path in (scans / "masks").rglob("*.png")}
    assert masks == {row["file"] for row in rows}
    for row in rows:
        mask = np.asarray(Image.open(scans / "masks" / row["file"]))
        assert set(np.unique(mask)) == {0, 255}
        assert mask.shape == (64, 80)
        if row["kind"] not in ("scratch", "cat_eye"):
            assert mask[round(float(row["y"])), round(float(row["x"]))]


def test_the_next_scan_shows_the_same_grains_after_the_treatment(scans):
    # The camera misses by up to three pixels: the peak of the correlation over shifts tells one place from another.
    def grey(scan: str, image: str) -> np.ndarray:
        pixels = np.asarray(Image.open(scans / "images" / "cav001" / scan / image), float).mean(2)
        return pixels

    def alike(one: np.ndarray, two: np.ndarray) -> float:
        inner = one[8:-8, 8:-8].ravel()
        moved = [np.roll(two, (y, x), (0, 1))[8:-8, 8:-8] for y in range(-7, 8) for x in range(-7, 8)]
        return max(np.corrcoef(inner, image.ravel())[0, 1] for image in moved)

    names = [f"c{cell}_{angle:03d}.png" for cell in (1, 2) for angle in range(4)]
    same = [alike(grey("1_bcp", name), grey("2_ep", name)) for name in names]
    other = [alike(grey("1_bcp", a), grey("2_ep", b)) for a, b in zip(names, names[1:] + names[:1], strict=True)]
    assert np.mean(same) > np.mean(other) + 0.15


MANY = ScanPlan(cavities=400, cells=9, angles=18, defects=2.0, seed=1)


def vertical_tests(plan: ScanPlan) -> tuple[list[dict], list[list]]:
    return [properties(plan, k) for k in range(plan.cavities)], [weak_spots(plan, k)[-1] for k in range(plan.cavities)]


def test_the_field_depends_on_the_worst_defect_and_not_on_how_many_stains_there_are():
    found, weak = vertical_tests(replace(MANY, emitters=0.0))
    field = np.array([row["max_field_mv_m"] for row in found])
    worst = np.array([min([40.0] + [limit_mv_m(one.defect, 40.0) for one in spots]) for spots in weak])
    assert spearmanr(worst, field).statistic > 0.9
    stains = [sum(one.defect.kind == "stain" for one in spots) for spots in weak]
    assert abs(spearmanr(stains, field).statistic) < 0.15
    clean = field[worst == 40.0]
    assert len(clean) > 40
    assert clean.mean() == pytest.approx(BARE_MV_M["ep"][0], abs=0.5)
    assert field.min() < 25


def test_the_quench_is_at_the_worst_defect():
    found, weak = vertical_tests(replace(MANY, cavities=150, emitters=0.0))
    for row, spots in zip(found, weak, strict=True):
        harmful = [one for one in spots if one.defect.kind != "stain"]
        if harmful:
            worst = min(harmful, key=lambda one: limit_mv_m(one.defect, 40.0))
            assert row["quench_cell"] == worst.cell
            away = (row["quench_angle_deg"] - worst.angle_deg + 180) % 360 - 180
            assert abs(away) < 15


def test_some_cavities_are_limited_by_what_no_camera_sees():
    found, weak = vertical_tests(replace(MANY, emitters=0.3))
    without, _ = vertical_tests(replace(MANY, emitters=0.0))
    emitting = np.array([row["limited_by"] == "field_emission" for row in found])
    assert 0.15 < emitting.mean() <= 0.35
    for row, other, emits in zip(found, without, emitting, strict=True):
        assert np.isnan(row["quench_cell"]) == np.isnan(row["quench_angle_deg"]) == emits
        assert emits or row["max_field_mv_m"] == other["max_field_mv_m"]
        assert not emits or row["max_field_mv_m"] < other["max_field_mv_m"]
    q0 = np.array([row["q0"] for row in found])
    assert q0[emitting].mean() < 0.8 * q0[~emitting].mean()
    worst = [min([40.0] + [limit_mv_m(one.defect, 40.0) for one in spots]) for spots in weak]
    field = np.array([row["max_field_mv_m"] for row in found])
    assert spearmanr(np.array(worst)[emitting], field[emitting]).statistic < 0.5


def test_steep_pits_and_cat_eyes_limit_most_and_stains_not_at_all():
    at = {
        kind: limit_mv_m(Defect(kind, 0, 0, 100.0, 0.5), 40.0)
        for kind in ("pit", "bump", "scratch", "cat_eye", "stain")
    }
    assert at["cat_eye"] < at["pit"] < at["bump"] < at["scratch"] < at["stain"] == 40.0
    assert limit_mv_m(Defect("pit", 0, 0, 100.0, 0.6), 40.0) < limit_mv_m(Defect("pit", 0, 0, 100.0, 0.3), 40.0)
    small, large = (limit_mv_m(Defect("pit", 0, 0, radius, 0.5), 40.0) for radius in (50.0, 400.0))
    assert (40 / large - 1) / (40 / small - 1) == pytest.approx(2.0)  # (R/r)^(1/3)


def test_defects_stay_where_they_are_and_treatments_soften_them():
    for cavity in range(50):
        before, after = weak_spots(MANY, cavity)
        for one in before:
            (same,) = [two for two in after if two.defect.seed == one.defect.seed]
            assert (same.cell, same.image, same.defect.x) == (one.cell, one.image, one.defect.x)
            assert same.defect.contrast < one.defect.contrast
    counts = np.array([[len(scan) for scan in weak_spots(MANY, cavity)] for cavity in range(400)])
    assert counts[:, 1].mean() == pytest.approx(MANY.defects, abs=0.25)
    assert (counts[:, 1] > counts[:, 0]).any()


def test_pits_of_a_screw_appear_and_grow_and_dirt_grows(tmp_path):
    plan = ScanPlan("ball_screw", cavities=1, angles=5, visits=6, size=(48, 96), seed=3)
    entries = list(screw_entries(plan))
    assert len(entries) == 30
    at: dict[str, list] = {}
    for entry in entries:
        at.setdefault(entry.row["position"], []).append(entry.shot)
    for shots in at.values():
        radii = [max((pit.radius_um for pit in shot.defects), default=0.0) for shot in shots]
        assert radii == sorted(radii)
        assert len({pit.seed for shot in shots for pit in shot.defects}) <= 3  # the same pits
        assert shots[0].scene.dirt < 0.4 < shots[-1].scene.dirt
    write_source(plan, tmp_path / "screw")
    images = concatenate(list(ImageSource(tmp_path / "screw" / "images", tmp_path / "screw" / "meta.csv")))
    assert images.meta["file"][0] == "screw01/day001/p00.jpg"
    assert 0 < images.truth.sum() < 30
    assert not (tmp_path / "screw" / "properties.csv").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"cavities": 0},
        {"cavities": 1.5},
        {"treatments": ""},
        {"treatments": ()},
        {"treatments": ("ep", "acid")},
        {"ending": "gif"},
        {"surface": "x"},
        {"emitters": 2.0},
        {"size": (8, 100)},
        {"defects": -1.0},
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(options):
    with pytest.raises(SettingsError, match="ScanPlan"):
        ScanPlan(**options)


def test_a_url_gives_the_same_images():
    url = "sim://inspection?cavities=2&cells=2&angles=4&defects=6&size=64x80&pixel_um=20&ending=png&seed=3&treatments=bcp,ep"
    assert replace(open_source(url), defects=6.0) == SMALL
    assert len(SMALL) == 32
    with pytest.raises(SettingsError, match=r"sim://inspection: size must be like 256"):
        open_source("sim://inspection?size=9x9x9")
