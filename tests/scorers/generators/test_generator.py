"""Generators: shape, seeds, the constraint, conditions; flux as Monte Carlo makes it; from the command line."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lynkeus.core import Batch, Schema, SettingsError, concatenate
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.generated import Generated, generated
from lynkeus.networks.maps.causal import Causal
from lynkeus.scorers.generators.heights import heights_of, links_of, lowered, raised, windings_of
from lynkeus.simulate.lattice.source import LatticeSource, divergence, observables
from lynkeus.sources import InMemory, open_source
from lynkeus.sources.writers.write import write_source

pytest.importorskip("numba")
pytestmark = pytest.mark.slow(0.5)
GAN = {"method": "gan", "training": {"epochs": 2}, "width": 8}
DIFFUSION = {"method": "diffusion", "training": {"epochs": 2}, "width": 8}
RAW = {"conserve": False, "training": {"epochs": 1}}
SETTINGS = {
    "field": {}, "gan": GAN, "diffusion": DIFFUSION, "raw gan": GAN | RAW,
    "autoregressive": {"method": "autoregressive", "training": {"epochs": 6, "batch_size": 4}, "width": 8},
}  # fmt: skip
CONSERVED = ("field", "gan", "diffusion", "autoregressive")


@pytest.fixture(scope="module")
def fluxes() -> Batch:
    return concatenate(list(LatticeSource(mu=1.15, n=200, shape="16x6", seed=1, every=4)))


@pytest.fixture(scope="module")
def fitted(fluxes: Batch) -> dict[str, Fitted]:
    return {name: fit(InMemory(fluxes), FitSettings("generator", own, labels="n")) for name, own in SETTINGS.items()}


@pytest.fixture(scope="module", params=list(SETTINGS))
def model(
    request: pytest.FixtureRequest, fitted: dict[str, Fitted], tmp_path_factory: pytest.TempPathFactory
) -> Fitted:
    folder = tmp_path_factory.mktemp("generator") / "model"
    fitted[request.param].save(folder)
    return Fitted.load(folder)


def made(model: Fitted, count: int = 30, /, **settings: object) -> Batch:
    return concatenate(list(generated(model, settings).of_length(count)))


def test_samples_have_the_shape_of_those_seen_and_hang_on_the_seed(model: Fitted, fluxes: Batch) -> None:
    first, again, other = made(model, seed=3), made(model, seed=3), made(model, seed=4)
    assert first.schema == fluxes.schema
    assert first.values.shape == (30, 4, 16, 6)
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


def test_flux_is_conserved_and_is_as_monte_carlo_makes_it(fluxes: Batch, fitted: dict[str, Fitted]) -> None:
    field = fitted["field"]
    assert field.lineage["violated"] == 0
    batch = made(field, 200, seed=1)
    assert not divergence(batch.values).any()
    assert (batch.values[:, 2:] >= 0).all()
    for own, theirs in zip(observables(batch.values), observables(fluxes.values), strict=True):
        error = np.hypot(own.std(), theirs.std()) / np.sqrt(40)  # neighbours in a chain are alike
        assert abs(own.mean() - theirs.mean()) < 5 * error
        assert 0.7 < own.std() / theirs.std() < 1.4
    asked = made(field, 60, n=0.75)  # between 4 and 5 of 6
    assert asked.meta["n"].mean() == pytest.approx(0.75, abs=0.05)
    assert set(np.rint(asked.meta["n"] * 6)) <= {4.0, 5.0}


@pytest.mark.parametrize("name", CONSERVED)
def test_flux_that_is_made_of_heights_is_conserved_whatever_it_is(fitted: dict[str, Fitted], name: str) -> None:
    own = fitted[name]
    assert own.lineage["violated"] == 0
    batch = made(own, 20, seed=5, n=0.75)
    assert not divergence(batch.values).any()
    assert (batch.values[:, 2:] >= 0).all()
    charge = np.rint(batch.meta["n"] * 6)
    assert set(charge) <= {4.0, 5.0}
    np.testing.assert_array_equal(batch.values[:, 1].sum(axis=2), np.tile(charge[:, None], (1, 16)))


def test_heights_are_another_way_to_write_conserved_flux(fluxes: Batch) -> None:
    through = windings_of(fluxes.values.astype(int))
    heights = heights_of(fluxes.values)
    assert np.abs(heights[:, 0].mean(axis=(1, 2))).max() <= 0.5
    np.testing.assert_array_equal(links_of(heights, through), fluxes.values)
    whole = raised(heights, through)
    assert (whole == np.rint(whole)).all()
    np.testing.assert_array_equal(links_of(lowered(whole, through), through), fluxes.values)


def test_each_site_is_drawn_by_what_came_before_it_alone(fluxes: Batch) -> None:
    through = windings_of(fluxes.values[:5].astype(int))
    x = torch.from_numpy(raised(heights_of(fluxes.values[:5]), through)).flatten(2)
    network, sites, later = Causal((16, 6), 8), torch.arange(96), x.clone()
    later[:, :, 40:] += 3
    before, after = (network.seen(one, torch.from_numpy(through).float(), sites) for one in (x, later))
    assert (before[:, :41] == after[:, :41]).all()
    assert (before[:, 41:] != after[:, 41:]).any()


def test_a_likelihood_learns_what_monte_carlo_makes(fluxes: Batch, fitted: dict[str, Fitted]) -> None:
    batch = made(fitted["autoregressive"], 200, seed=1)
    for own, theirs in zip(observables(batch.values), observables(fluxes.values), strict=True):
        assert own.mean() == pytest.approx(theirs.mean(), rel=0.15)


def test_networks_that_make_flux_as_it_is_say_how_often_it_is_not_conserved(fitted: dict[str, Fitted]) -> None:
    own = fitted["raw gan"]
    assert 0 < own.lineage["violated"] <= 1
    assert any("flux is not conserved at" in line for line in own.messages)
    assert len(own.lineage["distance"]) == len(own.lineage["control"]) == 12


def test_a_diffusion_model_learns_how_wide_maps_are_and_how_alike_neighbours() -> None:
    rng = np.random.default_rng(0)
    white = rng.normal(size=(160, 1, 8, 8))
    values = (3 + 2 * (white + np.roll(white, 1, axis=3)) / np.sqrt(2)).astype(np.float32)  # 1/2 alike along rows
    batch = Batch(Schema("image", ("a",), shape=(1, 8, 8)), values)
    options = {"method": "diffusion", "width": 12, "training": {"epochs": 12, "batch_size": 16, "average": 0.9}}
    own = made(fit(InMemory(batch), FitSettings("generator", options)), 100).values - 3
    assert own.std() == pytest.approx(2, rel=0.2)
    assert abs(own.mean()) < 0.3
    along, across = (float((own * np.roll(own, 1, axis=axis)).mean() / own.var()) for axis in (3, 2))
    assert along > 0.25 > 0.2 > abs(across)


def test_other_maps_are_made_by_networks_and_a_scorer_is_no_generator() -> None:
    values = np.random.default_rng(0).normal(size=(100, 2, 9, 8)).astype(np.float32)
    batch = Batch(Schema("image", ("a", "b"), shape=(2, 9, 8)), values, meta={"size": np.arange(100.0)})
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
    plain = str(tmp_path / "plain.npz")  # of no simulator of ours: numbers, not pixels
    np.savez(plain, X=fluxes.values, n=fluxes.meta["n"])
    done = lynkeus("fit", plain, "-s", "generator", "-o", model, "--labels", "n", "--set", "method=field")
    assert done.code == 0, done.err
    assert "flux is not conserved at 0.00% of the sites before rounding, 0.00% after" in done.err
    assert "it can be asked for n" in done.err
    done = lynkeus("generate", model, "-n", "20", "-o", out, "--set", "n=1.0")
    assert done.code == 0, done.err
    batch = concatenate(list(open_source(out)))
    assert batch.values.shape == (20, 4, 16, 6)
    np.testing.assert_allclose(np.load(out)["n"], 1.0)
    assert "outside of the range" in lynkeus("generate", model, "-n", "2", "-o", out, "--set", "n=7").line
    assert "scores nothing" in lynkeus("score", model, data, "-o", str(tmp_path / "s.parquet")).line
    assert "is no folder of one" in lynkeus("generate", "lattice", "-n", "2", "-o", out, "--set", "n=7").line
