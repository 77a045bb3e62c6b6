"""Runs as strangers bring them: $LYNKEUS_DATA/field_hep, of which its README says what must happen with each file."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

FIELD = Path(os.environ.get("LYNKEUS_DATA", "data")) / "field_hep"
pytestmark = [
    pytest.mark.slow(3),  # each
    pytest.mark.skipif(not FIELD.is_dir(), reason="no $LYNKEUS_DATA/field_hep"),
]
Run = Callable[..., Any]
Rows = dict[str, dict[str, Any]]


@pytest.fixture
def unpacked(tmp_path: Path) -> Callable[[str], Path]:
    pytest.importorskip("uproot", reason="ROOT files need lynkeus[hep]")

    def unpack(name: str) -> Path:
        with zipfile.ZipFile(FIELD / f"{name}.zip") as archive:
            archive.extractall(tmp_path / name)
        return tmp_path / name

    return unpack


@pytest.fixture
def judged(lynkeus: Run, unpacked: Callable[[str], Path]) -> Callable[..., tuple[Rows, str]]:
    """Rows by run of what is new, learned from what is good, and what `fit` said."""

    def judge(name: str, scorer: str = "binned_chi2", good: str = "good") -> tuple[Rows, str]:
        folder = unpacked(name)
        said = lynkeus("fit", folder / good, "--run-per-file", "-s", scorer, "-o", "m")
        assert said.code == 0, said
        done = lynkeus("score", "m", folder / "new", "--run-per-file", "-o", "v.parquet")
        assert done.code == 0, done
        return {row["run"]: row for row in pq.read_table("v.parquet").to_pylist()}, said.err

    return judge


def test_the_number_of_the_run_is_no_part_of_a_name(judged: Run) -> None:
    rows, _ = judged("cms_run_number_in_path")
    assert rows["energy_1_up_20_percent"]["verdict"] == "BAD"
    assert rows["energy_1_up_20_percent"]["population"].endswith("/energy_1")
    assert "3701" not in rows["energy_1_up_20_percent"]["population"]
    assert rows["ok"]["verdict"] == "GOOD"


@pytest.mark.parametrize("scorer", ["binned_chi2", "kolmogorov", "histogram_pca", "beta_binomial", "smoothed"])
def test_empty_plots_are_gone(judged: Run, scorer: str) -> None:
    rows, _ = judged("plots_empty", scorer)
    for run, plot in (("one_of_four_empty", "Ecal/energy_1"), ("one_has_5_percent", "Ecal/energy_2")):
        assert (rows[run]["verdict"], rows[run]["change"], rows[run]["population"]) == ("BAD", "gone", plot)
    assert rows["all_but_one_empty"]["change"] == "gone"
    assert "energy_0" not in rows["all_but_one_empty"]["reason"]
    assert {rows[run]["verdict"] for run in ("ok", "whole_run_shorter_3x")} == {"GOOD"}


def test_bins_are_matched_by_their_labels(judged: Run) -> None:
    rows, _ = judged("labelled_bins")
    assert rows["same_rates_other_order"]["verdict"] == "GOOD"
    exchanged = rows["mu_and_ele_rates_exchanged_and_order_too"]
    assert exchanged["verdict"] == "BAD"
    assert "HLT_Mu" in exchanged["where"]
    more = rows["one_path_more_and_rest_same"]
    assert more["verdict"] != "NOT ENOUGH DATA"
    assert "HLT_New" in more["reason"]


def test_one_damaged_plot_costs_that_plot(judged: Run) -> None:
    rows, _ = judged("one_plot_missing_or_nan")
    for name, said in (
        ("energy_0_has_nan_and_energy_1_up_20_percent", "'Ecal/energy_0' holds nan"),
        ("energy_2_missing_and_energy_1_up_20_percent", "'Ecal/energy_2' is missing"),
    ):
        assert rows[name]["verdict"] == "BAD"
        assert rows[name]["population"] == "Ecal/energy_1"
        assert said in rows[name]["reason"]
    assert rows["ok"]["verdict"] == "GOOD"


@pytest.mark.parametrize("scorer", ["binned_chi2", "kolmogorov"])
def test_profiles_are_judged_by_their_means(judged: Run, scorer: str) -> None:
    rows, _ = judged("profiles_beside_histograms", scorer)
    assert rows["ok"]["verdict"] == "GOOD"
    assert (rows["gain_doubled"]["verdict"], rows["gain_doubled"]["population"]) == ("BAD", "gain_vs_x")
    assert "mean higher at x " in rows["gain_doubled"]["where"]


def test_histograms_in_a_list_are_read(judged: Run) -> None:
    rows, _ = judged("histograms_in_a_list")
    assert rows["dedx_up_20_percent"]["verdict"] == "BAD"
    assert rows["dedx_up_20_percent"]["population"].endswith("dEdx")


def test_histograms_beside_a_small_tree_are_read(judged: Run) -> None:
    rows, _ = judged("histograms_beside_a_small_tree")
    assert rows["energy_1_up_20_percent"]["verdict"] == "BAD"
    assert rows["ok"]["verdict"] == "GOOD"


def test_scaled_histograms_are_judged_by_their_entries(judged: Run) -> None:
    rows, _ = judged("scaled_to_one")
    assert rows["energy_1_up_50_percent"]["verdict"] == "BAD"
    assert rows["energy_1_up_50_percent"]["events"] == pytest.approx(9000, rel=0.01)
    assert rows["ok"]["verdict"] != "BAD"


def test_negative_weights_are_judged(judged: Run) -> None:
    rows, said = judged("negative_weights", "population")
    assert rows["mass_up_30_percent"]["verdict"] == "BAD"
    assert rows["ok"]["verdict"] == "GOOD"
    assert "negative weight" in said


@pytest.mark.parametrize("scorer", ["beta_binomial", "binned_chi2", "kolmogorov", "histogram_pca"])
def test_few_good_runs_do_not_alarm(lynkeus: Run, unpacked: Callable[[str], Path], scorer: str) -> None:
    folder, p_values = unpacked("few_good_runs_false_alarms"), []
    for number in range(1, 6):
        assert lynkeus("fit", folder / f"good_{number}", "--run-per-file", "-s", scorer, "-o", "m").code == 0
        assert lynkeus("score", "m", folder / "new", "--run-per-file", "-o", "v.parquet").code == 0
        p_values += pq.read_table("v.parquet")["p_value"].to_pylist()
        shutil.rmtree("m")
    assert np.mean(np.array(p_values) < 0.01) <= 0.02
    assert np.mean(np.array(p_values) < 0.001) <= 0.005


def test_sparse_histograms_are_read(unpacked: Callable[[str], Path]) -> None:
    from lynkeus.sources.runs.filled import read_histograms

    (path,) = (unpacked("uhi_sparse") / "new").iterdir()
    counts = read_histograms(path).plots["adc"].counts
    np.testing.assert_array_equal(np.flatnonzero(counts), [1, 4, 9])
    assert counts.sum() == 22


def test_lists_of_each_event_are_read(judged: Run) -> None:
    rows, said = judged("lists_per_event_ignored", "population")
    assert rows["jet_pt_up_50_percent"]["verdict"] == "BAD"
    assert "Jet_pt" in rows["jet_pt_up_50_percent"]["reason"]
    assert rows["ok"]["verdict"] != "BAD"
    assert "Jet_pt.sum" in said


def test_the_largest_tree_has_the_events(judged: Run) -> None:
    rows, said = judged("small_tree_before_event_tree", "population")
    assert rows["met_up_50_percent"]["verdict"] == "BAD"
    assert rows["ok"]["verdict"] == "GOOD"
    assert "BuTuple/DecayTree (300 entries), not from GetIntegratedLuminosity/LumiTuple (3 entries)" in said


@pytest.mark.parametrize(
    ("name", "columns"),
    [("double32_float16", {"double32_32", "float16_16", "array_30[2]"}), ("leaflist", {"leaflist.x", "leaflist.y"})],
)
def test_columns_of_other_types_are_read(name: str, columns: set[str]) -> None:
    pytest.importorskip("uproot", reason="ROOT files need lynkeus[hep]")
    from lynkeus.sources.runs.events import read_events

    (piece,) = read_events(FIELD / f"{name}.root")
    assert columns <= set(piece)
    assert all(np.isfinite(np.asarray(piece[column], float)).all() for column in columns)
