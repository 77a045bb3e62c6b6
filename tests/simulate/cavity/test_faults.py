"""Each fault does what it says, to the pulses that truth names and to no others: against the same pulses healthy."""

from functools import cache

import numpy as np
import pytest

from lynkeus.core.batch import Array, Batch, concatenate
from lynkeus.simulate.cavity.envelope import Envelope, integrate
from lynkeus.simulate.cavity.faults import CLASSES, DEFECTS, Plan, jump, plant_in_cavity
from lynkeus.simulate.cavity.machine import STEP_S, CavityPhysics
from lynkeus.simulate.cavity.pulses import drive_of
from lynkeus.simulate.cavity.source import CavitySource

FAULTS = CLASSES[1:]
PHYSICS = CavityPhysics(calibration=0, crosstalk=0, noise_mv_m=1e-3)
PULSES = 120


@cache
def signals(fault: str, seed: int = 1) -> tuple[Array, Plan]:
    """(3, 1820, n) and what is planted; the faulty half of the pulses."""
    source = CavitySource(PULSES, fault=fault, share=0.5, seed=seed, physics=PHYSICS)
    return next(source.raw()).signals, source.plan


def pairs(fault: str) -> tuple[Array, Array, Plan]:
    """Faulty pulses, the same pulses healthy, their records."""
    (seen, plan), (good, _) = signals(fault), signals("healthy")
    faulty = plan["truth"] > 0
    return seen[..., faulty], good[..., faulty], plan[faulty]


def envelope(fault: str) -> tuple[Envelope, Plan, CavitySource]:
    """The true envelopes, not what the channels read."""
    source = CavitySource(PULSES, fault=fault, share=0.5, physics=PHYSICS)
    pulses = source.planned
    drive = drive_of(PHYSICS, source.machine, pulses)
    plant_in_cavity(drive, source.plan, pulses.set_point)
    return integrate(drive, STEP_S), source.plan, source


def rows(**options: object) -> Batch:
    return concatenate(list(CavitySource(physics=PHYSICS, **options)))


@pytest.mark.parametrize("fault", FAULTS)
def test_truth_names_the_faulty_pulses_and_only_those_are_changed(fault):
    (seen, plan), (good, _) = signals(fault), signals("healthy")
    assert set(plan["truth"]) == {0, CLASSES.index(fault)}
    assert (plan["truth"] > 0).sum() == PULSES // 2
    changed = np.abs(seen - good).max((0, 1)) > 1e-2
    beam_needed = fault == "beam_loss"  # pulses without beam get one, that it can be lost
    np.testing.assert_array_equal(changed, plan["truth"] > 0)
    assert beam_needed or np.array_equal(seen[..., plan["truth"] == 0], good[..., plan["truth"] == 0])


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 1.0])
def test_shares_are_as_asked_and_classes_get_equal_ones(share):
    plan = CavitySource(2000, cavities=2, fault="all", share=share).plan
    assert (plan["truth"] > 0).sum() == round(share * 2000) * 2
    if share >= 0.3:
        assert np.ptp(np.bincount(plan["truth"], minlength=9)[1:]) < 100  # an event is up to 40 pulses long
    healthy = plan[plan["truth"] == 0]
    assert all((healthy[name] == 0).all() for name in ("event", "strength", "onset_us"))


def test_events_are_consecutive_pulses_of_one_cavity_and_have_one_class():
    made = rows(pulses=400, cavities=2, fault="all", share=0.5)
    for event in range(1, made.meta["event"].max() + 1):
        at = made.meta["event"] == event
        assert len(set(made.truth[at])) == len(set(made.meta["cavity"][at])) == 1
        assert (np.diff(made.meta["pid"][at]) == 1).all()


def test_a_quench_widens_the_cavity_from_its_onset_and_the_field_decays_faster():
    seen, good, plan = pairs("quench")
    for column, fault in enumerate(plan):
        before = int(fault["onset_us"]) - 2
        np.testing.assert_allclose(seen[:, :before, column], good[:, :before, column], atol=1e-5)
        width, healthy_width = (-np.diff(np.log(np.abs(one[0, [1420, 1810], column]))) for one in (seen, good))
        complete = fault["onset_us"] + fault["time_us"] < 1400
        if complete:
            assert width / healthy_width == pytest.approx(1 + fault["strength"], rel=0.02)


def test_a_quench_has_precursors_that_grow_before_the_field_drops():
    made = rows(pulses=1000, fault="quench", share=0.5)
    events = [np.flatnonzero(made.meta["event"] == number) for number in range(1, made.meta["event"].max() + 1)]
    rise = [made.meta["strength"][event] for event in events]
    assert all((np.diff(one) > 0).all() for one in rise)
    assert sum(one[0] > 0.1 for one in rise) <= 1  # one may be cut short, so that the share is met
    last = np.array([one[-1] for one in rise])
    assert (last > 2).mean() == pytest.approx(0.5, abs=0.2)  # hard ones
    assert (last < 0.9).mean() == pytest.approx(0.5, abs=0.2)  # soft ones
    drop = [made.meta["field_drop"][event] for event in events]
    crossed = [np.argmax(one >= 0.05) for one in drop if one.max() >= 0.05]
    assert len(crossed) > len(events) / 2
    assert np.median(crossed) >= 3  # pulses of warning
    assert np.median([one[-1] for one in drop]) > 10 * np.abs(np.median([one[0] for one in drop]))


def test_the_amplifier_saturates_against_a_hard_quench():
    (seen, plan, _), (good, _, _) = envelope("quench"), envelope("healthy")
    largest = np.abs(seen.forward).max(0) / np.abs(good.forward).max(0)
    assert largest.max() == pytest.approx(PHYSICS.power_reserve, rel=0.02)
    assert plan["strength"][largest.argmax()] > 1


def test_size_scales_the_rise():
    one, two = (CavitySource(200, fault="quench", size=size).plan["strength"] for size in (1.0, 2.5))
    np.testing.assert_allclose(2.5 * one, two)


def test_detuning_drifts_over_pulses_by_as_many_hertz_as_said():
    (seen, plan, _), (good, _, _) = envelope("detuning"), envelope("healthy")
    moved = (seen.detuning - good.detuning).mean(0) / 2 / np.pi
    faulty = plan["truth"] > 0
    np.testing.assert_allclose(moved[faulty], plan["strength"][faulty], rtol=0.03, atol=1)
    np.testing.assert_array_equal(moved[~faulty], 0)
    for event in range(1, plan["event"].max() + 1):
        assert (np.diff(np.abs(plan["strength"][plan["event"] == event])) > 0).all()
    # In the decay the phase of the field turns with the detuning.
    turned = np.diff(np.unwrap(np.angle(seen.probe[1410:1800]), axis=0), axis=0).mean(0) / STEP_S
    np.testing.assert_allclose(turned, seen.detuning[1410:1799].mean(0), atol=1)


def test_the_probe_jumps_by_a_factor_within_one_sample_and_the_feedback_reacts():
    seen, good, plan = pairs("probe_jump")
    reacted = []
    for column, fault in enumerate(plan):
        at = int(np.ceil(fault["onset_us"]))
        step = seen[0, at, column] / seen[0, at - 1, column]
        assert step == pytest.approx(jump(fault), abs=0.01)
        assert abs(abs(jump(fault) - 1) - fault["strength"]) < 0.01
        reacted.append(abs(seen[1, at + 1, column] - good[1, at + 1, column]))
    assert np.min(reacted) > 0.02
    assert {round(float(fault["phase"]) / (np.pi / 2)) for fault in plan} == {0, 1, 2, 3}


def test_one_signal_is_shifted_in_time():
    seen, good, plan = pairs("misalignment")
    for column, fault in enumerate(plan):
        shift = int(fault["strength"])
        assert 3 <= abs(shift) <= 60
        others = [signal for signal in range(3) if signal != fault["signal"]]
        np.testing.assert_array_equal(seen[others, :, column], good[others, :, column])
        shifted = np.roll(good[fault["signal"], :, column], shift)
        np.testing.assert_array_equal(seen[fault["signal"], 100:1700, column], shifted[100:1700])
    assert set(plan["signal"]) == {0, 1, 2}
    assert set(np.sign(plan["strength"])) == {-1, 1}


def test_ringing_has_its_frequency_on_the_drive_or_on_the_probe_alone():
    seen, good, plan = pairs("ringing")
    for column, fault in enumerate(plan):
        after = slice(int(fault["onset_us"]) + 2, min(int(fault["onset_us"] + 2 * fault["time_us"]), 1398))
        difference = (seen - good)[fault["signal"], after, column]
        turned = np.diff(np.unwrap(np.angle(difference))).mean() / (2 * np.pi * STEP_S)
        assert turned == pytest.approx(fault["frequency_hz"], rel=0.1)
        if fault["signal"] == 0:
            np.testing.assert_array_equal(seen[1:, :, column], good[1:, :, column])
        else:
            assert np.abs((seen - good)[0, :, column]).max() > 1e-3  # the field follows, filtered by the cavity
    assert set(plan["signal"]) == {0, 1}


def test_a_cut_pulse_has_no_forward_wave_from_the_cut_and_the_field_decays():
    seen, good, plan = pairs("pulse_cut")
    for column, fault in enumerate(plan):
        cut = int(np.ceil(fault["onset_us"]))
        assert cut == pytest.approx(PHYSICS.end_us - fault["strength"], abs=1)
        np.testing.assert_array_equal(seen[:, : cut - 1, column], good[:, : cut - 1, column])
        assert np.abs(seen[1, cut:, column]).max() < 0.01
        assert np.abs(good[1, cut : PHYSICS.end_us - 1, column]).min() > 1
        assert np.abs(seen[0, 1700, column]) < np.abs(good[0, 1700, column])


def test_one_channel_is_stuck_dead_saturated_or_spiky():
    seen, good, plan = pairs("hardware")
    for column, fault in enumerate(plan):
        one, healthy = seen[fault["signal"], :, column], good[fault["signal"], :, column]
        others = [signal for signal in range(3) if signal != fault["signal"]]
        np.testing.assert_array_equal(seen[others, :, column], good[others, :, column])
        match DEFECTS[fault["defect"]]:
            case "stuck" | "dead" as defect:
                held = one[int(fault["onset_us"]) : int(fault["onset_us"] + 0.2 * (1820 - fault["onset_us"]))]
                assert len(set(held)) == 1
                assert (held[0] == 0) == (defect == "dead")
            case "saturated":
                assert np.abs(one).max() < 0.91 * np.abs(healthy).max()
                np.testing.assert_allclose(np.angle(one), np.angle(healthy), atol=1e-5)
            case "spiky":
                assert 1 <= (np.abs(one - healthy) > 1).sum() <= 21
    assert set(plan["defect"]) == {0, 1, 2, 3}


def test_without_beam_the_field_rises_and_the_feedback_takes_drive_away():
    source = CavitySource(PULSES, fault="beam_loss", share=0.5, physics=PHYSICS)
    pulses = source.planned
    lost = source.plan["truth"] > 0
    assert (np.abs(pulses.beam_planned_ma[lost]) > 0).all()
    made = drive_of(PHYSICS, source.machine, pulses)
    good = integrate(made, STEP_S)
    plant_in_cavity(made, source.plan, pulses.set_point)
    seen = integrate(made, STEP_S)
    for column in np.flatnonzero(lost):
        at = int(max(source.plan["onset_us"][column], pulses.beam_start_us[column])) + 1
        np.testing.assert_array_equal(seen.probe[:at, column], good.probe[:at, column])
        end = int(pulses.beam_stop_us[column])
        assert np.abs(seen.probe[end, column]) > np.abs(good.probe[end, column]) + 0.02
        assert np.abs(seen.forward[end - 5, column]) < np.abs(good.forward[end - 5, column])
    np.testing.assert_array_equal(seen.probe[:, ~lost], good.probe[:, ~lost])
    missing = source.plan["onset_us"][lost] == 0
    assert 0.2 < missing.mean() < 0.8


def test_field_drop_is_that_of_the_true_field_in_the_flat_top():
    made = rows(pulses=60, fault="pulse_cut", share=0.5)
    long_cut = made.meta["strength"] > PHYSICS.flat_top_us  # cut in the fill already
    assert (made.meta["field_drop"][long_cut] > 0.3).all()
    assert (made.meta["field_drop"][made.truth == 0] < 0.01).all()
    misread = rows(pulses=60, fault="hardware", share=0.5)
    assert (misread.meta["field_drop"] < 0.01).all()  # the field is fine; only a channel is not
