"""An outsider's class fits without inheriting anything; one that lacks a member does not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from lynkeus.core import (
    Batch,
    Check,
    Finding,
    Finds,
    Schema,
    Scorer,
    SettingsError,
    Source,
    Study,
    Tracking,
    concatenate,
)


class OutsideSource:
    schema = Schema("table", names=("x",), shape=(1,))

    def __iter__(self) -> Iterator[Batch]:
        yield Batch(self.schema, np.arange(6.0)[:, None])


class OutsideScorer:
    outputs = ("anomaly",)

    def fit(self, source: Source) -> Self:
        self.mean_ = concatenate(list(source)).values.mean()
        return self

    def score(self, batch: Batch) -> np.ndarray:
        return np.abs(batch.values - self.mean_)

    def explain(self, batch: Batch, output: str = "anomaly") -> np.ndarray:
        return np.abs(batch.values - self.mean_)

    def save(self, folder: Path) -> None:
        np.save(folder / "mean.npy", self.mean_)

    @classmethod
    def load(cls, folder: Path) -> Self:
        scorer = cls()
        scorer.mean_ = np.load(folder / "mean.npy")
        return scorer


class OutsideTracker(OutsideScorer):
    def update(self, batch: Batch) -> None:
        self.mean_ = batch.values.mean()

    def state(self) -> dict[str, np.ndarray]:
        return {"mean": np.array(self.mean_)}

    def resume(self, state: dict[str, np.ndarray]) -> None:
        self.mean_ = float(state["mean"])

    def find(self, batch: Batch, output: str) -> list[tuple[Finding, ...]]:
        return [(Finding(where="x"),)] * len(batch)


def test_outsiders_classes_fit() -> None:
    assert isinstance(OutsideSource(), Source)
    assert isinstance(OutsideScorer(), Scorer)
    assert isinstance(OutsideTracker(), Scorer)
    assert isinstance(OutsideTracker(), Tracking)
    assert isinstance(OutsideTracker(), Finds)


def test_what_lacks_a_member_does_not() -> None:
    assert not isinstance(OutsideScorer(), Tracking)
    assert not isinstance(OutsideScorer(), Finds)
    assert not isinstance(OutsideSource(), Scorer)
    assert not isinstance(object(), Source)


def test_an_outsiders_classes_work_together(tmp_path: Path) -> None:
    source = OutsideSource()
    scorer = OutsideScorer().fit(source)
    scorer.save(tmp_path)
    (batch,) = source
    np.testing.assert_array_equal(OutsideScorer.load(tmp_path).score(batch), scorer.score(batch))


def test_a_check_holds_within_its_bounds_and_never_for_nan() -> None:
    assert Check("auroc", at_least=0.9).holds(0.9)
    assert not Check("auroc", at_least=0.9).holds(0.89)
    assert Check("alarms", at_most=2, at_least=1).holds(2)
    assert not Check("alarms", at_most=2).holds(3)
    assert not Check("auroc").holds(float("nan"))


@pytest.mark.parametrize(
    ("fields", "says"),
    [({"scorers": {}}, "names no scorer"), ({"budget_per_hour": 0.0}, "needs a positive alarm budget")],
)
def test_a_study_that_asks_nothing_is_refused(fields: dict, says: str) -> None:
    source = OutsideSource()
    parts = {"train": source, "test": source, "scorers": {"orbit": {}}, "faults": {"noisy": (1.0,)}}
    with pytest.raises(SettingsError, match=f"the study 'orbits' {says}"):
        Study("orbits", "Which monitor is faulty?", **(parts | fields))
