"""What a simulator gives, written and opened again, is the same: values, names, units, times, truth, and what else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from lynkeus.core import Batch, Schema, SettingsError, Source, SourceError, concatenate, plugins
from lynkeus.sources import InMemory, Layout, Select, open_source
from lynkeus.sources.runs.folder import open_runs
from lynkeus.sources.writers.write import write_source

FILES = {
    "sim://orbit?hours=0.2&faults=noisy:603:100:40:5": (".parquet", ".h5", ".hdf5", ".npz"),
    "sim://cavity?pulses=40&cavities=2&fault=all&share=0.3": (".h5", ".npz"),
    "sim://pulses?runs=2&pulses=50": (".parquet", ".h5", ".npz"),
    "sim://pulses?kind=waveform&runs=2&pulses=50": (".h5", ".npz"),
    "sim://lattice?mu=1.2&shape=8x4&n=6": (".h5", ".npz"),
    "sim://htautau?n=60&channel=all": (".h5",),
    "sim://stop?n=60": (".npz",),
    "sim://spinodal?n=4": (".h5", ".npz"),
    "sim://calorimeter?n=4": (".h5", ".npz"),
    "sim://one_lepton?n=40&processes=tt1l,signal": (".h5", ".npz"),
    "sim://hydro?n=2&size=40&dx=0.7&b=0-2": (".npz",),
    "sim://tpc_hits?events=2&rows=12&tracks=6": (".parquet", ".h5", ".npz"),
}
RUNS = ("sim://noble?runs=3&events=200&fault=all", "sim://pulses?kind=cloud&runs=3&pulses=50")
TASKS = ("sim://workflows?n=60",)  # tests/sources/tasks/test_tasks.py
TEXTS = ("sim://logbook?n=60",)  # tests/simulate/logbook/test_logbook.py
CLOUDS = ("sim://jets?n=8",)  # tests/sources/writers/test_clouds.py
PADS = ("sim://tpc_pads?n=400",)  # tests/sources/pads/test_pads.py
IMAGES = (
    "sim://surface?images=6&size=48x64&defects=0.5&kind=pit&positions=3",
    "sim://inspection?cavities=2&cells=1&angles=2&treatments=bcp,ep&defects=2&size=48x64&pixel_um=20&ending=png",
)


def test_every_simulator_is_tried() -> None:
    tried = {url.split("://")[1].split("?")[0] for url in (*FILES, *RUNS, *CLOUDS, *PADS, *TASKS, *TEXTS, *IMAGES)}
    assert set(plugins.BUILT_IN["simulators"]) == tried


@pytest.mark.parametrize(("url", "ending"), [(url, ending) for url, endings in FILES.items() for ending in endings])
def test_a_file_gives_the_samples_again(tmp_path: Path, url: str, ending: str) -> None:
    expected, path = concatenate(list(open_source(url))), tmp_path / f"a{ending}"
    assert write_source(open_source(url), path) == len(expected)
    source = open_source(path)
    assert source.schema == expected.schema
    assert len(source) == len(expected)
    read = concatenate(list(source))
    assert read.values.dtype == expected.values.dtype
    np.testing.assert_array_equal(read.values, expected.values)
    for name in ("time_ns", "truth"):
        assert (getattr(read, name) is None) == (getattr(expected, name) is None)
        np.testing.assert_array_equal(getattr(read, name), getattr(expected, name))
    assert set(expected.meta) | {"position"} == set(read.meta)
    for name, column in expected.meta.items():
        assert read.meta[name].dtype.kind == column.dtype.kind
        np.testing.assert_array_equal(read.meta[name], column)
    assert not any("left out" in line for line in source.messages)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("url", RUNS)
def test_a_folder_gives_the_runs_again(tmp_path: Path, url: str) -> None:
    folder = tmp_path / "runs_of_today"
    expected = open_runs(url)
    assert write_source(open_source(url), folder) == len(expected) == 3
    found = open_runs(folder)
    assert [run.name for run in found] == [run.name for run in expected]
    for one, other in zip(found, expected, strict=True):
        (read,), (simulated,) = list(one.pieces()), list(other.pieces())
        assert list(read) == list(simulated)
        for name, column in simulated.items():
            np.testing.assert_array_equal(read[name], column)
    lines = (folder / "truth.csv").read_text("utf-8").splitlines()
    assert lines[0].startswith("run,truth,events")
    assert len(lines) == 4
    assert ("class" in read) == ("pulses" in url)
    assert ("time_ns" in read) == ("noble" in url)


@pytest.mark.parametrize("url", IMAGES)
def test_a_folder_gives_the_images_again(tmp_path: Path, url: str) -> None:
    folder, simulated = tmp_path / "scan", open_source(url)
    expected = concatenate(list(simulated))
    assert write_source(simulated, folder) == len(expected)
    source = open_source(folder)
    read = concatenate(list(source))
    assert source.messages == []
    order = np.argsort(expected.meta["file"])
    expected, masks = expected[order], simulated.masks(expected)[order]
    np.testing.assert_array_equal(read.values, expected.values)
    np.testing.assert_array_equal(read.truth, expected.truth > 0)
    assert 0 < read.truth.sum() < len(read)
    for name in ("position", "scan", "time", "vendor", "treatment"):
        np.testing.assert_array_equal(read.meta[name], expected.meta[name])
    has_mask = [(folder / "masks" / file).with_suffix(".png").is_file() for file in read.meta["file"].tolist()]
    np.testing.assert_array_equal(has_mask, masks.any((1, 2)))
    np.testing.assert_array_equal(has_mask, read.truth.astype(bool))


def test_the_masks_are_those_of_the_pictures() -> None:
    source = open_source(IMAGES[0])
    pictures = [picture.mask for picture in source.pictures()]
    np.testing.assert_array_equal(source.masks(concatenate(list(source))), pictures)


@pytest.mark.parametrize("name", sorted(set(plugins.BUILT_IN["simulators"]) - {"inspection"}))
def test_a_simulation_is_made_longer_or_shorter(name: str) -> None:
    source = open_source(
        {"cavity": "sim://cavity?cavities=3", "pulses": "sim://pulses?pulses=30"}.get(name, f"sim://{name}")
    )
    for samples in (1, 7, 100):
        made = source.of_length(samples)
        assert samples <= len(made) < samples + 30
        assert type(made) is type(source)
    first = next(iter(source.of_length(4)))
    assert len(first) >= 1


def test_labels_of_the_file_are_chosen_by_name(tmp_path: Path) -> None:
    source = open_source("sim://cavity?pulses=40&fault=quench&share=0.3")
    for ending in (".h5", ".npz"):
        write_source(source, tmp_path / f"a{ending}")
        truth, event = (
            concatenate(list(open_source(tmp_path / f"a{ending}", Layout(truth=name)))).truth
            for name in ("truth", "event")
        )
        np.testing.assert_array_equal(truth, source.plan["truth"])
        np.testing.assert_array_equal(event, source.plan["event"])


def test_a_layout_of_other_files_gives_way_and_one_of_this_file_is_followed(tmp_path: Path) -> None:
    source = Select(open_source("sim://orbit"), rows=(0, 50))
    for ending in (".h5", ".parquet"):
        write_source(source, tmp_path / f"a{ending}")
        for layout in ("xfel_orbits", "xfel_llrf")[: 2 if ending == ".h5" else 1]:
            assert open_source(tmp_path / f"a{ending}", layout).schema == source.schema
    one = Layout.from_dict({"blocks": [{"dataset": source.schema.names[3]}]})
    assert open_source(tmp_path / "a.parquet", one).schema.names == source.schema.names[3:4]


def test_weights_of_events_come_along(tmp_path: Path) -> None:
    batch = next(iter(open_source(RUNS[0])))
    weight = np.linspace(0.5, 2, batch.values.shape[1])[None]
    write_source(InMemory(replace(batch, meta=dict(batch.meta) | {"weight": weight})), tmp_path / "runs")
    (piece,) = open_runs(tmp_path / "runs")[0].pieces()
    np.testing.assert_array_equal(piece["weight"], weight[0])


@dataclass
class Broken:
    """A simulation that ends in an error after some samples."""

    inner: Source

    @property
    def schema(self) -> Schema:
        return self.inner.schema

    def __iter__(self):
        yield next(iter(self.inner))
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("url", "name"), [*((url, f"a{ending}") for url, endings in FILES.items() for ending in endings),
                      *((url, "folder") for url in (*RUNS, *IMAGES))]
)  # fmt: skip
def test_whole_or_not_at_all(tmp_path: Path, url: str, name: str) -> None:
    with pytest.raises(SourceError, match=rf"{name}: cannot be written \(the disk is full\)"):
        write_source(Broken(open_source(url)), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_what_was_there_stays_until_the_new_file_is_whole(tmp_path: Path) -> None:
    source = open_source("sim://orbit?hours=0.01")
    (tmp_path / "a.h5").write_bytes(b"old")
    with pytest.raises(SourceError):
        write_source(Broken(source), tmp_path / "a.h5")
    assert (tmp_path / "a.h5").read_bytes() == b"old"
    write_source(source, tmp_path / "a.h5")
    assert len(open_source(tmp_path / "a.h5")) == 360


@pytest.mark.parametrize(
    ("kind", "shape", "name", "says"),
    [
        ("text", (), "a.h5", r"texts are written to .jsonl, .csv; give -o a name that ends so"),
        ("waveform", (2, 5), "a.parquet", r"waveforms are written to .h5, .hdf5, .npz; give -o a name that ends so"),
        ("table", (2,), "a", r"rows are written to .parquet, .h5, .hdf5, .npz"),
        ("image", (3, 4, 4), "a.npz", r"images are written into a folder; give -o a name without .npz"),
        ("cloud", (None, 4), "a.parquet", "runs are written into a folder"),
    ],
)
def test_places_that_do_not_fit_are_named(tmp_path: Path, kind: str, shape: tuple, name: str, says: str) -> None:
    schema = Schema(kind, shape=shape)
    values = np.zeros((1, *(size or 1 for size in shape)))
    with pytest.raises(SettingsError, match=says):
        write_source(InMemory(Batch(schema, values)), tmp_path / name)


def test_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    batch = next(iter(open_source(IMAGES[0])))
    away = replace(batch, meta=dict(batch.meta) | {"file": np.array([f"../../{k}" for k in range(len(batch))])})
    with pytest.raises(SourceError, match=r"'../../0' is no name of a file below a folder"):
        write_source(InMemory(away), tmp_path / "in" / "images")
    assert not list((tmp_path / "in").iterdir())
    run = next(iter(open_source(RUNS[0])))
    for name in ("../x", "a/b"):
        with pytest.raises(SourceError, match="no name of a file"):
            write_source(InMemory(replace(run, meta={"run": np.array([name])})), tmp_path / "runs")


def test_damaged_files_are_named(tmp_path: Path) -> None:
    source = open_source("sim://pulses?runs=1&pulses=50")
    write_source(source, tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["truth"].resize(20, axis=0)
    with pytest.raises(SourceError, match=r"a\.h5: truth has 20 entries for 50 samples; write it again"):
        open_source(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file["lynkeus_schema"]
        file["lynkeus_schema"] = "{]"
    with pytest.raises(SourceError, match=r"a\.h5: its lynkeus_schema is damaged"):
        open_source(tmp_path / "a.h5")


def test_samples_that_change_their_form_are_refused(tmp_path: Path) -> None:
    batches = [Batch(Schema("waveform", shape=(1, None)), np.zeros((2, 1, n))) for n in (5, 6)]

    class Changing:
        schema = batches[0].schema

        def __iter__(self):
            yield from batches

    for ending in (".h5", ".npz"):
        with pytest.raises(SourceError, match="a file holds samples of one form"):
            write_source(Changing(), tmp_path / f"a{ending}")
    assert list(tmp_path.iterdir()) == []
