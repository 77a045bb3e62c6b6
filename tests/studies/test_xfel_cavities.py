"""The study of simulated cavities: its streams, how pulses ahead are counted, and a small run from end to end."""

import json
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch
from lynkeus.evaluate.run_comparison import run_comparison
from lynkeus.simulate.cavity.faults import CLASSES
from lynkeus.simulate.cavity.source import SCHEMA
from lynkeus.studies.xfel_cavities.baselines import components_taken_out, largest_deviation
from lynkeus.studies.xfel_cavities.look import precursors, pulses_ahead
from lynkeus.studies.xfel_cavities.pulses import PulseSubset, SimulatedPulses
from lynkeus.studies.xfel_cavities.study import xfel_cavities


@pytest.mark.slow(30)
def test_the_smoke_study_reaches_its_bounds_and_says_that_pulses_are_simulated(tmp_path: Path) -> None:
    told: list[float] = []
    run = run_comparison(xfel_cavities(smoke=True), tmp_path, lambda what, share: told.append(share))
    assert told[-1] == 1.0
    assert run.passed, run.lines()
    page = run.page.read_text()
    for words in ("All pulses are simulated", "Kinds named by cavity", "12 components taken out", "published"):
        assert words in page
    for figure in ("ahead.svg", "turn_on.svg", "labels.svg"):
        assert figure in page
        assert (tmp_path / "xfel_cavities" / figure).read_text().lstrip().startswith("<?xml")
    kept = json.loads((tmp_path / "xfel_cavities" / "metrics.json").read_text())
    assert kept["metrics"]["pulses.later.quench.cavity.auroc"] == run.metrics["pulses.later.quench.cavity.auroc"]


def test_every_bound_is_on_a_scorer_of_its_part() -> None:
    for smoke in (True, False):
        study = xfel_cavities(smoke=smoke)
        assert study.checks
        for check in study.checks:
            part, case, *rest = check.metric.split(".")
            assert case in (*study.parts[part].cases, "mean")
            assert any(name in study.parts[part].scorers for name in rest)


def test_pulses_ahead_are_counted_to_the_first_drop() -> None:
    """Two sequences of four pulses that drop at the third, one that never does, one that drops at once."""
    event = np.repeat([1, 2, 3, 4], 4)
    drop = np.array([0, 0.01, 0.2, 0.5] * 2 + [0, 0, 0, 0] + [0.1, 0.2, 0.3, 0.4])
    batch = Batch(SCHEMA, np.zeros((16, 6, 182)), truth=np.ones(16, int), meta={"event": event, "field_drop": drop})
    scores = np.zeros(16)
    scores[[1, 3, 6]] = 2.0
    assert precursors(batch).tolist() == [2, 2]
    assert pulses_ahead(batch, scores, 1.0).tolist() == [1, 0]
    assert pulses_ahead(batch, scores, 3.0).tolist() == [0, 0]


def test_labels_are_drawn_and_classes_left_out() -> None:
    stream = SimulatedPulses(5, 300, 1, share=0.2)
    truth = stream.batch.truth
    few = np.concatenate([batch.truth for batch in PulseSubset(stream, step=3, labels=5, seed=1)])
    assert (few != 0).sum() == 5
    assert (few == 0).sum() == 80
    kinds = {int(kind) for batch in PulseSubset(stream, without="quench") for kind in np.unique(batch.truth)}
    assert CLASSES.index("quench") not in kinds
    assert len(kinds) > 4
    only = np.concatenate([batch.truth for batch in PulseSubset(stream, only="quench")])
    assert set(only) == {0, CLASSES.index("quench")}
    assert (only != 0).sum() == (truth == 1).sum()
    assert stream.batch.meta["pid"].min() > SimulatedPulses(4, 300, 1).batch.meta["pid"].max()


def test_baselines_see_a_large_fault() -> None:
    rng = np.random.default_rng(0)
    good, test = rng.normal(size=(200, 6, 20)), rng.normal(size=(50, 6, 20))
    test[7, 2, 5] += 12.0
    for baseline in (largest_deviation, components_taken_out):
        scores = baseline(good.astype(np.float32), test.astype(np.float32))
        assert scores.shape == (50,)
        assert scores.argmax() == 7
