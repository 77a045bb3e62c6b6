"""The study of taus: its jets, what a tagger has to beat, decay modes, and a small run from end to end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Tagged, concatenate
from lynkeus.evaluate.tagging.run import run_tagging
from lynkeus.metrics.rates import auroc

pytest.importorskip("torch")

from lynkeus.studies.tau_id.baselines import MODES, candidates, counted_modes, isolation, leading_track
from lynkeus.studies.tau_id.look import decay_modes
from lynkeus.studies.tau_id.samples import CLASSES, tau_jets
from lynkeus.studies.tau_id.study import tau_id

pytestmark = pytest.mark.slow(10)


@pytest.fixture(scope="module")
def test_jets() -> Batch:
    return concatenate(list(tau_jets(1500, 5)))


def test_jets_of_quarks_and_gluons_are_one_class(test_jets: Batch) -> None:
    assert test_jets.schema.classes == CLASSES
    flavour = np.abs(test_jets.meta["truth_flavour"])
    for number, code in enumerate((15, 11, 13)):
        assert (flavour[test_jets.truth == number] == code).all()
    assert set(flavour[test_jets.truth == 3]) <= {1, 2, 3, 4, 5, 21}


def test_cuts_tell_something(test_jets: Batch) -> None:
    rows = np.isin(test_jets.truth, (0, 3))
    tau = test_jets.truth[rows] == 0
    assert auroc(tau, isolation(test_jets)[rows]) > 0.85
    assert auroc(tau, leading_track(test_jets)[rows]) > 0.6
    shares = candidates(test_jets).numbers()[:, 1:6].numpy()
    assert shares.min() >= 0
    assert shares.max() < 1.2  # of a sum along the axis, so a little more than all is possible


def test_counting_names_most_modes(test_jets: Batch) -> None:
    taus = test_jets[np.isin(test_jets.meta["truth_decay_mode"], list(MODES))]
    true = np.searchsorted(list(MODES), taus.meta["truth_decay_mode"])
    assert (counted_modes(taus) == true).mean() > 0.7


def test_without_taggers_only_counting_names_modes(test_jets: Batch, tmp_path: Path) -> None:
    found = decay_modes(test_jets, [Tagged("isolation", {})], tmp_path)
    assert found.metrics["decay_mode.counting.right"] > found.metrics["decay_mode.chance"]
    assert not any("isolation" in name for name in found.metrics)


def test_a_small_run_has_all_that_is_asked(tmp_path: Path) -> None:
    small = tau_id(smoke=True)
    scorers = {name: small.scorers[name] for name in ("tau_graph", "deep_tau")}
    scorers["deep_tau"] = {**scorers["deep_tau"], "training": {"epochs": 1}}
    pairs = (("tau_graph", "deep_tau"),)
    small = replace(small, train=tau_jets(1900, 1), test=tau_jets(1500, 2), scorers=scorers, pairs=pairs)
    run = run_tagging(small, tmp_path)
    wanted = {check.metric for check in tau_id().checks if "jet_observables" not in check.metric}
    assert wanted <= set(run.metrics)
    assert run.metrics["tau_graph over deep_tau.parameters"] < 0.1
    assert run.metrics["jets.tau_graph.auc"] > 0.85
    page = run.page.read_text("utf-8")
    assert "Decay modes by tau_graph" in page
    assert "Decay modes by counting" in page
