"""The study of inspections: spots of maps, contrast of blobs, and a small run from end to end."""

from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Spot
from lynkeus.evaluate.run_comparison import run_comparison
from lynkeus.simulate.surface_scans import ScanPlan
from lynkeus.studies.cavity_scans.scans import Scans
from lynkeus.studies.cavity_scans.spots import LocalContrast, spot_columns, told_spots
from lynkeus.studies.cavity_scans.study import cavity_scans


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
    assert (every.limits_mv_m <= 40.0).all()


def test_spots_that_a_scorer_told_have_the_same_columns() -> None:
    found = told_spots([(), (Spot(3.0, 4.0, 9.0, 12.0), Spot(1.0, 2.0, 6.0, 5.0))])
    assert np.isnan([column[0] for column in found.values()]).all()
    assert (found["spot1_x"][1], found["spot1_area"][1], found["spot2_sigma"][1]) == (3.0, 12.0, 6.0)
    assert set(found) == set(spot_columns(np.zeros((1, 5, 5))))


@pytest.mark.slow
def test_the_smoke_study_finds_the_field_and_the_quench(tmp_path: Path) -> None:
    run = run_comparison(cavity_scans(smoke=True), tmp_path)
    assert run.passed, run.lines()
    page = run.page.read_text()
    for words in ("All images and tests are simulated", "aggregation.svg", "locality.svg", "mean grey", "80 % power"):
        assert words in page
    for figure in ("aggregation.svg", "locality.svg"):
        assert (tmp_path / "cavity_scans" / figure).read_text().lstrip().startswith("<?xml")
