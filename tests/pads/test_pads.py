"""Tables of judged pads: gains as files, changes between periods with T / p, krypton beside collisions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lynkeus.core import SettingsError, SourceError
from lynkeus.pads.changes import gain_changes
from lynkeus.pads.crosscheck import cross_check
from lynkeus.pads.gains import META, write_gains
from lynkeus.pads.reports import write_changes, write_crosscheck
from lynkeus.pads.table import PadTable, read_pad_table

N = 600


def table(path: Path, seed: int = 0, factor: float = 1.0, warmer: float = 0.0, **change: Any) -> PadTable:
    rng = np.random.default_rng(5)
    row, pad = np.divmod(np.arange(N), 30)
    gain = rng.normal(1.0, 0.08, N) * factor * (1 + 0.002 * np.random.default_rng(seed).normal(size=N))
    chamber = np.repeat([0.0, 1.0], N // 2)
    good = np.arange(N) % 20 != 0
    columns = {
        "sector": np.zeros(N, int), "row": row, "pad": pad, "class": np.where(good, "good", "dead"),
        "verdict": np.where(good, "GOOD", "PROBLEMATIC"), "good": good, "gain": gain, "gain_error": np.full(N, 0.002),
        "gain_source": np.where(good, "fit", "neighbours"), "x": pad * 4.0, "y": row * 10.0,
        "temperature_c": 20.0 + warmer * (1 + chamber), "pressure_hpa": np.full(N, 970.0),
    } | change  # fmt: skip
    pq.write_table(pa.table(columns), path)
    return read_pad_table(path)


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".root"])
def test_gains_are_written_with_period_and_hash(tmp_path: Path, ending: str) -> None:
    own, path = table(tmp_path / "a.parquet"), tmp_path / f"g{ending}"
    about = write_gains(own, path, "2026-11")
    assert about["table_sha256"] == own.hash()
    if ending == ".parquet":
        assert json.loads(pq.read_schema(path).metadata[META]) == about
        np.testing.assert_allclose(np.asarray(pq.read_table(path).column("gain")), own["gain"])
    elif ending == ".csv":
        text = path.read_text("utf-8")
        assert text.startswith("# period: 2026-11\n")
        assert len(text.splitlines()) == len(about) + 1 + N
    else:
        uproot = pytest.importorskip("uproot")
        with uproot.open(path) as file:
            assert str(file["period"]) == "2026-11"
            np.testing.assert_allclose(file["gains"]["gain"].array(library="np"), own["gain"])
    with pytest.raises(SettingsError, match="are written to"):
        write_gains(own, tmp_path / "g.txt", "")


def test_changes_are_explained_by_temperature_and_what_moved_is_left(tmp_path: Path) -> None:
    before = table(tmp_path / "a.parquet", 1)
    lever = np.log((273.15 + 22 + np.repeat([0.0, 2.0], N // 2)) / 293.15)
    moved = np.where(np.arange(N) == 7, 1.2, 1.0)
    after = table(tmp_path / "b.parquet", 2, np.exp(4.0 * lever) * moved, warmer=2.0)
    found = gain_changes(before, after)
    assert abs(found.coefficient - 4.0) < 5 * found.coefficient_error + 0.02
    assert np.nanargmax(np.abs(found.left)) == 7
    assert np.isnan(found.ratio).sum() == N // 20
    lines = write_changes(before, after, tmp_path / "c.html")
    assert "1 pads moved by themselves" in lines[-1]
    assert "<table>" in (tmp_path / "c.html").read_text("utf-8")
    same = gain_changes(before, table(tmp_path / "d.parquet", 3, 1.02))
    assert abs(same.factor - 1.02) < 5 * same.factor_error
    assert np.isnan(same.coefficient)


def test_krypton_beside_collisions_counts_what_differs_and_leaves_out_what_cannot_be_told(tmp_path: Path) -> None:
    krypton = table(tmp_path / "a.parquet")
    good = krypton["good"].copy()
    good[[1, 2, 3]] = False
    verdict = np.where(good, "GOOD", "PROBLEMATIC").astype(object)
    verdict[5] = "NOT ENOUGH DATA"
    other = table(tmp_path / "b.parquet", good=good, verdict=verdict)
    found = cross_check(krypton, other)
    assert found.total.undecided == 1
    assert np.flatnonzero(found.differ).tolist() == [1, 2, 3]
    assert found.total.low < 3 / (N - 1) < found.total.high
    assert sum(one.pads for one in found.classes) == N
    assert "differ on 0.50%" in write_crosscheck(krypton, other, tmp_path / "c.html")[0]
    with pytest.raises(SourceError, match="different chambers"):
        cross_check(krypton, table(tmp_path / "d.parquet", sector=np.full(N, 9)))


def test_other_tables_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"sector": [1]}), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match="it is no table of pads"):
        read_pad_table(tmp_path / "x.parquet")
