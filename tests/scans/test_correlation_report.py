"""The page on scores and properties, from files as users have them; and what is said of files that do not fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lynkeus.core import LynkeusError
from lynkeus.scans.cavity_properties import read_properties
from lynkeus.scans.correlation_report import write_correlation
from lynkeus.scans.image_scores import read_image_scores

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own

CAVITIES, CELLS, ANGLES = 12, 2, 6


@pytest.fixture(scope="module")
def inspection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scores.parquet of two scans, of which the first is worse everywhere, and properties.csv: the worst spot of the
    last scan, at cell 2 and 120 degrees, decides max_field; q0 is noise."""
    folder, rng, rows, lines = tmp_path_factory.mktemp("inspection"), np.random.default_rng(0), [], []
    for cavity in range(CAVITIES):
        depth = 5.0 + 2.0 * cavity
        for scan, (cell, angle) in ((s, place) for s in ("1_bcp", "2_ep") for place in np.ndindex(CELLS, ANGLES)):
            worst = (cell, angle) == (1, 2)
            sigma = depth + 0.1 * rng.normal() if worst and scan == "2_ep" else rng.uniform(2, 4) + 30 * (scan < "2")
            rows.append(
                {
                    "file": f"cav{cavity}/{scan}/c{cell}_{angle}.jpg", "cavity": f"cav{cavity}", "cell": cell + 1,
                    "angle_deg": 60.0 * angle, "scan": scan, "label": "defect" if worst else "good",
                    "anomaly": sigma, "p_value": 0.5, "spot1_x": 10.0, "spot1_y": 20.0, "spot1_sigma": sigma,
                    "spot1_area": 40.0, "map": "",
                }
            )  # fmt: skip
        where = "" if cavity == 3 else "118.5"
        lines.append(f"cav{cavity},{45 - depth:.2f},{rng.normal():.3f},2,{where},quench")
    pq.write_table(pa.Table.from_pylist(rows), folder / "scores.parquet")
    head = "cavity,max_field,q0,quench_cell,quench_angle_deg,limited_by"
    (folder / "properties.csv").write_text("\n".join([head, *lines, "other,30,1,1,10,quench"]) + "\n")
    return folder


@pytest.mark.slow(3)
def test_the_page_finds_the_correlation_and_the_quench_and_its_tables_lie_beside_it(
    inspection: Path, tmp_path: Path
) -> None:
    found = write_correlation(inspection / "scores.parquet", inspection / "properties.csv", tmp_path / "r.html")
    first = found.pairs[0]
    assert (first.property, first.rho, first.cavities) == ("max_field", pytest.approx(-1.0), CAVITIES)
    assert {pair.property for pair in found.found} == {"max_field"}
    page = (tmp_path / "r.html").read_text()
    for words in (
        "Correlation found",
        "properties, but no scores (1): other",
        "11 quenches were located",
        "<svg",
        "--bg",
    ):
        assert words in page
    assert not [word for word in ("src=", "@import", "<link") if word in page]  # needs no network
    groups = pq.read_table(tmp_path / "groups.parquet").to_pylist()
    assert {row["level"] for row in groups} == {"cavity", "scan", "cell"}
    assert sum(row["level"] == "cell" for row in groups) == CAVITIES * 2 * CELLS * 5
    spots = pq.read_table(tmp_path / "ranked_spots.parquet")
    assert spots.num_rows == CAVITIES * CELLS * ANGLES  # the last scan
    ranks = pq.read_table(tmp_path / "quench_ranks.parquet")
    assert ranks["rank"].to_pylist() == [1.0] * 11
    assert pq.read_table(tmp_path / "correlations.parquet").num_rows == len(found.pairs)


def test_another_scan_or_all_of_them_give_another_answer(inspection: Path, tmp_path: Path) -> None:
    paths = inspection / "scores.parquet", inspection / "properties.csv"
    before = write_correlation(*paths, tmp_path / "before.html", scan="1_bcp")
    assert not before.found
    assert "No correlation found" in (tmp_path / "before.html").read_text()
    assert pq.read_table(tmp_path / "ranked_spots.parquet")["scan"].unique().to_pylist() == ["1_bcp"]
    with pytest.raises(LynkeusError, match="no scan '3' among the scores; there are 1_bcp, 2_ep"):
        write_correlation(*paths, tmp_path / "r.html", scan="3")


def test_the_last_scan_is_so_by_its_time(inspection: Path) -> None:
    scores = read_image_scores(inspection / "scores.parquet")
    assert set(scores.scan().columns["scan"]) == {"2_ep"}
    scores.columns["time"] = np.where(scores.columns["scan"] == "1_bcp", "2025-01-02", "2025-01-01")  # type: ignore[index]
    assert set(scores.scan().columns["scan"]) == {"1_bcp"}


def changed(inspection: Path, to: Path, **columns: Any) -> Path:
    table = pq.read_table(inspection / "scores.parquet")
    for name, values in columns.items():
        at = table.column_names.index(name)
        table = table.drop_columns(name) if values is None else table.set_column(at, name, pa.array(values))
    pq.write_table(table, to)
    return to


def test_bad_tables_are_named_with_what_to_do(inspection: Path, tmp_path: Path) -> None:
    good = inspection / "scores.parquet"
    count, out = pq.read_table(good).num_rows, tmp_path / "r.html"

    def says(text: str, properties: str | None = None, scores: Path = good, output: Path = out) -> None:
        path = inspection / "properties.csv"
        if properties is not None:
            path = tmp_path / "p.csv"
            path.write_text(properties)
        with pytest.raises(LynkeusError, match=text) as caught:
            write_correlation(scores, path, output)
        assert "\n" not in str(caught.value)

    says("no column 'cavity'", "name,q0\na,1\n")
    says("the cavity 'cav1' has 2 rows; keep one", "cavity,q0\ncav1,1\ncav1,2\n")
    says("no column of numbers", "cavity,word\ncav1,x\n")
    says("not a CSV", "cavity,q0\ncav1\n")
    says("no cavity has both scores .* and properties", "cavity,q0\nx,1\ny,2\n")
    says("4 cavities .* needs 5", "cavity,q0\n" + "".join(f"cav{k},{k}\n" for k in range(4)))
    says("choose a name that ends in .html", output=tmp_path / "r.parquet")
    says("not a Parquet table", scores=inspection / "properties.csv")
    says("not a Parquet table", scores=inspection / "nothing.parquet")
    says("no column 'anomaly'", scores=changed(inspection, tmp_path / "a.parquet", anomaly=None))
    says("holds no numbers", scores=changed(inspection, tmp_path / "b.parquet", anomaly=["x"] * count))
    says("not one image has a score", scores=changed(inspection, tmp_path / "c.parquet", anomaly=[np.nan] * count))
    says("no column 'cavity'.*--meta", scores=changed(inspection, tmp_path / "d.parquet", cavity=None))
    assert not out.exists()


def test_names_that_look_like_numbers_and_missing_values_are_read_as_meant(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "cavity,q0,limited_by,quench_cell,quench_angle_deg\n0012,NA,quench,9,10\n7,1e10,,,\n"
    )
    found = read_properties(tmp_path / "p.csv")
    assert found.cavities == ("0012", "7")
    np.testing.assert_array_equal(found.measured["q0"], [np.nan, 1e10])
    assert (set(found.measured), found.texts) == ({"q0"}, ("limited_by",))
    assert found.quenches["0012"] == (9.0, 10.0)
    assert np.isnan(found.quenches["7"]).all()


def test_scores_without_places_give_an_answer_without_quenches(inspection: Path, tmp_path: Path) -> None:
    scores = changed(inspection, tmp_path / "s.parquet", cell=None, scan=None, label=None)
    found = write_correlation(scores, inspection / "properties.csv", tmp_path / "r.html")
    assert found.cavities == CAVITIES
    assert "quenches were located" not in (tmp_path / "r.html").read_text()
    assert "as none is labelled as bad" in (tmp_path / "r.html").read_text()
