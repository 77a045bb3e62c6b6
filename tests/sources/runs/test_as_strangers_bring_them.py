"""Runs as strangers bring them: names with run numbers, labels, scaled and weighted plots, several trees, lists."""

import json
from dataclasses import replace
from pathlib import Path

import boost_histogram as bh
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from boost_histogram.serialization import to_uhi

from lynkeus.core.errors import SourceError
from lynkeus.core.runs import NEW_LABEL, Book, Plot
from lynkeus.sources import open_source
from lynkeus.sources.look.look import look
from lynkeus.sources.runs.booked import effective, fitted
from lynkeus.sources.runs.events import not_read, read_events
from lynkeus.sources.runs.filled import Filled, common_names, read_histograms
from lynkeus.sources.runs.folder import open_runs
from lynkeus.sources.runs.histograms import HistogramReader, book_of, holds_histograms


def _json(path: Path, plots: dict[str, bh.Histogram]) -> Path:
    content = {name: to_uhi(plot) for name, plot in plots.items()}
    path.write_text(json.dumps(content, default=lambda array: array.tolist()), encoding="utf-8")
    return path


def test_the_number_of_a_run_is_no_part_of_a_name() -> None:
    names = ["DQMData/Run 370100/Ecal/Run summary/energy_0", "DQMData/Run 370100/map", "000370100/x", "run7/energy_12"]
    short = common_names(names, "run7")
    assert list(short.values()) == ["DQMData/Ecal/Run summary/energy_0", "DQMData/map", "x", "energy_12"]
    assert common_names(["hits_run370100", "hits_2"], "a") == {"hits_run370100": "hits", "hits_2": "hits_2"}
    both = ["run1/x", "run2/x"]  # two runs in one file: they stay apart
    assert common_names(both, "a") == dict(zip(both, both, strict=True))


def _paths(counts: dict[str, int], **more: bh.Histogram) -> dict[str, bh.Histogram]:
    plot = bh.Histogram(bh.axis.StrCategory([], growth=True))
    for label, count in counts.items():
        plot.fill([label] * count)
    return {"paths": plot, **more}


def test_bins_are_matched_by_label_and_new_labels_are_a_bin_of_their_own(tmp_path: Path) -> None:
    for run in range(20):
        order = ["Mu", "Ele", "Jet"] if run % 2 else ["Jet", "Mu", "Ele"]
        more = {"Rare": 5} if run == 3 else {}
        _json(tmp_path / f"{run:02}.json", _paths({label: 10 * len(label) for label in order} | more))
    book, files, _ = book_of(open_runs(tmp_path))
    (plot,) = book.plots
    assert sorted(plot.named(0)[:3]) == ["Ele", "Jet", "Mu"]
    assert plot.named(0)[3:] == ("Rare", NEW_LABEL)  # what but one good run has is none that no good run has
    reader = HistogramReader(book)
    rows = [reader.read(file) for file in files]
    assert all((row.counts[:4] == rows[0].counts[:4]).all() for row in rows)
    assert rows[3].counts[4] == 5
    assert not rows[3].note
    _json(tmp_path / "new.json", _paths({"Mu": 20, "Hot": 7, "Ele": 30, "Jet": 30}))
    new = reader.read(open_runs(tmp_path / "new.json")[0])
    assert "labels that the good runs do not have: Hot (7)" in new.note
    usual = {"Mu": 20, "Ele": 30, "Jet": 30}
    assert new.counts.tolist() == [0, *(usual[label] for label in plot.named(0)[:3]), 0, 7, 0]
    assert plot.with_new(new.new_labels["paths"]).named(0)[-1] == "Hot (new)"
    before = Book((replace(plot, labels=(plot.named(0)[:4],), edges=(plot.edges[0][:5],)),))
    assert HistogramReader(before).read(open_runs(tmp_path / "new.json")[0]).counts[-1] == 7  # a model of before
    again = Book.from_list(json.loads(json.dumps(book.to_list())))
    assert again == book


def _filled(counts: list[float], variances: list[float] | None = None, entries: float = 0.0) -> Filled:
    edges = (tuple(np.linspace(0, 1, len(counts) - 1).tolist()),)
    squares = None if variances is None else np.array(variances)
    return Filled(Plot("a", ("a",), edges), np.array(counts, float), squares, entries)


def test_plots_count_their_effective_entries() -> None:
    whole = np.array([0, 25, 168, 387, 0])
    scaled = _filled((whole / whole.sum()).tolist(), (whole / whole.sum() ** 2).tolist())
    np.testing.assert_array_equal(effective(scaled)[0], whole)
    np.testing.assert_array_equal(effective(_filled((whole / whole.sum()).tolist()))[0], whole)  # by its smallest step
    weighted = _filled([0, 50.0, 100.0, 0], [0, 100.0, 200.0, 0])  # weights of 2
    np.testing.assert_array_equal(effective(weighted)[0], [0, 25, 50, 0])
    negative = _filled([0, -1.0, 20.0, 0], [0, 4.0, 30.0, 0])
    counts, problem = effective(negative)
    assert not problem
    assert counts[1] == 0
    assert "far below 0" in effective(_filled([0, -30.0, 20.0, 0], [0, 4.0, 30.0, 0]))[1]
    irregular = np.random.default_rng(0).dirichlet(np.ones(12))
    assert "scaled to a sum of 1" in effective(_filled([0, *irregular, 0]))[1]
    by_entries, _ = effective(_filled([0, *irregular, 0], entries=3000))
    assert by_entries.sum() == pytest.approx(3000)


def test_a_plot_that_cannot_be_judged_says_why() -> None:
    plot = _filled([0, 1, 2, 0]).plot
    for other, says in (
        (None, "is missing"),
        (_filled([0, np.nan, 2, 0]), "holds nan in bin 1"),
        (_filled([0, -1, 2, 0]), "holds -1 in bin 1"),
        (_filled([0, 1, 2, 3, 0]), "has other bin edges"),
    ):
        found = fitted(plot, other, "the plot 'a'")
        assert np.isnan(found.counts).all()
        assert says in found.problem


def test_sparse_histograms_are_read(tmp_path: Path) -> None:
    axes = [
        {"type": "regular", "lower": 0, "upper": 8, "bins": 8, "underflow": True, "overflow": True, "circular": False}
    ]
    storage = {"type": "int", "index": [[1, 4, 9]], "values": [7, 12, 3]}
    content = {"adc": {"uhi_schema": 1, "axes": axes, "storage": storage}}
    (tmp_path / "run.json").write_text(json.dumps(content), encoding="utf-8")
    counts = read_histograms(tmp_path / "run.json").plots["adc"].counts
    np.testing.assert_array_equal(counts, [0, 7, 0, 0, 12, 0, 0, 0, 0, 3])
    content["adc"]["storage"]["index"] = [[1, 4, 10]]
    (tmp_path / "run.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(SourceError, match="is not JSON of histograms"):
        read_histograms(tmp_path / "run.json")


def test_lists_of_each_event_become_columns(tmp_path: Path) -> None:
    uproot = pytest.importorskip("uproot", reason="ROOT files need lynkeus[hep]")
    lists = [[3.0, 1.0], [], [2.0]]
    pq.write_table(pa.table({"ht": [1.0, 2.0, 3.0], "Jet_pt": lists, "odd": [{"a": 1}] * 3}), tmp_path / "a.parquet")
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mkrntuple("Events", {"ht": np.array([1.0, 2.0, 3.0]), "Jet_pt": lists, "Jet_eta": lists})
    for path in (tmp_path / "a.parquet", tmp_path / "a.root"):
        (piece,) = read_events(path)
        np.testing.assert_array_equal(piece["Jet_pt.first"], [3.0, np.nan, 2.0])
        np.testing.assert_array_equal(piece["Jet_pt.sum"], [4.0, 0.0, 2.0])
        counts = piece.get("Jet_pt.count", piece.get("Jet_eta.count"))
        np.testing.assert_array_equal(counts, [2, 0, 1])
    assert sum(name.endswith(".count") for name in piece) == 1  # of lists that belong together one is counted
    assert "odd (struct" in not_read(tmp_path / "a.parquet")[0]


def test_an_efficiency_is_both_of_its_histograms(tmp_path: Path) -> None:
    uproot = pytest.importorskip("uproot", reason="ROOT files need lynkeus[hep]")
    from tests.root_efficiency import efficiency

    with uproot.recreate(tmp_path / "run.root") as file:
        file["trigger/muon"] = efficiency(np.random.default_rng(1), 0.9)
    plots = read_histograms(tmp_path / "run.root").plots
    assert list(plots) == ["trigger/muon/passed", "trigger/muon/total"]
    passed, total = (plot.counts.sum() for plot in plots.values())
    assert total == 3000
    assert passed == pytest.approx(2700, abs=100)


def test_of_several_trees_the_largest_has_the_events(tmp_path: Path) -> None:
    uproot = pytest.importorskip("uproot", reason="ROOT files need lynkeus[hep]")
    from lynkeus.sources.formats.root_branches import root_items

    path = tmp_path / "run.root"
    with uproot.recreate(path) as file:
        file.mktree("lumi/tree", {"luminosity": float}).extend({"luminosity": np.ones(3)})
        file.mktree("Events", {"ht": float}).extend({"ht": np.arange(50.0)})
        file["plot"] = bh.Histogram(bh.axis.Regular(4, 0, 1)).fill([0.5])
    (piece,) = read_events(path)
    assert list(piece) == ["ht"]
    (piece,) = read_events(path, "lumi/tree")
    assert list(piece) == ["luminosity"]
    with pytest.raises(SourceError, match="holds no tree 'other'; there are lumi/tree, Events"):
        list(read_events(path, "other"))
    said = not_read(path)
    assert said[0].startswith("events are read from the tree Events (50 entries), not from lumi/tree (3 entries)")
    assert "1 histogram (plot)" in said[1]
    items = {item.name: item for item in root_items(path)}
    assert items["Events"].read == {"ht"}
    assert items["Events"].entries == 50
    assert not items["lumi/tree"].read
    assert items["plot"].role == "histogram"
    assert not holds_histograms(open_runs(path))
    with uproot.recreate(path) as file:
        file.mktree("info", {"run": int}).extend({"run": np.array([1])})
        file["plot"] = bh.Histogram(bh.axis.Regular(4, 0, 1)).fill([0.5])
    assert holds_histograms(open_runs(path))


def test_only_a_file_that_is_cut_short_is_still_being_written(tmp_path: Path) -> None:
    uproot = pytest.importorskip("uproot", reason="ROOT files need lynkeus[hep]")
    path = tmp_path / "run.root"
    with uproot.recreate(path) as file:
        file.mktree("Events", {"ht": float}).extend({"ht": np.random.default_rng(0).normal(size=5000)})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="is it still being written"):
        list(read_events(path))
    path.write_bytes(b"no such file" * 9)
    with pytest.raises(SourceError, match="is not a ROOT file"):
        list(read_events(path))


def _hdf5(path: Path, scale: float = 1.0) -> dict[str, bh.Histogram]:
    uhi = pytest.importorskip("uhi.io.hdf5")
    random = np.random.default_rng(len(path.stem) + int(100 * scale))
    plots = {
        "energy": bh.Histogram(bh.axis.Regular(20, 1.0, 100.0, transform=bh.axis.transform.log)),
        "ecal/paths": bh.Histogram(bh.axis.StrCategory(["Mu", "Ele"])),
        "ecal/weighted": bh.Histogram(bh.axis.Variable([0.0, 1.0, 3.0]), storage=bh.storage.Weight()),
        "gain": bh.Histogram(bh.axis.Integer(0, 4), storage=bh.storage.Mean()),
        "cube": bh.Histogram(*[bh.axis.Regular(20, 0.0, 1.0)] * 3),
    }
    plots["energy"].fill(random.gamma(9.0, 2.0 * scale, 3000))
    plots["ecal/paths"].fill(random.choice(["Mu", "Ele"], 1000))
    plots["ecal/weighted"].fill(random.random(500) * 3.0, weight=0.5)
    plots["gain"].fill(random.integers(4, size=400), sample=random.normal(5.0, 1.0, 400))
    with h5py.File(path, "w") as file:
        for name, plot in plots.items():
            uhi.write(file.create_group(name), plot)
    return plots


def test_histograms_of_the_uhi_standard_in_hdf5_are_read_and_named(tmp_path: Path) -> None:
    filled = _hdf5(tmp_path / "a.h5")
    _json(tmp_path / "a.json", filled)
    read, same = read_histograms(tmp_path / "a.h5"), read_histograms(tmp_path / "a.json")
    assert read.plots.keys() == same.plots.keys() == {"energy", "ecal/paths", "ecal/weighted", "gain"}
    assert read.others == {"cube": "histogram of 3 axes"}
    for name, plot in same.plots.items():
        own = read.plots[name]
        assert own.plot == plot.plot
        np.testing.assert_array_equal(own.counts, plot.counts)
        if plot.variances is not None and own.variances is not None:
            np.testing.assert_array_equal(own.variances, plot.variances)
    entries = {entry.name: entry for entry in look(str(tmp_path / "a.h5")).entries}
    assert (entries["energy"].holds, entries["energy"].shape, entries["energy"].role) == (
        "histogram", "(20,)", "plot of a run"
    )  # fmt: skip
    assert (entries["ecal/weighted"].holds, entries["gain"].holds) == ("weighted histogram", "profile")
    assert entries["cube"].role == "not read"
    with pytest.raises(SourceError, match=r"holds no samples but 5 histograms .*--run-per-file"):
        open_source(tmp_path / "a.h5")


def test_a_damaged_histogram_in_hdf5_costs_that_plot(tmp_path: Path) -> None:
    _hdf5(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["cube/ref_axes/axis_0"].attrs["bins"] = 10**12
        del file["energy/ref_axes/axis_0/edges"]
        del file["gain/storage/counts"]
    read = read_histograms(tmp_path / "a.h5")
    assert set(read.plots) == {"ecal/paths", "ecal/weighted"}
    assert set(read.damaged) == {"cube", "energy", "gain"}


def test_a_run_in_hdf5_is_its_histograms_unless_it_holds_a_table_of_events(tmp_path: Path) -> None:
    _hdf5(tmp_path / "a.h5")
    assert holds_histograms(open_runs(tmp_path))
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["events/x"] = np.arange(100.0)
    assert not holds_histograms(open_runs(tmp_path))
    (piece,) = read_events(tmp_path / "a.h5")
    assert list(piece) == ["x"]
    assert not_read(tmp_path / "a.h5") == [
        "not read beside the events: 5 histograms (cube, ecal/paths, ecal/weighted, energy, gain)"
    ]
