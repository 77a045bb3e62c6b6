"""Runs of events: their sample, their counts, their weights."""

import numpy as np
import pytest

from lynkeus.core import Book, Plot, SchemaError, SettingsError
from lynkeus.sources.runs.events import Events
from lynkeus.sources.runs.folder import RunFile, RunReader
from lynkeus.sources.runs.sections import Sections
from lynkeus.transforms.event_columns import EventColumns, Scale, in_most

COLUMNS = EventColumns(("x",), Scale((False,), (False,)), "class", ("a", "b"))
BOOK = Book((Plot("x of a", ("x",), ((0.0, 1.0, 2.0),), "a"), Plot("x of b", ("x",), ((0.0, 2.0),), "b")))


def _run(*pieces: Events) -> RunFile:
    return RunFile("run", lambda: iter(pieces))


def _piece(x: object, of: str = "a", **more: object) -> Events:
    x = np.asarray(x, float)
    return {"x": x, "class": np.full(len(x), of)} | {name: np.asarray(column) for name, column in more.items()}


def test_counts_and_events_do_not_depend_on_the_pieces() -> None:
    rng = np.random.default_rng(0)
    x, of = rng.uniform(-1, 3, 1000), rng.choice(["a", "b", "c"], 1000)
    whole = RunReader(COLUMNS, BOOK).read(_run({"x": x, "class": of}))
    cut = RunReader(COLUMNS, BOOK).read(_run(*({"x": x[k : k + 7], "class": of[k : k + 7]} for k in range(0, 1000, 7))))
    np.testing.assert_array_equal(whole.counts, cut.counts)
    np.testing.assert_array_equal(whole.values, cut.values)
    np.testing.assert_array_equal(whole.counts[:4], np.histogram(x[of == "a"], [-9, 0, 1, 2, 9])[0])
    assert set(whole.group) == {"a", "b", "other"}


def test_an_event_stays_as_likely_as_it_weighs_whatever_the_pieces() -> None:
    """Three kinds of events of weights 0.1, 1 and 4, a piece each: the heaviest comes last."""
    rng, sizes, weights = np.random.default_rng(0), (20_000, 20_000, 5_000), (0.1, 1.0, 4.0)
    pieces = [_piece(np.full(n, k), weight=np.full(n, w)) for k, (n, w) in enumerate(zip(sizes, weights, strict=True))]
    for ordered in (pieces, pieces[::-1], [pieces[1], pieces[2], pieces[0]]):
        run = RunReader(COLUMNS, BOOK).read(_run(*ordered))
        kept = np.array([(run.values == k).sum() for k in range(3)])
        expected = np.array(sizes) * np.array(weights) / 4.0
        assert (np.abs(kept - expected) < 4 * np.sqrt(expected)).all()
        squares = np.dot(sizes, np.square(weights))
        assert run.events == pytest.approx(np.dot(sizes, weights) ** 2 / squares)
    mixed = _piece(np.arange(3000) % 3, weight=rng.permutation(np.ones(3000)))
    assert len(RunReader(COLUMNS, BOOK).read(_run(mixed)).values) == 3000


def test_weighted_events_count_as_many_as_would_scatter_alike() -> None:
    """(sum w)^2 / sum w^2 of a plot (Kish 1965): weights that are all alike say nothing, whatever they are."""
    x, known = [0.5, 0.7, 1.5], [0, 2, 1, 0, 0, 0, 0]
    for weight in (None, 1.0, 2.0, 0.001, 1e5):
        piece = _piece(x) if weight is None else _piece(x, weight=[weight] * 3)
        run = RunReader(COLUMNS, BOOK).read(_run(piece, piece))
        np.testing.assert_array_equal(run.counts, np.multiply(2, known))
        assert run.events == 6
    run = RunReader(COLUMNS, BOOK).read(_run(_piece(x, weight=[1.0, 0.25, 2.0])))
    np.testing.assert_allclose(run.counts, np.array([0, 1.25, 2, 0, 0, 0, 0]) * 3.25 / 5.0625)
    assert run.events == pytest.approx(3.25**2 / 5.0625)
    missing = RunReader(COLUMNS, BOOK).read(_run(_piece([0.5, np.nan, 1.5], weight=[2.0, 9.0, 2.0])))
    np.testing.assert_array_equal(missing.counts[:4], [0, 1, 1, 0])  # what is in no bin makes no bin less known


def test_a_long_run_is_sampled_and_counted_whole() -> None:
    pieces = [_piece(np.full(1000, k / 10)) for k in range(10)]
    run = RunReader(COLUMNS, BOOK, most=500).read(_run(*pieces))
    assert (len(run.values), run.events, run.counts.sum()) == (500, 10_000, 10_000)
    assert len(np.unique(run.values)) == 10


@pytest.mark.parametrize("time_ns", [[np.nan, 5.0, 3.0], [7, 3, 9], ["a", "b", "c"]])
def test_the_start_of_a_run_is_its_first_time(time_ns: list[object]) -> None:
    run = RunReader(COLUMNS, BOOK).read(_run(_piece([0, 0, 0], time_ns=time_ns)))
    assert run.start_ns == (None if time_ns[0] == "a" else 3)


def _good(seed: int, **changed: object) -> Events:
    rng = np.random.default_rng(seed)
    columns: dict[str, object] = {
        "energy": rng.normal(40, 5, 100),
        "lumisection": np.sort(rng.integers(0, 20, 100)),
        "number": np.arange(100),
        "run": np.full(100, seed),
        "class": rng.choice(["S1", "S2"], 100),
    }
    return {name: np.asarray(column) for name, column in (columns | changed).items()}


def test_columns_that_say_nothing_of_populations_are_left_out() -> None:
    columns = EventColumns.fit([_good(seed) for seed in range(20)])
    assert (columns.names, columns.group, columns.groups) == (("energy",), "class", ("S1", "S2"))
    assert set(columns.left_out) == {"lumisection", "number", "run"}


def test_what_few_runs_lack_is_kept_and_what_few_have_is_left_out() -> None:
    runs = [_good(seed) for seed in range(20)]
    runs[3] = _good(3, rare=np.ones(100))
    runs[4] = _good(4, energy=np.full(100, "low"))
    columns = EventColumns.fit(runs)
    assert columns.names == ("energy",)
    assert "not in most runs" in columns.left_out["rare"]
    assert "'energy' holds text" in columns.problem(runs[4])
    assert "lacks the column 'energy'" in columns.problem({"class": np.array(["S1"])})
    with pytest.raises(SchemaError, match="the column of groups 'x'"):
        EventColumns.fit(runs, "x")


def test_in_most() -> None:
    assert in_most([["a", "b"]] * 9 + [["a", "c"]], 0.9) == ["a"]
    assert in_most([["a", "b"]] * 19 + [["a", "c"]], 0.9) == ["a", "b"]


def _sections(*pieces: Events, column: str = "lumi") -> list[tuple[str, float, str]]:
    runs = Sections(_run(*pieces), column).read(RunReader(COLUMNS, BOOK))
    return [(run.name, run.events, run.problem) for run in runs]


def test_sections_across_pieces_and_dead_ones() -> None:
    found = _sections(_piece([0, 0, 0], lumi=[3, 4, 3]), _piece([0, 0], lumi=[4, 7]))
    dead = "no events in this section"
    assert found == [
        ("run/3", 2, ""),
        ("run/4", 2, ""),
        ("run/5", 0, dead),
        ("run/6", 0, dead),
        ("run/7", 1, ""),
    ]


def test_minutes() -> None:
    times = 1_790_000_000_000_000_000 + np.array([0, 30, 59, 61, 185]) * 10**9
    found = _sections(_piece(np.zeros(5), time_ns=times), column="time_ns")
    assert [events for _, events, _ in found] == [3, 1, 0, 1]
    assert found[-1][0] == "run/3"


@pytest.mark.parametrize(
    ("pieces", "says"),
    [
        ([_piece([0], lumi=[5]), _piece([0], lumi=[4])], "goes from 5 to 4; sort the events by it"),
        ([_piece([0, 0], lumi=[5, 10**9])], "goes from 5 to 1000000000"),
        ([_piece([0], lumi=[1.5])], "must hold a whole number"),
        ([_piece([0], lumi=["a"])], "must hold a whole number"),
        ([_piece([0])], "there is no column 'lumi' to cut it into sections; it has x, class"),
    ],
)
def test_sections_that_cannot_be_cut(pieces: list[Events], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        _sections(*pieces)
