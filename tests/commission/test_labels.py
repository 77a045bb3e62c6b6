"""Labelled data give the same report without planting: samples that stand alone, rows in time, images, runs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lynkeus.commission.commission import CommissionSettings, commission
from lynkeus.commission.labels import by_folder, by_table, read_labels
from lynkeus.commission.report import report_html
from lynkeus.core import Batch, Schema, SettingsError, SourceError
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.sources import InMemory
from lynkeus.sources.images.folder import ImageSource
from lynkeus.sources.runs.folder import RunFile
from lynkeus.sources.runs.read import RunFolder

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own

SCHEMA = Schema("table", ("a", "b", "c"), shape=(3,))
TOLD = CommissionSettings(false_alarms=0.05)


def table(seed: int, labelled: bool = True) -> InMemory:
    """400 rows; with labels 1 on 40 that are far off in `b`, and 2 on 20 that are as good as the others."""
    values, truth = np.random.default_rng(seed).normal(size=(400, 3)), np.zeros(400, int)
    truth[10:50], truth[50:70] = 1, 2
    values[10:50, 1] += 8.0
    return InMemory(Batch(SCHEMA, values, truth=truth if labelled else None))


@pytest.fixture(scope="module")
def model():
    values = np.random.default_rng(0).normal(size=(400, 3))
    return fit(InMemory(Batch(SCHEMA, values)), FitSettings("mahalanobis"))


def test_each_kind_of_label_has_a_row(model) -> None:
    found = commission(model, table(1), TOLD)
    rows = {row.fault: row for row in found.rows if row.scorer == "mahalanobis"}
    assert not found.planted
    assert {name: row.faults for name, row in rows.items()} == {"label 1": 40, "label 2": 20}
    assert rows["label 1"].efficiency == 1.0
    assert rows["label 1"].auroc > 0.99
    assert rows["label 2"].efficiency < 0.4
    assert 0.3 < rows["label 2"].auroc < 0.7
    (good,) = found.false_alarms
    assert good.exposure == 340
    page = report_html(found, "table")
    assert "Commissioning by labels" in page
    assert "60 of 400 rows" in page


def test_without_labels_or_against_them_faults_are_planted(model) -> None:
    chosen = replace(TOLD, faults={"offset": (9.0,)}, per_case=20)
    assert commission(model, table(1, labelled=False), chosen).planted
    against = commission(model, table(1), replace(chosen, labels="ignore"))
    assert against.planted
    assert against.samples == 340
    assert "60 samples are labelled as faulty and left out" in against.messages
    with pytest.raises(SettingsError, match="name 400 good samples and 0 others"):
        commission(model, table(1, labelled=False), replace(TOLD, labels="need"))


def test_stretches_of_rows_in_time_are_faults_with_a_time_to_detect(loudest, gaussian) -> None:
    source = gaussian(9000, 3)
    truth = np.zeros(9000, int)
    for start in range(500, 8500, 1000):
        truth[start : start + 50] = 7
        source.batch.values[start : start + 50, 2] += 9.0
    found = commission(loudest, InMemory(replace(source.batch, truth=truth)), CommissionSettings(20.0))
    row = next(row for row in found.rows if (row.scorer, row.output) == ("loudest", "monitor"))
    assert (row.fault, row.faults, row.efficiency) == ("label 7", 8, 1.0)
    assert row.detect_median_s == pytest.approx(0.1)
    monitor = next(counted for counted in found.false_alarms if counted.output == "monitor")
    assert monitor.exposure == pytest.approx((9000 - 400) / 36_000, rel=0.01)
    assert not any(alarm.peak_score > 8 for alarm in monitor.alarms)


def test_folders_label_images_and_masks_say_where(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder, number in (("ref", 40), ("lab/good", 20), ("lab/pit", 8), ("masks/pit", 8)):
        (tmp_path / folder).mkdir(parents=True)
        for k in range(number):
            pixels = rng.integers(110, 130, (16, 16)).astype(np.uint8)
            pixels[4:7, 9:12] = 255 if folder.endswith("pit") else pixels[4:7, 9:12]
            if folder.startswith("masks"):
                pixels = (pixels == 255).astype(np.uint8) * 255
            Image.fromarray(pixels).save(tmp_path / folder / f"{k}.png")
    source = ImageSource(tmp_path / "ref")
    batch = next(iter(source))
    fixed = InMemory(Batch(replace(batch.schema, shape=(1, 16, 16)), batch.values, meta=batch.meta))
    fitted = fit(fixed, FitSettings("nearest_neighbours"))
    settings = replace(TOLD, labels="need", label_of=by_folder, masks=tmp_path / "masks")
    found = commission(fitted, ImageSource(tmp_path / "lab"), settings)
    (row,) = [row for row in found.rows if row.scorer != "chance"]
    assert (row.fault, row.faults, row.efficiency, row.right_place) == ("pit", 8, 1.0, 1.0)


def test_a_table_labels_runs(tmp_path: Path) -> None:
    def run(name: str, seed: int, shift: float = 0.0) -> RunFile:
        columns = {"x": np.random.default_rng(seed).normal(shift, 1, 200)}
        return RunFile(name, lambda: iter([columns]))

    fitted = fit(RunFolder([run(f"r{k}", k) for k in range(25)]), FitSettings("binned_chi2"))
    lines = [f"good{k},healthy" for k in range(15)] + [f"bad{k},shifted" for k in range(6)]
    (tmp_path / "labels.csv").write_text("run,label\n" + "\n".join(lines))
    runs = [run(f"good{k}", 100 + k) for k in range(15)] + [run(f"bad{k}", 200 + k, 1.0) for k in range(6)]
    folder = RunFolder([*runs, run("unknown", 300)])
    settings = replace(TOLD, labels="need", label_of=by_table(read_labels(tmp_path / "labels.csv")))
    found = commission(fitted, folder, settings)
    (row,) = [row for row in found.rows if row.scorer != "chance"]
    assert (row.fault, row.faults) == ("shifted", 6)
    assert row.efficiency >= 0.8
    assert row.right_kind >= 0.5
    assert "1 samples have no label and are left out" in found.messages


def test_tables_of_labels_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image,verdict\n1,2\n")
    with pytest.raises(SourceError, match="needs a column file or run or name and one label, fault, truth"):
        read_labels(tmp_path / "a.csv")
    with pytest.raises(SourceError, match="mend it"):
        read_labels(tmp_path / "none.csv")
