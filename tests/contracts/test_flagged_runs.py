"""What is flagged names its plot and a place in it, whichever scorer of runs says so; a plot that is gone is said."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from lynkeus.core import Batch, Book, Plot, Verdict, plugins
from lynkeus.core.run_calibration import RunCalibration
from lynkeus.fitting.fit import about_of
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.verdicts import RunVerdicts, answer, verdict_of
from lynkeus.fitting.views.run_plots import RunPlots
from lynkeus.sources import InMemory
from lynkeus.transforms.event_columns import NO_COLUMNS
from lynkeus.web.runs.figures import figure

pytestmark = pytest.mark.slow(0.3)  # each
QUICK = {"options": {"training": {"epochs": 5}}}  # for wrappers around networks
EDGES = tuple(np.linspace(0, 10, 21).tolist())
FLAT = (tuple(np.linspace(0, 1, 7).tolist()), tuple(np.linspace(0, 1, 7).tolist()))
BOOK = Book(
    (
        Plot("energy", ("energy",), (EDGES,)),
        Plot("depth", ("depth",), (EDGES,)),
        Plot("paths", ("paths",), (tuple(float(k) for k in range(6)),), labels=(("Mu", "Ele", "Jet", "Tau", "MET"),)),
        Plot("map", ("map: x", "map: y"), FLAT),
    )
)
WHERE = BOOK.slices()
SCORERS = [
    name for name in sorted(plugins.entries("scorers"))
    if about_of(plugins.load("scorers", name)).runs and "histogram" in about_of(plugins.load("scorers", name)).kinds
]  # fmt: skip


def filled(rng: np.random.Generator, plot: int) -> np.ndarray:
    shape = BOOK.plots[plot].shape
    inside = np.zeros(shape)
    middle = tuple(slice(1, -1) for _ in shape)
    weight = np.array([5.0, 4.0, 3.0, 2.0, 1.0]) if plot == 2 else np.ones(inside[middle].shape)
    if plot < 2:
        weight = np.exp(-0.5 * ((np.arange(20) - 9.5) / 4) ** 2)
    inside[middle] = rng.multinomial(2000, (weight / weight.sum()).ravel()).reshape(inside[middle].shape)
    return inside.ravel()


def runs(rng: np.random.Generator, count: int) -> Batch:
    values = np.stack([np.concatenate([filled(rng, plot) for plot in range(4)]) for _ in range(count)])
    meta = {
        "run": np.array([f"run {k}" for k in range(count)]), "events": np.full(count, 2000.0), "counts": values,
        "start_ns": np.zeros(count, int), "problem": np.full(count, ""), "note": np.full(count, ""),
    }  # fmt: skip
    return Batch(BOOK.schema, values, meta=meta)


@cache
def fitted(name: str) -> Fitted:
    """A model of 24 good runs; how rare a score is comes from other runs that are good, which is as good here."""
    rng = np.random.default_rng(0)
    good, more = runs(rng, 24), runs(rng, 24)
    kind = plugins.load("scorers", name)
    scorer = kind(**(QUICK if about_of(kind).learned else {})).fit(InMemory(good, 24))
    scores = np.concatenate([scorer.score(more[k : k + 1])[:, 0] for k in range(len(more))])
    reference = {"counts": good.values.astype(np.float32), "events": good.meta["events"]}
    return Fitted(
        name, scorer, RunPlots(NO_COLUMNS, BOOK, "histogram"), {"anomaly": RunCalibration.fit(scores)}, reference
    )


def changed(plot: int, how) -> Batch:
    batch = runs(np.random.default_rng(5), 1)
    values = batch.values.copy()
    shape = BOOK.plots[plot].shape
    values[0, WHERE[plot]] = how(values[0, WHERE[plot]].reshape(shape)).ravel()
    return replace(batch.with_values(values), meta={**batch.meta, "counts": values})


def noisy(counts: np.ndarray) -> np.ndarray:
    """All bins scatter three times as much: no shifted, missing or new population."""
    far = np.random.default_rng(2).normal(size=counts.shape) * 3 * np.sqrt(counts)
    return np.maximum(np.round(counts + far), 0)


def test_what_is_rarer_than_the_good_runs_support_is_not_enough_data() -> None:
    rarest = RunCalibration.fit(np.random.default_rng(0).exponential(0.4, 22), theory=True).rarest
    assert verdict_of(rarest, 0.01, rarest) == Verdict.BAD
    assert verdict_of(rarest, 1e-5, rarest) == Verdict.NOT_ENOUGH_DATA
    assert verdict_of(0.5, 1e-5, rarest) == Verdict.GOOD


CHANGES = {
    "shifted": (0, lambda counts: np.roll(counts, 2)),
    "scattered": (1, noisy),
    "exchanged": (2, lambda counts: counts[[0, 2, 1, 3, 4, 5, 6]]),
    "spot": (3, lambda counts: counts + 150 * (np.add.outer(np.arange(8), np.arange(8)) == 4)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_flagged_names_its_plot_and_place(change: str) -> None:
    plot, how = CHANGES[change]
    answers = {name: answer(fitted(name), changed(plot, how)) for name in SCORERS}
    flagged = {name: said for name, said in answers.items() if said.p_value < 0.01}
    assert len(flagged) > len(SCORERS) / 2  # not every statistic sees every change
    for name, said in flagged.items():
        chief = said.chief
        assert chief.kind != "none", name
        assert chief.where, name
        assert chief.sigma > 0, name
        assert chief.population == BOOK.plots[plot].name, name
        assert said.reason.startswith(f"{chief.population}: "), name


@pytest.mark.parametrize("name", SCORERS)
def test_most_changes_are_flagged(name: str) -> None:
    found = [answer(fitted(name), changed(*case)).p_value < 0.01 for case in CHANGES.values()]
    assert sum(found) >= 2


@pytest.mark.parametrize("name", SCORERS)
def test_a_plot_that_is_gone_or_too_empty_is_said(name: str) -> None:
    for part in (0.0, 0.05):
        said = answer(fitted(name), changed(1, lambda counts, part=part: np.round(part * counts)))
        assert said.p_value < 0.001
        assert said.chief.kind == "gone"
        assert said.chief.population == "depth"
        assert said.chief.size == pytest.approx(1 - part, abs=0.01)
    shorter = runs(np.random.default_rng(6), 1)
    third = np.round(shorter.values / 3)
    shorter = replace(shorter.with_values(third), meta={**shorter.meta, "counts": third})
    assert answer(fitted(name), shorter).p_value > 0.01


@pytest.mark.parametrize("name", SCORERS)
def test_one_missing_plot_costs_that_plot(name: str) -> None:
    moved = changed(0, lambda counts: np.roll(counts, 3))
    values = moved.values.copy()
    values[0, WHERE[1]] = np.nan
    lacking = replace(moved.with_values(values), meta={**moved.meta, "counts": values, "note": np.array(["no depth"])})
    said = answer(fitted(name), lacking)
    assert said.p_value < 0.01
    assert said.chief.population == "energy"
    assert said.reason.endswith("; no depth")


def test_all_that_surely_changed_is_flagged_and_what_is_not_judged_has_no_sigma() -> None:
    moved = changed(0, lambda counts: np.roll(counts, 3))
    values = moved.values.copy()
    values[0, WHERE[1]] = 0.0
    values[0, WHERE[3]] = np.nan
    batch = replace(moved.with_values(values), meta={**moved.meta, "counts": values})
    energy, depth, paths, flat = RunVerdicts(fitted("binned_chi2")).record(batch).plots
    assert [one.flagged for one in (energy, depth, paths, flat)] == [True, True, False, False]
    assert np.isnan(flat.sigma)
    assert "not in this run" in figure(flat)
    assert "not in this run" not in figure(depth)
