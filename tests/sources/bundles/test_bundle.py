import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lynkeus.core import Batch, SourceError, concatenate
from lynkeus.sources import BundleSource, InMemory, Window, open_source, write_bundle

# A source that takes its time, and a bundle that is safe after each batch.
SLOW = """
import sys, time
import numpy as np
from lynkeus.sources import open_source, write_bundle
from lynkeus.sources.bundles import bundle_writer
bundle_writer.COMMIT_BYTES = 1
class Slow:
    def __init__(self, source): self.source, self.schema = source, source.schema
    def __iter__(self):
        for batch in self.source:
            for start in range(0, len(batch), 500):
                yield batch[start : start + 500]
                time.sleep(float(sys.argv[3]))
write_bundle(Slow(open_source(sys.argv[1], "xfel_orbits")), sys.argv[2], lambda rows: print(rows, flush=True))
"""


def _same(one: Batch, other: Batch) -> None:
    assert one.schema == other.schema
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.time_ns, other.time_ns)
    assert (one.truth is None) == (other.truth is None)
    if one.truth is not None:
        np.testing.assert_array_equal(one.truth, other.truth)
    for name, column in one.meta.items():
        np.testing.assert_array_equal(column, other.meta[name])


def test_round_trip_of_a_table_with_provenance(orbits: Path, tmp_path: Path):
    source = open_source(orbits, "xfel_orbits")
    done: list[int] = []
    bundle = write_bundle(source, tmp_path / "out", done.append)
    _same(concatenate(list(source)), concatenate(list(bundle)))
    assert done == [6000, 6100]
    assert len(bundle) == 6100
    (origin,) = bundle.provenance["origin"]
    assert origin["path"] == str(orbits)
    assert origin["bytes"] == orbits.stat().st_size
    assert len(origin["sha256"]) == 64
    assert {item.name for item in (tmp_path / "out").iterdir()} == {"values.npy", "meta.parquet", "schema.json"}
    assert np.load(tmp_path / "out" / "values.npy").shape == (6100, 6)
    assert pq.read_table(tmp_path / "out" / "meta.parquet").column_names == ["position", "time_ns"]
    assert not (tmp_path / "out.partial").exists()


def test_round_trip_of_windows_with_truth_and_text(make_table, tmp_path: Path):
    table = make_table(7000)
    meta = dict(table.meta) | {"run": np.array([f"r{row % 7}" for row in range(7000)])}
    table = replace(table, truth=np.arange(7000) // 3000, weight=np.ones(7000), meta=meta)
    source = Window(InMemory(table, 999), 5)
    _same(concatenate(list(source)), concatenate(list(write_bundle(source, tmp_path / "out"))))


def test_nothing_is_overwritten(make_table, tmp_path: Path):
    write_bundle(InMemory(make_table(10)), tmp_path / "out")
    with pytest.raises(SourceError, match="exists already"):
        write_bundle(InMemory(make_table(10)), tmp_path / "out")


def _start(orbits: Path, folder: Path, pause_s: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SLOW, str(orbits), str(folder), str(pause_s)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(orbits: Path, tmp_path: Path):
    folder, partial = tmp_path / "out", tmp_path / "out.partial"
    with _start(orbits, folder, 0.05) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= 3000:
                writer.send_signal(signal.SIGKILL)
                break
    assert not folder.exists()
    with pytest.raises(SourceError, match="not finished"):
        open_source(partial)
    with (partial / "values.npy").open("ab") as file:
        file.write(b"half a row")  # as a kill in the middle of a write leaves it
    kept = (partial / "values.npy").stat()
    assert kept.st_size >= 3000 * 24
    with _start(orbits, folder, 0) as writer:
        writer.communicate()
    assert writer.returncode == 0
    assert (folder / "values.npy").stat().st_ino == kept.st_ino
    _same(concatenate(list(open_source(orbits, "xfel_orbits"))), concatenate(list(BundleSource(folder))))


def _stop_after(source, rows: int):
    """A source whose reading is interrupted after some rows."""

    class Stopped:
        schema = source.schema

        def __iter__(self):
            seen = 0
            for batch in source:
                yield batch
                seen += len(batch)
                if seen >= rows:
                    raise KeyboardInterrupt

    return Stopped()


@pytest.mark.parametrize("stop", [100, 450, 1000])
def test_only_the_missing_rows_are_written_again(
    make_table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
):
    monkeypatch.setattr("lynkeus.sources.bundles.bundle_writer.COMMIT_BYTES", 1)
    table = make_table(1000)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(_stop_after(InMemory(table, 100), stop), tmp_path / "out")
    for name in ("values.npy", "records.raw"):
        assert (tmp_path / "out.partial" / name).stat().st_size >= 12 * stop
    _same(table, concatenate(list(write_bundle(InMemory(table, 70), tmp_path / "out"))))


def test_an_unfinished_bundle_of_other_data_is_refused(make_table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lynkeus.sources.bundles.bundle_writer.COMMIT_BYTES", 1)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(_stop_after(InMemory(make_table(1000), 100), 300), tmp_path / "out")
    with pytest.raises(SourceError, match="begun from another source"):
        write_bundle(InMemory(make_table(1000, channels=4)), tmp_path / "out")
    later = make_table(1000)
    with pytest.raises(SourceError, match="begun from other data"):
        write_bundle(InMemory(replace(later, time_ns=later.time_ns + 1)), tmp_path / "out")
    with pytest.raises(SourceError, match="begun from more data"):
        write_bundle(InMemory(make_table(1000)[:150]), tmp_path / "out")


@pytest.mark.parametrize("kind", ["limit", "tmpfs"])
def test_a_full_disk_loses_nothing_that_was_written(make_table, tmp_path: Path, kind: str):
    """Really full: a file-size limit of the process, and (where we may mount one) a file system of 1 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    table = make_table(60_000, channels=6)  # 1.4 MB
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    if kind == "tmpfs":
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(disk)], capture_output=True)
        if mounted.returncode:
            pytest.skip("this user may not mount a file system")
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limits[1]))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lynkeus.sources.bundles.bundle_writer.COMMIT_BYTES", 2**16)
            with pytest.raises(SourceError, match="make room, run the same command again") as caught:
                write_bundle(InMemory(table), disk / "out")
        assert "\n" not in str(caught.value)
        safe = (disk / "out.partial" / "records.raw").stat().st_size // 16
        assert safe >= 24_000
        if kind == "tmpfs":
            assert "No space left" in str(caught.value)
            subprocess.run(["mount", "-o", "remount,size=20M", str(disk)], check=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        _same(table, concatenate(list(write_bundle(InMemory(table), disk / "out"))))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        if kind == "tmpfs":
            subprocess.run(["umount", str(disk)], check=True)


def test_a_damaged_bundle_is_refused(make_table, tmp_path: Path):
    def bundle() -> Path:
        folder = tmp_path / f"b{time.monotonic_ns()}"
        write_bundle(InMemory(make_table(500)), folder)
        return folder

    def damage(name: str, change) -> None:
        folder = bundle()
        change(folder / name)
        with pytest.raises(SourceError, match="bundle is damaged") as caught:
            list(BundleSource(folder))
        assert str(folder) in str(caught.value)
        assert "\n" not in str(caught.value)

    def cut(path: Path) -> None:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    def fewer_rows(path: Path) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | {"rows": 499}))

    for name in ("values.npy", "meta.parquet", "schema.json"):
        damage(name, cut)
    for name in ("values.npy", "meta.parquet"):
        damage(name, Path.unlink)
    damage("schema.json", fewer_rows)
    damage("schema.json", lambda path: path.write_text("[]"))
    damage("schema.json", lambda path: path.write_text('{"rows": 500}'))
    with pytest.raises(SourceError, match="is not a bundle"):
        BundleSource(tmp_path)


def test_samples_that_do_not_fit_are_refused(make_table, tmp_path: Path):
    table = make_table(10)
    with pytest.raises(SourceError, match="no samples"):
        write_bundle(InMemory(table[:0]), tmp_path / "a")
    with pytest.raises(SourceError, match="mask"):
        write_bundle(InMemory(replace(table, mask=np.ones((10, 3), bool))), tmp_path / "b")

    class Mixed:
        schema = table.schema

        def __iter__(self):
            yield table
            yield replace(table, values=table.values.astype(float))

    with pytest.raises(SourceError, match="at row 10 the samples change from float32"):
        write_bundle(Mixed(), tmp_path / "c")
