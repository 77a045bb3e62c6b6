"""Commissioning of runs: rates and names are counted rightly, all models get the same runs, the report says it."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lynkeus.commission.plant.good_events import RunTruth
from lynkeus.commission.runs.commission import RunCommissionSettings, commission_runs
from lynkeus.commission.runs.report import by_epoch, overall, write_run_report
from lynkeus.commission.runs.turn_on import Case, RunOutcome, names_place, run_turn_on
from lynkeus.core import Finding, SettingsError, SourceError
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.sources.runs.folder import RunFile
from lynkeus.sources.runs.read import RunFolder

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own

SMALL = RunCommissionSettings({"shift": (0.05, 1.0), "loss": (0.3,)}, (100,), per_case=10, false_alarms=0.05)


def a_run(name: str, seed: int, n: int = 150) -> RunFile:
    rng = np.random.default_rng(seed)
    columns = {"x": rng.normal(0, 1, n), "y": rng.normal(5, 2, n)}
    return RunFile(name, lambda: iter([dict(columns)]))


@pytest.fixture(scope="module")
def fitted():
    files = [a_run(f"good{k}", k) for k in range(25)]
    return fit(RunFolder(files), FitSettings("binned_chi2"))


@pytest.fixture(scope="module")
def found(fitted):
    held = [a_run(f"held{k}", 100 + k) for k in range(30)]
    twin = replace(fitted, lineage={"scorer": "learned", "options": {"training": {"epochs": 3}}, "runs": []})
    return commission_runs({"chi2": fitted, "twin": twin}, [*held, RunFile("empty", lambda: iter([]))], SMALL)


def test_large_shifts_are_found_small_ones_and_losses_are_not(found) -> None:
    rows = {(row.scorer, row.fault, row.size): row for row in found.rows}
    large, small, loss = (rows["chi2", *case] for case in (("shift", 1.0), ("shift", 0.05), ("loss", 0.3)))
    assert large.efficiency >= 0.8
    assert large.auroc == 1.0
    assert large.right_place == 1.0
    assert small.efficiency < 0.4
    assert loss.harmless
    assert np.isnan(loss.right_kind)
    assert not large.harmless
    assert large.low <= large.efficiency <= large.high
    assert {row.runs for row in found.rows} == {10}


def test_all_models_get_the_same_runs_and_good_runs_are_counted(found) -> None:
    own, twin = ([replace(row, scorer="") for row in found.rows if row.scorer == name] for name in ("chi2", "twin"))
    assert repr(own) == repr(twin)
    as_they_are, drawn = (counted for counted in found.good if counted.scorer == "chi2")
    assert as_they_are.runs == 30
    assert drawn.runs == 100
    assert drawn.events == 100
    assert as_they_are.share[1] <= 0.05
    assert drawn.ms > 0
    assert "holds no events" in found.messages[0]


def test_the_report_opens_without_network_and_its_table_lies_beside(found, tmp_path: Path) -> None:
    write_run_report(found, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "chi2, twin at 5 % false alarms" in page
    assert "<svg" in page
    assert "holds no events" in page
    assert not re.search(r"(src|href)=\"(?!#)", page)
    assert pq.read_table(tmp_path / "report.parquet").num_rows == len(found.rows) == 6
    with pytest.raises(SettingsError, match=r"ends in \.html"):
        write_run_report(found, tmp_path / "report.parquet")


def test_models_that_differ_in_their_epochs_are_one_family(found) -> None:
    assert by_epoch(found) == {}
    options = {"scorer": "autoencoder", "options": {"training": {"epochs": 7}}}
    other = {"scorer": "learned", "options": {"scorer": "autoencoder", "options": {"training": {"epochs": 3}}}}
    lineages = {"chi2": {"scorer": "learned", "options": options}, "twin": other}
    families = by_epoch(replace(found, lineages=lineages))
    assert list(families) == ["learned autoencoder"]
    assert set(families["learned autoencoder"]) == {3, 7}
    middle, low, high = families["learned autoencoder"][7]
    assert low <= middle <= high
    assert middle == overall(found, "chi2").efficiency


def test_names_of_kind_and_place_are_judged() -> None:
    shift = RunTruth("shifted", ("s2", "s2c"))
    assert names_place(Finding("shifted", "all", "s2c"), shift)
    assert not names_place(Finding("shifted", "all", "s1"), shift)
    new = RunTruth("new", ("x", "y"), {"x": (1.0, 2.0), "y": (10.0, 30.0)})
    assert names_place(Finding("new", "", "x, y", region={"x": (0.9, 2.5), "y": (5.0, 40.0)}), new)
    assert names_place(Finding("new", "", "x", region={"x": (0.9, 2.5)}), new)
    assert not names_place(Finding("new", "", "x", region={"x": (1.9, 2.5)}), new)
    assert not names_place(Finding("new", "", "x, y", region={"x": (-90.0, 90.0), "y": (-500.0, 500.0)}), new)
    of_group = RunTruth("gone", (), {"x": (1.0, 2.0)}, "S2")
    assert names_place(Finding("gone", "S2", group="S2"), of_group)
    assert not names_place(Finding("gone", "S1", region={"x": (1.0, 2.0)}, group="S1"), of_group)


def test_a_point_counts_runs_that_are_not_called_good() -> None:
    truth, change = RunTruth("new", ("x",)), Finding("new", "", "x")
    outcomes = [RunOutcome(score, p, change, truth) for score, p in ((5.0, 1e-5), (1.0, 0.2), (np.nan, np.nan))]
    row = run_turn_on(Case("more", 0.1, 100.0, "a"), outcomes, np.array([0.0, 2.0]), 0.01)
    assert row.efficiency == pytest.approx(1 / 3)
    assert row.auroc == pytest.approx((1.0 + 0.5 + 0.0) / 3)
    assert row.right_kind == row.right_place == 1.0


def test_what_cannot_be_commissioned_is_said(fitted) -> None:
    with pytest.raises(SourceError, match="none of the 1 good runs can be read"):
        commission_runs({"a": fitted}, [RunFile("empty", lambda: iter([]))], SMALL)
    with pytest.raises(SourceError, match="needs 20"):
        commission_runs({"a": fitted}, [a_run("short", 1, 10)], SMALL)
    with pytest.raises(SettingsError, match="no fault of runs called 'melted'"):
        RunCommissionSettings({"melted": (1.0,)})
    with pytest.raises(SettingsError, match="sizes are positive"):
        RunCommissionSettings({"shift": (0.0,)})
    with pytest.raises(SettingsError, match="between 0 and 1"):
        RunCommissionSettings(false_alarms=1.0)
    files = [RunFile(f"o{k}", lambda k=k: iter([{"z": np.random.default_rng(k).normal(size=100)}])) for k in range(25)]
    other = fit(RunFolder(files), FitSettings("binned_chi2"))
    with pytest.raises(SettingsError, match=r"other: was fitted on other columns \(z\)"):
        commission_runs({"a": fitted, "other": other}, [a_run("held", 1)], SMALL)
