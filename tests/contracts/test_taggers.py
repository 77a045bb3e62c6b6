"""Laws of every scorer of classes that reads jets: probabilities of the classes, whatever order and company the
particles and the jets are in."""

import atexit
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from tests.jets import CLASSES, jets

from lynkeus.core import Batch, Group, Packed, SchemaError, SettingsError, plugins
from lynkeus.fitting.fit import FitSettings, about_of, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.metrics.rates import auroc
from lynkeus.sources import InMemory

pytestmark = pytest.mark.slow(0.5)  # each, about
TAGGERS = sorted(
    name for name in plugins.entries("scorers") if plugins.about(name).tags and "cloud" in plugins.about(name).kinds
)
QUICK = {"training": {"epochs": 4, "batch_size": 64, "learning_rate": 5e-3}}
SLOWER = {"particle_transformer": {"training": {**QUICK["training"], "learning_rate": 1e-3}}}
FITTED_ON = 1000


@cache
def kept(name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="lynkeus-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    options = SLOWER.get(name, QUICK) if about_of(plugins.load("scorers", name)).learned else {}
    fit(InMemory(jets(FITTED_ON, 1), 256), FitSettings(name, options)).save(folder / "m")
    return folder / "m"


@pytest.fixture(params=TAGGERS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def fitted(name: str) -> Fitted:
    return Fitted.load(kept(name))


def particles(batch: Batch, change: Callable[[Group], Group]) -> Batch:
    return batch.with_values(Packed({"particles": change(batch.packed.groups["particles"])}))


def test_scores_are_probabilities_and_tell_the_classes_apart(fitted: Fitted) -> None:
    batch = jets(400, 2)
    scores = fitted.scorer.score(batch)
    assert tuple(fitted.scorer.outputs) == CLASSES
    assert scores.shape == (400, 2)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, rtol=1e-6)
    assert auroc(batch.truth == 1, scores[:, 1]) > 0.8
    assert fitted.scorer.score(batch[:0]).shape == (0, 2)


def test_order_of_particles_and_the_company_of_jets_do_not_matter(fitted: Fitted) -> None:
    batch = jets(40, 3, lengths=[*range(3, 23), *range(90, 110)])
    scores = fitted.scorer.score(batch)

    def shuffled(group: Group) -> Group:
        order = np.lexsort((np.random.default_rng(4).permutation(len(group.values)), group.sample))
        return Group(group.values[order], group.offsets)

    np.testing.assert_allclose(fitted.scorer.score(particles(batch, shuffled)), scores, rtol=0, atol=1e-4)
    alone = np.concatenate([fitted.scorer.score(batch[k : k + 1]) for k in (0, 17, 39)])
    np.testing.assert_allclose(alone, scores[[0, 17, 39]], rtol=0, atol=1e-4)
    backwards = np.arange(len(batch))[::-1]
    np.testing.assert_allclose(fitted.scorer.score(batch[backwards]), scores[backwards], rtol=0, atol=1e-4)


def test_padding_that_is_taken_off_again_does_not_matter(fitted: Fitted) -> None:
    batch = jets(20, 3)
    values, mask = batch.packed.padded("particles", 60)
    again = batch.with_values(Packed.of_padded("particles", values, mask))
    np.testing.assert_allclose(fitted.scorer.score(again), fitted.scorer.score(batch), rtol=0, atol=1e-4)


def test_jets_of_no_one_and_five_hundred_particles(fitted: Fitted) -> None:
    batch = jets(3, 5, lengths=[0, 1, 500])
    scores = fitted.scorer.score(batch)
    assert np.isnan(scores[0]).all()
    assert np.isfinite(scores[1:]).all()


def test_a_particle_along_the_beam_leaves_its_jet_and_all_others_a_score(fitted: Fitted) -> None:
    batch = jets(20, 10)

    def beside(group: Group) -> Group:
        values = group.values.copy()
        values[:2, :4] = [[0.03, 0.04, -2e4, 2e4], [0.0, 0.0, 1e3, 1e3]]
        return Group(values, group.offsets)

    scores = fitted.scorer.score(particles(batch, beside))
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores[1:], fitted.scorer.score(batch)[1:], rtol=0, atol=1e-4)


def test_missing_features_hide_no_jet(fitted: Fitted) -> None:
    batch = jets(30, 6)

    def damaged(group: Group) -> Group:
        values = group.values.copy()
        values[::7, 7:] = np.nan
        values[3, :] = np.nan
        return Group(values, group.offsets)

    scores = fitted.scorer.score(particles(batch, damaged))
    assert np.isfinite(scores).all()


def test_loading_gives_the_same_scores_and_no_pickle(name: str, fitted: Fitted, tmp_path: Path) -> None:
    batch = jets(50, 7)
    fitted.save(tmp_path / "m")
    again = Fitted.load(tmp_path / "m")
    np.testing.assert_allclose(again.scorer.score(batch), fitted.scorer.score(batch), rtol=0, atol=1e-6)
    ends = {file.suffix for file in (tmp_path / "m").rglob("*") if file.is_file()}
    assert ends <= {".safetensors", ".json", ""}
    assert again.lineage["calibration"]["jets"] > 100
    assert again.lineage["classes"].keys() == set(CLASSES)


def test_another_schema_is_refused_and_the_difference_named(fitted: Fitted) -> None:
    batch = jets(5, 8)
    other = replace(batch, schema=replace(batch.schema, names=("particles/part_e", *batch.schema.names[1:])))
    with pytest.raises(SchemaError, match="names"):
        fitted.scorer.score(other)


def test_evidence_has_the_shape_of_the_particles(fitted: Fitted) -> None:
    batch = jets(2, 9)
    evidence = fitted.scorer.explain(batch, "top")
    group = evidence.groups["particles"]
    assert group.values.shape == batch.packed.groups["particles"].values.shape
    assert np.isfinite(group.values).all()
    assert group.values.any()


def test_a_class_that_is_not_there_is_refused(name: str) -> None:
    batch = jets(300, 1)
    one_class = replace(batch, truth=np.zeros(len(batch), np.int64))
    with pytest.raises(SettingsError, match=r"too few of top \(0\)"):
        fit(InMemory(one_class), FitSettings(name))
    nothing = jets(300, 1, lengths=[0] * 300)
    with pytest.raises(SettingsError, match=r"too few of qcd \(\d+, of which \d+ without particles\)"):
        fit(InMemory(nothing), FitSettings(name))
