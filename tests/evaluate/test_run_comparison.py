"""Scorers side by side on labelled samples: numbers as by hand, labels only for those that may use them, one page."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Case, Check, Comparison, Findings, Part, Schema, SettingsError, SourceError
from lynkeus.evaluate.run_comparison import run_comparison
from lynkeus.metrics.rates import auroc
from lynkeus.sources import InMemory

CLASSES = ("normal", "far", "between")
PLANE = Schema("table", ("x", "y"), (), (2,))


def plane(seed: int, anomalous: int) -> InMemory:
    """A cloud on a line; anomalies far along the line, or beside it."""
    rng = np.random.default_rng(seed)
    along = rng.normal(size=(600, 1))
    good = np.hstack([along, along]) + 0.1 * rng.normal(size=(600, 2))
    far = 8.0 + rng.normal(size=(anomalous, 2))
    beside = np.array([1.0, -1.0]) + 0.1 * rng.normal(size=(anomalous, 2))
    truth = np.repeat([0, 1, 2], [600, anomalous, anomalous])
    order = rng.permutation(len(truth))
    values = np.concatenate([good, far, beside])
    sequence = np.arange(len(truth)) // 20
    return InMemory(Batch(PLANE, values[order], truth=truth[order], meta={"sequence": sequence}))


def comparison(**changes: object) -> Comparison:
    part = Part(
        {"first": Case(plane(1, 60), plane(2, 40)), "second": Case(plane(3, 60), plane(4, 40))},
        {"mahalanobis": {}, "classifier": {"classes": CLASSES[1:], "training": {"epochs": 5}}, "three_sigma": {}},
        CLASSES,
        {"distance to the mean": lambda good, test: np.linalg.norm(test - good.mean(axis=0), axis=1)},
    )
    checks = (Check("plane.mean.mahalanobis.auroc", at_least=0.95),)
    return Comparison("toy", "Who sees what?", {"plane": replace(part, **changes)}, checks)


def test_numbers_are_those_of_the_scores_and_the_page_shows_them(tmp_path: Path) -> None:
    seen = {}

    def look(case: str, outcomes: list, folder: Path) -> Findings:
        seen[case] = {outcome.name: outcome for outcome in outcomes}
        (folder / f"{case}.svg").write_text("<svg/>")
        return Findings({f"{case}.svg": f"Case {case}"}, {"samples": float(len(outcomes[0].test))})

    told: list[float] = []
    run = run_comparison(comparison(look=look), tmp_path, lambda what, share: told.append(share))
    assert run.passed, run.lines()
    assert told == sorted(told)
    assert told[-1] == 1.0
    for case, outcomes in seen.items():
        for name, outcome in outcomes.items():
            truth, scores = outcome.test.truth, outcome.scores[:, 0]
            start = f"plane.{case}.{name}"
            assert run.metrics[f"{start}.auroc"] == auroc(truth != 0, scores)
            assert run.metrics[f"{start}.low"] <= run.metrics[f"{start}.auroc"] <= run.metrics[f"{start}.high"]
            rows = truth != 1
            assert run.metrics[f"{start}.between.auroc"] == auroc(truth[rows] != 0, scores[rows])
    both = [run.metrics[f"plane.{case}.mahalanobis.auroc"] for case in seen]
    assert run.metrics["plane.mean.mahalanobis.auroc"] == pytest.approx(np.mean(both))
    kinds = seen["first"]["classifier"].kinds
    truth = seen["first"]["classifier"].test.truth
    right = np.array(["", *CLASSES[1:]])[truth] == kinds
    assert run.metrics["plane.first.classifier.right_kind"] == pytest.approx(right[truth != 0].mean())
    page = run.page.read_text()
    for word in ("*distance to the mean*", "Case second", "Kinds named by classifier", "first.samples", "passed"):
        assert word in page
    kept = json.loads((tmp_path / "toy" / "metrics.json").read_text())
    assert kept["metrics"] == run.metrics
    assert kept["run"]["key"][:12] in page


def test_only_scorers_that_use_labels_see_anomalies(tmp_path: Path) -> None:
    """The spread of a three sigma scorer is that of the good samples alone."""
    found = []
    run_comparison(comparison(look=lambda case, outcomes, folder: found.append(outcomes) or Findings()), tmp_path)
    for outcomes in found:
        (three_sigma,) = (outcome.scorer for outcome in outcomes if outcome.name == "three_sigma")
        assert np.all(three_sigma.scale_.sigma < 1.5)


def test_samples_that_belong_together_widen_the_interval(tmp_path: Path) -> None:
    alone = run_comparison(comparison(), tmp_path).metrics
    groups = run_comparison(comparison(groups="sequence"), tmp_path).metrics
    name = "plane.first.three_sigma"
    assert groups[f"{name}.auroc"] == alone[f"{name}.auroc"]
    assert groups[f"{name}.low"] != alone[f"{name}.low"]
    with pytest.raises(SourceError, match="no column 'cavity'"):
        run_comparison(comparison(groups="cavity"), tmp_path)


def test_test_samples_without_labels_and_empty_parts_are_refused(tmp_path: Path) -> None:
    unlabelled = InMemory(replace(plane(2, 40).batch, truth=None))
    with pytest.raises(SourceError, match="need labels"):
        run_comparison(comparison(cases={"first": Case(plane(1, 0), unlabelled)}), tmp_path)
    with pytest.raises(SettingsError, match="'toy' has no case"):
        comparison(cases={})
