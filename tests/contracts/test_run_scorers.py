"""Laws of every scorer of runs, built in or plugged in, that reads events (a cloud) or histograms.

A run: a continuum and two lines in energy, and a position; as its events, and in two plots of one variable and one of
both.
"""

import atexit
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Book, Plot, Schema, SchemaError, Scorer, Source, plugins
from lynkeus.fitting.fit import about_of
from lynkeus.sources import InMemory

pytestmark = pytest.mark.slow(0.3)  # each; all together half a minute
SCORERS = {name: plugins.load("scorers", name) for name in sorted(plugins.entries("scorers"))}
KINDS = ("histogram", "cloud")
CASES = [
    (name, kind)
    for name, scorer in SCORERS.items()
    for kind in KINDS
    if kind in about_of(scorer).kinds and not about_of(scorer).by_class  # clouds of particles: test_taggers
]
QUICK = {"options": {"training": {"epochs": 5}}}  # for wrappers around networks
COLUMNS = ("energy", "position")
AXES = (tuple(np.linspace(0, 10, 31).tolist()), tuple(np.linspace(-3, 3, 25).tolist()))
COARSE = tuple(axis[::3] for axis in AXES)
BOOK = Book(
    (
        Plot("energy [all]", ("energy",), AXES[:1]),
        Plot("position", ("position",), AXES[1:]),
        Plot("energy : position", COLUMNS, COARSE),
    )
)


def events(rng: np.random.Generator, count: int, *, moved: float = 0.0) -> np.ndarray:
    """(count, 2) of one run; `moved`: by how much the lines and the positions are."""
    of = rng.choice(3, count, p=[0.5, 0.3, 0.2])
    lines = np.array([0.0, 3.0 + moved, 7.0 + moved])[of] + rng.normal(0, 0.2, count)
    energy = np.where(of == 0, rng.uniform(0, 10, count), lines)
    return np.stack([energy, rng.normal(moved, 1, count)], axis=1)


def as_batch(kind: str, runs: list[np.ndarray]) -> Batch:
    meta = {"run": np.array([f"run {n}" for n in range(len(runs))]), "events": np.array([float(len(r)) for r in runs])}
    if kind == "histogram":
        values = np.array([np.concatenate([_filled(plot, run) for plot in BOOK.plots]) for run in runs])
        return Batch(BOOK.schema, values.reshape(len(runs), -1), meta=meta)
    values = np.full((len(runs), max([1, *map(len, runs)]), 2), np.nan)
    for row, run in enumerate(runs):
        values[row, : len(run)] = run
    mask = np.arange(values.shape[1]) < np.array([len(run) for run in runs])[:, None]
    group = np.full(mask.shape, "")
    return Batch(Schema("cloud", COLUMNS, ("keV", "mm"), (None, 2)), values, mask=mask, meta={**meta, "group": group})


def _filled(plot: Plot, run: np.ndarray) -> np.ndarray:
    edges = [np.concatenate([[-np.inf], axis, [np.inf]]) for axis in plot.edges]
    return np.histogramdd(run[:, [COLUMNS.index(name) for name in plot.variables]], bins=edges)[0].ravel()


@cache
def good(kind: str) -> Source:
    """30 runs of different sizes."""
    rng = np.random.default_rng(1)
    return InMemory(as_batch(kind, [events(rng, int(count)) for count in rng.integers(300, 600, 30)]), 25)


@cache
def unseen(kind: str, count: int = 450, moved: float = 0.0) -> Batch:
    rng = np.random.default_rng(2)
    return as_batch(kind, [events(rng, count, moved=moved) for _ in range(24)])


def fitted(name: str, kind: str) -> Scorer:
    scorer = SCORERS[name](**(QUICK if about_of(SCORERS[name]).learned else {}))
    assert scorer.fit(good(kind)) is scorer
    return scorer


@cache
def kept(name: str, kind: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="lynkeus-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    fitted(name, kind).save(folder)
    return folder


@pytest.fixture(params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A scorer and a kind that it reads."""
    return request.param


@pytest.fixture
def name(case: tuple[str, str]) -> str:
    return case[0]


@pytest.fixture
def kind(case: tuple[str, str]) -> str:
    return case[1]


@pytest.fixture
def scorer(name: str, kind: str) -> Scorer:
    return SCORERS[name].load(kept(name, kind))


@pytest.fixture
def single(name: str) -> bool:
    """Whether it computes in single precision, as networks do."""
    return about_of(SCORERS[name]).learned


def test_it_fits_the_protocol_and_leaves_runs_alone(
    scorer: Scorer, kind: str, single: bool, agree: Callable[..., None]
) -> None:
    assert isinstance(scorer, Scorer)
    assert tuple(scorer.outputs) == ("anomaly",)
    batch = unseen(kind)
    before = batch.values.copy()
    scores = scorer.score(batch)
    assert scores.shape == (24, 1)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    evidence = scorer.explain(batch)
    assert evidence.shape == batch.values.shape
    assert np.isfinite(evidence).all()
    np.testing.assert_array_equal(batch.values, before)
    agree(scorer.score(batch), scores, single)
    assert scorer.score(batch[:0]).shape == (0, 1)


def test_another_schema_is_refused_and_the_difference_named(scorer: Scorer, kind: str) -> None:
    batch = unseen(kind)
    changes: list[dict] = [{"names": ("another", *batch.schema.names[1:])}]
    if kind == "histogram":
        changes.append({"edges": (((0.0, *AXES[0][1:-1], 11.0),), *batch.schema.edges[1:])})
    for change in changes:
        other = replace(batch, schema=replace(batch.schema, **change))
        for ask in (scorer.score, scorer.explain):
            with pytest.raises(SchemaError, match=next(iter(change))):
                ask(other)


def test_runs_of_too_few_events_have_no_score(scorer: Scorer, kind: str) -> None:
    rng = np.random.default_rng(3)
    runs = as_batch(kind, [events(rng, count) for count in (0, 1, 19, 700)])
    scores = scorer.score(runs)[:, 0]
    assert np.isnan(scores).tolist() == [True, True, True, False]
    assert np.isfinite(scorer.explain(runs)).all()


def test_missing_values_do_not_hide_the_rest(scorer: Scorer, kind: str) -> None:
    batch = unseen(kind)
    values = batch.values.copy()
    values[0, :3] = np.nan
    values[1] = np.nan
    scores = scorer.score(batch.with_values(values))[:, 0]
    assert np.isfinite(np.delete(scores, 1)).all()
    assert np.isnan(scores[1]) or scores[1] > scorer.score(batch).max()  # not judged, or bad; never good


def test_moved_events_score_higher_than_good_runs(scorer: Scorer, kind: str) -> None:
    usual = scorer.score(unseen(kind))
    assert np.median(scorer.score(unseen(kind, moved=0.8))) > usual.max()


@pytest.mark.parametrize("count", [200, 1800])
def test_the_score_of_a_good_run_does_not_tell_its_size(scorer: Scorer, kind: str, count: int) -> None:
    usual, others = scorer.score(unseen(kind)), scorer.score(unseen(kind, count))
    low, high = np.quantile(usual, [0.02, 0.98])
    assert low <= np.median(others) <= high


def test_fitting_again_gives_the_same_scores(scorer: Scorer, name: str, kind: str, single: bool) -> None:
    """A training multiplies what was rounded, in these five epochs to less than a hundredth of what a seed does."""
    expected = scorer.score(unseen(kind))
    part = 1e-3 if single else 1e-9
    np.testing.assert_allclose(fitted(name, kind).score(unseen(kind)), expected, rtol=0, atol=part * expected.max())


def test_loading_gives_the_same_scores(
    scorer: Scorer, kind: str, single: bool, tmp_path: Path, agree: Callable[..., None]
) -> None:
    expected = scorer.score(unseen(kind))
    scorer.save(tmp_path)
    assert {file.suffix for file in tmp_path.rglob("*") if file.is_file()} <= {".safetensors", ".json"}
    loaded = type(scorer).load(tmp_path)
    agree(loaded.score(unseen(kind)), expected, single)
    agree(loaded.explain(unseen(kind)), scorer.explain(unseen(kind)), single)


def test_how_runs_are_cut_into_batches_does_not_matter(scorer: Scorer, kind: str) -> None:
    batch = unseen(kind)
    cuts = np.concatenate([scorer.score(batch[low:high]) for low, high in ((0, 1), (1, 9), (9, 24))])
    np.testing.assert_allclose(cuts, scorer.score(batch), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("refusing", SCORERS)
def test_runs_are_refused_in_words_by_a_scorer_that_does_not_read_them(refusing: str) -> None:
    """Other kinds than runs: test_scorers."""
    for other in set(KINDS) - set(about_of(SCORERS[refusing]).kinds):
        labelled = replace(unseen(other), truth=np.arange(24) % 2)
        with pytest.raises(SchemaError, match=other):
            SCORERS[refusing]().fit(InMemory(labelled))
