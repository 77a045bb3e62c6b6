"""Studies of matter: from events to a page, with what each of them adds; of few events, which no bounds hold for."""

from pathlib import Path

import pytest

from lynkeus.evaluate.run_comparison import run_comparison
from lynkeus.studies.eos_meter import study as eos
from lynkeus.studies.spinodal import study as clumps

pytest.importorskip("numba")
pytestmark = pytest.mark.slow(8)


def test_spinodal_writes_both_spaces_cumulants_and_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clumps, "SIZES", {"smoke": (60, 120), "full": (60, 120)})
    run = run_comparison(clumps.spinodal(smoke=True), tmp_path)
    page = run.page.read_text()
    assert "Cumulants over events" in page
    assert (tmp_path / "spinodal" / "pairs.svg").is_file()
    assert run.metrics["coordinate.all.map_classifier observables.accuracy"] > 0.9
    asked = {check.metric for full in (True, False) for check in clumps.spinodal(smoke=full).checks}
    assert asked <= set(run.metrics)


def test_eos_meter_writes_how_often_each_setting_is_named_rightly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LYNKEUS_CACHE", str(tmp_path))
    monkeypatch.setattr(eos, "SIZES", {"smoke": (24, 6), "full": (24, 6)})
    run = run_comparison(eos.eos_meter(smoke=True), tmp_path)
    page = run.page.read_text()
    assert "Named rightly by the mean of several" in page
    asked = {check.metric for check in eos.eos_meter(smoke=True).checks}
    assert asked <= set(run.metrics)
    assert "collisions.all.eos_meter.shifted.accuracy" in run.metrics
    assert "collisions.all.eos_meter.held out.accuracy" in run.metrics
