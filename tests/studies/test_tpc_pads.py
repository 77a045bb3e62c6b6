"""The study of pads end to end, small; and what its baselines say."""

from pathlib import Path

import numpy as np
import pytest

from lynkeus.evaluate.run_comparison import run_comparison
from lynkeus.studies.tpc_pads.baselines import chi2_to_mean, peak_cuts
from lynkeus.studies.tpc_pads.study import tpc_pads


def test_baselines_find_what_has_no_peak_or_another_shape() -> None:
    rng = np.random.default_rng(0)
    bins = np.arange(120)
    peak = 200 * np.exp(-0.5 * ((bins - 80) / 5) ** 2) + 20 * np.exp(-bins / 10)
    good = rng.poisson(peak, (200, 120)).astype(float)
    flat = rng.poisson(np.full(120, peak.mean()), (20, 120)).astype(float)
    for baseline in (chi2_to_mean, peak_cuts):
        assert np.median(baseline(good, flat)) > np.quantile(baseline(good, good), 0.99)


@pytest.mark.slow(15)
def test_the_study_runs_small_and_passes_its_checks(tmp_path: Path) -> None:
    run = run_comparison(tpc_pads(smoke=True), tmp_path)
    assert run.passed, run.lines()
    page = run.page.read_text("utf-8")
    assert "| dense network |" in page
    assert "| peak cuts |" in page
