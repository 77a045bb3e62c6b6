"""Taus, electrons, muons and jets by a small graph network, on simulated jets: classes, decay modes, what it must not
depend on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lynkeus.core import Batch, Group, Packed, SettingsError, concatenate
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.score import ScoreSettings, score
from lynkeus.metrics.rates import auroc
from lynkeus.simulate.jets.source import JetSource
from lynkeus.sources import InMemory

pytest.importorskip("torch")

from lynkeus.scorers.taggers.taus.modes import Modes

pytestmark = pytest.mark.slow(3)
CLASSES = "tau:5,electron:1,light:2,gluon:2"
QUICK = {"reweight": "none", "training": {"epochs": 9, "batch_size": 64}}


@pytest.fixture(scope="module")
def test_jets() -> Batch:
    return concatenate(list(JetSource(CLASSES, "30-100", n=1200, seed=2)))


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit(JetSource(CLASSES, "30-100", n=2500, seed=1), FitSettings("tau_graph", QUICK))


def test_taus_are_told_from_jets_and_electrons(fitted: Fitted, test_jets: Batch) -> None:
    scores = fitted.scorer.score(test_jets)
    for other in (1, 2, 3):
        rows = np.isin(test_jets.truth, (0, other))
        assert auroc(test_jets.truth[rows] == 0, scores[rows, 0]) > 0.88
    assert fitted.scorer.facts["parameters"] < 10_000


def test_decay_modes_are_named_beyond_chance(fitted: Fitted, test_jets: Batch) -> None:
    taus = test_jets[test_jets.truth == 0]
    codes = np.array(fitted.scorer.modes_.codes)
    assert set(codes) >= {0, 1, 2, 10, 11}
    share = fitted.scorer.decay_modes(taus)
    np.testing.assert_allclose(share.sum(axis=1), 1.0, rtol=1e-6)
    true = taus.meta["truth_decay_mode"]
    named = codes[share.argmax(axis=1)]
    assert (named == true).mean() > np.unique(true, return_counts=True)[1].max() / len(true) + 0.15
    for mode in (0, 1, 10):  # also each by itself: more often called by its name than others are called so
        assert (named[true == mode] == mode).mean() > (named[true != mode] == mode).mean() + 0.4


def test_the_table_has_decay_modes_with_probabilities(fitted: Fitted, test_jets: Batch, tmp_path: Path) -> None:
    fitted.save(tmp_path / "M")
    again = Fitted.load(tmp_path / "M")
    score(again, tmp_path / "M", InMemory(test_jets, 500), ScoreSettings(tmp_path / "s.parquet"))
    table = pq.read_table(tmp_path / "s.parquet")
    own = [name for name in table.column_names if name.startswith("decay_mode_")]
    assert "decay_mode_1-prong+pi0" in own
    share = np.stack([np.array(table[name]) for name in own], axis=1)
    np.testing.assert_allclose(share, fitted.scorer.decay_modes(test_jets), atol=1e-5)
    named = np.array(table["decay_mode"].to_pylist())
    assert set(named) <= set(fitted.scorer.modes_.names)


def test_what_is_most_probably_a_tau_is_found_with_its_decay(fitted: Fitted, test_jets: Batch) -> None:
    found = fitted.scorer.find(test_jets, "tau")
    best = fitted.scorer.score(test_jets).argmax(axis=1) == 0
    assert [bool(one) for one in found] == best.tolist()
    first = next(one[0] for one in found if one)
    assert first.kind in fitted.scorer.modes_.names
    assert "with probability 0." in first.says or "with probability 1." in first.says
    assert not any(fitted.scorer.find(test_jets, "gluon"))


def test_jets_turned_around_the_beam_have_the_same_probabilities(fitted: Fitted, test_jets: Batch) -> None:
    groups = dict(test_jets.packed.groups)
    values = groups["particles"].values.copy()
    cos, sin = np.cos(1.3), np.sin(1.3)
    values[:, :2] = values[:, :2] @ np.array([[cos, sin], [-sin, cos]], np.float32)
    turned = test_jets.with_values(Packed(groups | {"particles": Group(values, groups["particles"].offsets)}))
    np.testing.assert_allclose(fitted.scorer.score(turned), fitted.scorer.score(test_jets), atol=2e-3)


def test_a_tau_of_one_track_is_one_prong(fitted: Fitted, test_jets: Batch) -> None:
    alone = np.flatnonzero((test_jets.packed.groups["particles"].lengths == 1) & (test_jets.truth == 0))
    assert len(alone) >= 5
    scores, share = fitted.scorer.score(test_jets[alone]), fitted.scorer.decay_modes(test_jets[alone])
    assert np.isfinite(scores).all()
    assert np.mean(np.array(fitted.scorer.modes_.names)[share.argmax(axis=1)] == "1-prong") > 0.7


def test_without_taus_or_modes_there_are_classes_only() -> None:
    quick = FitSettings("tau_graph", {"training": {"epochs": 1}})
    fitted = fit(JetSource("light,gluon", "30-100", n=400, seed=4), quick)
    assert any(message.startswith("decay modes are not learned") for message in fitted.messages)
    assert fitted.scorer.further(JetSource("light,gluon", "30-100", n=10).chunk(0)) == {}


def test_modes_are_classes_within_the_class_of_the_tau() -> None:
    truth = np.repeat([0, 1, 2], [60, 100, 60])
    codes = np.where(truth == 1, np.repeat([0, 10, 5, -1], [80, 60, 60, 20])[: len(truth)], -1)
    modes = Modes.of(("jet", "tau", "muon"), "tau", truth, codes)
    assert modes.codes == (0, 10, -1)  # 5 has no name: other
    fine = modes.fine(truth, codes)
    assert fine[0] == 0
    assert fine[-1] == 1  # the muon comes before the modes
    assert set(fine[truth == 1]) == {2, 3, 4} - ({4} if not ((codes == 5) & (truth == 1)).any() else set())
    assert Modes.of(("a", "b"), "tau", truth, codes).codes == ()
    with pytest.raises(SettingsError, match="whole numbers"):
        Modes.of(("jet", "tau", "muon"), "tau", truth, codes + 0.5)


@pytest.mark.parametrize("setting", [{"neighbours": 0}, {"width": 2.5}, {"rounds": 99}])
def test_sizes_that_make_no_network_are_refused(setting: dict) -> None:
    with pytest.raises(SettingsError, match=r"must be (a whole number( from 1 to \d+)?|at least 1), got"):
        fit(JetSource(CLASSES, "30-100", n=10), FitSettings("tau_graph", setting))


def test_a_missing_column_of_particles_is_named(test_jets: Batch) -> None:
    names = tuple(name.replace("part_charge", "part_q") for name in test_jets.schema.names)
    other = replace(test_jets, schema=replace(test_jets.schema, names=names))
    with pytest.raises(Exception, match="a tagger of taus reads columns that the particles lack: part_charge"):
        fit(InMemory(other), FitSettings("tau_graph", QUICK))
