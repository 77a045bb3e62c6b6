"""A search from a table to its explanation: classes by words, mass points that say nothing, discovery, coefficients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("torch")
from lynkeus.commission.explained.explain import explain_model
from lynkeus.commission.explained.stability import with_others
from lynkeus.commission.explained.write import write_explained
from lynkeus.core import SettingsError
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted, export
from lynkeus.sources import open_source
from lynkeus.sources.formats.layout import Layout

OPTIONS: dict[str, Any] = {
    "parameters": "m_gluino", "signal": "signal", "width": 24,
    "training": {"epochs": 6, "batch_size": 256, "patience": 6},
}  # fmt: skip
LAYOUT = Layout(truth="process", weight="weight")


def events(path: Path, n: int = 3000, seed: int = 0) -> Path:
    """Two backgrounds, and a signal that is heavier where its mass point says so; `copy` says the same as `ht`."""
    rng = np.random.default_rng(seed)
    process = rng.choice(["signal", "tt", "wjets"], n, p=[0.3, 0.4, 0.3])
    mass = np.where(process == "signal", rng.choice([1000.0, 1500.0], n), 0.0)
    x = rng.normal(size=(n, 3))
    x[:, 0] += np.select([process == "signal", process == "wjets"], [1.0 + (mass - 1250) / 500, -1.0], 0.0)
    x[:, 1] += process == "tt"
    expected = {"signal": 30, "tt": 600, "wjets": 300}
    weight = np.array([expected[name] / (process == name).sum() for name in process])
    table = {"met": 200 + 50 * x[:, 0], "ht": x[:, 1], "noise": x[:, 2], "m_gluino": mass, "weight": weight}
    pq.write_table(pa.table(table | {"process": process}), path)
    return path


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Fitted, Path]:
    folder = tmp_path_factory.mktemp("search")
    path = events(folder / "events.parquet")
    settings = FitSettings("search_classifier", OPTIONS, labels="process", layout=LAYOUT.to_dict())
    fitted = fit(open_source(path, LAYOUT), settings)
    fitted.save(folder / "M")
    return Fitted.load(folder / "M"), path


def test_classes_come_from_words_and_scores_are_double(searched: tuple[Fitted, Path]) -> None:
    fitted, path = searched
    assert fitted.scorer.outputs == ("signal", "tt", "wjets")
    (scored, *_) = list(fitted.score(open_source(path, LAYOUT)))
    np.testing.assert_allclose(scored.scores.sum(axis=1), 1)
    truth = np.asarray(scored.batch.meta["process"])
    best = np.array(fitted.scorer.outputs)[scored.scores.argmax(axis=1)]
    heavy = scored.batch.weight
    assert heavy is not None
    assert np.average(best == truth, weights=heavy) > 0.65
    # Scores are smooth to double precision: a step of 1e-7 of a column is seen.
    moved = scored.batch.with_values(scored.batch.values + np.eye(1, 4) * 1e-5)
    change = (fitted.scorer.score(moved) - scored.scores)[:, 0] / 1e-5
    assert (np.abs(change) > 0).all()


def test_coefficients_are_slopes_of_the_scores(searched: tuple[Fitted, Path], tmp_path: Path) -> None:
    fitted, path = searched
    source = open_source(path, LAYOUT)
    found = explain_model(fitted, source, 2, "process")
    assert found.by == "Taylor coefficients"
    rows = {(r["output"], r["process"], r["input"], r["second_input"]): r for r in found.rows}
    batch = next(iter(fitted.prepare(source)))
    step = np.zeros(4)
    step[0] = 1e-3
    ahead, back = (fitted.scorer.score(batch.with_values(batch.values + sign * step)) for sign in (1, -1))
    slope = (ahead - back)[:, 0] / 2e-3
    weighted = np.average(np.abs(slope), weights=batch.weight)
    assert rows["signal", "all", "met", ""]["mean_abs"] == pytest.approx(weighted, rel=1e-4)
    assert rows["signal", "all", "met", ""]["relevance"] > 2 * rows["signal", "all", "noise", ""]["relevance"]
    assert {r["process"] for r in found.rows} == {"all", "signal", "tt", "wjets"}
    write_explained(found, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "met" in page
    assert "<script" not in page
    assert len(pq.read_table(tmp_path / "r.parquet")) == len(found.rows)
    with pytest.raises(SettingsError, match=r"ends in \.html"):
        write_explained(found, tmp_path / "r.parquet")


def test_mass_points_of_backgrounds_teach_nothing(searched: tuple[Fitted, Path]) -> None:
    fitted, path = searched
    (batch, *_) = list(fitted.prepare(open_source(path, LAYOUT)))
    column = batch.schema.names.index("m_gluino")
    backgrounds = np.asarray(batch.meta["process"]) != "signal"
    mean = []
    for mass in (1000.0, 1500.0):
        values = batch.values.copy()
        values[:, column] = mass
        mean.append(fitted.scorer.score(batch.with_values(values))[backgrounds, 0].mean())
    assert 0.3 < mean[0] / mean[1] < 4
    # As they are, with a mass of 0, they would be told by it alone.
    assert (fitted.scorer.score(batch)[backgrounds, 0] > 1e-4).mean() > 0.5


@pytest.mark.parametrize(
    ("options", "says"),
    [({"signal": "stop"}, "'stop' is not one of"), ({"parameters": "m"}, "'m' is not one of"),
     ({"loss": "best"}, "loss must be one of"), ({"start": "bayes"}, "start must be one of"),
     ({"evolution": 5}, "evolution is a number of events"),
     ({"activation": "sine"}, "activation must be"), ({"systematic": -1.0}, "systematic")],
)  # fmt: skip
def test_what_cannot_be_is_said(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    path = events(tmp_path / "events.parquet", 1200)
    settings = FitSettings("search_classifier", OPTIONS | options, labels="process", layout=LAYOUT.to_dict())
    with pytest.raises(SettingsError, match=says):
        fit(open_source(path, LAYOUT), settings)


def test_a_network_of_rectifiers_has_no_second_order(tmp_path: Path) -> None:
    path = events(tmp_path / "events.parquet", 1200)
    options = {**OPTIONS, "activation": "relu", "training": {"epochs": 1}}
    fitted = fit(
        open_source(path, LAYOUT), FitSettings("search_classifier", options, labels="process", layout=LAYOUT.to_dict())
    )
    with pytest.raises(SettingsError, match="piecewise linear"):
        explain_model(fitted, open_source(path, LAYOUT), 2)
    assert explain_model(fitted, open_source(path, LAYOUT), 1).rows


def test_copies_are_said_and_share_with_what_they_move_along(tmp_path: Path) -> None:
    path = tmp_path / "copies.parquet"
    table = pq.read_table(events(tmp_path / "events.parquet", 1500)).drop_columns(["m_gluino"])
    pq.write_table(table.append_column("met_again", pa.array(2.0 * table["met"].to_numpy() + 1.0)), path)
    options = {"width": 12, "evolution": 200, "training": {"epochs": 4, "batch_size": 256}}
    settings = FitSettings("search_classifier", options, labels="process", layout=LAYOUT.to_dict())
    fitted = fit(open_source(path, LAYOUT), settings)
    other = fit(open_source(path, LAYOUT), replace(settings, options=options | {"seed": 1}))
    found = explain_model(fitted, open_source(path, LAYOUT), 2, also=[other])
    assert any("met and met_again are copies" in line for line in found.messages)
    single = {(r["output"], r["input"]): r for r in found.rows if r["order"] == 1 and r["process"] == "all"}
    one, same, noise = (single["signal", name] for name in ("met", "met_again", "noise"))
    assert one["correlated_with"] == "met_again"
    assert one["with_correlated"] == pytest.approx(same["with_correlated"], rel=1e-6)
    assert one["with_correlated"] > 0.9 * max(one["relevance"], same["relevance"])
    assert one["permutation"] + same["permutation"] > 2 * noise["permutation"]
    assert len(one["relevance_models"]) == 2
    assert one["rank_range"][0] <= one["rank"] <= one["rank_range"][1]
    # Other networks of the same data share it out differently, and the page says what was learned when.
    assert found.courses["signal"].shape == (len(fitted.scorer.history_.epochs), 4 + 10)  # type: ignore[attr-defined]
    write_explained(found, tmp_path / "deep" / "r.html")
    page = (tmp_path / "deep" / "r.html").read_text("utf-8")
    assert "Which input is learned when" in page
    assert "Spread of models" in page


def test_models_of_other_inputs_are_not_compared() -> None:
    rows = [{"output": "s", "process": "all", "input": name, "second_input": "", "relevance": 1.0} for name in "ab"]
    with pytest.raises(SettingsError, match="is of other inputs"):
        with_others(rows, [rows[:1]], ["M2"])


def test_a_missing_mass_point_is_the_mean_one_and_that_is_said(searched: tuple[Fitted, Path], tmp_path: Path) -> None:
    fitted, path = searched
    table = pq.read_table(path)
    mass = np.where(np.array(table["process"].to_pylist()) == "signal", table["m_gluino"].to_numpy(), np.nan)
    table = table.set_column(table.column_names.index("m_gluino"), "m_gluino", pa.array(mass))
    pq.write_table(table, tmp_path / "nan.parquet")
    found = explain_model(fitted, open_source(tmp_path / "nan.parquet", LAYOUT), 1)
    assert found.events == len(table)
    assert any("have no mass point" in line for line in found.messages)


def test_a_network_is_written_as_onnx_with_its_probabilities(searched: tuple[Fitted, Path], tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    from lynkeus.scorers.onnx.onnx_scorer import OnnxScorer

    fitted, path = searched
    assert export(fitted, tmp_path / "m.onnx") < 1e-6
    batch = next(iter(fitted.prepare(open_source(path, LAYOUT))))
    narrow = batch.with_values(batch.values.astype(np.float32))
    again = OnnxScorer.load(tmp_path / "m.onnx").score(narrow)
    np.testing.assert_allclose(again, fitted.scorer.score(narrow), rtol=1e-6, atol=1e-9)
