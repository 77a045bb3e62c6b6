"""The study of noise hits end to end, small."""

from pathlib import Path

import pytest

from lynkeus.evaluate.run_comparison import run_comparison
from lynkeus.studies.hit_filter.study import hit_filter

pytest.importorskip("torch")


@pytest.mark.slow(12)
def test_the_study_runs_small_and_says_what_becomes_of_tracks(tmp_path: Path) -> None:
    run = run_comparison(hit_filter(smoke=True), tmp_path)
    assert run.passed, run.lines()
    page = run.page.read_text("utf-8")
    for words in ("Tracks before and after", "cores for 1.7 kHz", "simulated", "elsewhere"):
        assert words in page
    assert (tmp_path / "hit_filter" / "removed.svg").is_file()


def test_every_bound_is_on_a_scorer_of_the_study() -> None:
    for smoke in (True, False):
        study = hit_filter(smoke=smoke)
        names = set(study.parts["hits"].scorers)
        assert all(check.metric.split(".")[2] in names for check in study.checks)
