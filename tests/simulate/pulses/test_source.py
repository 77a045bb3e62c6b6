"""Simulated pulses: each class as it should look, under the conditions of its run, and named for its plots."""

import numpy as np
import pytest

from lynkeus.core import SettingsError, concatenate
from lynkeus.simulate.pulses.light import SAMPLES, STEP_NS
from lynkeus.simulate.pulses.source import CLASSES, COLUMNS, MIX, PulseRuns, SensorPulses, draw_pulses
from lynkeus.simulate.xenon.conditions import RunConditions
from lynkeus.sources import open_source


@pytest.fixture(scope="module")
def pulses() -> SensorPulses:
    return draw_pulses(6000, np.random.default_rng(1))


def of(pulses: SensorPulses, name: str, column: str) -> np.ndarray:
    return pulses.quantities[pulses.truth == CLASSES.index(name), COLUMNS.index(column)]


def test_the_classes_look_as_they_should(pulses):
    assert of(pulses, "SPE", "area_phd").mean() == pytest.approx(1.0, abs=0.05)
    assert set(of(pulses, "SPE", "top_bottom_asymmetry")) == {-1.0, 1.0}
    assert set(of(pulses, "SPE", "tubes")) == {1.0}
    assert of(pulses, "SE", "area_phd").mean() == pytest.approx(58.5, rel=0.03)
    width = {name: np.nanmedian(of(pulses, name, "width_ns")) for name in CLASSES}
    assert width["SPE"] < width["S1"] < 200 < width["SE"] < 1000 < width["S2"] < 3000
    assert np.median(of(pulses, "S1", "top_bottom_asymmetry")) < -0.2
    assert np.median(of(pulses, "S2", "top_bottom_asymmetry")) > 0.3
    shares = np.bincount(pulses.truth) / len(pulses.truth)
    np.testing.assert_allclose(shares, [MIX[name] for name in CLASSES], atol=0.025)


def test_waveforms_hold_the_area(pulses):
    s2 = pulses.truth == CLASSES.index("S2")
    assert pulses.waveforms.shape == (6000, SAMPLES)
    np.testing.assert_allclose(pulses.waveforms[s2].sum(axis=1), pulses.quantities[s2, 0], atol=1.0)
    assert pulses.waveforms[s2].argmax(axis=1).mean() * STEP_NS > 1500


def test_several_scatters_share_the_charge(pulses):
    alone, one_of_many = (np.median(pulses.quantities[pulses.group == group, 0]) for group in ("S2 [SS]", "S2 [MS]"))
    assert one_of_many < 0.8 * alone
    assert set(pulses.group) == {"S1 [SS]", "S1 [MS]", "S2 [SS]", "S2 [MS]", "SPE", "MPE", "SE", "other"}


@pytest.mark.parametrize(
    ("conditions", "name", "column", "ratio"),
    [
        ({"s2_gain": 1.2}, "SE", "area_phd", 1.2),
        ({"s1_gain": 1.2}, "SPE", "area_phd", 1.0),
        ({"gas_pocket": 0.5}, "SE", "width_ns", 1.1),
    ],
)
def test_conditions_of_the_run_act_on_pulses(conditions, name, column, ratio):
    only = {name: 1.0}
    usual, other = (draw_pulses(2500, np.random.default_rng(3), RunConditions(**c), only) for c in ({}, conditions))
    assert of(other, name, column).mean() / of(usual, name, column).mean() == pytest.approx(ratio, rel=0.03)


def test_a_flashing_tube_gives_more_single_photons():
    hot = draw_pulses(3000, np.random.default_rng(3), RunConditions(hot_pmt_phd=10.0))
    assert (hot.truth == CLASSES.index("SPE")).mean() == pytest.approx(0.7 / 1.35, abs=0.03)


@pytest.mark.parametrize("kind", ["table", "waveform", "cloud"])
def test_a_url_gives_pulses_of_any_kind(kind):
    source = open_source(f"sim://pulses?kind={kind}&runs=2&pulses=50&seed=3&fault=gas_pocket&size=0.5")
    joined = concatenate(list(source))
    assert len(joined) == len(source) == (2 if kind == "cloud" else 100)
    assert joined.schema.kind == kind
    np.testing.assert_array_equal(joined.values, concatenate(list(source)).values)
    assert set(joined.meta["run"]) == {"run00000", "run00001"}
    assert joined.meta["group"].shape == ((2, 50) if kind == "cloud" else (100,))
    assert set(joined.truth) <= ({1} if kind == "cloud" else set(range(len(CLASSES))))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "image"}, "kind 'image' is not one of table, waveform, cloud"),
        ({"pulses": -5}, "pulses must be a whole number, not negative, got -5"),
        ({"fault": "leak"}, "fault 'leak' is not one of"),
    ],
)
def test_bad_options_give_one_clear_line(options, said):
    with pytest.raises(SettingsError, match=said):
        PulseRuns(**options)
