"""The scorer population: planted shifts, losses and new populations, with the rate of false alarms it promises."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Finding, Finds, Refers, Schema, SchemaError
from lynkeus.scorers.population.columns import dependent_columns
from lynkeus.scorers.population.scorer import Population

pytestmark = pytest.mark.slow(0.2)  # each; a fit takes six seconds

NAMES = ("light", "charge", "drift")
SCHEMA = Schema("cloud", NAMES, shape=(None, 3))
EVENTS = 400


def events(rng: np.random.Generator, n: int = EVENTS, line: float = 0.2, new: float = 0.0) -> np.ndarray:
    """A broad band and a line in the plane of light and charge; drift says nothing of either."""
    kind = rng.choice(3, n, p=[1.0 - line - new, line, new])
    size = rng.normal(2.0, 0.4, n)
    band = np.stack([10 ** (size + rng.normal(0, 0.04, n)), 10 ** (size + 2.0 + rng.normal(0, 0.05, n))], axis=1)
    peak = np.stack([300 * rng.lognormal(0, 0.05, n), 60_000 * rng.lognormal(0, 0.05, n)], axis=1)
    below = np.stack([100 * rng.lognormal(0, 0.1, n), 3_000 * rng.lognormal(0, 0.1, n)], axis=1)
    plane = np.choose(kind[:, None], [band, peak, below])
    return np.column_stack([plane, rng.uniform(0, 1000, n)])


def batch(values: np.ndarray, name: str = "run") -> Batch:
    return Batch(SCHEMA, values[None], mask=np.ones((1, len(values)), bool), meta={"run": np.array([name])})


class Runs:
    schema = SCHEMA

    def __init__(self, runs: list[Batch]) -> None:
        self.runs = runs

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.runs)


def good_runs(count: int, seed: int) -> list[Batch]:
    rng = np.random.default_rng(seed)
    return [batch(events(rng), f"run{k}") for k in range(count)]


@pytest.fixture(scope="module")
def scorer() -> Population:
    return Population().fit(Runs(good_runs(40, 0)))


def p_values(scorer: Population, runs: list[np.ndarray]) -> np.ndarray:
    return 10.0 ** -np.array([scorer.score(batch(run))[0, 0] for run in runs])


def judged(scorer: Population, run: Batch) -> tuple[float, tuple[Finding, ...]]:
    """p-value, and what was found."""
    return float(10.0 ** -scorer.score(run)[0, 0]), scorer.find(run)[0]


@pytest.mark.slow(7)
def test_it_finds_and_knows_its_reference(scorer: Population) -> None:
    assert isinstance(scorer, Finds)
    assert isinstance(scorer, Refers)
    assert not scorer.outlying_


@pytest.mark.slow(5)
def test_good_runs_of_any_size_are_flagged_as_often_as_promised(scorer: Population) -> None:
    rng = np.random.default_rng(1)
    for size in (60, 400, 1500):
        found = p_values(scorer, [events(rng, size) for _ in range(60)])
        assert (found < 0.01).sum() <= 4  # 0.6 expected; one in 3,000 has more than 4
        assert (found < 0.1).sum() <= 15
        assert np.median(found) > 0.2


@pytest.mark.parametrize(("column", "factor"), [(1, 1.04), (0, 0.95)])
def test_a_shift_is_named_with_its_column_and_size(scorer: Population, column: int, factor: float) -> None:
    rng = np.random.default_rng(2)
    for _ in range(5):
        values = events(rng)
        values[:, column] *= factor
        p_value, found = judged(scorer, batch(values))
        assert p_value < 0.01
        assert (found[0].kind, found[0].variable, found[0].unit) == ("shifted", NAMES[column], "x")
        assert found[0].size == pytest.approx(factor, abs=0.02)
        assert f"shifted in {NAMES[column]}" in found[0].says


def test_a_line_that_is_gone_is_named_with_its_place(scorer: Population) -> None:
    rng = np.random.default_rng(3)
    for _ in range(5):
        p_value, found = judged(scorer, batch(events(rng, line=0.0)))
        assert p_value < 0.003  # of 40 good runs none is rarer than one in 400
        assert found[0].kind == "gone"
        assert found[0].size > 0.7
        low, high = found[0].region["light"]
        assert low < 300 < high
        assert high / low < 3


def test_a_new_population_is_named_with_its_place_and_events(scorer: Population) -> None:
    rng = np.random.default_rng(4)
    for _ in range(5):
        p_value, found = judged(scorer, batch(events(rng, new=0.03)))
        assert p_value < 1e-3
        assert found[0].kind == "new"
        assert found[0].size == pytest.approx(0.03 * EVENTS, rel=0.8)
        low, high = found[0].region["charge"]
        assert low < 3_000 < high


@pytest.mark.slow(15)
def test_outlying_runs_of_the_reference_are_left_out_and_named() -> None:
    runs = good_runs(30, 5)
    for k in (3, 17):
        values = runs[k].values.copy()
        values[..., 1] *= 1.3
        runs[k] = runs[k].with_values(values)
    scorer = Population().fit(Runs(runs))
    assert scorer.outlying_ == ["run3", "run17"]


def test_missing_values_are_a_change(scorer: Population) -> None:
    values = events(np.random.default_rng(6))
    values[:40, 0] = np.nan
    p_value, found = judged(scorer, batch(values))
    assert p_value < 1e-3
    assert any("missing" in change.where for change in found)


def test_a_saved_model_says_the_same(scorer: Population, tmp_path: Path, agree: Callable[..., None]) -> None:
    scorer.save(tmp_path)
    again = Population.load(tmp_path)
    values = batch(events(np.random.default_rng(7), line=0.1))
    agree(again.score(values), scorer.score(values))
    (found,), (expected,) = again.find(values), scorer.find(values)
    assert [(one.kind, one.where, one.says) for one in found] == [(one.kind, one.where, one.says) for one in expected]
    agree([one.size for one in found], [one.size for one in expected])
    assert again.groups_ == scorer.groups_


def test_few_events_are_not_judged(scorer: Population) -> None:
    p_value, found = judged(scorer, batch(events(np.random.default_rng(8), 10)))
    assert np.isnan(p_value)
    assert "only 10 events" in found[0].says
    with pytest.raises(SchemaError, match="needs 5 good runs"):
        Population().fit(Runs(good_runs(3, 9)))


def test_columns_that_say_nothing_of_others_stand_alone() -> None:
    values = events(np.random.default_rng(10), 5000)
    scaled = np.column_stack([np.log10(values[:, :2]), values[:, 2], np.log10(values[:, 1]) + 0.01])
    assert [part.tolist() for part in dependent_columns(scaled)] in ([[0, 1], [2], [3]], [[0, 3], [2], [1]])
