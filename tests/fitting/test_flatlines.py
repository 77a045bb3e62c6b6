"""Channels that are dead or stuck: found in the rows, whatever the scorer, and not where they often repeat values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import lynkeus
from lynkeus.core import Batch, Schema
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.score import ScoreSettings, score
from lynkeus.fitting.views.flatlines import Flatline, Flatlines, flat_in
from lynkeus.fitting.views.live_channels import LiveChannels
from lynkeus.sources import InMemory

NAMES = ("noise", "coarse", "half", "valve")
START_NS = 1_700_000_000_000_000_000


def machine(rows: int, seed: int) -> np.ndarray:
    """Return noise; noise in steps of a sigma; a channel with every second value missing; one that rarely switches."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, 4)).astype(np.float32)
    values[:, 1] = np.round(values[:, 1])
    values[1::2, 2] = np.nan
    values[:, 3] = np.arange(rows) // 900 % 2
    return values


def batch(values: np.ndarray, timed: bool = True) -> Batch:
    time_ns = START_NS + np.arange(len(values)) * 10**8 if timed else None
    return Batch(Schema("table", NAMES, (), (4,)), values, time_ns)


def followed(values: np.ndarray, channels: LiveChannels, cuts: int, pauses: bool = False) -> Flatlines:
    flat = channels.flatlines(0)
    flat.pauses = pauses
    for part in np.array_split(np.arange(len(values)), cuts):
        flat.add(batch(values)[part])
    return flat


@pytest.fixture(scope="module")
def channels() -> LiveChannels:
    return LiveChannels.fit(InMemory(batch(machine(4000, 0)), 700))


def test_the_reference_says_how_long_a_channel_repeats_a_value(channels: LiveChannels) -> None:
    noise, coarse, half, valve = channels.steady
    assert (noise, half) == (1, 2)
    assert 4 < coarse < 25
    assert np.isinf(valve)  # four new values say little
    assert LiveChannels.from_dict(channels.to_dict()).steady.tolist() == channels.steady.tolist()
    old = {key: value for key, value in channels.to_dict().items() if key != "steady"}
    assert np.isinf(LiveChannels.from_dict(old).steady).all()


@pytest.mark.parametrize("cuts", [1, 3, 40, 900])
def test_flatlines_do_not_hang_on_how_the_stream_is_cut(channels: LiveChannels, cuts: int) -> None:
    values = machine(3000, 1)
    values[500:700, 0] = values[500, 0]  # stuck
    values[1000:1015, 0] = 0.5  # not long enough
    values[2900:, 0] = np.nan  # dead
    values[:300, 1] = 3.0
    values[:, 3] = np.nan
    flat = followed(values, channels, cuts)
    stuck, coarse = sorted(flat.found, key=lambda one: one.channel)
    assert (stuck.channel, stuck.first, stuck.end, stuck.value) == (0, 500, 700, values[500, 0])
    assert (coarse.channel, coarse.first) == (1, 0)
    assert coarse.end >= 300
    assert (stuck.first_ns, stuck.last_ns) == (START_NS + 500 * 10**8, START_NS + 699 * 10**8)
    dead, nothing = sorted(flat.open.values(), key=lambda one: one.channel)
    assert (dead.channel, dead.first, dead.end) == (0, 2900, 3000)
    assert (nothing.channel, nothing.first, nothing.end) == (3, 0, 3000)
    assert np.isnan([dead.value, nothing.value]).all()
    assert flat.moving.tolist() == [False, True, True, False]


def test_a_stream_that_is_lost_is_not_so_many_dead_channels(channels: LiveChannels) -> None:
    values = machine(1500, 2)
    values[500:900] = np.nan
    values[900:905, 0] = np.nan  # back a little after the others
    assert 0 in {one.channel for one in followed(values, channels, 40).found}
    assert followed(values, channels, 40, pauses=True).found == []
    values[905:, 0] = np.nan
    assert followed(values, channels, 40, pauses=True).open.keys() == {0}


def test_a_burst_after_a_halt_in_which_a_channel_comes_late_is_no_dead_channel(channels: LiveChannels) -> None:
    """Sixty rows in a hundredth of a second, which a source sends as it goes on."""
    values = machine(1500, 2)
    values[500:560, 0] = np.nan
    rows = replace(batch(values), schema=replace(batch(values).schema, sample_rate_hz=10.0))
    assert rows.time_ns is not None
    burst = rows.time_ns.copy()
    burst[500:560] = burst[500] + np.arange(60) * 100_000
    found = []
    for times in (rows.time_ns, burst):
        flat = channels.flatlines(0)
        flat.pauses = True
        for part in np.array_split(np.arange(len(values)), 7):
            flat.add(replace(rows, time_ns=times)[part])
        found.append([one.channel for one in flat.found])
    assert found == [[0], []]


def test_good_data_have_none(channels: LiveChannels) -> None:
    for seed in range(2, 6):
        flat = followed(machine(8000, seed), channels, 5)
        assert not flat.found
        assert not flat.open


def test_samples_say_which_channels_are_flat_as_they_begin() -> None:
    flatlines = [Flatline(1, 10, 20, 0.0, 1000, 1900), Flatline(0, 15, 17, np.nan, 1500, 1600)]
    assert flat_in(flatlines, NAMES, np.array([9, 10, 15, 19, 20]), False) == [
        "",
        "coarse",
        "noise, coarse",
        "coarse",
        "",
    ]
    assert flat_in(flatlines, NAMES, np.array([999, 1900, 1550]), True) == ["", "coarse", "noise, coarse"]


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit(InMemory(batch(machine(4000, 0)[:, [0, 1, 0, 0]] + [[0, 0, 1, 2]]), 700), FitSettings("three_sigma"))


@pytest.mark.parametrize(("timed", "window"), [(True, 0), (False, 0)])
def test_the_table_of_scores_says_where_a_channel_was_stuck(
    fitted: Fitted, tmp_path: Path, timed: bool, window: int
) -> None:
    values = machine(1200, 7)[:, [0, 1, 0, 0]]
    values[400:600, 2] = values[400, 2]
    model = tmp_path / "model"
    fitted.save(model)
    written = score(
        Fitted.load(model), model, InMemory(batch(values, timed), 500), ScoreSettings(tmp_path / "s.parquet")
    )
    silent = np.array(pq.read_table(tmp_path / "s.parquet")["silent"].to_pylist())
    assert set(silent[400:600]) == {"half"}
    assert set(silent[:400]) | set(silent[600:]) == {""}
    (line,) = [line for line in written.messages if "same value" in line]
    assert line.startswith("half has the same value (")
    assert "for 200 rows" in line
    assert "(in the reference 1 at most)" in line


def test_windows_and_python_say_it_too() -> None:
    model = lynkeus.fit(InMemory(batch(machine(4000, 0)[:, [0, 1, 0, 0]]), 700), "three_sigma", window=10)
    values = machine(1200, 7)[:, [0, 1, 0, 0]]
    values[:, 3] = 0.1
    with pytest.warns(UserWarning, match=r"valve has the same value \(0.1\) all along for 1200 rows"):
        scored = model.score(InMemory(batch(values, False), 500))
    assert scored["silent"].tolist() == ["valve"] * 120
