"""Studies of matter: from events to a page, with what each of them adds; of few events, which no bounds hold for."""

from pathlib import Path

import pytest

from lynkeus.evaluate.inquiry import run_inquiry
from lynkeus.evaluate.run_comparison import run_comparison
from lynkeus.studies.eos_meter import importance
from lynkeus.studies.eos_meter import study as eos
from lynkeus.studies.scalar_field import study as field
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
    monkeypatch.setattr(importance, "LOOKED_AT", 2)
    monkeypatch.setattr(eos, "SIZES", {"smoke": (24, 8, 4), "full": (24, 8, 4)})
    run = run_comparison(eos.eos_meter(smoke=True), tmp_path)
    page = run.page.read_text()
    assert "Named rightly by the mean of several" in page
    asked = {check.metric for full in (True, False) for check in eos.eos_meter(smoke=full).checks}
    assert asked <= set(run.metrics)
    assert "collisions.all.eos_meter.shifted.accuracy" in run.metrics
    assert "collisions.all.eos_meter.held out.accuracy" in run.metrics


def test_scalar_field_writes_the_transition_numbers_and_what_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = {"epochs": 1}
    tiny = field.Sizes("10x8", 25, 20, 50, 3, once, once)
    monkeypatch.setattr(field, "SIZES", {"smoke": tiny, "full": tiny})
    run = run_inquiry(field.scalar_field(smoke=True), tmp_path)
    asked = {check.metric for full in (True, False) for check in field.scalar_field(smoke=full).checks}
    assert asked <= set(run.metrics)
    assert run.metrics["numbers.network.n.error"] < 0.02
    assert run.metrics["generators.Markov random field.after"] == 0
    page = run.page.read_text("utf-8")
    assert all(title in page for title in ("### Transition", "### At potentials", "Monte Carlo, those that"))
    assert {path.name for path in (tmp_path / "scalar_field").iterdir()} >= {"made.svg", "transition.svg"}
