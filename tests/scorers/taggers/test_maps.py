"""Taggers of maps: clumps and spectra told apart by each method, probabilities, evidence where the difference is."""

from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, SettingsError
from lynkeus.explain.prediction_difference import Conditional, prediction_difference
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.sources import InMemory
from lynkeus.transforms.spectra import conventional, even_only, event_plane, floor_of, harmonics, shares

pytestmark = pytest.mark.slow(0.5)
SCHEMA = Schema("image", ("pions",), ("",), (1, 10, 16), classes=("hot", "cold"))
SHORT = {"training": {"epochs": 4, "batch_size": 32, "learning_rate": 3e-3}}


def spectra(n: int, seed: int) -> Batch:
    """Exponential spectra at two temperatures with elliptic flow, at any angle."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 2
    pt, phi = np.arange(10) + 0.5, (np.arange(16) + 0.5) * np.pi / 8
    slope = np.where(truth, 0.7, 0.6) * np.exp(0.03 * rng.normal(size=n))
    angle = rng.uniform(0, np.pi, n)
    flow = 1 + 0.1 * np.cos(2 * (phi - angle[:, None]))[:, None] * (pt / 10)[:, None]
    values = np.exp(-slope[:, None, None] * pt[:, None]) * flow * rng.uniform(1, 50, n)[:, None, None]
    return Batch(SCHEMA, values[:, None].astype(np.float32), truth=truth)


@pytest.fixture(scope="module", params=["harmonics", "published", "released", "dense", "pca", "observables"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    options = SHORT if request.param in ("published", "released", "dense") else {}
    folder = tmp_path_factory.mktemp("maps") / "model"
    fit(InMemory(spectra(300, 1)), FitSettings("eos_meter", {"method": request.param, **options})).save(folder)
    return Fitted.load(folder)


def test_spectra_are_told_apart_however_many_particles_there_are(model: Fitted) -> None:
    batch = spectra(100, 2)
    scores = model.scorer.score(batch)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-6)
    assert (scores.argmax(axis=1) == batch.truth).mean() > 0.9
    more = batch.with_values(batch.values * 7)
    assert (model.scorer.score(more).argmax(axis=1) == scores.argmax(axis=1)).mean() > 0.97  # single precision
    features = model.scorer.features(batch)
    assert features.shape[0] == 100
    assert np.isfinite(features).all()
    empty = batch.with_values(np.where(np.arange(100)[:, None, None, None] == 3, 0.0, batch.values))
    assert np.isnan(model.scorer.score(empty)[3]).all()
    assert np.isfinite(np.delete(model.scorer.score(empty), 3, axis=0)).all()


def test_evidence_has_the_shape_of_the_maps(model: Fitted) -> None:
    batch = spectra(3, 4)
    evidence = model.explain(batch, "cold")
    assert evidence.shape == batch.values.shape
    assert np.isfinite(evidence).all()
    np.testing.assert_allclose(model.explain(batch, "hot"), -evidence, atol=0.05 + 0.2 * np.abs(evidence).max())


def test_prediction_differences_find_the_place_that_is_asked() -> None:
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(80, 1, 9, 12)).astype(np.float32)

    def ask(some: np.ndarray) -> np.ndarray:
        odds = 2.0 * some[:, 0, 4, 6]
        return np.stack([1 / (1 + np.exp(odds)), 1 / (1 + np.exp(-odds))], axis=1)

    found = prediction_difference(ask, maps, Conditional.fit(maps), 0)
    assert found.shape == (80, 2, 1, 9, 12)
    size = np.abs(found[:, 1, 0]).mean(axis=0)
    row, column = np.unravel_index(size.argmax(), size.shape)
    assert abs(row - 4) <= 1
    assert abs(column - 6) <= 1
    assert size[0].max() < 1e-9  # nothing hangs on windows that do not hold the place
    assert np.corrcoef(found[:, 1, 0, 4, 6], maps[:, 0, 4, 6])[0, 1] > 0.8


def test_a_window_is_drawn_from_what_lies_around_it() -> None:
    rng = np.random.default_rng(0)
    maps = np.repeat(np.repeat(rng.normal(size=(400, 1, 3, 4)), 3, axis=2), 3, axis=3).astype(np.float32)
    conditional = Conditional.fit(maps)
    smooth = np.full((1, 25), 2.0)
    drawn = conditional.draw(1, smooth, 1, 200, rng)
    assert drawn.mean() > 1.0
    assert conditional.draw(1, -smooth, 1, 200, rng).mean() < -1.0


def test_spectra_in_numbers() -> None:
    batch = spectra(40, 5)
    assert shares(batch.values).sum(axis=(1, 2, 3)) == pytest.approx(np.ones(40))
    mean_pt = conventional(batch.values)[:, 0]
    assert mean_pt[batch.truth == 0].mean() > mean_pt[batch.truth == 1].mean()
    turned = np.stack(
        [np.roll(one, by, axis=2) for one, by in zip(batch.values, event_plane(batch.values), strict=True)]
    )
    share = shares(turned)[:, 0, 8]
    assert share[:, [0, 8]].mean() > share[:, [4, 12]].mean()
    turned = np.roll(batch.values, 5, axis=3)[..., ::-1]
    np.testing.assert_allclose(harmonics(turned), harmonics(batch.values), atol=1e-6)  # no angle, no mirror image
    lumpy = batch.values * (1 + 0.2 * np.cos(3 * np.pi / 8 * np.arange(16)))
    share = shares(even_only(lumpy))[:, 0]
    assert np.abs(np.fft.fft(share, axis=2)[:, :, 3]).max() < 1e-12
    np.testing.assert_allclose(share.sum(axis=2), shares(lumpy)[:, 0].sum(axis=2))
    assert np.abs(harmonics(batch.values[:20]) - harmonics(batch.values[20:])).max() > 0.01
    counted = np.random.default_rng(0).poisson(3000 * shares(batch.values))
    assert floor_of(shares(counted)) > 100 * floor_of(shares(batch.values))


def test_density_maps_by_each_method_and_bad_input() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(240) % 2
    bump = np.exp(-0.5 * ((np.arange(8)[:, None] - 3.5) ** 2 + (np.arange(8) - 3.5) ** 2))
    values = 1 + 0.1 * rng.random((240, 1, 8, 8)) + 3 * truth[:, None, None, None] * bump
    schema = Schema("image", ("density",), shape=(1, 8, 8), classes=("smooth", "clumped"))
    batch = Batch(schema, values, truth=truth)
    for method in ("spinodal", "pca", "observables"):
        options = {"method": method, **(SHORT if method == "spinodal" else {})}
        scores = fit(InMemory(batch), FitSettings("map_classifier", options)).scorer.score(batch)
        assert (scores.argmax(axis=1) == truth).mean() > 0.9
    even = values / values.mean(axis=(2, 3), keepdims=True)
    anywhere, other = (
        batch.with_values(np.stack([np.roll(one, rng.integers(8, size=2), (1, 2)) for one in even])) for _ in "12"
    )
    named = {}
    for method in ("pca", "pairs"):
        scores = fit(InMemory(anywhere), FitSettings("map_classifier", {"method": method})).scorer.score(other)
        named[method] = (scores.argmax(axis=1) == truth).mean()
    assert named["pairs"] > 0.95 > named["pca"]  # a place says less than how far apart charges are
    with pytest.raises(SettingsError, match="method must be one of"):
        fit(InMemory(batch), FitSettings("map_classifier", {"method": "magic"}))
    small = Batch(Schema("image", ("d",), shape=(1, 5, 5), classes=("a", "b")), values[:, :, :5, :5], truth=truth)
    with pytest.raises(SettingsError, match="smaller than the kernels of 8 x 8"):
        fit(InMemory(small), FitSettings("eos_meter", {"method": "published", **SHORT}))


def test_fit_score_and_explain_from_the_command_line(tmp_path: Path, lynkeus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lynkeus.scans.latent._umap", lambda components, seed: components[:, :2])  # it takes long
    batch = spectra(260, 1)
    data, model, page = (str(tmp_path / name) for name in ("d.npz", "M", "report.html"))
    np.savez(data, X=batch.values, y=batch.truth)  # plain arrays, without a schema
    words = ("--set", "method=pca", "-o", model)
    done = lynkeus("fit", data, "-s", "eos_meter", "--labels", "y", *words)
    assert done.code == 0, done.err
    batch.values[3], batch.values[4, 0, :2, 5] = 0.0, np.nan
    np.savez(data, X=batch.values, y=batch.truth)
    done = lynkeus("score", model, data, "-o", str(tmp_path / "s.parquet"))
    assert done.code == 0, done.err
    assert "1 of 260 samples have no score (NaN)" in done.err
    assert "1 of 260 samples miss some of their values" in done.err
    np.savez(data, X=batch.values[:20], y=batch.truth[:20])
    assert lynkeus("explain", model, data, "-o", page).code == 0
    assert "Where in the map" in Path(page).read_text("utf-8")
    done = lynkeus("latent", model, data, "-o", str(tmp_path / "latent"))
    assert done.code == 0, done.err
    assert "tsne by class" in done.err
