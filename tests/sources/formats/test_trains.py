"""Runs of the European XFEL, made by EXtra-data's own maker of examples, are read as EXtra-data reads them."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from lynkeus.core import SourceError
from lynkeus.core.batch import concatenate
from lynkeus.sources import open_source, read_layout
from lynkeus.sources.formats.hdf.trains import RunOfTrains

extra_data = pytest.importorskip("extra_data")
XGM = "SA1_XTD2_XGM/DOOCS/MAIN"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Control data in two sequences of 400 trains, with numbers in them; the second lost trains 10405 to 10414."""
    make = pytest.importorskip("extra_data.tests.make_examples")
    folder = tmp_path_factory.mktemp("r0123")
    make.make_fxe_da_file(str(folder / "RAW-R0123-DA01-S00000.h5"), firsttrain=10_000)
    make.make_fxe_da_file(str(folder / "RAW-R0123-DA01-S00001.h5"), firsttrain=10_400)
    generator = np.random.default_rng(3)
    for number, path in enumerate(sorted(folder.glob("*.h5"))):
        with h5py.File(path, "r+") as file:
            for key in ("ixPos", "iyPos"):
                data = file[f"CONTROL/{XGM}/beamPosition/{key}/value"]
                data[:] = generator.normal(size=data.shape)
            if number:
                file["INDEX/trainId"][5:] += 10
                file["INDEX/trainId"][-3:] = 0  # written, and not filled
    return folder


def columns_of(source: RunOfTrains) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rows = concatenate(list(source))
    return rows.meta["train_id"], dict(zip(source.schema.names, rows.values.T, strict=True))


def test_every_column_is_what_extra_data_reads(run: Path) -> None:
    ids, columns = columns_of(RunOfTrains(run, ("*XGM*", "*MOTOR*", "*/CAM/*")))
    reference = extra_data.RunDirectory(str(run))
    compared = 0
    for name, column in columns.items():
        name, _, element = name.partition("[")
        source, key = next(
            (source, name[len(source) + 1 :]) for source in reference.all_sources if name.startswith(source + "/")
        )
        known = reference[source]
        data = known[key if key in known.keys() else f"{key}.value"]  # noqa: SIM118 - no mapping
        theirs, trains = data.ndarray(), data.train_id_coordinates()
        theirs = theirs[:, int(element[:-1])] if element else theirs
        own = column[np.searchsorted(ids, trains)]
        np.testing.assert_array_equal(own, theirs.astype(float))
        assert np.isnan(np.delete(column, np.searchsorted(ids, trains))).all()
        compared += 1
    assert compared > 10
    assert set(reference.train_ids) == set(ids)


def test_trains_that_miss_are_said_and_not_made_up(run: Path) -> None:
    source = RunOfTrains(run, (XGM,))
    ids, columns = columns_of(source)
    assert not set(range(10_405, 10_415)) & set(ids.tolist())
    assert "10 trains between them are missing" in "\n".join(source.messages)
    assert np.isfinite(columns[f"{XGM}/beamPosition.ixPos"]).all()
    rows = concatenate(list(source))
    assert rows.time_ns is not None
    np.testing.assert_array_equal(np.diff(rows.time_ns), np.diff(ids) * 100_000_000)
    # A file of the first sequence alone holds its own trains.
    one = RunOfTrains(sorted(run.glob("*.h5"))[0], (XGM,))
    assert len(one) < len(source)


def test_selections_by_source_and_by_key(run: Path) -> None:
    assert all("_XGM/DOOCS/MAIN/" in name for name in RunOfTrains(run, ("*/DOOCS/MAIN",)).schema.names)
    assert RunOfTrains(run, (f"{XGM}/beamPosition.i*Pos",)).schema.names == (
        f"{XGM}/beamPosition.ixPos", f"{XGM}/beamPosition.iyPos",
    )  # fmt: skip
    with pytest.raises(SourceError, match="1000 numbers for each train; name it by --select"):
        RunOfTrains(run, (f"{XGM}:output",))
    assert len(RunOfTrains(run, (f"{XGM}:output/data.intensityTD",)).schema.names) == 1000
    with pytest.raises(SourceError, match=r"\*/LASER/\* matches no data"):
        RunOfTrains(run, ("*/LASER/*",))


def test_the_layout_opens_runs_and_what_is_none_is_one_line(run: Path, tmp_path: Path) -> None:
    source = open_source(run, "extra_data")
    assert source.schema.sample_rate_hz == 10.0
    assert read_layout("extra_data").trains == ("*",)
    with pytest.raises(SourceError, match="no HDF5 file of a run"):
        open_source(tmp_path, "extra_data")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(SourceError, match="is no file of a run"):
        open_source(tmp_path, "extra_data")
    (tmp_path / "other.h5").write_bytes(b"\x89HDF\r\n\x1a\nnothing")
    with pytest.raises(SourceError, match=r"other\.h5"):
        open_source(tmp_path, "extra_data")


def test_control_data_without_an_index_are_read_and_what_a_layout_does_not_name_is_said(tmp_path: Path) -> None:
    path, keys = tmp_path / "run.h5", ("beamPosition/ixPos", "pulseEnergy/photonFlux")
    with h5py.File(path, "w") as file:
        file["INDEX/trainId"] = np.arange(1000, 1040, dtype="u8")
        file["INDEX/timestamp"] = (1_700_000_000 + np.arange(40) / 10) * 1e9
        for number, key in enumerate(keys):
            file[f"CONTROL/TST/XGM/DOOCS/{key}/value"] = np.arange(40.0) + 100 * number
    _, columns = columns_of(RunOfTrains(path))
    np.testing.assert_array_equal(columns["TST/XGM/DOOCS/pulseEnergy.photonFlux"], np.arange(40.0) + 100)
    layout = tmp_path / "layout.toml"
    layout.write_text(f'[[blocks]]\ndataset = "CONTROL/TST/XGM/DOOCS/{keys[0]}/value"\n')
    source = open_source(path, layout)
    assert source.schema.shape == (1,)
    said = "\n".join(source.messages)
    assert "not named by the layout, so not read: TST/XGM/DOOCS/pulseEnergy/photonFlux" in said


def test_a_train_that_two_files_have_is_said(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "r0124"
    shutil.copytree(run, folder)
    with h5py.File(folder / "RAW-R0123-DA01-S00001.h5", "r+") as file:
        file["INDEX/trainId"][:3] = [10_397, 10_398, 10_399]
    source = RunOfTrains(folder, (f"{XGM}/beamPosition.ixPos",))
    said = [line for line in source.messages if "are in several files" in line]
    assert said == [f"trains that are in several files are taken from the first: {XGM}/beamPosition.ixPos (3)"]
    with pytest.raises(SourceError, match=r"matches no data .* there are SA1_XTD2_XGM/DOOCS/MAIN, "):
        RunOfTrains(run, ("*/XGM/*",))
