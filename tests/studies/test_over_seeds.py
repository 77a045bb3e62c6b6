"""Studies over seeds: what each measures is as it must be, and a page has means with intervals and their checks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Check, Repeated, SettingsError
from lynkeus.evaluate.over_seeds import interval, run_over_seeds
from lynkeus.studies.logbook.measured import Told
from lynkeus.studies.text_heads.measured import Answers
from lynkeus.studies.workflow_recovery.measured import Recovery, braked
from lynkeus.studies.workflow_recovery.methods import found_wrong


def test_a_page_has_means_with_intervals(tmp_path: Path) -> None:
    study = Repeated(
        "waits", "How long?", lambda seed: {"waiting": {"a": {"s": seed, "many": 1000.0 * seed}, "b": {"s": 2.0}}},
        seeds=(1, 2, 3), checks=(Check("waiting.a.s", at_least=1.5), Check("waiting.c.s", at_least=0.0)),
    )  # fmt: skip
    run = run_over_seeds(study, tmp_path)
    assert [check.holds(value) for check, value in run.checks] == [True, False]  # what is missing fails
    page = run.page.read_text("utf-8")
    assert "| a | 2.000 ± 1.686 | 2,000 ± 1,686 |" in page
    assert "| b | 2.000 ± 0.000 | – |" in page
    assert interval([1.0, float("nan")]) == (1.0, float("-inf"), float("inf"))
    with pytest.raises(SettingsError, match="an interval needs two"):
        Repeated("x", "?", study.measure, seeds=(1,))


def test_tasks_are_recovered_better_than_by_the_majority() -> None:
    found = Recovery(500, ("none",), {"learner": "linear", "imbalance": "none"})(1)
    own, majority = found["recovery"]["advisor"], found["recovery"]["always the usual action"]
    assert own["balanced accuracy"] > 0.75 > majority["balanced accuracy"] == 0.5
    assert found["planted wrong decisions"]["advisor"]["precision at recall 0.6"] > 0.5
    drift = found["months with drift"]["none"]
    assert max(drift["wrong of table"], drift["wrong of served"]) < 0.06
    assert min(drift["table"], drift["served"]) > 0.4


def test_after_a_new_rule_the_brake_saves_most() -> None:
    rng = np.random.default_rng(3)
    groups = rng.choice(list("abcd"), 4000).tolist()
    right = np.array([group != "a" or k < 1000 for k, group in enumerate(groups)])
    kept = braked(np.ones(4000, bool), right, [[group] for group in groups], 0.02)
    assert (~right[kept]).mean() < 0.05 < 0.15 < (~right).mean()
    assert kept.mean() > 0.5
    assert not kept[3000:][np.array(groups[3000:]) == "a"].any()


def test_the_most_doubtful_first() -> None:
    assert found_wrong(np.array([5.0, 4, 3, 2, 1]), np.array([1, 0, 1, 0, 0]), 0.6) == pytest.approx(2 / 3)


def test_a_logbook_tells_what_is_new() -> None:
    found = Told(500)(1)
    first = found["first reports"]
    assert first["threads"]["F1"] > 0.9 > first["all that name a device"]["F1"]
    assert found["unusual entries"]["unusual_text"]["AUC"] > 0.95
    before = found["what happened before"]
    assert before["nearest entry"]["same topic"] > 5 * before["any entry"]["same topic"]


def test_answers_are_better_than_the_most_frequent() -> None:
    found = Answers(300, real=False, folds=2)(1)["entries of a logbook"]
    own = found["text, without embeddings"]
    assert own["accuracy"] > 2 * found["most frequent answer"]["accuracy"]
    assert own["calibration error"] < 0.15
