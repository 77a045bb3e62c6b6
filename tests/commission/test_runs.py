"""Commissioning of runs: rates and names are counted rightly, all models get the same runs, the report says it."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lynkeus.commission.commission import CommissionSettings, commission
from lynkeus.commission.plant.good_events import RunTruth
from lynkeus.commission.report import by_epoch, overall, write_report
from lynkeus.core import Finding, SettingsError, SourceError
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.sources.runs.folder import RunFile
from lynkeus.sources.runs.read import RunFolder

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own

SMALL = CommissionSettings(faults={"shift": (0.05, 1.0), "loss": (0.3,)}, events=(100,), per_case=10, false_alarms=0.05)


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
    return commission(fitted, RunFolder([*held, RunFile("empty", lambda: iter([]))]), SMALL, {"twin": twin})


def test_large_shifts_are_found_small_ones_and_losses_are_not(found) -> None:
    rows = {(row.scorer, row.fault, row.size): row for row in found.rows}
    large, small, loss = (rows["binned_chi2", *case] for case in (("shift", 1.0), ("shift", 0.05), ("loss", 0.3)))
    assert large.efficiency >= 0.8
    assert large.auroc == 1.0
    assert large.right_place == 1.0
    assert small.efficiency < 0.4
    assert loss.harmless
    assert np.isnan(loss.right_kind)
    assert not large.harmless
    assert large.low <= large.efficiency <= large.high
    assert {row.faults for row in found.rows} == {10}
    assert {row.budget_unit for row in found.rows} == {"of good samples"}


def test_all_models_get_the_same_runs_and_good_runs_are_counted(found) -> None:
    own, twin = (
        [replace(row, scorer="") for row in found.rows if row.scorer == name] for name in ("binned_chi2", "twin")
    )
    assert repr(own) == repr(twin)
    as_they_are, drawn = (counted for counted in found.false_alarms if counted.scorer == "binned_chi2")
    assert as_they_are.exposure == 30
    assert drawn.exposure == 100
    assert drawn.of == "100 events drawn"
    assert as_they_are.rate[1] <= 0.05
    assert drawn.ms > 0
    assert "holds no events" in found.messages[0]


def test_the_report_opens_without_network_and_its_table_lies_beside(found, tmp_path: Path) -> None:
    write_report(found, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "binned_chi2, twin at a budget of 5 % of good samples" in page
    assert "<svg" in page
    assert "holds no events" in page
    assert not re.search(r"(src|href)=\"(?!#)", page)
    assert pq.read_table(tmp_path / "report.parquet").num_rows == len(found.rows) == 9
    with pytest.raises(SettingsError, match=r"ends in \.html"):
        write_report(found, tmp_path / "report.parquet")


def test_models_that_differ_in_their_epochs_are_one_family(found) -> None:
    assert by_epoch(found) == {}
    options = {"scorer": "autoencoder", "options": {"training": {"epochs": 7}}}
    other = {"scorer": "learned", "options": {"scorer": "autoencoder", "options": {"training": {"epochs": 3}}}}
    lineages = {"binned_chi2": {"scorer": "learned", "options": options}, "twin": other}
    families = by_epoch(replace(found, lineages=lineages))
    assert list(families) == ["learned autoencoder"]
    assert set(families["learned autoencoder"]) == {3, 7}
    middle, low, high = families["learned autoencoder"][7]
    assert low <= middle <= high
    assert middle == overall(found, "binned_chi2").efficiency


def test_names_of_kind_and_place_are_judged() -> None:
    shift = RunTruth("shifted", ("s2", "s2c"))
    assert shift.holds(Finding("shifted", "all", "s2c"))
    assert not shift.holds(Finding("shifted", "all", "s1"))
    new = RunTruth("new", ("x", "y"), {"x": (1.0, 2.0), "y": (10.0, 30.0)})
    assert new.holds(Finding("new", "", "x, y", region={"x": (0.9, 2.5), "y": (5.0, 40.0)}))
    assert new.holds(Finding("new", "", "x", region={"x": (0.9, 2.5)}))
    assert not new.holds(Finding("new", "", "x", region={"x": (1.9, 2.5)}))
    assert not new.holds(Finding("new", "", "x, y", region={"x": (-90.0, 90.0), "y": (-500.0, 500.0)}))
    of_group = RunTruth("gone", (), {"x": (1.0, 2.0)}, "S2")
    assert of_group.holds(Finding("gone", "S2", group="S2"))
    assert not of_group.holds(Finding("gone", "S1", region={"x": (1.0, 2.0)}, group="S1"))


def test_what_cannot_be_commissioned_is_said(fitted) -> None:
    with pytest.raises(SourceError, match="none of the 1 good runs can be read"):
        commission(fitted, RunFolder([RunFile("empty", lambda: iter([]))]), SMALL)
    with pytest.raises(SourceError, match="needs 20"):
        commission(fitted, RunFolder([a_run("short", 1, 10)]), SMALL)
    with pytest.raises(SettingsError, match="no fault of runs called 'melted'"):
        commission(fitted, RunFolder([a_run("held", 1)]), CommissionSettings(faults={"melted": (1.0,)}))
    with pytest.raises(SettingsError, match="sizes are positive"):
        commission(fitted, RunFolder([a_run("held", 1)]), CommissionSettings(faults={"shift": (0.0,)}))
    with pytest.raises(SettingsError, match="between 0 and 1"):
        CommissionSettings(false_alarms=1.0)
    files = [RunFile(f"o{k}", lambda k=k: iter([{"z": np.random.default_rng(k).normal(size=100)}])) for k in range(25)]
    other = fit(RunFolder(files), FitSettings("binned_chi2"))
    with pytest.raises(SettingsError, match=r"other: was fitted on other columns \(z\)"):
        commission(fitted, RunFolder([a_run("held", 1)]), SMALL, {"other": other})
