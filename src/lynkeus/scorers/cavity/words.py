"""What the scorer cavity found in a pulse, in words and sample by sample."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Floats
from lynkeus.scorers.cavity.baseline import CERTAIN, FAULTS, STATISTICS, CavityBaseline, PulseFindings
from lynkeus.scorers.cavity.equation import RfSignals
from lynkeus.scorers.cavity.pulse_shapes import SIGNALS


def words(baseline: CavityBaseline, found: PulseFindings, output: str, row: int = 0) -> str:
    """Return half a sentence on what was found in a pulse, with its numbers, such as "detuning +12 Hz"."""
    hz = baseline.model.half_bandwidth / (2 * np.pi)
    change = found.change
    detuned = f"detuning {change.detuning_hz[row]:+.0f} Hz"
    match output:
        case "quench":
            up = change.rise[row]
            if not np.isfinite(change.quench_s[row]):
                return f"half bandwidth as ever ({hz:.0f} Hz), {detuned}"
            when = f"{1e3 * change.quench_s[row]:.2g} ms"
            return f"half bandwidth up {up:.0%} from {when} ({hz:.0f} -> {hz * (1 + up):.0f} Hz), {detuned}".replace(
                "%", " %", 1
            )
        case "detuning":
            return detuned
        case "beam_loss":
            when = "" if np.isnan(change.beam_s[row]) else f" from {1e3 * change.beam_s[row]:.2g} ms"
            return f"{100 * change.lost[row]:.0f} % of the beam lost{when}"
        case "probe_jump":
            when = "" if np.isnan(found.jump.at_s[row]) else f" at {1e3 * found.jump.at_s[row]:.2g} ms"
            return f"probe jumps by {100 * found.jump.size[row]:.2g} %{when}, forward and reflected do not"
        case "misalignment":
            who, late = SIGNALS[int(found.shift.signal[row])], 1e6 * found.shift.size[row]
            if _by_drive(baseline, found, row):
                who, late = "the whole record", 1e6 * found.drive_shift.size[row]
            return f"{who} {abs(late):.0f} us {'late' if late > 0 else 'early'}"
        case "ringing":
            ring, who = (found.drive_ringing, "drive") if _by_drive(baseline, found, row) else (found.ringing, "probe")
            return f"{who} rings at {1e-3 * ring.size[row]:.1f} kHz from {1e3 * ring.at_s[row]:.2g} ms"
        case "pulse_cut":
            return f"drive off at {1e3 * found.cut.at_s[row]:.3g} ms, {1e6 * found.cut.size[row]:.0f} us early"
    return "probe, forward and reflected contradict each other"


def evidence(baseline: CavityBaseline, signals: RfSignals, found: PulseFindings, output: str) -> Floats:
    """Return squared sigmas (n, 6, time) of each sample: of what the equation leaves over, of the contradiction, or of
    the drive."""
    n, samples = signals.probe.shape
    outputs = np.full(n, output)
    if output == "anomaly":
        outputs = np.array(FAULTS)[baseline.scores(found)[:, 1:].argmax(axis=1)]
    shown = np.zeros((n, 6, samples))
    left = baseline.equation.left(baseline.model, signals)
    wide = np.linalg.norm(np.linalg.inv(baseline.equation.whitener), axis=1)
    block = np.minimum(np.arange(samples) // baseline.model.length, left.shape[1] - 1)
    equation = (left.real / wide[: left.shape[1]], left.imag / wide[left.shape[1] :])
    against = baseline.channels.contradicts(baseline.model, signals)
    drive = baseline.channels.drives(signals)
    for row, name in enumerate(outputs):
        drives = name == "pulse_cut" or (name in ("misalignment", "ringing") and _by_drive(baseline, found, row))
        if name in ("quench", "detuning", "beam_loss"):
            turned = np.exp(1j * np.angle(signals.scale[row])) * (equation[0] + 1j * equation[1])[row, block]
            channel = 0
        elif drives:
            turned, channel = np.exp(1j * np.angle(signals.scale[row])) * drive[row], 1
        else:
            turned = np.exp(1j * np.angle(signals.scale[row])) * against[row]
            channel = int(found.shift.signal[row]) if name in ("misalignment", "hardware") else 0
        shown[row, 2 * channel], shown[row, 2 * channel + 1] = turned.real**2, turned.imag**2
    return shown


def _by_drive(baseline: CavityBaseline, found: PulseFindings, row: int) -> bool:
    """The channels agree with each other: it is the drive, or the whole record."""
    at = STATISTICS.index("channels")
    strays = (found.statistics[row, at] - baseline.middle[at]) / baseline.stray[at]
    return bool(strays < CERTAIN)
