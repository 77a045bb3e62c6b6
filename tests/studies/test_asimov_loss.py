"""The study of losses for discovery, small; and how regions are chosen on one half and counted on the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
from lynkeus.evaluate.tagging.run import run_tagging
from lynkeus.metrics.significance import asimov_significance
from lynkeus.studies.asimov_loss.regions import Counted, significances
from lynkeus.studies.asimov_loss.study import asimov_loss


def test_regions_are_chosen_on_one_half_and_counted_on_the_other() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(40_000) // 2 % 2 == 1
    output = rng.beta(np.where(truth, 5, 1), np.where(truth, 1.5, 3))
    weight = np.where(truth, 50 / truth.sum(), 5000 / (~truth).sum())
    counted = Counted.of(output, truth, weight)
    assert counted.count.signal[-1] == pytest.approx(50)
    assert counted.count.background[-1] == pytest.approx(5000)
    found = significances(counted, 0.2)
    best = max(
        float(asimov_significance(s, b, 0.2 * b))
        for s, b in (counted.count.above(cut) for cut in np.linspace(0.3, 0.95, 100))
    )
    assert 0.8 * best < found["tuned cut"] <= 1.02 * best
    assert 0 < found["purity cut"] < 1.02 * best
    assert found["five bins"] >= found["tuned cut"]


@pytest.mark.slow(20)
def test_the_study_runs_small_and_passes_its_checks(tmp_path: Path) -> None:
    run = run_tagging(asimov_loss(smoke=True), tmp_path)
    assert run.passed, run.lines()
    page = run.page.read_text("utf-8")
    assert "Expected significance, mean and standard deviation of seeds" in page
    assert {path.name for path in (tmp_path / "asimov_loss").iterdir()} >= {"systematics.svg", "cuts.svg"}
    # A few events to learn from, and still nearly as good a region as by a tuned cut.
    assert run.metrics["asimov over tuned cut.50%"] > 0.7
