"""Files of RF pulses in the layout xfel_llrf, as the machine writes them and as they should not be."""

import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from lynkeus.core import SettingsError, SourceError, concatenate
from lynkeus.sources import open_source, read_layout
from lynkeus.sources.formats.layout import Layout
from lynkeus.sources.formats.pulses import PulseSource, in_phase_and_quadrature

CAVITIES = ("C1.M1.A10.L3", "C2.M1.A10.L3")


def polar(pulses: int, samples: int = 1820, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    data = rng.uniform(1, 20, (6, samples, pulses)).astype(np.float32)
    data[1::2] = rng.uniform(-180, 180, (3, samples, pulses))
    return data


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def made(cavities: tuple[str, ...] = CAVITIES, pulses: int = 30, samples: int = 1820, name: str = "p.h5") -> Path:
        with h5py.File(tmp_path / name, "w") as file:
            file["EVENT_INFO/pid"] = 1_000_000_000 + 2 * np.arange(pulses)
            for number, cavity in enumerate(cavities):
                data = polar(pulses, samples, number)
                file.create_dataset(f"LLRF/{cavity}/data", data=data, chunks=(6, samples, min(pulses, 7)))
                file[f"LLRF/{cavity}/truth"] = np.arange(pulses) % 3
        return tmp_path / name

    return made


def test_pulses_come_cavity_by_cavity(write: Callable[..., Path]) -> None:
    source = open_source(write(), "xfel_llrf")
    assert len(source) == 60
    assert source.schema.names == ("probe_i", "probe_q", "forward_i", "forward_q", "reflected_i", "reflected_q")
    assert source.schema.shape == (6, 182)
    assert source.schema.sample_rate_hz == 1e5
    assert source.schema.units == ("MV/m",)
    assert source.schema.instrument == "xfel_llrf"
    read = concatenate(list(source))
    assert read.values.dtype == np.float32
    assert list(read.meta["cavity"]) == [CAVITIES[0]] * 30 + [CAVITIES[1]] * 30
    np.testing.assert_array_equal(read.meta["pid"], np.tile(1_000_000_000 + 2 * np.arange(30), 2))
    np.testing.assert_array_equal(read.meta["position"], np.arange(60))
    np.testing.assert_array_equal(read.truth, np.tile(np.arange(30) % 3, 2))
    assert read.time_ns is None
    amplitude, phase = polar(30, seed=1)[2:4].astype(float)
    wave = (amplitude * np.exp(1j * np.deg2rad(phase))).reshape(182, 10, 30).mean(axis=1)
    np.testing.assert_allclose(read.values[30:, 2].T, wave.real, atol=1e-4)
    np.testing.assert_allclose(read.values[30:, 3].T, wave.imag, atol=1e-4)


def test_one_cavity_has_times(write: Callable[..., Path]) -> None:
    path = write(CAVITIES[:1])
    read = concatenate(list(open_source(path, "xfel_llrf")))
    np.testing.assert_array_equal(read.time_ns, read.meta["pid"] * 100_000_000)
    np.testing.assert_array_equal(read.meta["end_ns"], read.time_ns + 100_000_000)
    with h5py.File(path, "a") as file:
        file["EVENT_INFO/pid"][3] = 0
    assert concatenate(list(open_source(path, "xfel_llrf"))).time_ns is None


@pytest.mark.parametrize(("samples", "length"), [(1800, 180), (2048, 204)])
def test_the_shape_follows_the_data(write: Callable[..., Path], samples: int, length: int) -> None:
    source = open_source(write(pulses=3, samples=samples), "xfel_llrf")
    assert source.schema.shape == (6, length)
    assert source.schema.sample_rate_hz == 1e5
    assert next(iter(source)).values.shape == (3, 6, length)


def test_a_large_file_is_read_in_slabs(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(pulses=600, samples=100)
    sizes = [len(batch) for batch in open_source(path, "xfel_llrf")]
    assert sizes == [252, 252, 96] * 2  # whole chunks of seven pulses


def test_several_files_and_a_bundle_of_what_is_missing(write: Callable[..., Path], tmp_path: Path) -> None:
    write(name="a.h5")
    second = write(name="b.h5", pulses=5)
    with h5py.File(second, "a") as file:
        file[f"LLRF/{CAVITIES[0]}/data"][0, 15, 2] = np.nan
        del file[f"LLRF/{CAVITIES[1]}/truth"]
    source = open_source(tmp_path, "xfel_llrf")
    assert len(source) == 70
    read = concatenate(list(source))
    assert read.truth is None
    np.testing.assert_array_equal(read.meta["file"], np.repeat([0, 1], [60, 10]))
    assert np.argwhere(np.isnan(read.values)).tolist() == [[62, 0, 1], [62, 1, 1]]


def change(path: Path, name: str, value: object) -> Path:
    with h5py.File(path, "a") as file:
        if name in file:
            del file[name]
        if value is not None:
            file[name] = value
    return path


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (f"LLRF/{CAVITIES[1]}/data", np.zeros((5, 1820, 30)), r"C2.*float64 \(5, 1820, 30\); expected \(6, samples"),
        (f"LLRF/{CAVITIES[1]}/data", np.zeros((6, 1820)), r"expected \(6, samples, pulses\)"),
        (f"LLRF/{CAVITIES[1]}/data", np.zeros((6, 1820, 29)), "C2.* has 29 pulses, EVENT_INFO/pid has 30"),
        (f"LLRF/{CAVITIES[1]}/data", np.zeros((6, 1000, 30)), "1000 samples a pulse; expected about 1820"),
        (f"LLRF/{CAVITIES[1]}/data", None, "LLRF/C2.M1.A10.L3 has no dataset 'data'"),
        ("EVENT_INFO/pid", None, "no dataset 'EVENT_INFO/pid' of layout xfel_llrf"),
        ("EVENT_INFO/pid", np.arange(7), "30 pulses, EVENT_INFO/pid has 7"),
        ("EVENT_INFO/pid", np.zeros((30, 2)), "not one number per pulse"),
        ("EVENT_INFO/pid", np.full(30, np.nan), "holds NaN"),
        ("EVENT_INFO/pid", np.arange(0), "holds no pulses"),
        ("LLRF", None, r"no cavity: no group LLRF/\* of layout xfel_llrf; the file holds EVENT_INFO"),
    ],
)
def test_files_that_do_not_fit_are_refused(write: Callable[..., Path], name: str, value: object, said: str) -> None:
    path = change(write(), name, value)
    with pytest.raises(SourceError, match=said) as caught:
        open_source(path, "xfel_llrf")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_truth_of_another_length_and_damage_are_named(write: Callable[..., Path]) -> None:
    path = change(write(), f"LLRF/{CAVITIES[0]}/truth", np.zeros(3, int))
    with pytest.raises(SourceError, match=r"truth is int64 \(3,\) for 30 pulses"):
        list(open_source(path, "xfel_llrf"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="truncated"):
        open_source(path, "xfel_llrf")


def test_other_formats_and_layouts_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 3)))
    with pytest.raises(SourceError, match="describes pulses in HDF5 files"):
        open_source(tmp_path / "a.npy", "xfel_llrf")
    with pytest.raises(SettingsError, match="says nothing of"):
        PulseSource(tmp_path / "a.npy", Layout("mine"))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"dataset": "a/b"}, r"pulses\.dataset: must have one part that is '\*'"),
        ({"signals": []}, r"pulses\.signals: must be a list of names"),
        ({"sample_rate_hz": 0}, r"pulses\.sample_rate_hz: must be a positive number"),
        ({"average": 0}, r"pulses\.average: must be a whole number"),
        ({"colour": 1}, r"pulses\.colour: no such field"),
    ],
)
def test_a_layout_that_makes_no_sense_is_refused(fields: dict[str, object], said: str) -> None:
    shipped = read_layout("xfel_llrf").to_dict()
    with pytest.raises(SettingsError, match=said):
        Layout.from_dict({**shipped, "pulses": shipped["pulses"] | fields})
    with pytest.raises(SettingsError, match=re.escape("pulses.pid: is missing")):
        Layout.from_dict({"pulses": {"dataset": "*"}})


def test_a_mean_of_opposite_phases_is_nothing() -> None:
    both = np.zeros((2, 4, 1))
    both[0] = 2.0
    both[1, :, 0] = [0, 180, 90, 90]
    np.testing.assert_allclose(in_phase_and_quadrature(both, 2)[0], [[0, 0], [0, 2]], atol=1e-12)
