"""Taggers side by side: numbers as from their scores, intervals, pairs, and one page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import (
    Against,
    Batch,
    Check,
    Findings,
    Group,
    Packed,
    Schema,
    SettingsError,
    SourceError,
    Tagged,
    Tagging,
)
from lynkeus.evaluate.tagging.measure import discriminant, truth_of
from lynkeus.evaluate.tagging.run import run_tagging
from lynkeus.metrics.rates import auroc
from lynkeus.metrics.tagging import background_efficiency
from lynkeus.sources import InMemory

CLASSES = ("heavy", "light", "other")
COLUMNS = ("part_px", "part_py", "part_pz", "part_energy", "part_deta", "part_dphi")
WIDTH = (0.12, 0.07, 0.04)


def jets(n: int, seed: int, classes: tuple[str, ...] = CLASSES) -> InMemory:
    """Jets of 20 massless particles at 90 degrees to the beam, wider and so heavier from class to class."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    eta, phi = rng.normal(0, 1, (2, n, 20)) * np.take(WIDTH, truth)[None, :, None]
    pt = rng.exponential(20.0, (n, 20)) + 1
    rows = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta), eta, phi], axis=-1)
    group = Group.of_lengths(rows.reshape(-1, 6).astype(np.float32), np.full(n, 20))
    names = tuple(f"particles/{name}" for name in COLUMNS)
    schema = Schema("cloud", names, ("GeV",) * 4 + ("", "rad"), (None, None), classes=classes)
    meta = {"jet_pt": np.full(n, 500.0), "jet_eta": np.zeros(n)}
    return InMemory(Batch(schema, Packed({"particles": group}), truth=truth, meta=meta), 500)


def width(batch: Batch) -> np.ndarray:
    """The baseline: the widest particle of a jet."""
    values, _ = batch.packed.padded("particles")
    return np.hypot(values[..., 4], values[..., 5]).max(axis=1)


def study(**changes: object) -> Tagging:
    fields = {
        "name": "toy",
        "question": "Which is wider?",
        "train": jets(900, 1),
        "test": jets(1200, 2),
        "scorers": {"jet_mass": {"mass": "mass"}, "jet_mass groomed": {}},
        "against": {
            "light": Against("heavy", ("light",), (0.5, 0.8)),
            "all": Against("heavy", ("light", "other"), (0.5,)),
        },
        "baselines": {"widest particle": width},
        "pairs": (("jet_mass", "widest particle"),),
        "checks": (
            Check("light.jet_mass.auc", at_least=0.8),
            Check("light.jet_mass over widest particle.ratio50", 0.0),
        ),
        "data": "simulated",
    }
    return Tagging(**(fields | changes))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple:
    folder, seen, told = tmp_path_factory.mktemp("tagging"), {}, []

    def look(test: Batch, tagged: Sequence[Tagged], out: Path) -> Findings:
        seen.update({one.name: one for one in tagged}, test=test)
        (out / "own.svg").write_text("<svg/>")
        return Findings({"own.svg": "Seen"}, {"own.number": 4.0}, {"Own": (("a",), ("b",))})

    return run_tagging(study(look=look), folder, lambda what, share: told.append(share)), seen, told


def test_numbers_are_those_of_the_scores(ran: tuple) -> None:
    run, seen, told = ran
    assert run.passed, run.lines()
    assert told == sorted(told)
    truth = seen["test"].truth
    rows = truth < 2
    scores = seen["jet_mass"].scores["light"][0]
    assert run.metrics["light.jet_mass.auc"] == pytest.approx(auroc(truth[rows] == 0, scores[rows]))
    passed = background_efficiency(scores[truth == 0], scores[truth == 1], 0.5)
    assert run.metrics["light.jet_mass.rejection50"] == pytest.approx(1 / passed)
    for name in ("light.jet_mass.auc", "light.jet_mass.rejection50", "all.widest particle.auc"):
        assert run.metrics[f"{name}_low"] < run.metrics[name] < run.metrics[f"{name}_high"]
    assert run.metrics["jet_mass.jets_per_s"] > 0
    assert run.metrics["own.number"] == 4.0


def test_a_pair_is_the_ratio_and_is_known_better_than_each(ran: tuple) -> None:
    metrics = ran[0].metrics
    one, other = (metrics[f"light.{name}.rejection50"] for name in ("jet_mass", "widest particle"))
    start = "light.jet_mass over widest particle"
    assert metrics[f"{start}.ratio50"] == pytest.approx(one / other)
    assert metrics[f"{start}.ratio50_low"] < one / other < metrics[f"{start}.ratio50_high"]
    difference = metrics["light.jet_mass.auc"] - metrics["light.widest particle.auc"]
    assert metrics[f"{start}.auc_difference"] == pytest.approx(difference)


def test_the_page_shows_them(ran: tuple) -> None:
    run, page = ran[0], ran[0].page.read_text("utf-8")
    assert f"{run.metrics['light.jet_mass.auc']:.4f}" in page
    assert "| *widest particle* |" in page
    assert "![Seen](toy/own.svg)" in page
    assert "### Own" in page
    kept = json.loads((run.page.parent / "toy" / "metrics.json").read_text())
    assert kept["metrics"] == pytest.approx(run.metrics)
    assert (run.page.parent / "toy" / "curves.svg").stat().st_size > 1000


def test_what_is_cut_on_knows_nothing_of_other_classes() -> None:
    probabilities = np.array([[0.3, 0.1, 0.6], [0.0, 0.5, 0.5]])
    found = discriminant(Against("heavy", ("light",)), CLASSES, probabilities)
    assert found[0] == pytest.approx(np.log(3))
    assert np.isfinite(found[1])


def test_a_missing_class_or_tagger_is_said() -> None:
    with pytest.raises(SourceError, match="not labelled as heavy"):
        truth_of(Against("heavy", ("light",)), jets(10, 0, ("a", "light", "c")).batch)
    with pytest.raises(SettingsError, match=r"compares .*deep"):
        study(pairs=(("jet_mass", "deep"),))
