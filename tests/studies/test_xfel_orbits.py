"""The study runs end to end on the simulator, and its checks and page are written by the run."""

import json
from pathlib import Path

import pytest

from lynkeus.core import Check
from lynkeus.evaluate.run_study import StudyRun, run_study
from lynkeus.studies.xfel_orbits.study import xfel_orbits


@pytest.mark.slow(6)
def test_the_smoke_study_on_the_simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LYNKEUS_DATA", raising=False)
    study = xfel_orbits(smoke=True)
    assert "simulated" in study.data
    told: list[float] = []
    run = run_study(study, tmp_path, lambda what, share: told.append(share))
    assert told[-1] == 1.0
    assert run.passed, run.lines()
    page = run.page.read_text()
    for figure in ("turn_on.svg",):
        assert (tmp_path / "xfel_orbits" / figure).is_file()
        assert figure in page
    record = json.loads((tmp_path / "xfel_orbits" / "metrics.json").read_text())
    assert record["run"]["key"][:12] in page
    assert record["metrics"]["orbit.monitor.noisy.3.auroc"] == run.metrics["orbit.monitor.noisy.3.auroc"]


def test_every_expected_number_is_one_that_the_study_measures() -> None:
    for smoke in (True, False):
        study = xfel_orbits(smoke=smoke)
        for check in study.checks:
            scorer, _, fault, *size_and_statistic = check.metric.split(".")
            assert scorer in study.scorers
            assert float(".".join(size_and_statistic[:-1])) in study.faults[fault]


def test_a_number_that_was_not_measured_fails() -> None:
    run = StudyRun({}, ((Check("orbit.nothing", at_least=0.0), float("nan")),), Path("page.md"))
    assert not run.passed
    assert run.lines()[0].startswith("FAILED")
