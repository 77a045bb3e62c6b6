"""Faults of pulsed cavities with truth: when they come (a plan, one record a pulse) and what they do.

Some act on the cavity and its drive, before the cavity equation is solved (the feedback then reacts to them), the
others on what the channels read. Quench and detuning are sequences of pulses that grow worse from pulse to pulse.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from lynkeus.core.batch import Array
from lynkeus.simulate.cavity.envelope import Drive
from lynkeus.simulate.cavity.machine import SAMPLES, CavityPhysics

CLASSES = (
    "healthy",
    "quench",
    "detuning",
    "probe_jump",
    "misalignment",
    "ringing",
    "pulse_cut",
    "hardware",
    "beam_loss",
)
DEFECTS = ("stuck", "dead", "saturated", "spiky")  # what ails a channel in a hardware fault

# One record a pulse. event: number of the sequence, 0 for healthy. strength: quench, relative rise of the half
# bandwidth; detuning, Hz; probe_jump, relative step; misalignment, us; ringing, relative amplitude; pulse_cut, us of
# pulse that are missing; hardware, 0 to 1; beam_loss, share of the current. time_us: how long the fault takes to grow
# or to decay. signal: 0 probe, 1 forward, 2 reflected. defect: index in DEFECTS.
FIELDS = ("truth", "event", "signal", "defect", "onset_us", "strength", "time_us", "frequency_hz", "phase")
RECORD = np.dtype({"names": FIELDS, "formats": ["i8"] * 4 + ["f8"] * 5})
Plan = npt.NDArray[np.void]
Event = dict[str, npt.ArrayLike]
Rng = np.random.Generator


def plan_faults(physics: CavityPhysics, pulses: int, choice: tuple[tuple[str, ...], float, float], rng: Rng) -> Plan:
    """Return (pulses,) RECORD: which pulses of one cavity are faulty, and how. `choice`: classes, share of pulses,
    size.

    Classes get equal shares of the faulty pulses; events do not overlap. Sizes are log-uniform, hard to soft.
    """
    classes, share, size = choice
    events: list[Plan] = []
    left = round(share * pulses)
    given = dict.fromkeys(rng.permutation(classes).tolist(), 0)
    while left:
        name = min(given, key=lambda known: given[known])
        length, fields = EVENTS[name](physics, rng)
        event = np.zeros(length, RECORD)
        event["truth"] = CLASSES.index(name)
        for field, values in fields.items():
            event[field] = values
        events.append(_sized(event, name, size, physics)[-left:])
        left -= len(events[-1])
        given[name] += len(events[-1])
    return _placed(events, pulses, rng)


def _sized(event: Plan, name: str, size: float, physics: CavityPhysics) -> Plan:
    event["strength"] *= size
    if name in ("hardware", "beam_loss"):
        event["strength"] = np.minimum(event["strength"], 1)
    if name == "misalignment":
        event["strength"] = np.sign(event["strength"]) * np.maximum(np.rint(np.abs(event["strength"])), 1)
    if name == "pulse_cut":
        event["strength"] = np.minimum(event["strength"], physics.end_us - physics.start_us)
        event["onset_us"] = physics.end_us - event["strength"]
    return event


def _placed(events: list[Plan], pulses: int, rng: Rng) -> Plan:
    plan, faulty = np.zeros(pulses, RECORD), 0
    healthy_before = np.sort(rng.integers(0, pulses - sum(map(len, events)) + 1, len(events)))
    for number, chosen in enumerate(rng.permutation(len(events))):
        event, start = events[chosen], healthy_before[number] + faulty
        event["event"] = number + 1
        plan[start : start + len(event)] = event
        faulty += len(event)
    return plan


def _log_uniform(rng: Rng, low: float, high: float) -> float:
    return float(low * (high / low) ** rng.random())


def _few(rng: Rng) -> int:
    return int(rng.integers(1, 5))


def _quench_event(physics: CavityPhysics, rng: Rng) -> tuple[int, Event]:
    """Precursors that start at some per cent and grow geometrically; hard ones end at several times w_half."""
    length, hard = int(rng.integers(5, 16)), rng.random() < 0.5
    first, last = _log_uniform(rng, 0.03, 0.1), _log_uniform(rng, 2, 8) if hard else _log_uniform(rng, 0.2, 0.9)
    rise = first * (last / first) ** np.linspace(0, 1, length)
    onset = rng.uniform(physics.start_us + 0.6 * physics.fill_us, physics.end_us - 200)
    time_us = rng.uniform(40, 100) if hard else rng.uniform(100, 400)
    return length, {"strength": rise, "onset_us": onset + rng.normal(0, 10, length), "time_us": time_us}


def _detuning_event(physics: CavityPhysics, rng: Rng) -> tuple[int, Event]:
    length = int(rng.integers(10, 41))
    last = rng.choice([-1, 1]) * _log_uniform(rng, 40, 250)
    return length, {"strength": last * np.linspace(0.2, 1, length), "onset_us": 0.0}


def _probe_jump_event(physics: CavityPhysics, rng: Rng) -> tuple[int, Event]:
    onset = rng.uniform(physics.start_us + 0.3 * physics.fill_us, physics.end_us - 20)
    phase = rng.integers(4) * np.pi / 2  # gain up, phase up, gain down, phase down
    return _few(rng), {"strength": _log_uniform(rng, 0.01, 0.25), "onset_us": onset, "phase": phase}


def _misalignment_event(physics: CavityPhysics, rng: Rng) -> tuple[int, Event]:
    shift = rng.choice([-1, 1]) * _log_uniform(rng, 3, 60)
    return _few(rng), {"strength": shift, "signal": rng.integers(3)}


def _ringing_event(physics: CavityPhysics, rng: Rng) -> tuple[int, Event]:
    """The loop rings on its drive (signal 1), or the probe sees another pass-band mode (signal 0), aliased."""
    signal = int(rng.integers(2))
    return _few(rng), {
        "strength": _log_uniform(rng, 0.1, 0.8) if signal else _log_uniform(rng, 0.01, 0.1),
        "onset_us": rng.uniform(physics.start_us + 10, physics.end_us - 200),
        "time_us": _log_uniform(rng, 100, 1000),
        "frequency_hz": rng.choice([-1, 1]) * _log_uniform(rng, 4e3, 30e3),
        "phase": rng.uniform(0, 2 * np.pi),
        "signal": signal,
    }


def _pulse_cut_event(physics: CavityPhysics, rng: Rng) -> tuple[int, Event]:
    return _few(rng), {"strength": _log_uniform(rng, 20, 0.9 * (physics.end_us - physics.start_us))}


def _hardware_event(physics: CavityPhysics, rng: Rng) -> tuple[int, Event]:
    return _few(rng), {
        "strength": rng.uniform(0.2, 1),
        "onset_us": rng.uniform(physics.start_us + 50, physics.end_us - 100),
        "signal": rng.integers(3),
        "defect": rng.integers(len(DEFECTS)),
    }


def _beam_loss_event(physics: CavityPhysics, rng: Rng) -> tuple[int, Event]:
    """Half of them have no beam at all, half lose it, or most of it, on the way."""
    missing = rng.random() < 0.5
    onset = 0.0 if missing else rng.uniform(physics.flat_top_start_us + 40, physics.flat_top_start_us + 200)
    return _few(rng), {"strength": 1.0 if missing else rng.uniform(0.5, 1), "onset_us": onset}


EVENTS: dict[str, Callable[[CavityPhysics, Rng], tuple[int, Event]]] = {
    "quench": _quench_event,
    "detuning": _detuning_event,
    "probe_jump": _probe_jump_event,
    "misalignment": _misalignment_event,
    "ringing": _ringing_event,
    "pulse_cut": _pulse_cut_event,
    "hardware": _hardware_event,
    "beam_loss": _beam_loss_event,
}


def plant_in_cavity(drive: Drive, plan: Plan, set_point: Array) -> None:
    """Change the columns of `drive` as the plan (n,) says; `set_point` (n,) is the field asked for, in MV/m."""
    time_us = np.arange(SAMPLES)
    for column in np.flatnonzero(plan["truth"]):
        fault, after = plan[column], time_us >= plan[column]["onset_us"]
        match CLASSES[fault["truth"]]:
            case "quench":
                grown = np.clip((time_us - fault["onset_us"]) / fault["time_us"], 0, 1)
                drive.half_bandwidth[:, column] *= 1 + fault["strength"] * grown
            case "detuning":
                drive.detuning[:, column] += 2 * np.pi * fault["strength"]
            case "probe_jump":
                drive.probe_gain[after, column] *= jump(fault)
            case "ringing" if fault["signal"] == 1:
                drive.feed_forward[:, column] += set_point[column] / 2 * _ringing(fault, time_us)
            case "pulse_cut":
                drive.gate[after, column] = 0
            case "beam_loss":
                drive.beam[after, column] *= 1 - fault["strength"]


def jump(fault: np.void) -> complex:
    """The complex factor by which the gain of the probe channel steps."""
    if np.sin(fault["phase"]) ** 2 > 0.5:
        return complex(np.exp(1j * np.sin(fault["phase"]) * fault["strength"]))
    return complex(1 + np.cos(fault["phase"]) * fault["strength"])


def _ringing(fault: np.void, time_us: Array) -> Array:
    since = np.clip(time_us - fault["onset_us"], 0, None)
    turning = np.exp(1j * (2e-6 * np.pi * fault["frequency_hz"] * since + fault["phase"]))
    return fault["strength"] * (since > 0) * turning * np.exp(-since / fault["time_us"])


def plant_in_readout(signals: Array, plan: Plan, rng: Rng) -> None:
    """Change what the channels read, `signals` (3, samples, n) in MV/m: probe, forward, reflected."""
    time_us = np.arange(SAMPLES)
    for column in np.flatnonzero(plan["truth"]):
        fault = plan[column]
        seen, probe = signals[fault["signal"], :, column], signals[0, :, column]
        match CLASSES[fault["truth"]]:
            case "probe_jump":
                probe[time_us >= fault["onset_us"]] *= jump(fault)
            case "misalignment":
                seen[:] = seen[np.clip(time_us - int(fault["strength"]), 0, SAMPLES - 1)]
            case "ringing" if fault["signal"] == 0:
                probe += np.abs(probe).max() * _ringing(fault, time_us)
            case "hardware":
                _spoil(seen, fault, rng)


def _spoil(seen: Array, fault: np.void, rng: Rng) -> None:
    """One channel (samples,): stuck or dead from the onset on, for a while; saturated or spiky in the whole pulse."""
    first, top = int(fault["onset_us"]), np.abs(seen).max()
    last = first + max(int(fault["strength"] * (SAMPLES - first)), 1)
    match DEFECTS[fault["defect"]]:
        case "stuck":
            seen[first:last] = seen[first]
        case "dead":
            seen[first:last] = 0
        case "saturated":
            limit = (1 - 0.5 * fault["strength"]) * top
            seen *= limit / np.maximum(np.abs(seen), limit)
        case "spiky":
            at = rng.integers(0, SAMPLES, 1 + int(20 * fault["strength"]))
            seen[at] += fault["strength"] * top * np.exp(2j * np.pi * rng.random(len(at)))
