"""The orbit simulator: the same numbers however it is cut, faults with truth, its file, the machine it mimics."""

import os
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkeus.core.batch import concatenate
from lynkeus.core.errors import SettingsError
from lynkeus.core.protocols import Source
from lynkeus.simulate.beam.likeness import orbit_statistics
from lynkeus.simulate.beam.orbit import BRANCHES, OrbitSource, machine, write_orbits_h5
from lynkeus.transforms.faults import Fault

# Summary statistics of the real file (two hours of 2022-02-25): docs/explanations/orbit_simulator.md.
REAL = {
    "correlation_spectrum": [
        *(0.248, 0.393, 0.519, 0.619, 0.706, 0.788, 0.850, 0.881, 0.904),
        *(0.913, 0.922, 0.927, 0.931, 0.935, 0.939, 0.942, 0.944),
    ],
    "jitter_um": [0.59, 0.94, 1.50, 2.36, 3.14],
    "conditional_noise_um": [0.096, 0.121, 0.252, 0.690, 1.472],
    "autocorrelation_lag_1_10_50": [0.20, 0.09, 0.00],
    "residual_drift": [0.034, 0.081, 0.199, 0.528, 1.655],
}


@pytest.fixture(scope="module")
def half_hour() -> np.ndarray:
    return 1e3 * concatenate(list(OrbitSource(hours=0.5))).values


def test_it_is_a_source_of_206_channels_named_like_the_real_ones():
    source = OrbitSource(hours=0.01)
    assert isinstance(source, Source)
    assert len(source) == 360
    names = source.schema.names
    assert len(names) == 206
    assert names[0] == "BPME.2241.SA1/x"
    assert [name[:-1] for name in names[:103]] == [name[:-1] for name in names[103:]]
    assert [sum(f".{b.name}/x" in name for name in names) for b in BRANCHES] == [37, 39, 27]
    assert source.schema.units == ("mm",)
    assert source.schema.sample_rate_hz == 10.0
    assert source.schema.instrument == "xfel_orbits"


@settings(max_examples=15, deadline=None)
@given(batch=st.integers(1, 2000), seed=st.integers(0, 1000))
def test_cutting_into_batches_changes_nothing(batch, seed, agree):
    faults = (Fault("noisy", 100, 800, 3), Fault("stuck", 500, 300, 9), Fault("kick", 900, 100, 12))
    whole = concatenate(list(OrbitSource(hours=0.034, seed=seed, faults=faults)))
    source = OrbitSource(hours=0.034, seed=seed, faults=faults, batch=max(batch, 50))
    for _ in range(2):  # restartable
        again = concatenate(list(source))
        agree(again.values, whole.values, single=True)
        np.testing.assert_array_equal(again.truth, whole.truth)
        np.testing.assert_array_equal(again.meta["position"], np.arange(len(source)))


@pytest.mark.parametrize("shots", [1, 100, 599, 600, 601, 1200])
def test_every_shot_comes_once_at_10_hz(shots):
    batches = list(OrbitSource(hours=shots / 36000, batch=100))
    assert [len(batch) for batch in batches] == [100] * (shots // 100) + [shots % 100] * (shots % 100 > 0)
    assert (np.diff(concatenate(batches).time_ns) == 100_000_000).all()


def test_a_longer_run_begins_like_a_shorter_one_and_another_seed_does_not(agree):
    short = concatenate(list(OrbitSource(hours=0.01))).values
    longer = concatenate(list(OrbitSource(hours=0.05))).values
    agree(longer[: len(short)], short, single=True)
    assert not np.array_equal(concatenate(list(OrbitSource(hours=0.01, seed=2))).values, short)


def test_options_of_a_url_are_text(agree):
    text = OrbitSource(hours="0.02", seed="5", batch="100", faults="offset:50:100:7:3,flip:300:60")
    faults = (Fault("offset", 50, 100, 7, 3.0), Fault("flip", 300, 60))
    assert text.faults == faults
    same = OrbitSource(hours=0.02, seed=5, faults=faults)
    agree(concatenate(list(text)).values, concatenate(list(same)).values, single=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hours": "soon"}, "not a number"),
        ({"hours": 0}, "positive"),
        ({"hours": float("nan")}, "positive"),
        ({"batch": 0}, "positive"),
        ({"faults": "noisy:1"}, "kind:start:length"),
        ({"faults": "noisy:1:x"}, "kind:start:length"),
        ({"faults": "wobbly:1:2"}, "no fault called"),
        ({"faults": "kick:1:2"}, "beside its corrector"),
        ({"faults": "kick:1:2:75"}, "no monitor behind"),  # the last monitor of SA2
    ],
)
def test_bad_options_give_one_clear_line(options, said):
    with pytest.raises(SettingsError, match=said) as caught:
        OrbitSource(**options)
    assert "\n" not in str(caught.value)


def test_a_kick_moves_the_orbit_behind_its_corrector_in_its_plane_only():
    channel, size = 5, 50.0
    kicked = concatenate(list(OrbitSource(hours=0.02, faults=(Fault("kick", 200, 100, channel, size),))))
    good = concatenate(list(OrbitSource(hours=0.02)))
    moved = 1e3 * (kicked.values - good.values)[200:300].mean(0)
    response = 1e3 * size * machine().kicks[channel]
    np.testing.assert_allclose(moved, response, atol=0.5)  # a float16 of 0.5 mm is 0.5 um wide
    assert np.abs(response / (1e3 * machine().jitter)).max() == pytest.approx(size)
    assert not response[: channel + 1].any()
    assert response[channel + 1 : 37].any()
    assert not response[37:76].any()  # SA2 is another line
    assert response[76:103].any()  # SA3 lies behind SA1
    assert not response[103:].any()
    assert (kicked.truth[200:300] == 1).all()
    assert kicked.truth.sum() == 100


def test_values_are_stored_as_float16_millimetres(half_hour):
    mm = (half_hour / 1e3).astype(np.float32)
    np.testing.assert_allclose(mm.astype(np.float16), mm, rtol=1e-6)


def test_the_machine_is_the_same_for_every_seed():
    one, two = (concatenate(list(OrbitSource(hours=0.05, seed=s))).values.mean(0) for s in (1, 2))
    assert np.abs(one - two).max() < 0.01
    assert one.std() == pytest.approx(0.09, rel=0.2)


def test_statistics_are_close_to_the_real_file(half_hour):
    mine = orbit_statistics(half_hour)
    np.testing.assert_allclose(mine["correlation_spectrum"], REAL["correlation_spectrum"], atol=0.05)
    np.testing.assert_allclose(mine["conditional_noise_um"], REAL["conditional_noise_um"], rtol=0.2)
    np.testing.assert_allclose(mine["jitter_um"], REAL["jitter_um"], rtol=0.25)
    np.testing.assert_allclose(mine["autocorrelation_lag_1_10_50"], REAL["autocorrelation_lag_1_10_50"], atol=0.05)


@pytest.mark.slow
def test_residual_drifts_over_an_hour_like_the_real_one():
    hour = 1e3 * concatenate(list(OrbitSource(hours=1.0))).values
    mine = np.array(orbit_statistics(hour)["residual_drift"])
    assert (mine / REAL["residual_drift"])[1:4] == pytest.approx(1.0, abs=0.5)
    assert mine[-1] > 1.0


@pytest.mark.slow(3)
def test_the_targets_are_those_of_the_real_file():
    folder = os.environ.get("LYNKEUS_DATA")
    path = Path(folder or ".") / "xfel_orbits" / "orbits.h5"
    if not folder or not path.exists():
        pytest.skip("LYNKEUS_DATA/xfel_orbits/orbits.h5 is absent")
    with h5py.File(path) as file:
        rows = 1e3 * np.hstack([file["orbit/x"][:], file["orbit/y"][:]]).astype(float)
    rows = rows[:, np.nanstd(rows, axis=0) > 0]
    rows = np.where(np.isnan(rows), np.nanmedian(rows, axis=0), rows)
    real = orbit_statistics(rows) | {"residual_drift": orbit_statistics(rows[:36000])["residual_drift"]}
    for name, expected in REAL.items():
        np.testing.assert_allclose(real[name], expected, atol=0.01, rtol=0.03, err_msg=name)


def test_file_has_the_layout_of_the_real_one(tmp_path):
    source = OrbitSource(hours=0.05, batch=700, faults=(Fault("dropout", 100, 50, 4),))
    write_orbits_h5(source, tmp_path / "orbits.h5")
    whole = concatenate(list(source))
    with h5py.File(tmp_path / "orbits.h5") as file:
        orbit = file["orbit"]
        assert orbit["x"].dtype == orbit["y"].dtype == np.float16
        assert orbit["x"].shape == orbit["y"].shape == (1800, 103)
        assert orbit["x"].attrs["unit"] == "mm"
        assert orbit["x"].compression is None
        assert orbit["bpm"].asstr()[0] == "XFEL.DIAG/BPM/BPME.2241.SA1"
        written = np.hstack([orbit["x"][:], orbit["y"][:]])
        np.testing.assert_allclose(written, whole.values, rtol=2**-11, atol=2**-25)  # half a step of float16
        np.testing.assert_array_equal(orbit["time_ns"][:], whole.time_ns)
        np.testing.assert_array_equal(orbit["truth"][:], whole.truth)


def test_only_orbits_are_written(tmp_path):
    source = OrbitSource(hours=0.01)
    source.schema = replace(source.schema, names=tuple(reversed(source.schema.names)))
    with pytest.raises(SettingsError, match="<monitor>/x"):
        write_orbits_h5(source, tmp_path / "orbits.h5")
