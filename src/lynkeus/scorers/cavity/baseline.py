"""What one cavity looks like when all is well: its equation, its noise, and how far its healthy pulses stray."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from lynkeus.core import Floats
from lynkeus.scorers.cavity.equation import CavityModel, RfSignals, chi_square
from lynkeus.scorers.cavity.likelihood import Change, find_changes
from lynkeus.scorers.cavity.pulse_shapes import (
    ChannelSpread,
    ShapeFit,
    find_cut,
    find_drive_shift,
    find_gain,
    find_jump,
    find_ringing,
    find_shift,
    longest_rest,
    without_slow,
)
from lynkeus.scorers.cavity.spread import EquationSpread

FAULTS = ("quench", "detuning", "probe_jump", "misalignment", "ringing", "pulse_cut", "hardware", "beam_loss")
# Statistics that are compared with each other: of the cavity equation, of the contradiction of channels, of the drive.
FAMILIES = {
    "equation": ("equation", "quench", "detuning", "beam_loss"),
    "channels": ("channels", "probe_jump", "misalignment", "ringing", "hardware"),
    "drive": ("drive",),
    "drive_shift": ("drive_shift",),
    "drive_ringing": ("drive_ringing",),
    "pulse_cut": ("pulse_cut",),
    "rest": ("rest",),
}
STATISTICS = tuple(name for family in FAMILIES.values() for name in family)
SHIFTED = 0.75  # a shift must explain more of a contradiction than averaging neighbours takes from noise
UNEXPLAINED = 0.5  # a jump, a shift or a ringing must explain more of a contradiction than this, or it is the hardware
BY_QUENCH = 0.7  # how much of the detuning counts beside a quench, which detunes through the Lorentz force as well
WHOLE = 1.001  # a step at the very start of the pulse is a gain
CERTAIN = 6.0  # sigmas from which a fault of the channels or of the drive explains what the cavity seems to do
CONTRADICTS = 30.0  # sigmas from which channels that contradict each other make a resting channel a stuck one
LONGEST_REST = (
    12.0  # samples more than healthy pulses have: the channel is stuck or saturated, whatever else it looks like
)
TIE = (
    0.5  # sigmas: where most pulses show no trace of a fault, a random part, from digits that mean nothing, lets it be
)
# calibrated (a randomised p-value); it is the same for all faults of a pulse
NARROWEST = 0.5  # sigmas: a healthy spread below this is taken as this
UPPER, UPPER_SIGMAS = 0.9, 1.2816  # the quantile that says how far healthy pulses stray, and where a Gaussian has it


class PulseFindings(NamedTuple):
    """Every statistic of some pulses (n, statistic), and what was found in detail."""

    statistics: Floats
    change: Change
    jump: ShapeFit
    shift: ShapeFit
    drive_shift: ShapeFit
    ringing: ShapeFit
    drive_ringing: ShapeFit
    cut: ShapeFit


@dataclass(frozen=True)
class CavityBaseline:
    """The null distribution of one cavity, or of all, learned from healthy pulses: `middle` and `stray` (statistic,),
    median and upper sigma of each statistic."""

    model: CavityModel
    equation: EquationSpread
    channels: ChannelSpread
    middle: Floats
    stray: Floats

    @classmethod
    def fit(cls, signals: RfSignals, step_s: float) -> Self:
        """Learn from healthy pulses; the statistics of each half come from the spread of the other half, as noise that
        was fitted to itself would look too small."""
        model = CavityModel.fit(signals, step_s)
        unit = np.ones(len(STATISTICS))
        halves = []
        for own, other in ((0, 1), (1, 0)):
            part = _some(signals, slice(own, None, 2))
            spread = EquationSpread.fit(model, part), ChannelSpread.fit(model, part)
            halves.append(cls(model, *spread, 0 * unit, unit).find(_some(signals, slice(other, None, 2))).statistics)
        statistics = np.concatenate(halves)
        middle = np.median(statistics, axis=0)
        stray = (np.quantile(statistics, UPPER, axis=0) - middle) / UPPER_SIGMAS
        return cls(
            model,
            EquationSpread.fit(model, signals),
            ChannelSpread.fit(model, signals),
            middle,
            np.maximum(stray, NARROWEST),
        )

    def find(self, signals: RfSignals) -> PulseFindings:
        """Return every likelihood ratio (n, statistic) of some pulses, and what was found in detail."""
        change = find_changes(self.model, self.equation, signals)
        white = self.channels.contradicts(self.model, signals)
        driven = self.channels.drives(signals)
        jump = find_jump(self.model, self.channels, signals, white)
        shift = find_shift(self.model, self.channels, signals, white)
        drive_shift = find_drive_shift(self.model, self.channels, signals, driven)
        fast = without_slow(self.model, driven)
        ringing, drive_ringing = find_ringing(self.model, white), find_ringing(self.model, fast)
        gain = find_gain(self.model, self.channels, signals, white)
        rest = longest_rest(self.model, signals, self.channels.resting)
        cut = find_cut(self.model, self.channels, signals)
        contradiction, drive = np.sqrt(chi_square(white)), np.sqrt(chi_square(driven))
        share = np.clip(2 * drive_ringing.sigmas**2 / np.maximum(chi_square(fast), 1e-12) - 0.5, 0, 1)
        found = {
            "equation": change.total,
            "quench": change.quench,
            "detuning": change.detuning,
            "beam_loss": change.beam_loss,
            "channels": contradiction,
            "probe_jump": jump.sigmas,
            "misalignment": np.where(shift.sigmas > np.sqrt(SHIFTED) * contradiction, shift.sigmas, 0),
            "ringing": ringing.sigmas,
            "hardware": np.maximum(np.sqrt(UNEXPLAINED) * contradiction, WHOLE * gain),
            "drive": drive,
            "drive_shift": drive_shift.sigmas,
            "drive_ringing": drive_ringing.sigmas * share,
            "pulse_cut": cut.sigmas,
            "rest": rest,
        }
        statistics = np.stack([found[name] for name in STATISTICS], axis=1)
        return PulseFindings(statistics, change, jump, shift, drive_shift, ringing, drive_ringing, cut)

    def scores(self, found: PulseFindings) -> Floats:
        """Return the scores (n, 1 + FAULTS) in sigmas of healthy pulses: anomaly, then each fault."""
        sigmas = {}
        for family in FAMILIES.values():
            at = [STATISTICS.index(name) for name in family]
            wide = self.stray[at].max()
            for k in at:
                sigmas[STATISTICS[k]] = (found.statistics[:, k] - self.middle[k]) / wide
        lossy = sigmas["quench"] > CERTAIN
        sigmas["detuning"] = np.where(lossy, BY_QUENCH * sigmas["detuning"], sigmas["detuning"])
        stuck = (sigmas.pop("rest") * self.stray[-1] > LONGEST_REST) & (sigmas["channels"] > CONTRADICTS)
        sigmas.pop("drive")  # what the drive does for a reason is no fault
        anomaly = np.max(np.stack(list(sigmas.values())), axis=0)
        reasons = ("pulse_cut", "drive_shift", "quench", "detuning", "beam_loss")  # for the drive to do what it does
        drive_ringing = _doubted(sigmas["drive_ringing"], np.max([sigmas[name] for name in reasons], axis=0))
        sigmas["misalignment"] = np.maximum(sigmas["misalignment"], sigmas["drive_shift"])
        sigmas["ringing"] = np.maximum(sigmas["ringing"], drive_ringing)
        sigmas["hardware"] = np.where(stuck, anomaly, sigmas["hardware"])
        for name in ("probe_jump", "misalignment", "ringing"):
            sigmas[name] = _doubted(sigmas[name], np.where(stuck, sigmas["channels"], 0))
        for name in ("pulse_cut", *FAMILIES["equation"]):
            sigmas[name] = _doubted(sigmas[name], sigmas["channels"])
        for name in FAMILIES["equation"]:
            sigmas[name] = _doubted(sigmas[name], np.maximum(sigmas["pulse_cut"], sigmas["drive_shift"]))
        apart = TIE * (1e3 * found.statistics[:, 0] % 1)
        return np.stack([anomaly, *(sigmas[name] + apart for name in FAULTS)], axis=1)


def _doubted(sigmas: Floats, other: Floats) -> Floats:
    """Return the sigmas (n,) of a fault, less the more certain another one is: divided by `other` / CERTAIN where that
    is above 1."""
    return np.where(sigmas > 0, sigmas / np.maximum(1, other / CERTAIN), sigmas)


def _some(signals: RfSignals, which: slice) -> RfSignals:
    return RfSignals(*(column[which] for column in vars(signals).values()))
