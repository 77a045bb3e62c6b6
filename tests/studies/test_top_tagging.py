"""Top tagging: the smoke study goes from jets to a page with rejections; every expected number is one it measures."""

from pathlib import Path

import pytest

from lynkeus.evaluate.run_comparison import run_comparison
from lynkeus.studies.top_tagging.study import _checks, top_tagging


@pytest.mark.slow(20)
def test_the_smoke_study_writes_rejections_of_all_taggers(tmp_path: Path) -> None:
    run = run_comparison(top_tagging(smoke=True), tmp_path)
    assert run.passed, run.lines()
    page = run.page.read_text()
    assert "Rejection of QCD jets" in page
    assert (tmp_path / "top_tagging" / "roc.svg").is_file()
    for name in ("jet_mass", "jet_observables", "particle_net"):
        assert run.metrics[f"jets.550-650.{name}.rejection50"] > 1
        assert run.metrics[f"jets.550-650.{name}.auroc"] > 0.5, name
    measured = {check.metric for check in top_tagging(smoke=True).checks}
    assert measured <= set(run.metrics)
    assert {check.metric for check in _checks("full")} <= set(run.metrics)
