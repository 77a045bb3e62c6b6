"""look: what a file holds, how it would be read, and which option reads it otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boost_histogram as bh
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from boost_histogram.serialization import to_uhi

from lynkeus.core import SourceError
from lynkeus.sources.look.entries import Look
from lynkeus.sources.look.look import look

NS = 1_700_000_000_000_000_000 + np.arange(60) * 10**9


def _roles(found: Look) -> dict[str, str]:
    return {entry.name: entry.role for entry in found.entries}


def test_the_columns_of_a_csv_file_have_roles_and_units(tmp_path: Path) -> None:
    lines = ["row;Zeit;a;state", ";;mm;", *(f"{k};14.11.2023 22:13:{k:02d};0,{k * k % 7};ok" for k in range(60))]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    found = look(str(tmp_path / "a.csv"))
    assert _roles(found) == {
        "row": "set aside: counts rows",
        "Zeit": "times",
        "a": "channel",
        "state": "left out: ok 60",
    }
    assert {entry.name: entry.unit for entry in found.entries}["a"] == "mm"
    assert found.lines[0] == "read as rows of 1 channels, at 1 Hz, from 2023-11-14 22:13:00.000 UTC on"
    assert any("separated by ';', decimal commas" in line for line in found.lines)


def test_fields_of_a_struct_are_columns_and_lists_are_left_out(tmp_path: Path) -> None:
    pair = pa.StructArray.from_arrays([pa.array(np.arange(60) % 7), pa.array(np.ones(60))], ["x", "y"])
    table = pa.table({"time": pa.array(NS, pa.timestamp("ns")), "bpm": pair, "vec": [[1.0]] * 60})
    pq.write_table(table, tmp_path / "a.parquet")
    found = look(str(tmp_path / "a.parquet"))
    assert _roles(found) == {"time": "times", "bpm.x": "channel", "bpm.y": "channel", "vec": "left out: no numbers"}
    assert found.entries[1].shape == "(60,)"


def test_what_of_an_hdf5_file_is_not_read_is_shown_with_how_to(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["orbit"], file["t"], file["lock"] = np.zeros((60, 3)), NS, np.zeros(60, bool)
        file["orbit"].attrs["unit"] = "mm"
    found = look(str(tmp_path / "a.h5"))
    assert _roles(found) == {"orbit": "channel", "t": "times", "lock": "not read"}
    assert found.lines[0].startswith("read as 60 rows of 3 channels, at 1 Hz")
    assert any("--array NAME" in line for line in found.options)


def test_a_file_that_is_refused_is_listed_all_the_same(tmp_path: Path, orbits: Path) -> None:
    found = look(str(orbits))
    assert {"orbit/x", "orbit/y"} <= set(_roles(found))
    assert found.lines[0].startswith("as it is, it would not be read: ")
    assert "--layout xfel_orbits reads it" in found.options
    with_layout = look(str(orbits), "xfel_orbits")
    assert _roles(with_layout)["orbit/bpm"] == "names"
    assert _roles(with_layout)["orbit/time_ns"] == "times"


def test_arrays_windows_folders_and_simulators(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", data=np.zeros((60, 2)), time=NS, more=np.zeros(3))
    assert _roles(look(str(tmp_path / "a.npz"))) == {"data": "samples", "time": "times", "more": "not read"}
    np.save(tmp_path / "w.npy", np.random.default_rng(0).normal(size=(20, 3, 40)))
    windows = look(str(tmp_path / "w.npy"))
    assert windows.lines[0].startswith("read as 20 waveforms of 3 x 40 (channel, time)")
    assert any("--axes" in line for line in windows.options)
    assert "1 .npz, 1 .npy" in look(str(tmp_path)).what
    assert look("sim://orbit?hours=0.01").lines[0].startswith("read as 360 rows of 206 channels, at 10 Hz")
    with pytest.raises(SourceError, match="no such file or folder"):
        look(str(tmp_path / "gone"))


def test_trees_and_histograms_of_a_root_file(tmp_path: Path) -> None:
    uproot = pytest.importorskip("uproot")
    with uproot.recreate(tmp_path / "a.root") as file:
        file["events"] = {"S1": np.zeros(5), "S2": np.ones(5)}
        file["h"] = np.histogram(np.arange(10.0))
    found = look(str(tmp_path / "a.root"))
    assert _roles(found) == {"events/S1": "column of events", "events/S2": "column of events", "h": "plot of a run"}
    assert next(entry.holds for entry in found.entries if entry.name == "h").startswith("TH1")


def test_histograms_of_json_and_damaged_ones_of_root(tmp_path: Path) -> None:
    uproot = pytest.importorskip("uproot")
    plot = bh.Histogram(bh.axis.Regular(4, 0.0, 1.0)).fill([0.1, 0.6])
    content = {"a": to_uhi(plot), "dir": {"b": to_uhi(plot)}, "note": 3}
    (tmp_path / "run.json").write_text(json.dumps(content, default=lambda array: array.tolist()))
    found = look(str(tmp_path))
    assert _roles(found) == {"a": "plot of a run", "dir/b": "plot of a run", "note": "not read"}
    assert any("--run-per-file" in line for line in found.options)
    odd = bh.Histogram(bh.axis.Regular(4, 0.0, 1.0))
    odd.view()[1] = np.nan  # which ROOT keeps among the entries too
    with uproot.recreate(tmp_path / "run.root") as file:
        file["odd"], file["fine"] = odd, plot
    assert _roles(look(str(tmp_path / "run.root"))) == {"odd": "plot of a run", "fine": "plot of a run"}


def test_the_command_shows_it_and_writes_nothing(lynkeus: Callable[..., Any], tmp_path: Path) -> None:
    np.save(tmp_path / "signal.npy", np.arange(30.0))
    done = lynkeus("look", "signal.npy")
    assert done.code == 0
    assert "signal.npy" in done.out
    assert "read as 30 rows of 1 channels" in done.out
    assert [path.name for path in tmp_path.iterdir()] == ["signal.npy"]
    assert lynkeus("look", "gone.csv").code == 2


def test_a_damaged_file_is_one_line(orbits: Path) -> None:
    content = bytearray(orbits.read_bytes())
    at = content.find(b"HEAP")
    content[at : at + 4] = b"HELP"
    orbits.write_bytes(content)
    with pytest.raises(SourceError, match="may be damaged") as caught:
        look(str(orbits))
    assert "\n" not in str(caught.value)
