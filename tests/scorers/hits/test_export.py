"""A hit filter as an ONNX file: the same scores by onnxruntime, and by a program in C++ where its headers are there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.tpc import hit_columns

from lynkeus.core import Batch
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted, export
from lynkeus.scorers.onnx.onnx_scorer import OnnxScorer, open_onnx
from lynkeus.sources import open_source

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
pytestmark = pytest.mark.slow(1)
PROGRAM = Path(__file__).parents[3] / "docs" / "how-to" / "filter_hits.cpp"
HEADER = "onnxruntime_cxx_api.h"


@pytest.fixture(scope="module", params=["trees", "convolutional"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Fitted, Batch, Path]:
    folder = tmp_path_factory.mktemp("onnx")
    np.savez(folder / "hits.npz", **hit_columns(14, seed=3))
    options = {"method": request.param, "trees": 25, "training": {"epochs": 1}}
    fitted = fit(open_source(folder / "hits.npz", hits=True), FitSettings("hit_filter", options, labels="on_track"))
    batch = next(iter(fitted.prepare(open_source(folder / "hits.npz", hits=True))))
    assert export(fitted, folder / "model.onnx") < 1e-4
    return fitted, batch, folder / "model.onnx"


def agree(one: np.ndarray, other: np.ndarray) -> None:
    """Scores are the same, but for a few: a tree jumps where a feature that was rounded lies on its cut."""
    np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
    assert (np.nan_to_num(np.abs(one - other)) > 1e-3).mean() < 0.02
    np.testing.assert_allclose(one, other, atol=0.7)


def test_onnxruntime_gives_the_same_scores(exported: tuple[Fitted, Batch, Path]) -> None:
    fitted, batch, path = exported
    values = batch.values[:500].copy()
    values[3, :5] = np.nan
    values[4] = np.nan
    some = Batch(batch.schema, values, meta={"position": np.arange(500)})
    scores = fitted.scorer.score(some)
    agree(OnnxScorer.load(path).score(some), scores)
    assert np.isnan(scores[4, 0])
    about = open_onnx(path, ("values",))[1]
    assert about["threshold"] == fitted.scorer.point_.threshold
    assert about["signal_loss"] == 0.05


def headers() -> tuple[Path, Path]:
    """The folder of the headers of ONNX Runtime, and its library; skips where there are none."""
    folders = [os.environ.get("ONNXRUNTIME_INCLUDE", ""), "/usr/include/onnxruntime", "/usr/local/include/onnxruntime"]
    folders += ["/usr/include", "/usr/local/include", "/usr/include/onnxruntime/core/session"]
    there = [Path(folder) for folder in folders if folder and (Path(folder) / HEADER).is_file()]
    if not there:
        pytest.skip(f"{HEADER} of ONNX Runtime is not here: say where by ONNXRUNTIME_INCLUDE")
    found = sorted(Path(onnxruntime.__file__).parent.glob("capi/libonnxruntime.so*"))
    if not (found and shutil.which("c++")):
        pytest.skip("there is no C++ compiler, or no library of ONNX Runtime beside its Python package")
    return there[0], found[0]


def test_a_program_in_c_plus_plus_gives_the_same_scores(exported: tuple[Fitted, Batch, Path], tmp_path: Path) -> None:
    include, library = headers()
    fitted, batch, path = exported
    command = ["c++", "-std=c++17", "-O1", str(PROGRAM), "-I", str(include), str(library), "-o", "filter_hits"]
    subprocess.run([*command, f"-Wl,-rpath,{library.parent}"], cwd=tmp_path, check=True)
    given = np.ascontiguousarray(batch.values, np.float32).tobytes()
    done = subprocess.run([tmp_path / "filter_hits", path], input=given, capture_output=True, check=True)
    scores = np.frombuffer(done.stdout, np.float32)
    agree(scores, fitted.scorer.score(batch)[:, 0])
    removed = int(fitted.scorer.further(batch)["remove"].sum())
    assert int(done.stderr.split()[2]) == pytest.approx(removed, abs=max(3, len(batch) // 100))
    assert json.dumps(len(batch)) in done.stderr.decode()


def test_the_program_is_short() -> None:
    assert len([line for line in PROGRAM.read_text("utf-8").splitlines() if line.strip()]) <= 60
