"""The study of relevance end to end, small."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
from lynkeus.evaluate.tagging.run import run_tagging
from lynkeus.studies.htautau_relevance.study import htautau_relevance


@pytest.mark.slow(20)
def test_the_study_runs_small_and_passes_its_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LYNKEUS_DATA", raising=False)
    run = run_tagging(htautau_relevance(smoke=True), tmp_path)
    assert run.passed, run.lines()
    page = run.page.read_text("utf-8")
    assert "Rankings, shuffling and seeds" in page
    assert "FAIR-Universe challenge |" not in page
    assert {path.name for path in (tmp_path / "htautau_relevance").iterdir()} >= {"overview.svg", "course_qqh.svg"}
    assert run.metrics["tt.put_in"] == 1.0
