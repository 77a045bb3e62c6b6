"""The study of flavour: what a tagger has to beat, and a small run from end to end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, concatenate
from lynkeus.evaluate.tagging.run import run_tagging
from lynkeus.metrics.rates import auroc

pytest.importorskip("torch")

from lynkeus.studies.flavour_tagging.baselines import second_track_significance, track_significance, vertex_mass
from lynkeus.studies.flavour_tagging.study import CLASSES, SHARES, flavour_tagging, flavoured_jets

pytestmark = pytest.mark.slow(10)


@pytest.fixture(scope="module")
def test_jets() -> Batch:
    return concatenate(list(flavoured_jets(1200, 5, CLASSES)))


def test_each_cut_tells_b_from_light_and_less_from_c(test_jets: Batch) -> None:
    for cut, least in ((track_significance, 0.85), (second_track_significance, 0.87), (vertex_mass, 0.75)):
        scores = cut(test_jets)
        areas = []
        for other in (1, 2):
            rows = np.isin(test_jets.truth, (0, other))
            areas.append(auroc(test_jets.truth[rows] == 0, scores[rows]))
        assert areas[1] > least
        assert 0.6 < areas[0] < areas[1]


def test_the_second_track_is_never_more_significant_than_the_first(test_jets: Batch) -> None:
    first, second = track_significance(test_jets), second_track_significance(test_jets)
    assert (second <= first).all()
    lengths = test_jets.packed.groups["vertices"].lengths
    assert ((vertex_mass(test_jets) == -1) == (lengths == 0)).all()


def test_a_small_run_has_all_that_is_asked(tmp_path: Path) -> None:
    small = flavour_tagging(smoke=True)
    train, test = flavoured_jets(1200, 1, CLASSES), flavoured_jets(1500, 2, SHARES)
    run = run_tagging(replace(small, train=train, test=test), tmp_path)
    assert {check.metric for check in flavour_tagging().checks} <= set(run.metrics)
    assert run.metrics["b against light.deepcsv.auc"] > 0.85
    assert run.metrics["b against light.deepjet.auc"] > 0.8
