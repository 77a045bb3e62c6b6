"""Generalised likelihood ratios for what channels do: a jump, a shift in time, an oscillation, a pulse that is cut.

Probe, forward and reflected contradict each other where a channel is at fault, whatever the cavity does; the forward
signal beside its healthy shape shows what the drive does. Statistics are square roots of gains in chi-square, sigmas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.scorers.cavity.equation import CavityModel, Complex, RfSignals, along, chi_square

CONTRADICTION_FLOOR, DRIVE_FLOOR = 3e-4, 1e-3  # of the amplitude: what averaging over a sample leaves open
FARTHEST_S = 200e-6  # shift in time that is sought
LOWEST_HZ = 2500.0  # slower oscillations cannot be told from a pulse
RINGS_S = (80e-6, 300e-6)  # how fast an oscillation dies away
GONE = 0.25  # a drive below this share of its healthy amplitude is off
LARGEST_JUMP = 0.8
AT_REST, QUIET = 0.1, 0.2  # of the change at that quantile: a channel that changes less does not measure
SIGNALS = ("probe", "forward", "reflected")


class ShapeFit(NamedTuple):
    """A statistic (n,) in sigmas, when it begins (s), how large it is, and what of the signals it concerns (index)."""

    sigmas: Floats
    at_s: Floats
    size: Floats
    signal: Array


@dataclass(frozen=True)
class ChannelSpread:
    """Healthy shapes (time,): mean and noise of the contradiction, and of the forward signal; `resting` (signal,): a
    change of the amplitude from sample to sample that is too small."""

    contradiction: Complex
    contradiction_noise: Floats
    forward: Complex
    forward_noise: Floats
    resting: Floats

    @classmethod
    def fit(cls, model: CavityModel, signals: RfSignals) -> Self:
        """Learn medians and MADs over healthy pulses (n, time)."""
        contradiction = model.contradiction(signals)
        mean, noise = _centre(contradiction, CONTRADICTION_FLOOR)
        shape = np.median(signals.forward.real, axis=0) + 1j * np.median(signals.forward.imag, axis=0)
        top = float(np.abs(shape).max())
        off, wide = _centre(signals.forward - _gain(signals.forward, shape)[:, None] * shape, DRIVE_FLOOR * top)
        resting = AT_REST * usual_change(model, signals)
        return cls(mean, noise, shape + off, wide, resting)

    def contradicts(self, model: CavityModel, signals: RfSignals) -> Complex:
        """Return the contradiction of the channels (n, time) beyond that of healthy pulses, in sigmas of its real and
        imaginary parts."""
        return np.asarray((model.contradiction(signals) - self.contradiction) / self.contradiction_noise)

    def drives(self, signals: RfSignals) -> Complex:
        """Return forward minus its healthy shape with the best gain (n, time), in sigmas of its real and imaginary
        parts."""
        gain = _gain(signals.forward / self.forward_noise, self.forward / self.forward_noise)
        return np.asarray((signals.forward - gain[:, None] * self.forward) / self.forward_noise)


def _centre(rows: Complex, floor: float) -> tuple[Complex, Floats]:
    """Return median (time,) of rows (n, time) and their noise by the MAD of real and imaginary parts, plus a floor."""
    mean = np.median(rows.real, axis=0) + 1j * np.median(rows.imag, axis=0)
    off = rows - mean
    # 1.4826 makes a median absolute deviation a standard deviation: a few faulty pulses do not widen it.
    return mean, 1.4826 * np.sqrt(0.5 * (np.median(off.real**2, axis=0) + np.median(off.imag**2, axis=0))) + floor


def _gain(rows: Complex, shape: Complex) -> Complex:
    """Return the complex factor (n,) by which the shape (time,) fits each row best."""
    return np.asarray((rows @ shape.conj()) / max(float(np.vdot(shape, shape).real), 1e-30))


def find_jump(model: CavityModel, spread: ChannelSpread, signals: RfSignals, white: Complex) -> ShapeFit:
    """Find where the probe is multiplied by 1 + size from some time on, perhaps only for a while."""
    noise = spread.contradiction_noise
    field = (signals.probe - white * noise) / noise
    along = _cumulated(field.conj() * white)
    power = _cumulated(np.abs(field) ** 2)
    ends = np.unique(np.append(np.arange(model.start, along.shape[1] - 1, 4), along.shape[1] - 1))
    first = np.arange(model.start + 8, along.shape[1] - 5)
    sigmas, at, size = np.zeros(len(white)), np.full(len(white), np.nan), np.zeros(len(white))
    for end in ends:
        begin = first[first <= end - 3]
        if not len(begin):
            continue
        step = along[:, end, None] - along[:, begin]
        weight = np.maximum((power[:, end, None] - power[:, begin]).real, 1e-12)
        gain = np.where(np.abs(step) < LARGEST_JUMP * weight, np.abs(step) ** 2 / weight, 0.0)
        best = gain.argmax(axis=1)
        row = np.arange(len(white))
        better = np.sqrt(gain[row, best]) > sigmas
        sigmas = np.where(better, np.sqrt(gain[row, best]), sigmas)
        at = np.where(better, begin[best] * model.step_s, at)
        size = np.where(better, np.abs(step[row, best]) / weight[row, best], size)
    return ShapeFit(sigmas, at, size, np.zeros(len(white), np.intp))


def _cumulated(rows: Array) -> Array:
    return np.concatenate([np.zeros_like(rows[:, :1]), np.cumsum(rows, axis=1)], axis=1)


def find_shift(model: CavityModel, spread: ChannelSpread, signals: RfSignals, white: Complex) -> ShapeFit:
    """Find the one channel that is late or early: moved back, it no longer contradicts the others. `size` is the delay
    in s."""
    farthest = max(1, round(FARTHEST_S / model.step_s))
    before = chi_square(white)
    best, size, signal = np.zeros(len(white)), np.zeros(len(white)), np.zeros(len(white), np.intp)
    rows = (signals.probe, -model.x * signals.forward, -model.y * signals.reflected)
    for number, row in enumerate(rows):
        own = row / spread.contradiction_noise
        for direction in (1, -1):
            last, last_square = white, before
            for samples in range(1, farthest + 1):
                moved = white + (_moved(row, direction * samples) / spread.contradiction_noise - own)
                step = last - moved  # between whole samples the best place is known in closed form
                length = np.maximum(chi_square(step), 1e-12)
                shared = along(step, last)
                part = np.clip(shared / length, 0, 1)
                gain = before - (last_square - 2 * part * shared + part**2 * length)
                better = gain > best
                best = np.where(better, gain, best)
                size = np.where(better, direction * (samples - 1 + part) * model.step_s, size)
                signal = np.where(better, number, signal)
                last, last_square = moved, chi_square(moved)
    return ShapeFit(np.sqrt(best), np.full(len(white), np.nan), size, signal)


def _moved(rows: Complex, samples: int) -> Complex:
    """Return the rows (n, time) earlier by `samples`, the end repeated."""
    index = np.clip(np.arange(rows.shape[1]) + samples, 0, rows.shape[1] - 1)
    return rows[:, index]


def find_drive_shift(model: CavityModel, spread: ChannelSpread, signals: RfSignals, white: Complex) -> ShapeFit:
    """Find whether the whole record is late or early: the drive, moved back, has its healthy shape, or at least half of
    it."""
    farthest = max(1, round(FARTHEST_S / model.step_s))
    before = chi_square(white)
    rows, power = signals.forward / spread.forward_noise, chi_square(signals.forward / spread.forward_noise)
    whole = np.arange(-farthest, farthest + 1)
    usual = np.concatenate([np.zeros(farthest), spread.forward])[None]  # no drive before the record
    shapes = np.stack([_moved(usual, -int(samples))[0, farthest:] for samples in whole]) / spread.forward_noise
    found = (np.abs(rows @ shapes.conj().T) ** 2 / chi_square(shapes)).argmax(axis=1)
    left, size = before.copy(), np.zeros(len(white))
    for part in np.linspace(-1, 1, 21):  # averages over a sample are linear in between
        other = np.clip(found + (1 if part > 0 else -1), 0, len(whole) - 1)
        shape = (1 - abs(part)) * shapes[found] + abs(part) * shapes[other]
        square = power - np.abs((rows * shape.conj()).sum(axis=1)) ** 2 / chi_square(shape)
        better = square < left
        left, size = np.where(better, square, left), np.where(better, (whole[found] + part) * model.step_s, size)
    share = (before - left) / np.maximum(before, 1e-12)
    sigmas = np.sqrt((before - left) * np.clip(2 * share - 1, 0, 1))
    return ShapeFit(sigmas, np.full(len(white), np.nan), size, np.ones(len(white), np.intp))


def without_slow(model: CavityModel, white: Complex) -> Complex:
    """Return the rows (n, time) without what is slower than LOWEST_HZ (less a running mean), and 0 outside the
    drive."""
    length = max(3, round(1 / (LOWEST_HZ * model.step_s))) | 1
    driven = white[:, model.start : model.stop]
    padded = np.pad(
        driven, ((0, 0), (length // 2, length // 2)), mode="reflect" if driven.shape[1] > length else "edge"
    )
    mean = _cumulated(padded)
    fast = np.zeros_like(white)
    fast[:, model.start : model.stop] = driven - (mean[:, length:] - mean[:, :-length]) / length
    return fast


def find_ringing(model: CavityModel, white: Complex) -> ShapeFit:
    """Find an oscillation that begins at some time and dies away. `size` is its frequency in Hz."""
    n, samples = white.shape
    best, at, size = np.zeros(n), np.full(n, np.nan), np.zeros(n)
    for decay_s in RINGS_S:
        length = min(samples, max(8, round(3 * decay_s / model.step_s)))
        points = 2 * length
        taper = np.exp(-np.arange(length) * model.step_s / decay_s)
        frequency = np.fft.fftfreq(points, model.step_s)
        wanted = np.flatnonzero(frequency >= LOWEST_HZ)
        norm = (taper**2).sum()
        overlap = np.fft.fft(taper**2, points)[2 * wanted % points] / norm  # of the two senses of rotation
        for start in range(model.start, samples - length // 3, max(1, length // 12)):
            part = white[:, start : start + length]
            turning = np.fft.fft(part * taper[: part.shape[1]], points, axis=1)
            one, other = turning[:, wanted], turning[:, -wanted]
            both = one.real**2 + one.imag**2 + other.real**2 + other.imag**2 - 2 * (one.conj() * overlap * other).real
            both /= norm * (1 - np.abs(overlap) ** 2)
            found = both.argmax(axis=1)
            sigmas = np.sqrt(both[np.arange(n), found])
            better = sigmas > best
            best = np.where(better, sigmas, best)
            at, size = np.where(better, start * model.step_s, at), np.where(better, frequency[wanted[found]], size)
    return ShapeFit(best, at, size, np.zeros(n, np.intp))


def longest_rest(model: CavityModel, signals: RfSignals, least: Floats) -> Floats:
    """Return for how many samples in a row (n,) the amplitude of one signal changes less than `least` (signal,), while
    it should."""
    longest = np.zeros(len(signals.probe))
    for number, name in enumerate(SIGNALS):
        rows = np.abs(getattr(signals, name)[:, model.start + 2 : model.stop])
        still = np.abs(np.diff(rows, axis=1)) < least[number]
        count = np.zeros(len(rows))
        for column in still.T:
            count = (count + 1) * column
            longest = np.maximum(longest, count)
    return longest


def usual_change(model: CavityModel, signals: RfSignals) -> Floats:
    """Return the change of the amplitude of each signal (signal,) from sample to sample, where it is quiet: the
    noise."""
    rows = [np.abs(getattr(signals, name)[:, model.start + 2 : model.stop]) for name in SIGNALS]
    return np.array([np.quantile(np.abs(np.diff(row, axis=1)), QUIET) for row in rows])


def find_gain(model: CavityModel, spread: ChannelSpread, signals: RfSignals, white: Complex) -> Floats:
    """Return the sigmas (n,) for one channel that reads all of the pulse by another factor."""
    best = np.zeros(len(white))
    for row in (signals.probe, model.x * signals.forward, model.y * signals.reflected):
        own = row / spread.contradiction_noise
        best = np.maximum(best, np.abs((own.conj() * white).sum(axis=1)) ** 2 / np.maximum(chi_square(own), 1e-12))
    return np.asarray(np.sqrt(best))


def find_cut(model: CavityModel, spread: ChannelSpread, signals: RfSignals) -> ShapeFit:
    """Find where the drive goes off before its time and stays off. `size` is what is missing in s."""
    driven = slice(model.start, model.stop)
    early = slice(model.start, model.start + max(3, (model.filled - model.start) // 2))
    shape, rows = np.abs(spread.forward), np.abs(signals.forward)
    gain = np.median(rows[:, early] / shape[early], axis=1)
    expected = gain[:, None] * shape[driven]
    there = rows[:, driven] > GONE * expected
    count = there.shape[1]
    last = np.where(there.any(axis=1), count - there[:, ::-1].argmax(axis=1), 0)
    missing = np.arange(count) >= last[:, None]
    lost = np.where(missing, expected**2 - rows[:, driven] ** 2, 0) / spread.forward_noise[driven] ** 2
    seen = (last >= 5) & (gain > 0.1)
    sigmas = np.where(seen, np.sqrt(np.maximum(lost.sum(axis=1), 0)), 0.0)
    at_s = (model.start + last) * model.step_s
    return ShapeFit(sigmas, at_s, (count - last) * model.step_s, np.ones(len(rows), np.intp))
