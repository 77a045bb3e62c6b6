"""Profiles among the plots of runs: read from ROOT and JSON, judged by their means and the errors of these."""

import json
from pathlib import Path

import boost_histogram as bh
import numpy as np
import pytest
from boost_histogram.serialization import to_uhi

from lynkeus.core.runs import Book
from lynkeus.fitting.evidence.plot_place import changed_at
from lynkeus.scorers.histograms.binned_chi2 import BinnedChi2
from lynkeus.sources.runs.booked import fitted
from lynkeus.sources.runs.filled import read_histograms
from lynkeus.sources.runs.folder import open_runs
from lynkeus.sources.runs.histograms import HistogramReader, book_of
from lynkeus.sources.runs.read import ReadRuns

HITS = 2000


def _profile(rng: np.random.Generator, axes: int, gain: float, weighted: bool = False) -> bh.Histogram:
    """Mean light against place, which scatters by 0.5."""
    storage = bh.storage.WeightedMean() if weighted else bh.storage.Mean()
    filled = bh.Histogram(*[bh.axis.Regular(6, 0, 6)] * axes, storage=storage)
    place = rng.uniform(0, 6, (axes, HITS))
    weight = {"weight": rng.uniform(0.5, 1.5, HITS)} if weighted else {}
    return filled.fill(*place, sample=gain * (3 + place[0]) + rng.normal(0, 0.5, HITS), **weight)


def _run(folder: Path, name: str, seed: int, gain: float = 1.0) -> Path:
    rng = np.random.default_rng(seed)
    plots = {
        "light": _profile(rng, 1, gain),
        "map": _profile(rng, 2, 1.0),
        "weighted": _profile(rng, 1, 1.0, weighted=True),
        "hits": bh.Histogram(bh.axis.Regular(10, 0, 1)).fill(rng.random(HITS)),
    }
    folder.mkdir(exist_ok=True)
    content = {name: to_uhi(plot) for name, plot in plots.items()}
    (folder / f"{name}.json").write_text(json.dumps(content, default=lambda array: array.tolist()), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> tuple[Book, list, HistogramReader]:
    folder = tmp_path_factory.mktemp("runs")
    for seed in range(24):
        _run(folder, f"run{seed:02}", seed)
    book, files, messages = book_of(open_runs(folder))
    assert not messages
    return book, files, HistogramReader(book)


def test_profiles_are_plots_of_which_the_model_knows_the_usual_means(book: tuple) -> None:
    plots = {plot.name: plot for plot in book[0].plots}
    assert set(plots) == {"light", "map", "weighted", "hits"}
    usual, spread = map(np.array, plots["light"].profile)
    assert usual[1:-1] == pytest.approx(3.5 + np.arange(6), abs=0.05)
    assert spread[1:-1] == pytest.approx(np.hypot(0.5, np.sqrt(1 / 12)), abs=0.05)
    assert len(plots["map"].profile[0]) == 8 * 8
    assert "x 0 to 1, y 2 to 3 higher" in plots["map"].named(0)
    assert not plots["hits"].profile
    assert Book.from_list(json.loads(json.dumps(book[0].to_list()))) == book[0]


def test_entries_are_kept_and_weights_are_worth_less(book: tuple) -> None:
    runs = [book[2].read(file) for file in book[1]]
    for plot, where in zip(book[0].plots, book[0].slices(), strict=True):
        entries = np.array([run.counts[where].sum() for run in runs])
        # Weights of 0.5 to 1.5 are worth 1 / (1 + 1/12) of as many entries.
        assert entries == pytest.approx(HITS * (12 / 13 if plot.name == "weighted" else 1.0), rel=0.02)


def test_a_small_change_of_gain_is_found_where_it_is_and_good_runs_are_as_odd_as_promised(
    book: tuple, tmp_path: Path
) -> None:
    scorer = BinnedChi2().fit(ReadRuns(book[2], book[1], "histogram"))
    for seed in range(40):
        _run(tmp_path / "good", f"run{seed}", 100 + seed)
    good = ReadRuns(book[2], open_runs(tmp_path / "good"), "histogram")
    sigma = np.concatenate([scorer.plot_sigma(one) for one in good])
    assert np.abs(sigma.mean(axis=0)).max() < 1.0
    assert (sigma > 3.0).mean() < 0.05
    bad = open_runs(_run(tmp_path / "bad", "low", 200, gain=0.97))
    (batch,) = ReadRuns(book[2], bad, "histogram")
    names = [plot.name for plot in book[0].plots]
    assert names[int(np.nanargmax(scorer.plot_sigma(batch)))] == "light"
    plot, where = book[0].plots[names.index("light")], book[0].slices()[names.index("light")]
    expected = scorer.reference_.share[where] * batch.values[0, where].sum()
    found = changed_at(plot, batch.values[0, where], expected, scorer.explain(batch)[0, where])
    assert "mean lower at x " in found.where
    assert found.kind == "changed"


def test_a_profile_is_no_histogram_and_has_its_bins(book: tuple, tmp_path: Path) -> None:
    light = next(plot for plot in book[0].plots if plot.name == "light")
    read = read_histograms(_run(tmp_path, "a", 7) / "a.json").plots
    assert "is a histogram" in fitted(light, read["hits"], "the plot 'light'").problem
    assert "is a profile" in fitted(next(p for p in book[0].plots if p.name == "hits"), read["light"], "it").problem
    assert "other bins" in fitted(light, read["map"], "it").problem
    damaged = read["light"]._replace(profile=read["light"].profile._replace(mean=np.full(8, np.nan)))
    assert "no numbers" in fitted(light, damaged, "it").problem


def _write_root(path: Path, place: np.ndarray, light: np.ndarray) -> None:
    """A TProfile and a TProfile2D of 6 bins from 0 to 6, of the sums that ROOT keeps."""
    uproot = pytest.importorskip("uproot")
    identify = pytest.importorskip("uproot.writing.identify")
    axis = [identify.to_TAxis(name, "", 6, 0.0, 6.0) for name in ("fXaxis", "fYaxis")]
    edges = [np.arange(-1, 8) - 1e-9] * 2
    none = dict.fromkeys(("fTsumw", "fTsumw2", "fTsumwx", "fTsumwx2", "fTsumwy", "fTsumwy2"), 0.0)
    with uproot.recreate(path) as file:
        for name, axes in (("one", 1), ("two", 2)):
            sums = [np.histogramdd(place[:axes].T, edges[:axes], weights=light**k)[0].T.ravel() for k in range(3)]
            own = none | (dict.fromkeys(("fTsumwxy", "fTsumwz", "fTsumwz2"), 0.0) if axes == 2 else {})
            own |= {"fSumw2": sums[2], "fBinEntries": sums[0], "fBinSumw2": sums[0], "fXaxis": axis[0]}
            make = identify.to_TProfile2D if axes == 2 else identify.to_TProfile
            own |= {"fYaxis": axis[1]} if axes == 2 else {}
            file[name] = make(name, "", sums[1], float(len(light)), **own)


def test_profiles_of_root_are_those_of_json(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    place, light = rng.uniform(0, 6, (2, HITS)), rng.normal(5, 1, HITS)
    _write_root(tmp_path / "a.root", place, light)
    made = {"one": bh.Histogram(bh.axis.Regular(6, 0, 6), storage=bh.storage.Mean()).fill(place[0], sample=light)}
    both = [bh.axis.Regular(6, 0, 6)] * 2
    made["two"] = bh.Histogram(*both, storage=bh.storage.Mean()).fill(*place, sample=light)
    content = {name: to_uhi(profile) for name, profile in made.items()}
    (tmp_path / "a.json").write_text(json.dumps(content, default=lambda array: array.tolist()), encoding="utf-8")
    root, uhi = (read_histograms(tmp_path / f"a.{ending}").plots for ending in ("root", "json"))
    for name in made:
        assert root[name].plot.named(0) == uhi[name].plot.named(0)
        own, other = root[name].profile, uhi[name].profile
        assert own.entries == pytest.approx(other.entries)
        assert own.mean == pytest.approx(other.mean)
        # ROOT divides by n, boost-histogram by n - 1.
        assert own.variance == pytest.approx(other.variance * (1 - 1 / np.maximum(own.entries, 1)), rel=1e-6, abs=1e-9)
