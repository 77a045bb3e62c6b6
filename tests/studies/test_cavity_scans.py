"""The study of inspections: spots of maps, contrast of blobs, and a small run from end to end."""

from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Spot
from lynkeus.evaluate.run_comparison import run_comparison
from lynkeus.scans.image_scores import ImageScores
from lynkeus.simulate.surface.scans import ScanPlan
from lynkeus.studies.cavity_scans.answers import above_alike, dealt
from lynkeus.studies.cavity_scans.latent import Space, lay_flat
from lynkeus.studies.cavity_scans.pointing import pointing
from lynkeus.studies.cavity_scans.scans import Halved, Scans
from lynkeus.studies.cavity_scans.spots import LocalContrast, spot_columns, told_spots
from lynkeus.studies.cavity_scans.study import cavity_scans

MOVED = ((25, 0), (15, 0), (20, 1))  # pixels and axis: three places far from each other


def test_the_three_worst_spots_of_a_map_are_given_with_place_and_area() -> None:
    maps = np.zeros((2, 30, 40))
    maps[0, 5:8, 10:12] = 6.0
    maps[0, 6, 11] = 9.0
    maps[0, 20, 30] = 7.0
    maps[0, 25, 5], maps[0, 0, 39] = 4.0, 3.5
    found = spot_columns(maps)
    first = [found[f"spot1_{field}"][0] for field in ("x", "y", "sigma", "area")]
    assert first == [11.0, 6.0, 9.0, 6.0]
    assert [found[f"spot{k}_sigma"][0] for k in (2, 3)] == [7.0, 4.0]
    assert found["spot3_area"][0] == 0.0  # nothing of it is clear
    assert np.isnan([column[1] for column in found.values()]).all()


def test_a_blob_stands_out_in_sigma_of_good_images_at_its_place() -> None:
    rng = np.random.default_rng(0)
    good = rng.integers(90, 110, (60, 3, 40, 50))
    contrast = LocalContrast(good[:50])
    faulty = good[50:].copy()
    faulty[:, :, 18:23, 28:33] -= 40
    maps = contrast.maps(faulty)
    rows, columns = np.unravel_index(maps.reshape(10, -1).argmax(axis=1), (40, 50))
    assert np.all(np.abs(rows - 20) <= 2)
    assert np.all(np.abs(columns - 30) <= 2)
    assert maps.max(axis=(1, 2)).min() > 2 * contrast.maps(good[50:]).max()


def test_scans_give_images_of_a_plan_with_truth_and_good_ones_to_learn_from() -> None:
    plan = ScanPlan(cavities=3, cells=2, angles=4, size=(32, 40), pixel_um=40.0, seed=3)
    every, good = Scans(plan), Scans(plan, every=2)
    assert every.batch.values.shape == (3 * 2 * 2 * 4, 3, 32, 40)
    assert every.batch.truth.sum() > 0
    assert good.batch.truth.sum() == 0
    assert len(good.batch) == -(-int((every.batch.truth == 0).sum()) // 2)
    assert every.properties.cavities == ("cav001", "cav002", "cav003")
    assert every.limits_mv_m.shape == (3, 2)
    assert (every.limits_mv_m <= 40.0).all()


def test_spots_that_a_scorer_told_have_the_same_columns() -> None:
    found = told_spots([(), (Spot(3.0, 4.0, 9.0, 12.0), Spot(1.0, 2.0, 6.0, 5.0))])
    assert np.isnan([column[0] for column in found.values()]).all()
    assert (found["spot1_x"][1], found["spot1_area"][1], found["spot2_sigma"][1]) == (3.0, 12.0, 6.0)
    assert set(found) == set(spot_columns(np.zeros((1, 5, 5))))


def test_a_control_knows_nothing_of_defects_and_every_cell_has_a_test_of_its_own() -> None:
    plan = ScanPlan(
        cavities=40, cells=3, angles=2, treatments=("ep",), size=(16, 20), defects=6.0, emitters=0.5, seed=5
    )
    other = Scans(ScanPlan(**{**vars(plan), "defects": 0.5}))
    scans = Scans(plan)
    np.testing.assert_array_equal(scans.unrelated.numbers["max_field_mv_m"], other.unrelated.numbers["max_field_mv_m"])
    field, cells = scans.properties.numbers["max_field_mv_m"], scans.of_cells
    assert cells.cavities[:4] == ("cav001 1", "cav001 2", "cav001 3", "cav002 1")
    quenched = np.isfinite(scans.properties.numbers["quench_cell"])
    lowest = cells.numbers["max_field_mv_m"].reshape(40, 3).min(axis=1)
    assert np.abs(lowest - field)[quenched].max() < 8.0  # metal and measurement scatter anew
    assert np.corrcoef(lowest[quenched], field[quenched])[0, 1] > 0.7


def test_halved_images_keep_truth_and_metadata() -> None:
    scans = Scans(ScanPlan(cavities=2, cells=1, angles=4, size=(32, 40), pixel_um=40.0, seed=3))
    (half,) = Halved(scans)
    assert half.values.shape == (16, 3, 16, 20)
    np.testing.assert_array_equal(half.truth, scans.batch.truth)
    four = scans.batch.values[3, 1, 4:6, 8:10].mean()
    assert half.values[3, 1, 2, 4] == round(float(four))


def test_a_spot_points_where_it_is_in_the_defect_or_near_it() -> None:
    masks = {"in": np.zeros((40, 50), bool), "near": np.zeros((40, 50), bool), "none": np.zeros((40, 50), bool)}
    for mask in masks.values():
        mask[10:14, 20:24] = True
    nan = np.nan
    scores = ImageScores(
        {
            "file": np.array(["in", "near", "none", "good"]), "anomaly": np.zeros(4),
            "spot1_x": np.array([21.0, 45.0, nan, 21.0]), "spot1_y": np.array([11.0, 30.0, nan, 11.0]),
            "spot2_x": np.array([nan, 28.0, nan, nan]), "spot2_y": np.array([nan, 12.0, nan, nan]),
        }
    )  # fmt: skip
    found = pointing(scores, masks)
    assert (found["with a defect"], found["pointing"], found["near"]) == (
        3.0,
        pytest.approx(1 / 3),
        pytest.approx(2 / 3),
    )
    assert found["near.low"] < found["near"] < found["near.high"]
    masks = {name: np.roll(mask, *away) for (name, mask), away in zip(masks.items(), MOVED, strict=True)}
    assert pointing(scores, masks)["near of another image"] == 0.0


def test_scores_are_compared_within_a_vendor_and_a_quench_with_that_of_another() -> None:
    scores = ImageScores(
        {
            "anomaly": np.array([1.0, 3.0, 9.0, 101.0, 103.0]),
            "vendor": np.array(list("aaabb")), "treatment": np.array(["ep"] * 5),
            "label": np.array(["good", "good", "defect", "good", "good"]),
        }
    )  # fmt: skip
    np.testing.assert_array_equal(above_alike(scores), [-1.0, 1.0, 7.0, -1.0, 1.0])
    known = {"a": (1.0, 5.0), "b": (np.nan, np.nan), "c": (2.0, 6.0)}
    found = dealt(known)
    assert (found["a"], found["c"]) == ((2.0, 6.0), (1.0, 5.0))
    assert np.isnan(found["b"]).all()


def test_a_space_that_tells_vendors_apart_is_pure_and_one_of_noise_is_not() -> None:
    scans = Scans(ScanPlan(cavities=6, cells=2, angles=4, size=(16, 20), defects=8.0, seed=4))
    rng, batch = np.random.default_rng(0), scans.batch
    vendor = (batch.meta["vendor"][:, None] == np.unique(batch.meta["vendor"])).astype(float)
    defects = 2 * int(batch.truth.sum())
    spaces = {
        "vendors": Space(5 * vendor + rng.normal(size=vendor.shape), rng.normal(size=(defects, 3))),
        "noise": Space(rng.normal(size=(len(batch), 6)), rng.normal(size=(defects, 6))),
    }
    laid = lay_flat(spaces, batch, ("pca",))
    purity = {(one.method, one.column): one.purity for one in laid.purities}
    assert purity["vendors", "vendor"] > 0.9
    assert purity["noise", "vendor"] < 0.5
    assert set(laid.maps) == {"noise, pca"}  # three numbers need no map


@pytest.mark.slow(20)
def test_the_smoke_study_finds_the_field_and_the_quench(tmp_path: Path) -> None:
    run = run_comparison(cavity_scans(smoke=True), tmp_path)
    assert run.passed, run.lines()
    page = run.page.read_text()
    for words in (
        "All images and tests are simulated",
        "latent.png",
        "mean grey",
        "80 % power",
        "No correlation found",
    ):
        assert words in page
    for name in ("adversarial", "autoencoder", "nearest_neighbours"):
        assert f"| {name} | worst spot |" in page
    for figure in ("aggregation.svg", "locality.svg", "standing.svg"):
        assert (tmp_path / "cavity_scans" / figure).read_text().lstrip().startswith("<?xml")
