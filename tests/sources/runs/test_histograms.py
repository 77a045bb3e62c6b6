"""Histograms of runs from ROOT and from JSON: bin by bin what was filled."""

import json
from pathlib import Path

import boost_histogram as bh
import numpy as np
import pytest
from boost_histogram.serialization import to_uhi

from lynkeus.core import SourceError
from lynkeus.sources.runs.filled import read_histograms
from lynkeus.sources.runs.folder import open_runs
from lynkeus.sources.runs.histograms import HistogramReader, book_of

NAMES = ("S2 area [SS]", "S2/deep/x : y", 'a;1 "é" <b>')


def _filled(seed: int, weighted: bool = False) -> dict[str, bh.Histogram]:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(0.5, 1, (2, 500))
    weight = rng.uniform(0.5, 2, 500) if weighted else None
    kind = {"storage": bh.storage.Weight()} if weighted else {}
    edges = np.geomspace(0.01, 10, 9)
    plots = (
        bh.Histogram(bh.axis.Regular(10, -1, 2), **kind).fill(x, weight=weight),
        bh.Histogram(bh.axis.Regular(4, -1, 2), bh.axis.Variable([-1, 0, 0.5, 2]), **kind).fill(x, y, weight=weight),
        bh.Histogram(bh.axis.Variable(edges), **kind).fill(np.abs(x), weight=weight),
    )
    return dict(zip(NAMES, plots, strict=True))


def _json(path: Path, plots: dict[str, bh.Histogram]) -> Path:
    content = {name: to_uhi(plot) for name, plot in plots.items()}
    path.write_text(json.dumps(content, default=lambda array: array.tolist()), encoding="utf-8")
    return path


def _root(path: Path, plots: dict[str, bh.Histogram]) -> Path:
    uproot = pytest.importorskip("uproot", reason="ROOT files need lynkeus[hep]")
    with uproot.recreate(path) as file:
        for name, plot in plots.items():
            file[name] = plot
    return path


@pytest.mark.parametrize("write", [_json, _root])
@pytest.mark.parametrize("weighted", [False, True])
def test_histograms_are_read_bin_by_bin(tmp_path: Path, write, weighted: bool) -> None:
    plots = _filled(1, weighted)
    found = read_histograms(write(tmp_path / f"run:1.{write.__name__[1:]}", plots)).plots
    assert set(found) == set(NAMES)
    for name, plot in plots.items():
        np.testing.assert_allclose(found[name].counts, plot.values(flow=True).ravel(), rtol=1e-12)
        assert found[name].plot.shape == plot.values(flow=True).shape
    assert found["S2/deep/x : y"].plot.group == "S2/deep"
    assert found["S2/deep/x : y"].plot.variables == ("S2/deep/x : y: x", "S2/deep/x : y: y")
    assert [found[name].plot.log[0] for name in NAMES] == [False, False, True]


def test_histograms_without_flow_of_categories_and_of_means(tmp_path: Path) -> None:
    plots = {
        "bare": bh.Histogram(bh.axis.Regular(3, 0, 3, underflow=False, overflow=False)).fill([0.5, 9.0]),
        "kinds": bh.Histogram(bh.axis.StrCategory(["S1", "S2"])).fill(["S1", "S2", "S2"]),
        "mean": bh.Histogram(bh.axis.Regular(3, 0, 3), storage=bh.storage.Mean()).fill([0.5], sample=[1.0]),
    }
    found = read_histograms(_json(tmp_path / "run.json", plots)).plots
    assert set(found) == {"bare", "kinds", "mean"}
    assert found["mean"].profile is not None
    np.testing.assert_array_equal(found["bare"].counts, [0, 1, 0, 0, 0])
    np.testing.assert_array_equal(found["kinds"].counts, [0, 1, 2, 0])


def test_one_histogram_alone_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(to_uhi(_filled(0)[NAMES[0]]), default=list), encoding="utf-8")
    assert list(read_histograms(tmp_path / "run.json").plots) == ["histogram"]


def test_the_book_is_what_most_runs_have(tmp_path: Path) -> None:
    for seed in range(20):
        plots = _filled(seed)
        if seed == 3:
            del plots[NAMES[0]]
        if seed % 2:
            plots["rare"] = plots[NAMES[1]]
        _json(tmp_path / f"{seed:02}.json", plots)
    (tmp_path / "99.json").write_text("{", encoding="utf-8")
    book, readable, messages = book_of(open_runs(tmp_path))
    assert tuple(plot.name for plot in book.plots) == NAMES
    assert len(readable) == 20
    assert "99.json" in messages[0]
    assert "left out: rare" in messages[1]
    runs = {file.name: HistogramReader(book).read(file) for file in readable}
    assert not any(run.problem for run in runs.values())
    assert [name for name, run in runs.items() if run.note] == ["03"]  # it costs that plot, not the run
    assert f"the plot {NAMES[0]!r} is missing" in runs["03"].note
    first, *_ = book.slices()
    assert np.isnan(runs["03"].counts[first]).all()
    assert np.isfinite(runs["03"].counts[first.stop :]).all()
    assert runs["04"].events == 500
    assert len(runs["04"].counts) == book.schema.shape[0]


def _damage_root(path: Path, name: str) -> None:
    """Overwrite what one object of a ROOT file holds."""
    import uproot

    with uproot.open(path) as file:
        folder, _, last = name.rpartition("/")
        key = (file[folder] if folder else file).key(last)  # whose name may hold a colon
        first, last = key.fSeekKey + key.fKeylen, key.fSeekKey + key.fNbytes
    whole = bytearray(path.read_bytes())
    whole[first:last] = b"\xff" * (last - first)
    path.write_bytes(bytes(whole))


def _damage_json(path: Path, name: str) -> None:
    content = json.loads(path.read_text("utf-8"))
    del content[name]["axes"][0]
    path.write_text(json.dumps(content), "utf-8")


@pytest.mark.parametrize(("write", "damage"), [(_json, _damage_json), (_root, _damage_root)])
def test_a_damaged_histogram_costs_that_plot(tmp_path: Path, write, damage) -> None:
    kind = write.__name__[1:]
    for seed in range(6):
        write(tmp_path / f"{seed}.{kind}", _filled(seed))
    damage(tmp_path / f"2.{kind}", NAMES[0])
    book, files, messages = book_of(open_runs(tmp_path))
    assert (len(book.plots), len(files), messages) == (3, 6, [])  # nor is it lost to the model
    first, *_ = book.slices()
    run = HistogramReader(book).read(files[2])
    assert not run.problem
    assert f"the plot {NAMES[0]!r} cannot be read (" in run.note
    assert np.isnan(run.counts[first]).all()
    assert np.isfinite(run.counts[first.stop :]).all()
    for name in NAMES[1:]:
        damage(tmp_path / f"2.{kind}", name)
    lost = HistogramReader(book).read(files[2])
    assert "none of its histograms can be read" in lost.problem or "is not JSON of histograms" in lost.problem


def test_a_folder_or_a_list_that_is_damaged_costs_what_it_holds(tmp_path: Path) -> None:
    """And a file that ends too early is said to be still being written, whatever could be read of it."""
    path = _root(tmp_path / "run.root", {"dE/dx": _filled(1)[NAMES[0]], "energy": _filled(2)[NAMES[0]]})
    whole = path.read_bytes()
    _damage_root(path, "dE")
    found = read_histograms(path)
    assert set(found.plots) == {"energy"}
    assert "'dE', which it is in" in found.why_not("dE/dx")
    for end in (400, 1200, 2000):
        path.write_bytes(whole[:end])
        with pytest.raises(SourceError, match="still being written"):
            read_histograms(path)


def test_histograms_in_folders_of_json_and_what_is_none(tmp_path: Path) -> None:
    plots = {name: json.loads(json.dumps(to_uhi(plot), default=list)) for name, plot in _filled(3).items()}
    content = {"Ecal": {"energy": plots[NAMES[0]]}, "map": plots["S2/deep/x : y"], "run": 7, "comment": "good"}
    (tmp_path / "run.json").write_text(json.dumps(content), "utf-8")
    found = read_histograms(tmp_path / "run.json")
    assert set(found.plots) == {"Ecal/energy", "map"}
    assert found.others == {"run": "int", "comment": "str"}
