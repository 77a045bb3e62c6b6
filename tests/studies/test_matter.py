"""Studies of matter: from events to a page, with what each of them adds; of few events, which no bounds hold for."""

import json
from pathlib import Path

import pytest

from lynkeus.evaluate.inquiry import run_inquiry
from lynkeus.evaluate.run_comparison import run_comparison
from lynkeus.studies.eos_meter import importance
from lynkeus.studies.eos_meter import study as eos
from lynkeus.studies.scalar_field import rows as made
from lynkeus.studies.scalar_field import study as field
from lynkeus.studies.spinodal import study as clumps

pytest.importorskip("numba")
pytestmark = pytest.mark.slow(5)
BOUNDS = Path(eos.__file__).with_name("expected.json")


def test_spinodal_writes_both_spaces_cumulants_and_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clumps, "SIZES", {"smoke": (60, 120), "full": (60, 120)})
    run = run_comparison(clumps.spinodal(smoke=True), tmp_path)
    page = run.page.read_text()
    assert "Cumulants over events" in page
    assert (tmp_path / "spinodal" / "pairs.svg").is_file()
    assert run.metrics["coordinate.all.map_classifier observables.accuracy"] > 0.9
    asked = {check.metric for check in clumps.spinodal(smoke=True).checks}
    assert asked <= set(run.metrics)


def test_eos_meter_writes_how_often_each_setting_is_named_rightly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LYNKEUS_CACHE", str(tmp_path))
    monkeypatch.setattr(importance, "LOOKED_AT", 2)
    monkeypatch.setattr(importance, "MAPS", 2)
    monkeypatch.setattr(eos, "LAID_OUT", ("pca",))
    monkeypatch.setattr(eos, "NETWORK", {"method": "published", "training": {"epochs": 1}})
    monkeypatch.setattr(eos, "SIZES", {"smoke": (24, 8, 4), "full": (24, 8, 4)})
    run = run_comparison(eos.eos_meter(smoke=True), tmp_path)
    page = run.page.read_text()
    titles = ("Named rightly by the mean of several", "Do spectra of one kind lie together?", "seed of the network")
    assert all(title in page for title in titles)
    asked = {name for own in json.loads(BOUNDS.read_text("utf-8")).values() for name in own}
    assert asked <= set(run.metrics)
    assert "collisions.all.eos_meter.shifted.accuracy" in run.metrics
    assert "collisions.all.eos_meter.held out.accuracy" in run.metrics


def test_scalar_field_writes_the_transition_numbers_and_what_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = {"epochs": 1}
    tiny = field.Sizes("10x8", 25, 20, 40, 3, once, once, once, once, "12x6", 20, once, once)
    monkeypatch.setattr(field, "LAID_OUT", ("pca",))
    monkeypatch.setattr(made, "MANY", 4)
    monkeypatch.setattr(field, "SIZES", {"smoke": tiny, "full": tiny})
    run = run_inquiry(field.scalar_field(smoke=True), tmp_path)
    asked = {check.metric for full in (True, False) for check in field.scalar_field(smoke=full).checks}
    assert asked <= set(run.metrics)
    assert run.metrics["numbers.network.n.error"] < 0.02
    heights = ("Markov random field", "WGAN-GP of heights", "diffusion of heights", "autoregressive, of heights")
    assert all(run.metrics[f"generators.{name}.after"] == 0 for name in heights)
    assert run.metrics["map.latent.mu.features"] > 0.3  # of four potentials
    page = run.page.read_text("utf-8")
    assert all(
        title in page for title in ("### Transition", "### At potentials", "Monte Carlo, those that", "### Asked")
    )
    assert {path.name for path in (tmp_path / "scalar_field").iterdir()} >= {"made.svg", "transition.svg", "latent.png"}
