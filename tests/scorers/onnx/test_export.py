"""ONNX: score and label of the exported file are those of the model, on all samples, for tables and for images."""

from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, ModelError, Schema, SchemaError, Scorer, SettingsError
from lynkeus.scorers.learned.adversarial.scorer import Adversarial
from lynkeus.scorers.learned.autoencoder import Autoencoder
from lynkeus.scorers.learned.classifier import Classifier
from lynkeus.scorers.learned.deep_svdd import DeepSvdd
from lynkeus.scorers.learned.variational_autoencoder import VariationalAutoencoder
from lynkeus.scorers.onnx.export import TOLERANCE, difference, export_onnx
from lynkeus.scorers.onnx.onnx_scorer import OnnxScorer
from lynkeus.scorers.statistics.three_sigma import ThreeSigma
from lynkeus.sources import InMemory

pytest.importorskip("onnxscript", reason="export needs onnxscript")
pytest.importorskip("onnxruntime", reason="export needs onnxruntime")

pytestmark = pytest.mark.slow(1)  # each
ONE = {"training": {"epochs": 2}}
GAME = {"width": 4, "latent": 3, "training": {"epochs": 1}, "encoder_training": {"epochs": 1}}
CASES = [
    ("table", Autoencoder(**ONE)),
    ("table", DeepSvdd(**ONE)),
    ("table", VariationalAutoencoder(**ONE)),
    ("table", Adversarial(**GAME)),
    ("table", Classifier(**ONE)),
    ("image", Autoencoder(width=4, **ONE)),
    ("image", DeepSvdd(width=4, **ONE)),
    ("image", VariationalAutoencoder(width=4, **ONE)),
    ("image", Adversarial("izi_f", **GAME)),
    ("image", Adversarial("izi", network="dcgan", **GAME)),
]


def batch(kind: str, count: int, seed: int) -> Batch:
    """Rows on an offset a thousand times their spread, or images of 8 bits; a tenth of the samples is odd."""
    rng = np.random.default_rng(seed)
    truth = (np.arange(count) % 10 == 9).astype(np.int64)
    if kind == "table":
        values = 1000.0 + rng.normal(size=(count, 2)) @ rng.normal(size=(2, 7)) + 3.0 * rng.normal(size=(count, 7))
        values[truth == 1, 2] += 20.0
        return Batch(Schema("table", tuple("abcdefg"), (), (7,)), values.astype(np.float32), truth=truth)
    values = rng.integers(0, 200, size=(count, 1, 16, 16)).astype(np.uint8)
    values[truth == 1, :, 3:8, 3:8] = 255
    return Batch(Schema("image", ("grey",), (), (1, 16, 16)), values, truth=truth)


@pytest.mark.slow(3)
@pytest.mark.parametrize(("kind", "scorer"), CASES, ids=lambda one: one if isinstance(one, str) else type(one).__name__)
def test_score_and_label_are_those_of_the_model(kind: str, scorer: Scorer, tmp_path: Path) -> None:
    scorer.fit(InMemory(batch(kind, 200, 1)))
    path = tmp_path / "new folder" / "model.onnx"
    assert export_onnx(scorer, path) <= TOLERANCE
    exported, test = OnnxScorer.load(path), batch(kind, 301, 2)  # another number of samples
    assert exported.outputs == scorer.outputs
    expected, found = scorer.score(test), exported.score(test)
    assert difference(scorer, exported, test) <= TOLERANCE
    threshold = np.quantile(expected[test.truth == 0], 0.95)
    clear = np.abs(expected - threshold) > TOLERANCE * np.maximum(np.abs(expected), 1)  # or rounding may decide
    assert clear.mean() > 0.5
    np.testing.assert_array_equal((found > threshold)[clear], (expected > threshold)[clear])


def test_missing_values_are_treated_alike_and_large_offsets_do_no_harm(tmp_path: Path) -> None:
    good = batch("table", 300, 1)
    scorer = Autoencoder(**ONE).fit(InMemory(good))
    export_onnx(scorer, tmp_path / "m.onnx", good)
    test = batch("table", 40, 3)
    test.values[0], test.values[1, :3], test.values[2, 0] = np.nan, np.nan, np.inf
    exported = OnnxScorer.load(tmp_path / "m.onnx")
    found = exported.score(test)
    assert np.isnan(found[0, 0])
    assert np.isfinite(found[1:]).all()
    np.testing.assert_allclose(found, scorer.score(test), rtol=1e-5)
    with pytest.raises(SchemaError, match="names"):
        exported.score(Batch(Schema("table", ("other", *"bcdefg"), (), (7,)), test.values))


def test_a_file_that_does_not_agree_is_not_written(tmp_path: Path) -> None:
    """A scorer whose network was changed behind its back: one number of the graph is not that of the score."""

    class Changed(Autoencoder):
        def score(self, batch: Batch) -> np.ndarray:
            return 1.001 * super().score(batch)

    scorer = Changed(**ONE).fit(InMemory(batch("table", 100, 1)))
    with pytest.raises(ModelError, match=r"m\.onnx is not written: its scores differ by 0\.001"):
        export_onnx(scorer, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_or_read_is_said(tmp_path: Path) -> None:
    good = InMemory(batch("table", 100, 1))
    with pytest.raises(SettingsError, match="ThreeSigma is no network"):
        export_onnx(ThreeSigma().fit(good), tmp_path / "m.onnx")
    with pytest.raises(SettingsError, match="anogan searches"):
        export_onnx(Adversarial("anogan", **GAME).fit(good), tmp_path / "m.onnx")
    (tmp_path / "m.onnx").write_bytes(b"\x08\x07 damaged")
    with pytest.raises(ModelError, match=r"m\.onnx is no ONNX file of lynkeus"):
        OnnxScorer.load(tmp_path / "m.onnx")
