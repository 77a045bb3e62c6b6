"""Failed tasks: shares of actions and of empty cells as published, decisions by rules, by habit and wrong, drift."""

from collections import Counter

import numpy as np
import pytest

from lynkeus.core import SettingsError, concatenate
from lynkeus.simulate.workflows.source import Workflows
from lynkeus.transforms.counts import CODE, KEYS, SITE

TASKS = 3000


@pytest.fixture(scope="module")
def tasks():
    return concatenate(list(Workflows(TASKS, seed=3)))


def test_actions_are_shared_as_published(tasks) -> None:
    share = {name: many / TASKS for name, many in Counter(tasks.meta["action"].tolist()).items()}
    assert share["acdc"] == pytest.approx(0.88, abs=0.03)
    assert share["clone"] == pytest.approx(0.10, abs=0.03)
    assert share["special"] == pytest.approx(0.02, abs=0.012)
    usual = {name: np.mean(tasks.meta[name] == "default") for name in ("memory", "splitting", "xrootd")}
    assert usual["memory"] == pytest.approx(0.92, abs=0.04)
    assert usual["splitting"] == pytest.approx(0.985, abs=0.01)
    assert usual["xrootd"] == pytest.approx(0.72, abs=0.08)


def test_almost_all_cells_are_empty(tasks) -> None:
    filled = len(tasks.packed.groups[KEYS].values) / TASKS / (54 * 142 * 2)
    assert filled == pytest.approx(0.0025, abs=0.0007)
    words = tasks.packed.groups[KEYS].values
    assert len(set(words[:, CODE])) <= 54
    assert len(set(words[:, SITE])) == 142


def test_operators_differ_from_the_rules_as_often_as_they_follow_habit(tasks) -> None:
    by_rule = tasks.meta["action"] == tasks.meta["rule_action"]
    # Habit is to do what is usual: of a tenth of the tasks it is another action than by the rules in about a fifth.
    assert 0.95 < by_rule.mean() < 0.995
    planted = concatenate(list(Workflows(1000, seed=3, wrong=0.1)))
    assert planted.meta["planted"].mean() == pytest.approx(0.1, abs=0.03)
    wrong = planted.meta["planted"] == 1
    assert (planted.meta["action"] == planted.meta["rule_action"])[wrong].mean() < 0.1


@pytest.mark.parametrize(("drift", "column", "word"), [("code", CODE, "8901"), ("site", SITE, "T2_XX_NewSite")])
def test_what_is_new_comes_in_the_second_half(drift: str, column: int, word: str) -> None:
    tasks = concatenate(list(Workflows(400, seed=1, drift=drift)))
    group = tasks.packed.groups[KEYS]
    at = group.sample[group.values[:, column] == word]
    assert len(at)
    assert at.min() >= 200


@pytest.mark.parametrize("drift", ["rule", "rules"])
def test_rules_change(drift: str) -> None:
    tasks = concatenate(list(Workflows(400, seed=1, drift=drift)))
    early = np.arange(400) < 200
    for cause, action in (("storage", "clone"), ("site outage", "special" if drift == "rules" else "acdc")):
        own = tasks.meta["cause"] == cause
        assert set(tasks.meta["rule_action"][own & early]) == {"acdc"}
        assert set(tasks.meta["rule_action"][own & ~early]) == {action}


@pytest.mark.parametrize("wrong", [{"n": 0}, {"codes": 3}, {"habit": 2.0}, {"drift": "moon"}])
def test_values_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(SettingsError):
        Workflows(**wrong)
