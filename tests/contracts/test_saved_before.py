"""What earlier versions saved loads and gives the same: model folders, an ONNX file, a store.

`fixtures/saved_by_0.1.zip` was written by commit 58d51e6 from simulated data, before the folders of the package were
moved and models of runs became like all others; `expected.json` holds what that version said of the data in it.
"""

import json
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lynkeus.core import Verdict
from lynkeus.monitor import run_records
from lynkeus.monitor.store import Store

SAVED = Path(__file__).parents[1] / "fixtures" / "saved_by_0.1.zip"
WINDOWS = ("three_sigma", "mahalanobis", "table", "windows", "autoencoder")
RUNS = ("population", "binned_chi2", "mixture")
CLOSE = {"rtol": 1e-4, "atol": 1e-5}  # networks compute in single precision, and processors sum in another order


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    with zipfile.ZipFile(SAVED) as archive:
        archive.extractall(folder)
    return folder


def scored(lynkeus, model: Path, data: Path, *options: str) -> dict[str, list]:
    output = model.parent.parent / f"{model.name}.parquet"
    done = lynkeus("score", str(model), str(data), "-o", str(output), *options)
    assert done.code == 0, done
    return pq.read_table(output).to_pydict()


def expected(saved: Path, model: str) -> dict[str, list]:
    return json.loads((saved / "expected.json").read_text("utf-8"))[model]


def same(found: dict[str, list], before: dict[str, list], close: dict[str, float] = CLOSE) -> None:
    for name, column in before.items():
        if isinstance(column[0], str):
            assert found[name] == column, name
        else:
            np.testing.assert_allclose(np.array(found[name], float), np.array(column, float), err_msg=name, **close)


@pytest.mark.parametrize("model", WINDOWS)
def test_models_of_tables_and_windows(saved: Path, lynkeus, model: str) -> None:
    same(scored(lynkeus, saved / model, saved / "table.parquet"), expected(saved, model))


def test_a_model_of_orbits(saved: Path, lynkeus) -> None:
    # Offsets of thousands of sigmas in single precision leave 0.001 sigma, by the order in which a processor adds; at
    # five sigmas that is 0.01 nats, and 1 % of a rate.
    same(scored(lynkeus, saved / "orbit", saved / "orbits.h5"), expected(saved, "orbit"), {"rtol": 0.03, "atol": 0.03})


@pytest.mark.parametrize("model", RUNS)
def test_models_of_runs(saved: Path, lynkeus, model: str) -> None:
    same(scored(lynkeus, saved / model, saved / "runs", "--run-per-file"), expected(saved, model))


def test_an_onnx_file_gives_the_scores_of_its_model(saved: Path) -> None:
    onnx = pytest.importorskip("onnxruntime", reason="install the extra that reads ONNX files")
    session = onnx.InferenceSession(saved / "autoencoder.onnx")
    table = pq.read_table(saved / "table.parquet").drop(["time_ns"])
    values = np.stack([column.to_numpy() for column in table.columns], axis=1).astype(np.float32)
    (scores,) = session.run(["scores"], {session.get_inputs()[0].name: values})
    np.testing.assert_allclose(scores[:, 0], expected(saved, "autoencoder")["anomaly"], **CLOSE)


def test_a_store_with_what_people_said(saved: Path) -> None:
    store = Store(f"sqlite:///{saved / 'store.db'}")
    (first, *_) = store.alarms()
    assert [said.verdict for said in store.alarm(first.id).verdicts] == ["real"]
    assert [(said.file, said.label) for said in store.image_labels()] == [("a.png", "defect")]
    runs, total = run_records.runs(store, run_records.RunFilter("population"))
    assert total == 2
    assert {run.record.run: run.verdict for run in runs} == dict.fromkeys(("run0", "run1"), Verdict.GOOD)
    store.close()
