"""pad_spectrum on an independent generator: with no labels, with an eye-scan that is partly wrong; gains."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.pads_kr import least_error, spectra, write

from lynkeus.core import SchemaError, SettingsError, SourceError
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.score import ScoreSettings, score
from lynkeus.sources import open_source
from lynkeus.sources.formats.layout import read_layout

pytestmark = pytest.mark.slow(1)
LABELLED, WRONG = 600, 0.03


@cache
def folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="lynkeus-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@cache
def truth() -> dict[str, Any]:
    return spectra(1)


@cache
def labels() -> tuple[np.ndarray, np.ndarray]:
    """An eye-scan, and which of its labels are wrong."""
    rng, found = np.random.default_rng(3), truth()["truth"]
    said = np.full(len(found), "", dtype="U12")
    seen = rng.permutation(len(found))[:LABELLED]
    said[seen] = found[seen]
    wrong = seen[rng.random(LABELLED) < WRONG]
    said[wrong] = np.where(found[wrong] == "fine", "loud", "fine")
    return said, wrong


def model(labelled: bool) -> Path:
    return _model(labelled)


@cache
def _model(labelled: bool) -> Path:
    path = write(folder() / f"{labelled}.npz", truth(), **({"label": labels()[0]} if labelled else {}))
    layout = read_layout("tpc_pads")
    settings = FitSettings("pad_spectrum", labels="label" if labelled else "", layout=layout.to_dict())
    fit(open_source(path, layout), settings).save(folder() / f"M{labelled}")
    return folder() / f"M{labelled}"


@cache
def judged(labelled: bool) -> dict[str, np.ndarray]:
    own = model(labelled)
    output = folder() / f"{labelled}.parquet"
    fitted = Fitted.load(own)
    source = open_source(folder() / f"{labelled}.npz", "tpc_pads", expected=fitted.view.schema)
    score(fitted, own, source, ScoreSettings(output))
    table = pq.read_table(output)
    return {name: np.array(table.column(name).to_pylist()) for name in table.column_names}


def wrong_share(found: dict[str, np.ndarray]) -> float:
    return float((found["good"] != (truth()["truth"] == "fine")).mean())


def test_pads_are_judged_without_labels() -> None:
    assert wrong_share(judged(False)) < 0.03
    assert "probability_dead" in judged(False)
    assert not [name for name in judged(False) if name.endswith("p_value")]


def test_an_eye_scan_with_wrong_labels_is_learned_from_and_its_wrong_labels_are_listed() -> None:
    found = judged(True)
    assert wrong_share(found) < 0.02
    assert (found["class"] == truth()["truth"]).mean() > 0.9
    listed = json.loads((model(True) / "model.json").read_text("utf-8"))["lineage"]["doubtful_labels"]
    keys = {(one["sector"], one["row"], one["pad"]) for one in listed}
    wrong = [tuple(int(truth()[name][k]) for name in ("sector", "row", "pad")) for k in labels()[1]]
    assert sum(key in keys for key in wrong) >= 0.8 * len(wrong)
    assert len(keys - set(wrong)) <= 0.01 * LABELLED


def test_probabilities_add_up_and_are_right() -> None:
    found = judged(True)
    names = [name for name in found if name.startswith("probability_") and not name.endswith("p_value")]
    np.testing.assert_allclose(sum(found[name] for name in names), 1.0, rtol=1e-6)
    good = truth()["truth"] == "fine"
    assert abs(found["probability_fine"].mean() - good.mean()) < 0.03


def test_gains_are_right_and_as_sharp_as_the_counts_allow() -> None:
    found, own = judged(False), truth()
    rows = found["good"] & (own["truth"] == "fine") & (own["decays"] > 500)
    off = found["gain"][rows] / own["gain"][rows]
    off /= np.median(off)
    assert abs(off.mean() - 1) < 0.003
    pull = (off - 1) * found["gain"][rows] / found["gain_error"][rows]
    assert 0.8 < pull.std() < 1.2
    # The same beside what no unbiased estimate can be better than, of the lines that were drawn, not of those learned.
    some = np.flatnonzero(rows)[::8]
    known, free = (least_error(own["gain"][some], own["decays"][some], nuisances) for nuisances in (False, True))
    assert (known < free).all()
    spread = np.sqrt(np.mean((off[::8] - 1) ** 2 / known**2))
    assert 0.8 < spread < 1.2
    bad = found["gain_source"] == "neighbours"
    assert bad.any()
    assert (found["gain_error"][bad] > 3 * np.median(found["gain_error"][rows])).all()


def test_few_counts_are_not_enough_data_and_no_counts_are_dead() -> None:
    batch = next(iter(open_source(folder() / "False.npz", "tpc_pads")))
    fitted = Fitted.load(model(False))
    good = np.flatnonzero(truth()["truth"] == "fine")
    batch.values[good[0]] = np.random.default_rng(1).binomial(batch.values[good[0]].astype(int), 0.005)
    batch.values[good[1]] = 0
    few = fitted.scorer.further(batch)
    assert few["verdict"][good[0]] == "NOT ENOUGH DATA"
    assert few["reason"][good[0]].startswith("NOT ENOUGH DATA")
    assert few["class"][good[1]] == "dead"
    assert not few["good"][good[:2]].any()


def test_a_loaded_model_says_the_same_and_explains_a_spike() -> None:
    source = open_source(folder() / "False.npz", "tpc_pads")
    one, other = Fitted.load(model(False)), Fitted.load(model(False))
    batch = next(iter(source))
    np.testing.assert_allclose(one.scorer.score(batch), other.scorer.score(batch), rtol=1e-9)
    pad = int(np.flatnonzero(truth()["truth"] == "fine")[0])
    batch.values[pad, 81] += 500
    evidence = one.scorer.explain(batch, "probability_noisy")
    assert evidence.shape == batch.values.shape
    assert evidence[pad].argmax() == 81


def test_labels_that_cannot_be_are_refused() -> None:
    said = labels()[0]
    for own, word in (
        (np.where(said == "", "", "fine"), "good and problematic"),
        (np.full(len(said), ""), "no sample has"),
    ):
        path = write(folder() / "odd.npz", truth(), label=own)
        with pytest.raises(SettingsError, match=word):
            fit(open_source(path, "tpc_pads"), FitSettings("pad_spectrum", labels="label"))


def test_charges_in_other_units_and_a_sector_of_another_binning_are_refused() -> None:
    fitted = Fitted.load(model(False))
    batch = next(iter(open_source(folder() / "False.npz", "tpc_pads")))
    tenth = batch.values.copy()
    tenth[:, 1:-1] = 0
    tenth[:, 1:13] = batch.values[:, 1:-1].reshape(len(batch), 12, 10).sum(axis=2)
    with pytest.raises(SchemaError, match="other units"):
        fitted.scorer.score(batch.with_values(tenth))
    half = batch.values.copy()
    rows = batch.meta["sector"] == 2
    half[rows, 1:-1] = 0
    half[rows, 1:61] = batch.values[rows, 1:-1].reshape(-1, 60, 2).sum(axis=2)
    with pytest.raises(SchemaError, match="another binning or unit in this sector"):
        fitted.scorer.score(batch.with_values(half))


def test_a_run_cut_short_is_not_enough_data_and_empty_spectra_are_refused() -> None:
    fitted = Fitted.load(model(False))
    batch = next(iter(open_source(folder() / "False.npz", "tpc_pads")))
    short = np.random.default_rng(2).binomial(batch.values.astype(int), 0.01).astype(np.float32)
    found = fitted.scorer.further(batch.with_values(short))
    assert (found["verdict"] == "NOT ENOUGH DATA").mean() > 0.7
    few = write(folder() / "few.npz", {**truth(), "counts": short[:, 1:-1].astype(int)})
    assert "is the run cut short?" in " ".join(open_source(few, "tpc_pads").messages)
    with pytest.raises(SourceError, match="is the run cut short"):
        fit(open_source(few, "tpc_pads"), FitSettings("pad_spectrum"))
    nothing = {**truth(), "counts": np.zeros_like(truth()["counts"])}
    with pytest.raises(SourceError, match="only 0 pads have counts"):
        fit(open_source(write(folder() / "n.npz", nothing), "tpc_pads"), FitSettings("pad_spectrum"))
