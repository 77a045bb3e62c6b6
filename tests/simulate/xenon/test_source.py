"""The surrogate of a xenon TPC against closed forms, its faults against their truth, and the stream of runs."""

import inspect
import time

import numpy as np
import pytest

from lynkeus.core import Batch, SettingsError
from lynkeus.simulate.xenon.conditions import FAULTS, NobleFault, RunConditions, Variation
from lynkeus.simulate.xenon.detector import DETECTORS, Deposits, drift_velocity, surrogate
from lynkeus.simulate.xenon.populations import NAMES, RATES
from lynkeus.simulate.xenon.quanta import W_KEV
from lynkeus.simulate.xenon.source import COLUMNS, Noble, NobleRun, as_batch, simulate_run
from lynkeus.sources import open_source


def deposits(species: str, energy_kev: float, n: int, depth_mm: float = 700.0) -> Deposits:
    """In the axis of the detector."""
    nothing, one = np.zeros(n), np.ones(n)
    return Deposits(species, energy_kev * one, nothing, nothing, depth_mm * one, one)


def taken(events: float = 20_000, seed: int = 1, fault: NobleFault | None = None, **conditions: object) -> NobleRun:
    at = RunConditions(events, **conditions)
    return simulate_run(at, np.random.default_rng(seed), () if fault is None else (fault,))


def of(run: NobleRun, population: str, column: str) -> np.ndarray:
    return run.columns[column][run.population == NAMES.index(population)]


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize(("species", "energy_kev"), [("beta", 10.0), ("gamma", 163.9), ("kr83m", 41.5)])
def test_light_and_charge_together_give_the_energy(detector, species, energy_kev):
    at = DETECTORS[detector]
    seen = surrogate(deposits(species, energy_kev, 4000), at, at.field_v_cm, at.lifetime_us, np.random.default_rng(1))
    quanta = seen.s1c_phd / at.g1 + seen.s2c_phd / at.g2
    assert quanta.mean() == pytest.approx(energy_kev / W_KEV, rel=0.005)
    assert np.corrcoef(seen.s1c_phd, seen.s2c_phd)[0, 1] < -0.1  # what recombines is light instead of charge


def test_electrons_are_lost_on_the_way_by_their_lifetime():
    at, lifetime_us, field = DETECTORS["LZ_WS2022"], 2000.0, 193.0
    rng = np.random.default_rng(1)
    near, far = (surrogate(deposits("gamma", 163.9, 4000, z), at, field, lifetime_us, rng) for z in (100.0, 1400.0))
    longer_us = 1300.0 / drift_velocity(field)
    assert far.s2_phd.mean() / near.s2_phd.mean() == pytest.approx(np.exp(-longer_us / lifetime_us), rel=0.01)
    left = np.exp(-longer_us / lifetime_us + longer_us / at.lifetime_us)  # corrected by the usual lifetime
    assert far.s2c_phd.mean() / near.s2c_phd.mean() == pytest.approx(left, rel=0.01)
    assert far.s1c_phd.mean() / near.s1c_phd.mean() == pytest.approx(1.0, rel=0.01)


def test_a_stronger_field_leaves_less_light_and_more_charge():
    at, rng = DETECTORS["LZ_WS2022"], np.random.default_rng(1)
    weak, strong = (surrogate(deposits("beta", 60.0, 4000), at, field, 6500.0, rng) for field in (100.0, 400.0))
    assert strong.s1_phd.mean() < 0.9 * weak.s1_phd.mean()
    assert strong.s2_phd.mean() > 1.1 * weak.s2_phd.mean()


def test_it_is_fast():
    begun = time.process_time()
    events = len(taken(100_000))
    assert events / (time.process_time() - begun) > 200_000


def test_a_good_run_has_its_populations_in_their_places():
    run = taken(source="kr83m")
    number = np.bincount(run.population, minlength=len(NAMES))
    for name, expected in {**RATES, "kr83m": 0.18, "nr": 0.0, "line": 0.0, "blob": 0.0}.items():
        assert number[NAMES.index(name)] == pytest.approx(20_000 * expected, abs=5 * np.sqrt(20_000 * expected) + 60)
    radius = {name: np.hypot(of(run, name, "x_mm"), of(run, name, "y_mm")) for name in ("beta", "wall")}
    assert np.median(radius["wall"]) > 670 > np.quantile(radius["beta"], 0.9)
    ratio = {n: np.log10(of(run, n, "s2c_phd") / of(run, n, "s1c_phd")).mean() for n in ("beta", "wall", "alpha")}
    assert ratio["beta"] > ratio["wall"] + 0.3 > ratio["alpha"] + 0.6
    drift = run.columns["drift_time_us"]
    assert 80 < drift.min() < 90
    assert 930 < drift.max() < 940
    assert (run.columns["s1_phd"] > 3).all()
    assert (run.columns["s2_phd"] > 300).all()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_does_what_its_truth_says(fault):
    good, bad = taken(), taken(seed=2, fault=NobleFault(fault))
    truth = bad.truth
    assert (truth.fault, truth.size) == (fault, FAULTS[fault].usual)
    if truth.change == "shifted":
        for column in truth.variables:
            a, b = of(good, "kr83m", column), of(bad, "kr83m", column)
            assert abs(a.mean() - b.mean()) > 4 * np.hypot(a.std() / len(a) ** 0.5, b.std() / len(b) ** 0.5), column
        assert np.bincount(bad.population)[0] == pytest.approx(np.bincount(good.population)[0], rel=0.05)
    elif truth.population == "all":  # thresholds: the smallest are missing
        assert len(bad) < 0.99 * len(good)
        assert bad.columns["s1_phd"].min() > 3 * (1 + truth.size)
    else:
        number = NAMES.index(truth.population)
        before, after = (int((run.population == number).sum()) for run in (good, bad))
        assert after == 0 if truth.change == "gone" else after - before > 0.5 * truth.size * 20_000
        others = [int((run.population != number).sum()) for run in (good, bad)]
        assert others[0] == pytest.approx(others[1], rel=0.05)


def test_sizes_are_what_they_say():
    good, bad = taken(), taken(seed=2, fault=NobleFault("s2_shift", 0.08))
    ratio = np.median(of(bad, "xe131m", "s2c_phd")) / np.median(of(good, "xe131m", "s2c_phd"))
    assert ratio == pytest.approx(1.08, rel=0.01)
    half = taken(seed=3, fault=NobleFault("no_kr83m", 0.5))
    assert len(of(half, "kr83m", "x_mm")) == pytest.approx(len(of(good, "kr83m", "x_mm")) / 2, rel=0.1)
    lost = taken(seed=4, fault=NobleFault("lifetime", 0.4))
    drift, s2 = of(lost, "xe131m", "drift_time_us"), of(lost, "xe131m", "s2c_phd")
    slope = np.polyfit(drift, np.log(s2), 1)[0]
    assert -1 / slope == pytest.approx(1 / (1 / 3900 - 1 / 6500), rel=0.1)


def test_good_runs_differ_a_little_and_each_is_the_same_again():
    one, more = list(Noble(runs=3, events=200)), list(Noble(runs=5, events=200))
    for a, b in zip(one, more, strict=False):
        np.testing.assert_array_equal(a.values, b.values)
    assert len({batch.values.shape for batch in more}) > 1
    gains = [Variation().of(RunConditions(), np.random.default_rng(k)).s2_gain for k in range(200)]
    assert np.std(gains) == pytest.approx(0.002, rel=0.2)


def test_a_url_gives_runs_with_their_truth():
    source = open_source("sim://noble?runs=2&events=300&seed=4&fault=s2_shift&size=0.1&source=")
    batches = list(source)
    assert len(batches) == len(source) == 2
    batch = batches[1]
    assert batch.schema.names == COLUMNS
    assert batch.values.shape == (1, batch.meta["events"][0], 7)
    assert batch.mask is not None
    assert batch.mask.all()
    assert [batch.meta[key][0] for key in ("run", "fault", "change", "size")] == [
        "run00001",
        "s2_shift",
        "shifted",
        0.1,
    ]
    assert batch.truth == [1 + list(FAULTS).index("s2_shift")]
    assert not (batch.meta["population"] == NAMES.index("kr83m")).any()
    faults = [batch.meta["fault"][0] for batch in Noble(runs=len(FAULTS), events=10, fault="all")]
    assert faults == list(FAULTS)


def test_a_run_may_be_empty():
    batch = as_batch(taken(0), "empty")
    assert isinstance(batch, Batch)
    assert batch.values.shape == (1, 0, 7)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"runs": -1}, "runs must be a whole number, not negative, got -1"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"events": "many"}, "events must be a number, got 'many'"),
        ({"fault": "leak"}, "fault 'leak' is not one of s2_shift"),
        ({"detector": "LUX"}, "detector 'LUX' is not one of LZ_WS2022"),
        ({"engine": "geant"}, "engine 'geant' is not one of surrogate, nest"),
        ({"source": "thorium"}, "source 'thorium' is not one of"),
        ({"fault": "lifetime", "size": 1.0}, "lifetime and gains are positive"),
        ({"fault": "no_kr83m", "source": ""}, "has no kr83m; nothing can be gone"),
    ],
)
def test_bad_options_give_one_clear_line(options, said):
    with pytest.raises(SettingsError, match=said) as caught:
        list(Noble(**{"runs": 1, "events": 10, **options}))
    assert "\n" not in str(caught.value)
    assert set(options) <= set(inspect.signature(Noble).parameters)
