"""The cavity equation against closed forms, and against an independent implementation (llrflibs of PSI)."""

import importlib
from types import SimpleNamespace

import numpy as np
import pytest

from lynkeus.core.errors import SettingsError
from lynkeus.simulate.cavity.envelope import Drive, Envelope, integrate
from lynkeus.simulate.cavity.machine import SAMPLES, STEP_S, CavityPhysics, cavities_of
from lynkeus.simulate.cavity.pulses import drive_of, pulses_of

W = 2 * np.pi * 141.3
STEPS = 20_000  # 20 ms, eighteen time constants
STILL = CavityPhysics(microphonics_hz=0, noise_mv_m=0, set_point_spread=0, calibration=0, crosstalk=0, beam_ma=0)


def drive(samples: int = STEPS, count: int = 1, **changes: object) -> Drive:
    """Constant drive of 1 MV/m on a cavity without modes, except for the changes."""
    held = dict.fromkeys(["set_point", "beam", "detuning"], np.zeros((samples, count)))
    held |= dict.fromkeys(["feed_forward", "gate", "probe_gain"], np.ones((samples, count)))
    held |= {"half_bandwidth": np.full((samples, count), W), "coupling": np.full(count, W)}
    held |= dict.fromkeys(["mode_residue", "mode_start"], np.zeros((1, count))) | {"mode_pole": -np.ones((1, count))}
    return Drive(**(held | changes))


def test_a_driven_cavity_fills_exponentially_to_twice_the_forward_wave():
    probe = integrate(drive(), STEP_S).probe[:, 0]
    time_s = np.arange(STEPS) * STEP_S
    np.testing.assert_allclose(probe, 2 * (1 - np.exp(-W * time_s)), atol=1e-12)


def test_the_field_decays_with_the_half_bandwidth_and_turns_with_the_detuning():
    gate, detuning = (np.arange(STEPS) < 5000).astype(float)[:, None], np.full((STEPS, 1), 2 * np.pi * 37.0)
    decay = np.log(integrate(drive(gate=gate, detuning=detuning), STEP_S).probe[5000:9000, 0])
    rate = np.diff(decay.real).mean() / STEP_S, np.diff(decay.imag).mean() / STEP_S
    np.testing.assert_allclose(rate, (-W, 2 * np.pi * 37), rtol=1e-9)


def test_steady_states_follow_the_tuning_curve():
    offsets = W * np.array([-3, -1, -0.2, 0, 0.5, 1, 2])
    detuning = np.broadcast_to(offsets, (STEPS, len(offsets)))
    probe = integrate(drive(count=len(offsets), detuning=detuning), STEP_S).probe[-1]
    np.testing.assert_allclose(np.tan(np.angle(probe)), offsets / W, atol=1e-6)
    np.testing.assert_allclose(np.abs(probe), 2 / np.sqrt(1 + (offsets / W) ** 2), rtol=1e-6)


def test_waves_add_up_and_power_is_stored_or_comes_back():
    rng = np.random.default_rng(1)
    wave = rng.normal(size=(20, 1)).repeat(STEPS // 20, 0) + 1j
    detuning = rng.normal(0, 1000, (20, 1)).repeat(STEPS // 20, 0)
    seen = integrate(drive(feed_forward=wave, detuning=detuning), STEP_S)
    np.testing.assert_allclose(seen.probe, seen.forward + seen.reflected, atol=1e-14)
    middle = (seen.probe[1:] + seen.probe[:-1]) / 2  # forward is held for a step, in which the field moves
    power = 2 * W * (np.abs(seen.forward[:-1]) ** 2 - np.abs(middle - seen.forward[:-1]) ** 2)
    stored = np.abs(seen.probe[:, 0]) ** 2
    np.testing.assert_allclose(np.cumsum(power) * STEP_S, stored[1:], atol=1e-4)  # of 10


def test_a_lossy_cavity_dissipates_the_rest():
    lossy = drive(half_bandwidth=np.full((STEPS, 1), 1.4 * W))
    seen = integrate(lossy, STEP_S)
    lost = np.abs(seen.forward[-1]) ** 2 - np.abs(seen.reflected[-1]) ** 2
    assert np.abs(seen.probe[-1]) == pytest.approx(2 / 1.4)
    assert lost == pytest.approx(0.4 * np.abs(seen.probe[-1]) ** 2)  # (w_half - w_ext) / w_ext |V|^2


def test_the_lorentz_force_detunes_by_minus_k_field_squared_and_rings_at_the_mode():
    """Strongly damped, so that it settles within the 20 ms; then lightly damped, to see its frequency."""
    at = cavities_of(CavityPhysics(mode_hz=(235.0, 450.0), mode_q=(2.0, 3.0), mode_k_hz=(0.7, 0.3)), 40)
    static = 2 * (at.mode_residue / at.mode_pole).real.sum(0)  # K in rad/s per (MV/m)^2
    assert static.mean() == pytest.approx(2 * np.pi, rel=0.05)
    wide = np.full((STEPS, 40), 1e9)  # so wide that the field is 2 at once
    held = drive(count=40, half_bandwidth=wide, coupling=wide[0])
    held.mode_pole, held.mode_residue, held.mode_start = at.mode_pole, at.mode_residue, np.zeros((2, 40))
    np.testing.assert_allclose(integrate(held, STEP_S).detuning[-1], -static * 2.0**2, rtol=1e-3)
    at = cavities_of(CavityPhysics(mode_hz=(235.0,), mode_q=(1000.0,), mode_k_hz=(1.0,)), 1)
    held = drive(half_bandwidth=wide[:, :1], coupling=wide[0, :1], mode_pole=at.mode_pole, mode_residue=at.mode_residue)
    ringing = integrate(held, STEP_S).detuning[:, 0]
    upward = np.flatnonzero(np.diff(np.sign(ringing - ringing.mean())) > 0)
    assert 1 / (np.diff(upward).mean() * STEP_S) == pytest.approx(at.mode_pole[0, 0].imag / 2 / np.pi, rel=0.01)


def test_the_beam_takes_r_over_q_times_loaded_q_times_current():
    physics, current_ma = CavityPhysics(loaded_q_spread=0), 4.5
    w = np.pi * physics.frequency_hz / physics.loaded_q
    induced = physics.r_over_q_ohm * physics.loaded_q * current_ma * 1e-3 / physics.length_m * 1e-6
    field = 23.6
    forward = np.full((STEPS, 1), (field + induced) / 2)  # what holds the field against the beam
    beam = np.full((STEPS, 1), -physics.beam_mv_m_per_s_ma * current_ma)
    loaded = drive(feed_forward=forward, beam=beam, coupling=np.array([w]), half_bandwidth=np.full((STEPS, 1), w))
    assert np.abs(integrate(loaded, STEP_S).probe[-1, 0]) == pytest.approx(field, rel=1e-6)


@pytest.mark.parametrize("gain", [0.0, 4.0, 50.0])
def test_feedback_divides_an_error_by_one_plus_its_gain(gain):
    held = drive(set_point=np.full((STEPS, 1), 2.2), feedback_gain=gain)
    assert 2.2 - integrate(held, STEP_S).probe[-1, 0].real == pytest.approx(0.2 / (1 + gain))


@pytest.mark.parametrize("beam_ma", [0.0, 1.0])
def test_feed_forward_alone_holds_field_and_phase_of_the_periodic_pulse(beam_ma):
    """A closed form of the whole machine: it inverts what `integrate` solves, Lorentz force and beam included."""
    physics = CavityPhysics(feedback_gain=0, microphonics_hz=0, set_point_spread=0, beam_ma=beam_ma)
    machine = cavities_of(physics, 2)
    pulses = pulses_of(physics, machine, 1, 8, seed=1)
    pulses.drive_error[:], pulses.beam_ma[:] = 1, pulses.beam_planned_ma
    seen = integrate(drive_of(physics, machine, pulses), STEP_S)
    wanted = pulses.set_point * machine.shape[:, [1]]
    np.testing.assert_allclose(seen.probe[: physics.end_us], wanted[: physics.end_us], atol=2e-3)
    lorentz = machine.lorentz[physics.flat_top_start_us : physics.end_us, 1] * machine.gradient_mv_m[1] ** 2
    assert lorentz.mean() / 2 / np.pi < -100  # Hz; the piezo takes most of it, or the drive could not follow


def test_the_mechanical_modes_are_in_their_periodic_steady_state():
    machine = cavities_of(STILL, 1)
    pole, state = machine.mode_pole[:, 0], machine.mode_start[:, 0]
    decay, gain = np.exp(pole * STEP_S), (np.exp(pole * STEP_S) - 1) / pole
    after = state
    for field in machine.shape[:, 0]:
        after = decay * after + gain * field**2
    after = after * np.exp(pole * (1 / STILL.repetition_hz - SAMPLES * STEP_S))
    np.testing.assert_allclose(after, state, rtol=1e-9)
    assert np.abs(state).max() > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"loaded_q": 0.0}, "loaded_q"),
        ({"crosstalk": -1.0}, "crosstalk must not be negative"),
        ({"mode_q": (100.0,)}, "one number per mechanical mode"),
        ({"mode_q": (100.0, 0.3, 100.0)}, "underdamped"),
        ({"flat_top_us": 1500}, "the pulse end before"),
    ],
)
def test_physics_that_makes_no_sense_is_refused(options, said):
    with pytest.raises(SettingsError, match=said):
        CavityPhysics(**options)


@pytest.fixture(scope="module")
def llrf() -> SimpleNamespace:
    pytest.importorskip("llrflibs", reason="llrflibs is not installed")
    names = ("rf_sim", "rf_control", "rf_sysid")
    return SimpleNamespace(**{name: importlib.import_module(f"llrflibs.{name}") for name in names})


@pytest.fixture(scope="module")
def pulse() -> tuple[Drive, Envelope]:
    """A pulse with Lorentz force, microphonics and beam, without feedback; modes at rest at its start."""
    physics = CavityPhysics(feedback_gain=0)
    machine = cavities_of(physics, 1)
    made = drive_of(physics, machine, pulses_of(physics, machine, 0, 1, seed=2))
    made.mode_start = np.zeros_like(made.mode_start)
    assert np.abs(made.beam).max() > 0
    return made, integrate(made, STEP_S)


@pytest.mark.filterwarnings("ignore")
def test_the_same_pulse_as_llrflibs_within_two_per_mille(llrf, pulse):
    """It takes Euler steps, in which the detuning by the modes comes two steps late."""
    made, seen = pulse
    omega, damping = np.abs(made.mode_pole[:, 0]), -made.mode_pole[:, 0].real
    static = 2 * (made.mode_residue / made.mode_pole)[:, 0].real
    modes = {"f": omega / 2 / np.pi, "Q": omega / (2 * damping), "K": static}
    continuous = llrf.rf_sim.cav_ss_mech(modes)[1:]
    matrices = llrf.rf_control.ss_discrete(*continuous, STEP_S)[1:5]
    state, field, detuning, field_seen = np.matrix(np.zeros(matrices[1].shape)), 0j, made.detuning[0, 0], []
    width, outside = float(made.coupling[0]), np.append(made.detuning[1:, 0], 0)
    for n in range(SAMPLES):
        field_seen.append(field)
        wave, beam = made.feed_forward[n, 0] * made.gate[n, 0], made.beam[n, 0] / (2 * width)
        _, field, _, detuning, state = llrf.rf_sim.sim_scav_step(
            width, detuning, outside[n], 1e6 * wave, 1e6 * beam, 1e6 * field, STEP_S, 1e9,
            state, *matrices, True,
        )  # fmt: skip
        field, detuning = complex(field) / 1e6, float(np.real(np.asarray(detuning)).item())
    difference = np.abs(np.array(field_seen) - seen.probe[:, 0]).max()
    assert difference < 2e-3 * np.abs(seen.probe).max()


@pytest.mark.filterwarnings("ignore")
def test_llrflibs_recovers_half_bandwidth_and_detuning(llrf):
    machine = cavities_of(STILL, 1)
    pulses = pulses_of(STILL, machine, 0, 1, seed=1)
    made = drive_of(STILL, machine, pulses)
    made.half_bandwidth[1100:] *= 1.4  # a quench
    seen = integrate(made, STEP_S)
    width = float(made.coupling[0])
    found = llrf.rf_sysid.cav_par_pulse(seen.probe[:, 0], seen.forward[:, 0], width, STEP_S)[1:]
    for inside, factor in ((slice(300, 799), 1.0), (slice(810, 1099), 1.0), (slice(1110, 1390), 1.4)):
        np.testing.assert_allclose(found[0][inside], factor * width, rtol=1e-3)
        np.testing.assert_allclose(found[1][inside], seen.detuning[inside, 0], atol=2 * np.pi * 0.2)
    assert llrf.rf_sysid.half_bw_decay(np.abs(seen.probe[:, 0]), 1410, 1800, STEP_S)[1] == pytest.approx(1.4 * width)
