"""Regression: numbers of a lattice at chemical potentials and sizes that were not shown, of tables, of plain files."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lynkeus.core import Batch, Schema, SettingsError, concatenate
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.scorers.regression.scorer import Regression
from lynkeus.simulate.lattice.source import LatticeSource
from lynkeus.sources import InMemory

pytest.importorskip("numba")
QUICK = {"training": {"epochs": 6}}


@pytest.fixture(scope="module")
def fluxes() -> Batch:
    return concatenate(list(LatticeSource(mu="0.8,1.2", n=120, shape="24x6", seed=1, every=4)))


@pytest.fixture(scope="module")
def model(fluxes: Batch, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    folder = tmp_path_factory.mktemp("regression") / "model"
    fitted = fit(InMemory(fluxes), FitSettings("regression", QUICK, labels="n,phi2"))
    assert not any("do not use this model" in line for line in fitted.messages)  # the ridge leaves nothing to learn
    fitted.save(folder)
    return Fitted.load(folder)


@pytest.mark.parametrize("shape", ["24x6", "16x10"])
def test_numbers_at_a_potential_and_a_size_that_were_not_shown(model: Fitted, shape: str) -> None:
    batch = concatenate(list(LatticeSource(mu=1.05, n=60, shape=shape, seed=2, every=4)))
    density, square = model.scorer.score(model.view.of(InMemory(batch)).batch).T
    error = density - batch.meta["n"]
    assert np.abs(error).mean() < 0.02
    assert abs(error.mean()) < 0.01
    assert np.abs(square - batch.meta["phi2"]).mean() < 0.02


def test_what_is_said_of_held_out_samples_and_of_a_wrong_number(model: Fitted, fluxes: Batch) -> None:
    said = model.lineage["numbers"]
    assert said["n"]["samples"] + 1 >= len(fluxes) // 5
    assert all(0.5 < own["coverage"] < 0.85 for own in said.values())
    from lynkeus.fitting.tables import columns

    wrong = fluxes.meta["n"].copy()
    wrong[7] += 0.5
    batch = Batch(fluxes.schema, fluxes.values, meta={**fluxes.meta, "n": wrong})
    row = columns(model, model.score_batch(batch), 0)
    assert list(row)[-8:] == [
        "n", "n_spread", "n_truth", "n_p_value", "phi2", "phi2_spread", "phi2_truth", "phi2_p_value"
    ]  # fmt: skip
    p_value = np.asarray(row["n_p_value"])
    assert p_value[7] == p_value.min() >= 1 / (said["n"]["samples"] + 1)
    assert np.median(p_value) > 0.2


def test_evidence_has_the_shape_of_the_maps_and_points_at_the_flux_in_time(model: Fitted, fluxes: Batch) -> None:
    evidence = model.explain(fluxes[-20:], "n")
    assert evidence.shape == fluxes[-20:].values.shape
    size = np.abs(evidence).sum(axis=(0, 2, 3))
    assert size.argmax() == 1  # n is the mean of k_t


def test_spreads_by_potentials_that_were_not_shown() -> None:
    learned = concatenate(list(LatticeSource(mu="0.9,1.0,1.1,1.2", n=50, shape="16x6", seed=1, every=4)))
    options = {"method": "ridge", "across": "mu"}
    model = fit(InMemory(learned), FitSettings("regression", options, labels="phi2"))
    assert "held out: mu = 1, 1.1, one after the other" in model.messages
    batch = concatenate(list(LatticeSource(mu="1.05", n=100, shape="16x6", seed=2, every=4)))
    off = np.abs(model.scorer.score(batch)[:, 0] - batch.meta["phi2"])
    assert 0.5 < (off <= model.scorer.spread(batch)[:, 0]).mean() < 0.9
    for across, says in (("charm", "is not known of these samples; there are"), ("phi2", "values; give samples of 3")):
        with pytest.raises(SettingsError, match=says):
            fit(InMemory(learned), FitSettings("regression", {**options, "across": across}, labels="phi2"))


@pytest.mark.parametrize("method", ["ridge", "boosted"])
def test_the_baselines_come_back_from_a_folder(fluxes: Batch, tmp_path: Path, method: str) -> None:
    fitted = fit(InMemory(fluxes), FitSettings("regression", {"method": method}, labels="n"))
    fitted.save(tmp_path / "m")
    again = Fitted.load(tmp_path / "m")
    np.testing.assert_allclose(again.scorer.score(fluxes), fitted.scorer.score(fluxes))
    np.testing.assert_allclose(again.scorer.spread(fluxes), fitted.scorer.spread(fluxes))
    assert again.explain(fluxes[:5], "n").shape == fluxes[:5].values.shape


def test_from_the_command_line_with_plain_arrays(fluxes: Batch, tmp_path: Path, lynkeus) -> None:
    np.savez(tmp_path / "plain.npz", X=fluxes.values, n=fluxes.meta["n"], phi2=fluxes.meta["phi2"])
    done = lynkeus(
        "fit", str(tmp_path / "plain.npz"), "-s", "regression", "--labels", "n,phi2", "-o", str(tmp_path / "M"),
        "--set", "method=ridge",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "within one spread" in done.err
    assert (
        lynkeus("score", str(tmp_path / "M"), str(tmp_path / "plain.npz"), "-o", str(tmp_path / "s.parquet")).code == 0
    )
    table = pq.read_table(tmp_path / "s.parquet").to_pydict()
    assert np.abs(np.array(table["n"]) - fluxes.meta["n"]).max() < 0.01
    refused = lynkeus(
        "fit", str(tmp_path / "plain.npz"), "-s", "regression", "--labels", "m", "-o", str(tmp_path / "N")
    )
    assert refused.code == 2
    assert "--labels m: no such number" in refused.line
    np.savez(tmp_path / "short.npz", X=fluxes.values, n=fluxes.meta["n"][:-1])
    refused = lynkeus(
        "fit", str(tmp_path / "short.npz"), "-s", "regression", "--labels", "n", "-o", str(tmp_path / "N")
    )
    assert refused.code == 2
    assert "n has shape (239,), expected (240,)" in refused.line


def test_a_table_whose_number_is_a_column(tmp_path: Path, lynkeus) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(600, 4))
    mass = x[:, 0] - 2 * x[:, 1] + 0.3 * draw.normal(size=600)
    for name, rows in (("a", slice(0, 500)), ("b", slice(500, 600))):
        table = np.column_stack([x, mass])[rows]
        np.savetxt(tmp_path / f"{name}.csv", table, delimiter=",", header="a,b,c,d,mass", comments="")
    at = str(tmp_path / "M")
    words = ("--set", "training.epochs=5", "-o", at)
    assert lynkeus("fit", str(tmp_path / "a.csv"), "-s", "regression", "--labels", "mass", *words).code == 0
    assert lynkeus("score", at, str(tmp_path / "b.csv"), "-o", str(tmp_path / "s.parquet")).code == 0
    table = pq.read_table(tmp_path / "s.parquet").to_pydict()
    error = np.array(table["mass"]) - mass[500:]
    assert 0.2 < error.std() < 0.45
    assert 0.5 < np.mean(np.abs(error) < table["mass_spread"]) < 0.85


def test_bad_input_is_one_line(fluxes: Batch) -> None:
    with pytest.raises(SettingsError, match="method must be one of"):
        Regression(method="magic")
    with pytest.raises(SettingsError, match="name their columns"):
        fit(InMemory(fluxes), FitSettings("regression"))
    small = Batch(Schema("image", ("a",), shape=(1, 2, 2)), np.zeros((200, 1, 2, 2)), meta={"n": np.arange(200.0)})
    with pytest.raises(Exception, match="smaller than the 3 x 3"):
        fit(InMemory(small), FitSettings("regression", QUICK, labels="n"))
    same = Batch(fluxes.schema, fluxes.values, meta={"n": np.ones(len(fluxes))})
    with pytest.raises(SettingsError, match="nothing to learn"):
        fit(InMemory(same), FitSettings("regression", QUICK, labels="n"))
