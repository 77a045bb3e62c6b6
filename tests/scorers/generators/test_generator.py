"""Generators: shape, seeds, the constraint, conditions; flux as Monte Carlo makes it; from the command line."""

from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, SettingsError, concatenate
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.generated import Generated, generated
from lynkeus.simulate.lattice.source import LatticeSource, divergence, observables
from lynkeus.sources import InMemory, open_source
from lynkeus.sources.writers.write import write_source

pytest.importorskip("numba")
pytestmark = pytest.mark.slow(0.5)
GAN = {"method": "gan", "training": {"epochs": 3}, "width": 8}


@pytest.fixture(scope="module")
def fluxes() -> Batch:
    return concatenate(list(LatticeSource(mu=1.15, n=300, shape="24x6", seed=1)))


@pytest.fixture(scope="module", params=["field", "gan"])
def model(request: pytest.FixtureRequest, fluxes: Batch, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    options = GAN if request.param == "gan" else {}
    folder = tmp_path_factory.mktemp("generator") / "model"
    fit(InMemory(fluxes), FitSettings("generator", options, labels="n")).save(folder)
    return Fitted.load(folder)


def made(model: Fitted, count: int = 60, /, **settings: object) -> Batch:
    return concatenate(list(generated(model, settings).of_length(count)))


def test_samples_have_the_shape_of_those_seen_and_hang_on_the_seed(model: Fitted, fluxes: Batch) -> None:
    first, again, other = made(model, seed=3), made(model, seed=3), made(model, seed=4)
    assert first.schema == fluxes.schema
    assert first.values.shape == (60, 4, 24, 6)
    np.testing.assert_array_equal(first.values, again.values)
    assert (first.values != other.values).any()
    assert (first.values == np.rint(first.values)).all()
    assert first.values.std() > 0.1


def test_what_is_asked_for_is_within_what_was_seen_or_is_said(model: Fitted, fluxes: Batch) -> None:
    assert made(model, 5, n=1.0).meta["n_asked"].tolist() == [1.0] * 5
    with pytest.raises(SettingsError, match=r"n=9: is outside of the range"):
        made(model, n=9.0)
    with pytest.raises(SettingsError, match="cannot be asked for that; it knows n"):
        made(model, charm=1.0)
    with pytest.raises(SettingsError, match="must be a number"):
        made(model, n="much")
    with pytest.raises(SettingsError, match="seed=-1"):
        made(model, seed=-1)
    assert len(made(model, 2, n=float(fluxes.meta["n"].max()) + 0.5, extrapolate=True)) == 2


def test_flux_is_conserved_and_is_as_monte_carlo_makes_it(fluxes: Batch) -> None:
    fitted = fit(InMemory(fluxes), FitSettings("generator"))
    assert fitted.lineage["violated"] == 0
    batch = made(fitted, 300, seed=1)
    assert not divergence(batch.values).any()
    assert (batch.values[:, 2:] >= 0).all()
    for own, theirs in zip(observables(batch.values), observables(fluxes.values), strict=True):
        error = np.hypot(own.std(), theirs.std()) / np.sqrt(60)  # neighbours in a chain are alike
        assert abs(own.mean() - theirs.mean()) < 5 * error
        assert 0.7 < own.std() / theirs.std() < 1.4
    asked = made(fitted, 100, n=0.75)  # between 4 and 5 of 6
    assert asked.meta["n"].mean() == pytest.approx(0.75, abs=0.03)
    assert set(np.rint(asked.meta["n"] * 6)) <= {4.0, 5.0}


def test_a_gan_says_how_often_flux_is_not_conserved(fluxes: Batch) -> None:
    fitted = fit(InMemory(fluxes), FitSettings("generator", GAN, labels="n"))
    assert 0 < fitted.lineage["violated"] <= 1
    assert any("flux is not conserved at" in line for line in fitted.messages)
    assert len(fitted.lineage["distance"]) == len(fitted.lineage["control"]) == 12


def test_other_maps_are_made_by_networks_and_a_scorer_is_no_generator() -> None:
    values = np.random.default_rng(0).normal(size=(120, 2, 9, 8)).astype(np.float32)
    batch = Batch(Schema("image", ("a", "b"), shape=(2, 9, 8)), values, meta={"size": np.arange(120.0)})
    fitted = fit(InMemory(batch), FitSettings("generator", {**GAN, "method": "auto"}, labels="size"))
    assert made(fitted, 7, size=50).values.shape == (7, 2, 9, 8)
    with pytest.raises(SettingsError, match=r"is for .*integer flux"):
        fit(InMemory(batch), FitSettings("generator", {"method": "field"}))
    scorer = fit(InMemory(batch), FitSettings("regression", {"method": "ridge"}, labels="size"))
    with pytest.raises(SettingsError, match="is no generator"):
        Generated(scorer)


def test_from_the_command_line(fluxes: Batch, tmp_path: Path, lynkeus) -> None:
    data, model, out = (str(tmp_path / name) for name in ("l.npz", "M", "made.npz"))
    write_source(InMemory(fluxes), Path(data))
    assert lynkeus("fit", data, "-s", "generator", "-o", model).code == 0
    done = lynkeus("generate", model, "-n", "20", "-o", out, "--set", "n=1.0")
    assert done.code == 0, done.err
    batch = concatenate(list(open_source(out)))
    assert batch.values.shape == (20, 4, 24, 6)
    np.testing.assert_allclose(np.load(out)["n"], 1.0)
    assert "outside of the range" in lynkeus("generate", model, "-n", "2", "-o", out, "--set", "n=7").line
    assert "scores nothing" in lynkeus("score", model, data, "-o", str(tmp_path / "s.parquet")).line
    assert "put it into the URL" in lynkeus("generate", "lattice", "-n", "2", "-o", out, "--set", "n=7").line
