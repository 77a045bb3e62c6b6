"""Options of scorers and simulators are of the type that their signatures say."""

from typing import Any

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, SettingsError
from lynkeus.core.plugins import BUILT_IN, declared, make_scorer
from lynkeus.core.typed import typed
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.sources import InMemory, open_source


@pytest.mark.parametrize(
    ("kind", "given", "found"),
    [("int", 1e5, 100_000), ("int", 3, 3), ("float", 1, 1), ("bool", True, True), ("str", 2018, "2018"),
     ("tuple[str, ...]", "MAG*", "MAG*"), ("Mapping[str, Any]", {"a": 1}, {"a": 1}), ("Any", True, True)],
)  # fmt: skip
def test_what_fits_is_taken(kind: str, given: Any, found: Any) -> None:
    assert typed("x", kind, given) == found


@pytest.mark.parametrize(
    ("kind", "given", "says"),
    [("int", True, "x must be a whole number, got true"), ("int", 2.5, "a whole number, got 2.5"),
     ("int", "many", "a whole number, got 'many'"), (int, float("nan"), "a whole number, got nan"),
     ("float", True, "a number, got true"), (float, "much", "a number"), ("bool", 1, "true or false, got 1"),
     ("str", True, "a text, got true"), ("tuple[str, ...]", True, "a text, or several, got true"),
     ("Mapping[str, Any]", 5, "a table, written as x.NAME=VALUE, got 5")],
)  # fmt: skip
def test_true_is_no_number_and_a_word_is_none(kind: Any, given: Any, says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        typed("x", kind, given)
    assert says in str(refused.value)


@pytest.mark.parametrize("name", ["isolation_forest", "orbit", "one_class_svm", "smoothed", "ensemble"])
def test_scorers_refuse_true_where_they_want_a_number(name: str) -> None:
    wanted = {"isolation_forest": "trees", "orbit": "adopt_s", "one_class_svm": "nu", "smoothed": "sections"}
    option = wanted.get(name, "members")
    with pytest.raises(SettingsError, match=f"the scorer {name}: {option} must be"):
        make_scorer(name, {option: True})


def test_no_number_of_things_is_negative() -> None:
    with pytest.raises(SettingsError, match="the scorer mahalanobis: sample must be at least 1, got -5"):
        make_scorer("mahalanobis", {"sample": -5})


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("isolation_forest", {"trees": 0}), ("isolation_forest", {"points_per_tree": 0}), ("table", {"neighbours": 0}),
        ("one_class_svm", {"landmarks": 0}), ("one_class_svm", {"nu": 7.0}), ("one_class_svm", {"nu": 0.0}),
        ("one_class_svm", {"nu": float("nan")}), ("mahalanobis", {"sample": 0}),
    ],
)  # fmt: skip
def test_numbers_by_which_nothing_can_be_learned_are_refused(name: str, options: dict[str, float]) -> None:
    values = np.random.default_rng(1).normal(size=(200, 3))
    with pytest.raises(SettingsError, match=next(iter(options))):
        fit(InMemory(Batch(Schema("table", ("a", "b", "c"), shape=(3,)), values)), FitSettings(name, options))


def test_no_scorer_counts_true_as_one() -> None:
    for name in BUILT_IN["scorers"]:
        if not declared("scorers", name).missing:
            with pytest.raises(SettingsError):
                make_scorer(name, {"seed": True, "sample": True})


def test_simulators_and_trainings_refuse_it_too() -> None:
    with pytest.raises(SettingsError, match="n must be a whole number, got true"):
        open_source("sim://jets?n=true")
    settings = pytest.importorskip("lynkeus.training.settings")
    with pytest.raises(SettingsError, match=r"training\.epochs must be a whole number, got true"):
        settings.TrainSettings().replaced({"epochs": True})
    with pytest.raises(SettingsError, match=r"training\.epoch: no such setting"):
        settings.TrainSettings().replaced({"epoch": 1})
