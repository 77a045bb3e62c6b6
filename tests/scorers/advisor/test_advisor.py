"""The advisor: better than the usual action and honest about it; doubts, promises, cases, and a folder that holds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cleanlab.filter import find_label_issues

from lynkeus.core import Batch, SchemaError, SettingsError, concatenate
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.tables import columns
from lynkeus.scorers.advisor.doubtful import doubtful, usual_confidence
from lynkeus.scorers.advisor.learners import IMBALANCE, KINDS, Recipe, learn
from lynkeus.scorers.advisor.learning import least_of
from lynkeus.scorers.advisor.promise import NEVER, promise, upper_bound
from lynkeus.scorers.advisor.scorer import Advisor
from lynkeus.scorers.advisor.search import searched
from lynkeus.simulate.workflows.source import Workflows
from lynkeus.sources import InMemory
from lynkeus.transforms.counts import counted

QUICK = {"learner": "linear", "imbalance": "none"}


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    settings = FitSettings("advisor", {**QUICK, "max_error": 0.1}, labels="action,xrootd")
    return fit(Workflows(3000, seed=1, wrong=0.04), settings)


@pytest.fixture(scope="module")
def later() -> Batch:
    return concatenate(list(Workflows(1500, seed=2)))


def advice(fitted: Fitted, batch: Batch) -> dict[str, np.ndarray]:
    (scored,) = fitted.score(InMemory(batch))
    return {name: np.asarray(column) for name, column in columns(fitted, scored, 0).items()}


def without_decisions(batch: Batch) -> Batch:
    return replace(batch, meta={name: own for name, own in batch.meta.items() if name != "action"})


def test_it_is_better_than_what_is_usual(fitted: Fitted, later: Batch) -> None:
    found = advice(fitted, later)
    truth = later.meta["action"]
    assert (found["action"] == truth).mean() > (truth == "acdc").mean() + 0.05
    recalls = [(found["action"][truth == name] == name).mean() for name in ("acdc", "clone", "special")]
    assert np.mean(recalls) > 0.75
    assert (found["xrootd"] == later.meta["xrootd"]).mean() > (later.meta["xrootd"] == "default").mean() + 0.05
    np.testing.assert_allclose(found["p_acdc"] + found["p_clone"] + found["p_special"], 1.0, atol=1e-9)
    assert {"task", "known_action", "stage", "apply", "reason", "p_xrootd_enabled"} <= set(found)
    assert set(found["stage"][found["action"] == "acdc"]) == {1}
    assert set(found["stage"][found["action"] != "acdc"]) == {2}


def test_what_is_applied_is_rarely_wrong(fitted: Fitted, later: Batch) -> None:
    found = advice(fitted, later)
    applied = found["apply"].astype(bool)
    assert applied.mean() > 0.3
    assert (found["action"] != later.meta["action"])[applied].mean() < 0.1


def test_planted_decisions_are_found(fitted: Fitted) -> None:
    learned = concatenate(list(Workflows(3000, seed=1, wrong=0.04)))
    found = advice(fitted, learned)
    wrong = learned.meta["action"] != learned.meta["rule_action"]
    flagged = found["doubtful"].astype(bool)
    assert wrong[flagged].mean() > 0.6
    assert flagged[wrong].mean() > 0.6


def test_a_folder_gives_the_same_advice(fitted: Fitted, later: Batch, tmp_path: Path) -> None:
    fitted.save(tmp_path / "M")
    before, after = advice(fitted, later), advice(Fitted.load(tmp_path / "M"), later)
    assert list(before) == list(after)
    for name, column in before.items():
        if column.dtype.kind == "f":
            np.testing.assert_allclose(after[name], column, rtol=1e-9)
        else:
            assert after[name].tolist() == column.tolist()


def test_it_says_what_was_done_before(fitted: Fitted, later: Batch) -> None:
    scorer = fitted.scorer
    assert isinstance(scorer, Advisor)
    reasons = advice(fitted, later)["reason"]
    assert sum("such tasks" in reason or "tasks with it" in reason for reason in reasons) > 0.9 * len(later)
    near = scorer.similar(later[:5], 3)
    assert [len(own) for own in near] == [3] * 5
    assert all(own[0]["likeness"] >= own[2]["likeness"] > 0.3 for own in near)
    assert scorer.similar(counted([[]], [[]], {}), 3) == [[]]  # a task without errors is like none
    clones = np.flatnonzero(later.meta["cause"] == "drained site")[:3]
    evidence = scorer.explain(later[clones], "p_clone")
    groups = later[clones].packed.groups
    for task in range(3):
        own = slice(*evidence.groups["counts"].offsets[task : task + 2])
        strongest = groups["keys"].values[own][evidence.groups["counts"].values[own, 0].argmax()]
        assert strongest[1] in ("99109", "137", "-1")


def test_unknown_codes_and_empty_tasks_go_on(fitted: Fitted) -> None:
    from lynkeus.transforms.counts import counted

    odd = counted([[("good", "424242", "T9_NO_Where")], []], [[7.0], []], {"task": np.array(["a", "b"])})
    found = advice(fitted, odd)
    assert np.isfinite(found["p_acdc"]).all()
    assert "no errors" in found["reason"][1]
    assert not found["apply"].any()
    found = advice(fitted, concatenate(list(Workflows(600, seed=5, drift="site")))[300:])
    assert (found["held"] == "unknown").sum() > 20
    assert not found["apply"][found["unknown"] > 0].any()


def test_after_a_new_rule_the_promise_is_kept_by_what_people_decide(fitted: Fitted) -> None:
    scorer, changed = fitted.scorer, concatenate(list(Workflows(3000, seed=4, drift="rule")))[1500:]
    assert isinstance(scorer, Advisor)
    scorer.resume({})
    said, blind = scorer.further(changed), scorer.further(without_decisions(changed))
    wrong = said["action"] != changed.meta["action"]
    assert wrong[blind["apply"]].mean() > 0.2  # no task looks other than before
    assert wrong[said["apply"]].mean() < scorer.max_error
    assert said["apply"].mean() > 0.2
    assert set(said["held"]) <= {"", "unknown", "unlike", "brake"}
    assert (said["held"][changed.meta["cause"] == "storage"] == "brake").mean() > 0.7
    # cut in two, with a restart between them
    first, second = changed[:700], changed[700:]
    parts = [scorer.further(first)["apply"]]
    scorer.update(first)
    state = {name: np.array(own) for name, own in scorer.state().items()}
    scorer.resume({})
    scorer.resume(state)
    parts.append(scorer.further(second)["apply"])
    scorer.resume({})
    np.testing.assert_array_equal(np.concatenate(parts), said["apply"])


def test_a_promise_is_kept_or_not_made() -> None:
    rng = np.random.default_rng(0)
    broken = 0
    for _ in range(200):
        sure = rng.uniform(0.5, 1.0, 1500)
        right = rng.random(1500) < sure
        found = promise(sure, right, 0.1, 0.9)
        if found.confidence < NEVER:  # above a confidence c the share of errors is (1 - c) / 2
            broken += (1 - found.confidence) / 2 > 0.1
    assert broken <= 0.1 * 200 + 2 * np.sqrt(0.09 * 200)
    assert promise(np.full(1000, 0.9), rng.random(1000) < 0.9, 0.05, 0.9).confidence == NEVER
    assert promise(np.full(10, 0.99), np.ones(10, bool), 0.05, 0.9).confidence == NEVER
    assert upper_bound(0, 45, 0.9) == pytest.approx(1 - 0.1 ** (1 / 45))


def test_doubts_are_those_of_an_independent_code() -> None:
    rng = np.random.default_rng(1)
    truth = rng.choice(3, 1500, p=[0.8, 0.15, 0.05])
    logits = 3.0 * np.eye(3)[truth] + rng.normal(0.0, 1.0, (1500, 3))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    given = np.where(rng.random(1500) < 0.05, (truth + 1) % 3, truth)
    mine = doubtful(probabilities, given, usual_confidence(probabilities, given))
    theirs = find_label_issues(given, probabilities, filter_by="confident_learning")
    assert (mine & theirs).sum() / (mine | theirs).sum() > 0.85


@pytest.mark.parametrize(
    ("kind", "imbalance"), [(one, two) for one in KINDS for two in IMBALANCE if (one, two) != ("boosted", "focal")]
)
def test_every_recipe_learns(kind: str, imbalance: str) -> None:
    rng = np.random.default_rng(2)
    truth = (rng.random(400) < 0.15).astype(int)
    points = (rng.normal(0.0, 1.0, (400, 4)) + 2.0 * truth[:, None]).astype(np.float32)
    model = learn(Recipe(kind, imbalance, trees=20), points[:300], truth[:300], 2)
    assert ((model.of(points[300:])[:, 1] > 0.5) == truth[300:]).mean() > 0.9


@pytest.mark.slow(3)
def test_settings_are_searched(later: Batch) -> None:
    found = fit(InMemory(later), FitSettings("advisor", {**QUICK, "trials": 2}, labels="action"))
    assert any("2 trials" in line for line in found.messages)


@pytest.mark.parametrize("wrong", [
    {"learner": "magic"}, {"max_error": 0.0}, {"cost_wrong": 0.1}, {"folds": 1}, {"costs": {"clone": 0.5}},
    {"costs": 3}, {"learner": "boosted", "imbalance": "focal"},
])  # fmt: skip
def test_settings_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(SettingsError):
        Advisor(**wrong)


def test_what_cannot_be_learned_is_refused(later: Batch) -> None:
    only = later.meta["action"] == "acdc"
    with pytest.raises(SettingsError, match=r"1 classes of at least 5 samples: all are 'acdc'"):
        fit(InMemory(later[only]), FitSettings("advisor", QUICK, labels="action"))
    with pytest.raises(SettingsError, match=r"--labels verdict: no such column; there are: action"):
        fit(InMemory(later), FitSettings("advisor", QUICK, labels="verdict"))
    with pytest.raises(SettingsError, match="name their columns by --labels"):
        fit(InMemory(later), FitSettings("advisor", QUICK))
    with pytest.raises((SchemaError, SettingsError), match=r"reads failed tasks|no such column"):
        fit(
            InMemory(Batch(_table(), np.random.default_rng(0).normal(size=(50, 1)))),
            FitSettings("advisor", QUICK, labels="a"),
        )


def _table():
    from lynkeus.core import Schema

    return Schema("table", ("a",), shape=(1,))


def test_costs_of_single_actions_say_what_is_asked(fitted: Fitted, later: Batch) -> None:
    costly = Advisor(**{**vars_of(fitted.scorer), "costs": {"acdc": 1e6}})
    costly.__dict__.update({name: value for name, value in vars(fitted.scorer).items() if name.endswith("_")})
    blind = without_decisions(later)  # what was decided before would say of which codes advice is trusted
    before, after = fitted.scorer.further(blind), costly.further(blind)
    assert before["apply"][before["action"] == "acdc"].any()
    assert not after["apply"][after["action"] == "acdc"].any()
    np.testing.assert_array_equal(
        before["apply"][before["action"] != "acdc"], after["apply"][after["action"] != "acdc"]
    )
    with pytest.raises(SettingsError, match="no such action; there are: acdc"):
        least_of(("acdc", "clone"), Advisor(costs={"nope": 3.0}))


def vars_of(scorer: Advisor) -> dict:
    return {name: getattr(scorer, name) for name in ("learner", "imbalance", "max_error", "cost_wrong")}


def test_a_search_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 60)
    points = rng.normal(size=(60, 3)) + truth[:, None]
    how = Advisor(learner="linear", imbalance="none", trials=1, study=str(tmp_path / "s.db"))
    candidates = (Recipe("linear"),)
    searched(candidates, points, truth, 2, how)
    how.trials = 2
    _, said = searched(candidates, points, truth, 2, how)
    assert said[0].startswith("1 of 2 trials were in")
    how.study = str(tmp_path / "none" / "s.db")
    with pytest.raises(SettingsError, match="cannot be opened"):
        searched(candidates, points, truth, 2, how)
