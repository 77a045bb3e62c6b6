"""Super-resolution: nearer than bicubic, true to the coarse image, draws by seed, a spread; from the command line."""

from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, SchemaError, SettingsError, concatenate
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.generated import generated
from lynkeus.scorers.generators.finer.check import Spreads
from lynkeus.simulate.calorimeter.source import CalorimeterSource
from lynkeus.simulate.surface.source import SurfaceSource
from lynkeus.sources import InMemory, open_source
from lynkeus.sources.writers.write import write_source
from lynkeus.transforms.resolution import coarser

pytestmark = pytest.mark.slow(3)
SHORT = {"patches": 40, "patch": 10, "width": 8, "training": {"epochs": 2}, "denoising": {"epochs": 2}}


@pytest.fixture(scope="module")
def screws() -> Batch:
    return concatenate(list(SurfaceSource(images=36, size=40, surface="ball_screw", seed=1)))


@pytest.fixture(scope="module")
def model(screws: Batch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finer") / "model"
    fit(InMemory(screws), FitSettings("super_resolution", SHORT)).save(folder)
    return folder


def test_pictures_are_nearer_than_by_bicubic_and_true_to_the_coarse_ones(model: Path, screws: Batch) -> None:
    fitted = Fitted.load(model)
    facts = fitted.lineage
    assert facts["psnr_mean"] > facts["psnr_bicubic"] + 1.5
    assert 0.4 < facts["coverage"] < 0.9  # of 4 pictures
    low, fine = fitted.scorer.pair(screws.values[:6])
    assert low.values.shape == (6, 3, 10, 10)
    first, again, other = (fitted.scorer.refine(low, seed=seed).values for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.1
    mean, spread = (fitted.scorer.refine(low, give=give).values for give in ("mean", "spread"))
    assert mean.shape == first.shape == fine.shape == spread.shape
    assert mean.dtype == np.uint8
    assert (spread > 0).all()
    assert ((first.astype(float) - mean) ** 2).mean() > 0
    for made in (first, mean):
        assert np.abs(coarser(made, 4) - low.values).max() < 1.5  # rounded twice, and cut at 0 and 255


def test_deposits_keep_their_energy_and_nothing_comes_of_nothing() -> None:
    batch = concatenate(list(CalorimeterSource(n=60, seed=1)))
    fitted = fit(InMemory(batch), FitSettings("super_resolution", {**SHORT, "method": "network"}))
    scorer = fitted.scorer
    low, _ = scorer.pair(batch.values[:5])
    for give in ("sample", "mean"):
        made = scorer.refine(low, seed=3, give=give).values
        assert (made >= 0).all()
        np.testing.assert_allclose(coarser(made, 4), low.values, rtol=1e-4, atol=1e-6)
    assert scorer.pixels_.root
    source = generated(fitted, {"high": "sim://calorimeter?n=3&cells=32&seed=5", "give": "mean"})  # of another size
    assert concatenate(list(source)).values.shape == (3, 1, 32, 32)


def test_a_game_draws_by_seed_and_is_kept(screws: Batch, tmp_path: Path) -> None:
    options = {**SHORT, "method": "gan", "patches": 30, "training": {"epochs": 1}, "denoising": {"epochs": 1}}
    fitted = fit(InMemory(screws), FitSettings("super_resolution", options))
    fitted.save(tmp_path / "model")
    kept, (low, _) = Fitted.load(tmp_path / "model").scorer, fitted.scorer.pair(screws.values[:3])
    first, other = (fitted.scorer.refine(low, seed=seed).values for seed in (1, 2))
    np.testing.assert_array_equal(kept.refine(low, seed=1).values, first)
    assert (first != other).mean() > 0.1
    assert np.abs(coarser(first, 4) - low.values).max() < 1.5


def test_spreads_are_made_right_at_each_size() -> None:
    rng = np.random.default_rng(0)
    spread = np.exp(rng.normal(size=20_000))
    off = np.abs(rng.normal(size=20_000)) * spread**1.5
    own = Spreads.fit(spread, off).of(spread)
    for part in (spread < 0.5, spread > 2.0):
        assert (off <= own)[part].mean() == pytest.approx(0.683, abs=0.05)


def test_images_that_do_not_fit_are_refused(model: Path, screws: Batch) -> None:
    scorer = Fitted.load(model).scorer
    with pytest.raises(SchemaError, match="smaller than the filter of 5 x 5"):
        scorer.refine(Batch(screws.schema, screws.values[:2, :, :4, :9]))
    with pytest.raises(SchemaError, match="images of 3 channels"):
        scorer.refine(Batch(Schema("image", ("a",), shape=(1, 9, 9)), np.zeros((1, 1, 9, 9))))
    with pytest.raises(SchemaError, match="at least 20 fine pixels"):
        fit(InMemory(screws.with_values(screws.values[..., :16, :16])), FitSettings("super_resolution"))
    for options, says in (
        ({"factor": 1}, "factor must"),
        ({"method": "magic"}, "method must"),
        ({"scale": 3}, "scale"),
    ):
        with pytest.raises(SettingsError, match=says):
            fit(InMemory(screws), FitSettings("super_resolution", options))
    with pytest.raises(SettingsError, match="learns from images alone"):
        fit(InMemory(screws), FitSettings("super_resolution", labels="n"))


def test_from_the_command_line(model: Path, screws: Batch, tmp_path: Path, lynkeus) -> None:
    fine, coarse, out = (tmp_path / name for name in ("fine", "coarse", "out"))
    held = str(tmp_path / "spread.npz")
    write_source(InMemory(screws[:3]), fine)
    write_source(InMemory(Fitted.load(model).scorer.pair(screws.values[:2])[0]), coarse)
    done = lynkeus("generate", str(model), "--set", f"high={fine},draws=2", "-o", str(out))
    assert done.code == 0, done.err
    assert "3 held-out images: mean" in done.err
    made = concatenate(list(open_source(out)))
    assert made.values.shape == (6, 3, 40, 40)
    assert made.meta["low"].tolist() == [0, 0, 1, 1, 2, 2]
    assert lynkeus("generate", str(model), "--set", f"low={coarse},give=spread", "-n", "2", "-o", held).code == 0
    assert np.load(held)["X"].shape == (2, 3, 40, 40)
    for words, says in (
        ((), "give --set low=COARSE"), ((f"low={fine},draws=0",), "draws=0: must be"), (("low=nowhere",), "nowhere"),
        ((f"low={fine},give=x",), "sample, mean or spread"), (("low=sim://orbit",), "holds no images"),
        ((f"low={fine},mu=1",), "knows low, high"), ((f"low={fine},give=mean,draws=3",), "leave draws out"),
    ):  # fmt: skip
        assert says in lynkeus("generate", str(model), *[w for one in words for w in ("--set", one)], "-o", "x").line
    assert "scores nothing" in lynkeus("score", str(model), str(fine), "-o", held).line


def test_a_generator_of_finer_images_is_a_source(model: Path, screws: Batch, tmp_path: Path) -> None:
    fitted, coarse = Fitted.load(model), tmp_path / "coarse"
    write_source(InMemory(fitted.scorer.pair(screws.values[:2])[0]), coarse)
    source = generated(fitted, {"low": str(coarse), "draws": 3, "seed": 4})
    assert len(source) == 6
    first, second = (concatenate(list(source)).values for _ in range(2))
    np.testing.assert_array_equal(first, second)
