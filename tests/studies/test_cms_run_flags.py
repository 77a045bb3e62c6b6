"""Runs flagged: the tables are joined as they should be, cross-validation does not leak, and a small run end to end."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import SourceError
from lynkeus.evaluate.run_comparison import run_comparison
from lynkeus.metrics.rates import auroc
from lynkeus.studies.cms_run_flags.crossed import Held, crossed, partitions
from lynkeus.studies.cms_run_flags.methods import (
    BestCombination,
    BoostedTrees,
    Combine,
    Joined,
    Logistic,
    Size,
    beyond_quantile,
    flagged,
)
from lynkeus.studies.cms_run_flags.study import cms_run_flags
from lynkeus.studies.cms_run_flags.table import BAD, GOOD, PCA, UNKNOWN, RunTable, read_runs, simulated_runs

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own

PULL = "beta-binomial pull, 8 references"
DATA = Path(os.environ.get("LYNKEUS_DATA", "absent")) / "cms_dqm_runs"


def write_tables(folder: Path) -> None:
    """Three runs and two plots, as AutoDQM_ML has them: in different orders, columns twice, -99 for missing."""
    folder.mkdir(exist_ok=True)
    plots = ("A/one", "B/two")
    head = "run_number,year,label,algo," + ",".join(
        f"L1T//Run summary/{p}_{c}" for c in ("chi2prime", "integral") for p in plots
    )
    rows = ("30,2022,1,pca,3.1,3.2,300,301", "10,2022,0,pca,1.1,1.2,100,101", "20,2022,-1,pca,2.1,2.2,200,201")
    (folder / "HLTPhysics_PCA_131224_modified_chi2_values.csv").write_text("\n".join((head, *rows)))
    for number in (1, 4, 8):
        names = [
            f"L1T/Run summary/{plot}_{kind}_score_beta" for plot in (plots[0], "C/three") for kind in ("chi2", "pull")
        ]
        head = ",run_number,label," + ",".join([*names, "run_number", "label"])
        rows = ("0,10,0,-99,-99,-99,-99,10,0", f"1,30,1,{number}.5,7,8,9,30,1", "2,20,-1,4,5,6,7,20,-1")
        (folder / f"HLTPhysics_{number}_REF.csv").write_text("\n".join((head, *rows)))


def test_the_tables_are_joined_by_run_and_plot(tmp_path: Path) -> None:
    write_tables(tmp_path)
    table = read_runs(tmp_path)
    assert table.run.tolist() == [10, 20, 30]
    assert table.label.tolist() == [GOOD, UNKNOWN, BAD]
    assert table.plots == ("A/one", "B/two", "C/three")
    np.testing.assert_array_equal(table.scores[PCA][2], [3.1, 3.2, np.nan])
    np.testing.assert_array_equal(table.scores["beta-binomial chi2, 4 references"][:, 0], [np.nan, 4.0, 4.5])
    assert np.isnan(table.scores["beta-binomial chi2, 1 reference"][:, 1]).all()
    np.testing.assert_allclose(np.exp(table.log_size), [201, 401, 601])
    batch = table.batch(np.array([0, 2]))
    assert batch.truth.tolist() == [0, 1]
    assert "B/two PCA chi2prime" in batch.schema.names
    assert "C/three PCA chi2prime" not in batch.schema.names


def test_tables_of_other_runs_and_absent_ones_are_named(tmp_path: Path) -> None:
    write_tables(tmp_path)
    path = tmp_path / "HLTPhysics_4_REF.csv"
    path.write_text(path.read_text().replace("1,30,1", "1,31,1"))
    with pytest.raises(SourceError, match=r"HLTPhysics_4_REF.csv and .* the same runs"):
        read_runs(tmp_path)
    path.unlink()
    with pytest.raises(SourceError, match=r"HLTPhysics_4_REF.csv cannot be read"):
        read_runs(tmp_path)


def shuffled(seed: int) -> RunTable:
    """The simulated runs with labels that mean nothing."""
    table = simulated_runs()
    return replace(table, label=np.random.default_rng(seed).permutation(table.label))


@pytest.mark.parametrize("method", [Joined((PCA,)), Logistic((PCA,)), BestCombination((PCA, PULL))])
def test_labels_that_mean_nothing_teach_nothing(method: object) -> None:
    table = shuffled(1)
    assert 0.3 < crossed(method, table, list(partitions(table, 1, by_time=False))).numbers()["auroc"] < 0.65


@pytest.mark.slow(3)
def test_trees_do_not_see_which_runs_were_learned_from() -> None:
    table = shuffled(3)
    assert (
        0.3 < crossed(BoostedTrees((PCA,)), table, list(partitions(table, 1, by_time=False))).numbers()["auroc"] < 0.65
    )


def test_bad_runs_are_found_and_good_ones_flagged_as_promised() -> None:
    table = simulated_runs()
    folds = list(partitions(table, 2, by_time=False))
    for method in (Combine(PCA, "mean"), Joined((PCA,)), Combine(PULL, "flags", size_taken_out=True)):
        numbers = crossed(method, table, folds).numbers()
        assert numbers["auroc.low"] < numbers["auroc"] < numbers["auroc.high"]
        assert numbers["auroc"] > 0.7
        assert numbers["good"] / 12 < 0.03
        assert numbers["ratio.low"] < numbers["ratio"] < numbers["ratio.high"]


def test_runs_in_a_row_are_held_out_together() -> None:
    table = simulated_runs()
    (folds,) = partitions(table, 1, by_time=True)
    judged = np.concatenate([test for _, test in folds])
    assert sorted(judged) == np.flatnonzero(table.label != UNKNOWN).tolist()
    for train, test in folds:
        assert not set(train) & set(test)
        assert (np.diff(np.sort(test)) <= 3).mean() > 0.8


def test_among_runs_of_like_size_size_itself_knows_nothing() -> None:
    rng = np.random.default_rng(0)
    size, bad = rng.normal(18, 1, 400), np.zeros(400, bool)
    bad[rng.choice(400, 60, replace=False, p=np.exp(-size) / np.exp(-size).sum())] = True
    held = Held(bad, size, -size[None], *np.ones((3, 1, 400)))
    assert auroc(bad, -size) > 0.7
    assert abs(held.numbers()["like_size"] - 0.5) < 0.12


def test_a_p_value_of_two_percent_is_stricter_than_the_quantile_of_few_runs() -> None:
    scores = np.random.default_rng(1).normal(size=(20_000, 1))
    by_p, by_quantile = (
        rule(np.concatenate([scores[:170], scores]), np.arange(170))[170:].mean() for rule in (flagged, beyond_quantile)
    )
    assert by_p < by_quantile


def test_every_expected_number_is_one_that_the_study_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LYNKEUS_DATA", raising=False)
    study = cms_run_flags()
    assert "simulated table, not the runs of CMS" in study.parts["runs"].data
    for check in study.checks:
        assert any(check.metric.startswith(f"runs.2022.{name}.") for name in study.parts["runs"].look.ways)


@pytest.mark.slow(9)
def test_the_smoke_study(tmp_path: Path) -> None:
    run = run_comparison(cms_run_flags(smoke=True), tmp_path)
    assert run.passed, run.lines()
    page = run.page.read_text()
    for words in (
        "simulated table",
        "fitted, by those who made the table",
        "few entries (trivial)",
        "Runs that nobody has labelled",
    ):
        assert words in page
    for figure in ("efficiency.svg", "size.svg"):
        assert (tmp_path / "cms_run_flags" / figure).is_file()


@pytest.mark.skipif(not DATA.is_dir(), reason="the tables of CMS are not there (LYNKEUS_DATA)")
def test_what_was_measured_before_is_measured_again() -> None:
    table = read_runs(DATA)
    assert [(table.label == label).sum() for label in (GOOD, BAD, UNKNOWN)] == [216, 43, 49]
    numbers = crossed(Combine(PCA, "flags"), table, list(partitions(table, 3, by_time=False))).numbers()
    assert numbers["quantile.good"] == pytest.approx(1.62, abs=0.1)
    assert numbers["quantile.bad"] == pytest.approx(11.7, abs=0.4)
    assert numbers["auroc"] == pytest.approx(0.775, abs=0.01)
    assert crossed(Size(), table, list(partitions(table, 1, by_time=False))).numbers()["auroc"] > 0.8
