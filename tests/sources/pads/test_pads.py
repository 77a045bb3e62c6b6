"""Spectra of pads from files: what a simulator writes is read again, ROOT by patterns, and bad input is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.pads_kr import spectra, write

from lynkeus.core import Batch, LynkeusError, SchemaError, SettingsError, SourceError, concatenate
from lynkeus.sources import open_source
from lynkeus.sources.pads.accumulate import PadSpectra
from lynkeus.sources.writers.write import write_source

OWN = spectra(2, rows=4, pads=10, decays=(20, 50))


@pytest.mark.parametrize("ending", [".npz", ".h5", ".parquet"])
def test_what_the_simulator_writes_is_read_again(tmp_path: Path, ending: str) -> None:
    url = "sim://tpc_pads?n=200&labels=50"
    expected = concatenate(list(open_source(url)))
    assert write_source(open_source(url), tmp_path / f"a{ending}") == 200
    source = open_source(tmp_path / f"a{ending}")
    read = next(iter(source))
    assert source.schema.edges == expected.schema.edges
    np.testing.assert_array_equal(read.values, expected.values)
    assert set(read.meta) == set(expected.meta)
    for name, column in expected.meta.items():
        np.testing.assert_array_equal(read.meta[name], column)


def refused(
    tmp_path: Path, word: str, layout: str = "tpc_pads", kind: type[LynkeusError] = SourceError, **change: Any
) -> None:
    path = write(tmp_path / "bad.npz", {**OWN, **change})
    with pytest.raises(kind, match=word) as error:
        open_source(path, layout)
    assert "\n" not in str(error.value)


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    n = len(OWN["sector"])
    twice = OWN["pad"].copy()
    twice[1] = twice[0]
    refused(tmp_path, "there twice or more, the first sector 1, row 0, pad 0", pad=twice)
    lost = OWN["x"].astype(float)
    lost[7] = np.nan
    refused(tmp_path, "1 pads are missing from the geometry", x=lost)
    negative = OWN["counts"].copy()
    negative[3, 5] = -1
    refused(tmp_path, "pad 3 are negative in bin 5", counts=negative)
    refused(tmp_path, "labels of pads that do not exist", label=np.full(n + 3, "good"))
    refused(tmp_path, "there are 11 edges", edges=np.linspace(0, 1, 11))
    edges = np.tile(OWN["edges"], (n, 1))
    edges[OWN["sector"] == 2] *= 2
    refused(tmp_path, "sector 2 has other bin edges", edges=edges)
    refused(tmp_path, "edges must rise", edges=OWN["edges"][::-1])


def test_an_empty_sector_is_said(tmp_path: Path) -> None:
    counts = OWN["counts"] * (OWN["sector"] == 1)[:, None]
    source = open_source(write(tmp_path / "a.npz", {**OWN, "counts": counts}), "tpc_pads")
    assert any("all 40 pads of sector 2 are empty" in line for line in source.messages)


def test_other_bins_than_those_of_a_model_are_refused_with_the_factor(tmp_path: Path) -> None:
    expected = open_source(write(tmp_path / "a.npz", OWN), "tpc_pads").schema
    with pytest.raises(SchemaError, match="10 times those of the model"):
        open_source(write(tmp_path / "b.npz", {**OWN, "edges": OWN["edges"] * 10}), "tpc_pads", expected=expected)
    coarse = {**OWN, "edges": OWN["edges"][::2], "counts": OWN["counts"].reshape(80, 60, 2).sum(axis=2)}
    with pytest.raises(SchemaError, match="another binning: 60 bins"):
        open_source(write(tmp_path / "c.npz", coarse), "tpc_pads", expected=expected)


def layout_of(tmp_path: Path, text: str) -> str:
    (tmp_path / "mine.toml").write_text(f"[pads]\n{text}\n", "utf-8")
    return str(tmp_path / "mine.toml")


def geometry(tmp_path: Path, rows: slice = slice(None)) -> str:
    names = ("sector", "row", "pad", "x", "y")
    pq.write_table(pa.table({name: OWN[name][rows] for name in names}), tmp_path / "plane.parquet")
    return f'geometry = "{tmp_path / "plane.parquet"}"'


def same(found: Batch) -> None:
    order = np.lexsort([found.meta[name] for name in ("pad", "row", "sector")])
    np.testing.assert_array_equal(found.values[order, 1:-1], OWN["counts"])


def test_histograms_and_clusters_of_root_files(tmp_path: Path) -> None:
    uproot = pytest.importorskip("uproot")
    with uproot.recreate(tmp_path / "a.root") as file:
        for k in range(len(OWN["sector"])):
            name = f"h_s{OWN['sector'][k]}_r{OWN['row'][k]}_p{OWN['pad'][k]}"
            file[name] = (OWN["counts"][k].astype(float), OWN["edges"])
        for sector in (1, 2):
            own = OWN["counts"][OWN["sector"] == sector].astype(float)
            file[f"charge_{sector}"] = (own, np.arange(len(own) + 1.0), OWN["edges"])
        centres = 0.5 * (OWN["edges"][1:] + OWN["edges"][:-1])
        pads, bins = np.nonzero(OWN["counts"])
        many = np.repeat(np.arange(len(pads)), OWN["counts"][pads, bins])
        file["clusters"] = {
            "charge": centres[bins[many]],
            **{name: OWN[name][pads[many]] for name in ("sector", "row", "pad")},
        }
    th1 = layout_of(tmp_path, "th1 = 'h_s(?P<sector>\\d+)_r(?P<row>\\d+)_p(?P<pad>\\d+)'")
    same(next(iter(open_source(tmp_path / "a.root", th1))))
    th2 = layout_of(tmp_path, "th2 = 'charge_(?P<sector>\\d+)'\n" + geometry(tmp_path))
    found = next(iter(open_source(tmp_path / "a.root", th2)))
    same(found)
    assert found.meta["x"].max() == OWN["x"].max()
    tree = layout_of(tmp_path, f"tree = 'clusters'\nbins = 120\nhigh = {OWN['edges'][-1]}\n" + geometry(tmp_path))
    same(next(iter(open_source(tmp_path / "a.root", tree))))  # pads of the geometry without a cluster, too: dead ones
    alone = layout_of(tmp_path, f"tree = 'clusters'\nbins = 120\nhigh = {OWN['edges'][-1]}")
    found = next(iter(open_source(tmp_path / "a.root", alone)))
    there = OWN["counts"].sum(axis=1) > 0
    np.testing.assert_array_equal(found.values[:, 1:-1], OWN["counts"][there])


def test_a_geometry_of_another_chamber_or_with_pads_missing_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", {name: value for name, value in OWN.items() if name not in ("x", "y")})
    for rows, word in ((slice(0, 79), "1 pads are missing from the geometry"), (slice(0, 10), "different chambers")):
        with pytest.raises(SourceError, match=word):
            open_source(path, layout_of(tmp_path, geometry(tmp_path, rows)))


def test_layouts_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    cases = {"count = 'x'": "no such field", "bins = 'many'": "must be a number", "th1 = '('": "regular expr",
             "tree = 'c'": "needs low, high", "th1 = 'h'": "has no group"}  # fmt: skip
    for text, word in cases.items():
        with pytest.raises(SettingsError, match=word):
            open_source(write(tmp_path / "a.npz", OWN), layout_of(tmp_path, text))


def test_clusters_are_accumulated_in_parts_and_added_up() -> None:
    rng, edges = np.random.default_rng(4), np.linspace(0, 10, 11)
    charge, pads = rng.uniform(-1, 12, 5000), rng.integers(0, 30, (3, 5000))
    whole, one, other = (PadSpectra(edges) for _ in range(3))
    whole.add(charge, *pads)
    one.add(charge[:2000], *pads[:, :2000])
    other.add(charge[2000:], *pads[:, 2000:])
    one.merge(other)
    np.testing.assert_array_equal(one.pads()[0], whole.pads()[0])
    assert whole.counts.sum() + whole.lost == 5000
    with pytest.raises(SourceError, match="other bin edges"):
        one.merge(PadSpectra(edges * 2))
