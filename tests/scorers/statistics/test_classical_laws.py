"""Laws of the seven classical scorers beyond the contract: odd data, streams, damaged folders, right places."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from lynkeus.core import ModelError, SchemaError, plugins
from lynkeus.files.arrays import SETTINGS, WEIGHTS

NAMES = (
    "conditional_residual", "isolation_forest", "mahalanobis", "nearest_neighbours", "one_class_svm", "pca_residual",
    "three_sigma",
)  # fmt: skip
Sources = Callable[..., Any]


@pytest.fixture(params=NAMES)
def new(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """A scorer that is not fitted, small enough for a test."""
    small = {
        "pca_residual": {"variance": 0.8},
        "isolation_forest": {"trees": 100, "points_per_tree": 256},
        "one_class_svm": {"landmarks": 100},
    }
    kind = plugins.load("scorers", request.param)
    return lambda **options: kind(**small.get(request.param, {}) | options)


def test_an_offset_and_a_noise_are_found_in_their_channel(
    new: Sources, windows: Sources, one_batch: Sources, shots: np.ndarray
) -> None:
    scorer = new().fit(windows(shots))
    faulty = np.array(shots[:600])
    faulty[100:160, 4] += 5 * shots[:, 4].std()
    faulty[300:360, 9] += 5 * shots[:, 9].std() * np.random.default_rng(1).normal(size=60)
    batch = one_batch(windows(faulty))
    score, evidence = scorer.score(batch)[:, 0], np.abs(scorer.explain(batch)).max(axis=2)
    good = np.delete(score, [*range(10, 16), *range(30, 36)])
    assert score[10:16].min() > np.quantile(good, 0.98)
    assert score[30:36].min() > np.quantile(good, 0.9)
    assert (evidence[10:16].argmax(axis=1) == 4).all()
    assert (evidence[30:36].argmax(axis=1) == 9).all()


@pytest.mark.parametrize("kind", ["table", "windows"])
def test_constant_and_empty_columns_say_nothing(
    new: Sources, kind: str, shots: np.ndarray, one_batch: Sources, request: pytest.FixtureRequest
) -> None:
    source = request.getfixturevalue(kind)
    odd = np.array(shots[:3000])
    odd[:, 2], odd[:, 3], odd[:, 6] = 0.1, np.nan, odd[:, 5]  # constant, without any value, the same as another
    scorer = new().fit(source(odd))
    batch = one_batch(source(odd[:500]))
    assert np.isfinite(scorer.score(batch)).all()
    evidence = scorer.explain(batch)
    assert np.isfinite(evidence).all()
    assert np.abs(evidence[:, 2:4]).max() <= 1e-6 * np.abs(evidence).max()


def test_what_is_missing_speaks_for_nothing(
    new: Sources, windows: Sources, one_batch: Sources, shots: np.ndarray
) -> None:
    scorer = new().fit(windows(shots))
    gappy = np.array(shots[:1000])
    gappy[200:260, 7] = np.nan
    gappy[500:510, :7] = np.nan
    whole = one_batch(windows(shots[:1000]))
    score, usual = scorer.score(one_batch(windows(gappy)))[:, 0], scorer.score(whole)[:, 0]
    assert np.isnan(score[50])
    assert np.nanmax(score[20:26]) <= usual.max()
    evidence = np.abs(scorer.explain(one_batch(windows(gappy))))
    assert np.isfinite(evidence).all()
    assert evidence[20:26, 7].max() <= 0.3 * evidence.max()
    np.testing.assert_allclose(np.delete(score, [*range(20, 26), 50]), np.delete(usual, [*range(20, 26), 50]), 1e-9)


def test_a_few_percent_of_wild_rows_do_not_teach_it_much(
    new: Sources, table: Sources, one_batch: Sources, shots: np.ndarray
) -> None:
    wild = np.array(shots)
    wild[::40, 3] += 100.0
    scorer, clean = new().fit(table(wild)), new().fit(table(shots))
    unlike = np.array(shots[:200])
    unlike[:, 3] += 6 * shots[:, 3].std()
    for fitted in (scorer, clean):
        assert np.median(fitted.score(one_batch(table(unlike)))) > np.quantile(
            fitted.score(one_batch(table(shots[:1000]))), 0.9
        )


def test_how_the_reference_is_cut_into_batches_does_not_matter(
    new: Sources, windows: Sources, one_batch: Sources, shots: np.ndarray
) -> None:
    batch = one_batch(windows(shots[:500]))
    once, again = (new().fit(windows(shots, step)).score(batch) for step in (1200, 600))
    np.testing.assert_allclose(once, again, rtol=1e-6, atol=1e-9)


def test_a_source_without_rows_is_refused(new: Sources, table: Sources) -> None:
    with pytest.raises(SchemaError, match="no rows"):
        new().fit(table(np.empty((0, 12))))


def test_a_model_that_lacks_an_array_or_has_another_setting_is_refused(
    new: Sources, table: Sources, shots: np.ndarray, tmp_path: Path
) -> None:
    scorer = new().fit(table(shots[:1000]))
    scorer.save(tmp_path)
    arrays = load_file(tmp_path / WEIGHTS)
    save_file({name: array for name, array in arrays.items() if name != "centre"}, tmp_path / WEIGHTS)
    with pytest.raises(ModelError, match="centre"):
        type(scorer).load(tmp_path)
    scorer.save(tmp_path)
    content = json.loads((tmp_path / SETTINGS).read_text())
    content["settings"]["another"] = 1
    (tmp_path / SETTINGS).write_text(json.dumps(content))
    with pytest.raises(ModelError, match="another"):
        type(scorer).load(tmp_path)


def test_learned_names_end_in_an_underscore(new: Sources, table: Sources, shots: np.ndarray) -> None:
    scorer = new()
    options = set(vars(scorer))
    assert options == {option.name for option in fields(scorer)}
    scorer.fit(table(shots[:1000]))
    assert all(name.endswith("_") or name.startswith("_") for name in set(vars(scorer)) - options)
