"""Runs in the store, on SQLite and on PostgreSQL: the newest counts, older ones stay, people have the last word."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Finding, Plot, PlotRecord, RunRecord, SchemaError, StoreError, Verdict
from lynkeus.monitor import run_records
from lynkeus.monitor.opinions import Opinion, add_opinion, opinions
from lynkeus.monitor.run_packing import pack_plots, unpack_plots
from lynkeus.monitor.run_records import RunFilter
from lynkeus.monitor.store import Store

HOUR_NS = 3600 * 10**9
AREA = Plot("S2 area [SS]", ("area",), ((1.0, 10.0, 100.0, 1000.0),), "S2", (True,), "phd")
WIDTH = Plot("S1 <b>'width'</b> / \"x\"", ("width",), ((0.0, 0.5, 1.0),), "S1")
MAP = Plot("S2 map", ("area", "width"), ((0.0, 1.0, 2.0), (0.0, 1.0)), "S2")
SHIFTED = Finding("shifted", "S2", "area", "at 100", 1.05, "x", 7.5, {"area": (10.0, math.inf)})
MODEL = RunFilter("m")


def plot_record(plot: Plot, sigma: float, flagged: bool = False) -> PlotRecord:
    counts = np.arange(plot.bins, dtype=float) * 1001.0
    pulls = np.linspace(-7.0, 7.0, plot.bins)
    region = dict(SHIFTED.region) if flagged else {}
    return PlotRecord(plot, counts, counts + 0.5, counts - 20.0, counts + 33.0, pulls, sigma, flagged, region)


def judged(run: str, hour: int | None, verdict: Verdict = Verdict.GOOD, plots: tuple[Plot, ...] = ()) -> RunRecord:
    is_bad = verdict is Verdict.BAD
    records = tuple(plot_record(plot, 1.0 + k, is_bad and k == 0) for k, plot in enumerate(plots or (AREA, WIDTH, MAP)))
    changes = (SHIFTED,) if is_bad else (Finding("none", "S2", sigma=math.nan),)
    when = None if hour is None else hour * HOUR_NS
    return RunRecord(run, verdict, 0.5, 1.5, changes, "because", 1000.0, "m", when, ("a warning",), records)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = Store(store_url)
    yield store
    store.close()


@pytest.fixture
def filled(store: Store) -> Store:
    """Five runs that are not added in order of time; c is bad, d has too few events."""
    order = [("b", 2), ("a", 1), ("d", 4), ("e", 5), ("c", 3)]
    verdicts = {"c": Verdict.BAD, "d": Verdict.NOT_ENOUGH_DATA}
    run_records.add_runs(store, [judged(run, hour, verdicts.get(run, Verdict.GOOD)) for run, hour in order])
    return store


def names(store: Store, wanted: RunFilter, **page: int) -> list[str]:
    return [stored.record.run for stored in run_records.runs(store, wanted, **page)[0]]


def test_a_run_comes_back_as_it_was_judged(filled: Store) -> None:
    stored = run_records.run(filled, "m", "c")
    expected = judged("c", 3, Verdict.BAD)
    assert stored is not None
    assert replace(stored.record, plots=()) == replace(expected, plots=())
    for mine, theirs in zip(stored.record.plots, expected.plots, strict=True):
        assert mine.plot == theirs.plot
        assert (mine.sigma, mine.flagged, mine.region) == (theirs.sigma, theirs.flagged, theirs.region)
        np.testing.assert_array_equal(mine.counts, theirs.counts)
        np.testing.assert_allclose(mine.expected, theirs.expected, rtol=2e-4)
        np.testing.assert_allclose(mine.high - mine.expected, 32.5, rtol=4e-3)
        np.testing.assert_allclose(mine.expected - mine.low, 20.5, rtol=4e-3)
        np.testing.assert_allclose(mine.pulls, theirs.pulls, rtol=4e-3)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 0.0, 1e30])
def test_odd_numbers_survive_packing(odd: float) -> None:
    record = plot_record(AREA, math.nan)
    odd_one = replace(record, counts=np.full(AREA.bins, odd), pulls=np.full(AREA.bins, odd), expected=record.counts)
    packed = pack_plots((odd_one,))
    (back,) = unpack_plots(run_records.Book((AREA,)), packed, np.array([math.nan]))
    np.testing.assert_allclose(back.counts, odd, rtol=1e-6)
    np.testing.assert_allclose(back.pulls, odd, rtol=4e-3)
    assert math.isnan(back.sigma)


def test_the_latest_run_is_first_and_pages_do_not_overlap(filled: Store) -> None:
    assert names(filled, MODEL) == ["e", "d", "c", "b", "a"]
    assert names(filled, MODEL, limit=2) == ["e", "d"]
    assert names(filled, MODEL, limit=2, offset=4) == ["a"]
    assert run_records.runs(filled, MODEL, 2)[1] == 5
    stored = run_records.run(filled, "m", "c")
    assert stored is not None
    assert run_records.neighbours(filled, stored) == ("b", "d")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"verdict": "flagged"}, ["c"]),
        ({"verdict": "not enough data"}, ["d"]),
        ({"verdict": "good"}, ["e", "b", "a"]),
        ({"change": "shifted"}, ["c"]),
        ({"change": "new"}, []),
        ({"group": "S2"}, ["c"]),
        ({"group": "S1"}, []),
        ({"search": "C"}, ["c"]),
        ({"search": "%"}, []),
        ({"search": "_"}, []),
        ({"search": "'; DROP TABLE run_judged; --"}, []),
    ],
)
def test_filters(filled: Store, wanted: dict[str, str], expected: list[str]) -> None:
    assert names(filled, RunFilter("m", **wanted)) == expected
    assert names(filled, RunFilter("another", **wanted)) == []


def test_a_run_judged_again_counts_once_and_the_older_stays(filled: Store) -> None:
    before = run_records.run(filled, "m", "c")
    run_records.add_runs(filled, [judged("c", 3)])
    after = run_records.run(filled, "m", "c")
    assert before is not None
    assert after is not None
    assert (before.verdict, after.verdict) == (Verdict.BAD, Verdict.GOOD)
    assert names(filled, MODEL) == ["e", "d", "c", "b", "a"]
    assert names(filled, RunFilter("m", "flagged")) == []
    assert [number for number, *_ in run_records.verdict_history(filled, "m", "c")] == [after.number, before.number]
    older = run_records.run(filled, "m", "c", before.number)
    assert older is not None
    assert older.record.change == SHIFTED
    assert run_records.run(filled, "m", "b", before.number) is None


def test_a_judgement_that_is_said_again_is_kept_once(filled: Store) -> None:
    history = run_records.verdict_history(filled, "m", "c")
    again = judged("c", 3, Verdict.BAD)
    changed = replace(again, p_value=again.p_value * (1 + 1e-12))  # as another computation of it
    for record in (again, again, changed):
        run_records.add_runs(filled, [record, judged("a", 1)])
    said = run_records.verdict_history(filled, "m", "c")
    assert [number for number, *_ in said] == [number for number, *_ in history]
    assert said[0][1] > history[0][1]  # it is from now: a watch of runs need not judge it again


def test_what_was_said_before_something_else_counts_anew(filled: Store) -> None:
    for verdict in (Verdict.WARN, Verdict.GOOD, Verdict.WARN):
        run_records.add_runs(filled, [judged("z", 9, verdict)])
    said = [verdict for *_, verdict in run_records.verdict_history(filled, "m", "z")]
    assert said == [Verdict.WARN, Verdict.GOOD, Verdict.WARN]


def test_two_processes_with_one_judgement_keep_it_once(filled: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: run_records.add_runs(filled, [judged(f"y{k}", 9) for k in range(5)]), range(8)))
    for k in range(5):
        assert len(run_records.verdict_history(filled, "m", f"y{k}")) == 1


def test_people_have_the_last_word_also_after_another_judgement(filled: Store) -> None:
    add_opinion(filled, Opinion("run", "m", "c", "warn", "me", note="unsure", at_ns=1))
    said = Opinion("run", "m", "c", "good", "you", note="the field was changed", at_ns=2)
    add_opinion(filled, said)
    run_records.add_runs(filled, [judged("c", 3, Verdict.BAD)])
    (listed,) = run_records.runs(filled, RunFilter("m", search="c"))[0]
    assert (listed.verdict, listed.record.verdict) == (Verdict.GOOD, Verdict.BAD)
    assert listed.override == said
    assert names(filled, RunFilter("m", "flagged")) == []
    assert "c" in names(filled, RunFilter("m", "good"))
    assert [said.who for said in opinions(filled, "run", "m", "c")] == ["me", "you"]
    assert opinions(filled, "run", "m", "a") == []


def test_scores_of_plots_follow_their_names_through_other_bookings(filled: Store) -> None:
    run_records.add_runs(filled, [judged("f", 6, plots=(MAP, AREA))])
    scores = run_records.plot_scores(filled, MODEL, 3)
    assert scores.runs == ("d", "e", "f")
    assert [plot.name for plot in scores.plots] == ["S2 map", "S2 area [SS]"]
    np.testing.assert_array_equal(scores.sigmas, [[3.0, 1.0], [3.0, 1.0], [1.0, 2.0]])
    before = run_records.plot_scores(filled, RunFilter("m", search="e"), 3)
    assert before.sigmas.tolist() == [[1.0, 2.0, 3.0]]
    run_records.add_runs(filled, [judged("g", 7, plots=(WIDTH,))])
    scores = run_records.plot_scores(filled, MODEL, 2)
    np.testing.assert_array_equal(scores.sigmas, [[np.nan], [1.0]])


def test_an_empty_store_and_unknown_runs(store: Store) -> None:
    assert run_records.models(store) == []
    assert run_records.runs(store, MODEL) == ([], 0)
    assert run_records.run(store, "m", "a") is None
    assert run_records.model_of(store, "a") is None
    scores = run_records.plot_scores(store, MODEL, 10)
    assert (scores.runs, scores.plots, scores.sigmas.shape) == ((), (), (0, 0))


def test_models_do_not_mix(filled: Store) -> None:
    run_records.add_runs(filled, [replace(judged("a", 1, Verdict.BAD), model="n")])
    assert run_records.models(filled) == ["n", "m"]
    assert run_records.model_of(filled, "a") == "n"
    assert names(filled, RunFilter("n")) == ["a"]
    assert names(filled, RunFilter("m", "flagged")) == ["c"]


def test_all_or_none_are_added(filled: Store) -> None:
    broken = replace(plot_record(AREA, 1.0), pulls=np.zeros(3))
    with pytest.raises(SchemaError, match=r"plot 'S2 area \[SS\]': 3 numbers in 'pulls' for 5 bins"):
        run_records.add_runs(filled, [judged("new", 9), replace(judged("broken", 9), plots=(broken,))])
    with pytest.raises(StoreError, match="a run without a name"):
        run_records.add_runs(filled, [judged("new", 9), judged("", 9)])
    assert names(filled, MODEL) == ["e", "d", "c", "b", "a"]


def test_runs_without_plots_or_times(filled: Store) -> None:
    run_records.add_runs(filled, [replace(judged("later", None), plots=())])
    stored = run_records.run(filled, "m", "later")
    assert stored is not None
    assert stored.record.plots == ()
    assert stored.time_ns == stored.at_ns
    assert names(filled, MODEL)[0] == "later"


def test_plots_with_the_same_edges_are_kept_once(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'watch.db'}")
    run_records.add_runs(store, [judged(f"run {k}", k) for k in range(5)])
    run_records.add_runs(store, [judged("another", 9)])
    store.close()
    with sqlite3.connect(tmp_path / "watch.db") as connection:
        assert connection.execute("SELECT count(*) FROM run_book").fetchone() == (1,)
    connection.close()
