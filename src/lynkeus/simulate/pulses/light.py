"""Light of single pulses in a two-phase xenon TPC: when photons come, in how many tubes, how many in the top array.

S1 is scintillation: fast, mostly seen by the bottom array. S2 is the light of many electrons that cross the gas, each
for about a microsecond; a single electron is SE. SPE are single photons, MPE a few by chance one after another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import correlate1d

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.xenon.conditions import RunConditions
from lynkeus.simulate.xenon.detector import drift_velocity

SAMPLES, STEP_NS = 512, 20.0
START_NS = 800.0  # of the pulse in its waveform
SCINTILLATION_NS = 45.0  # decay and the way of the light
TRANSIT_NS = 900.0  # of an electron through the gas
TWICE = 0.214  # chance of two photoelectrons of a photon
RESOLUTION = 0.31  # of one photoelectron
NOISE_PHD = 0.006  # rms of the baseline, a sample
TUBE = (0.25, 0.5, 0.25)  # response of a photomultiplier, in samples
CENTRES_NS = (np.arange(SAMPLES) + 0.5) * STEP_NS - START_NS
POCKET_SHARE = 0.10  # of the plane above which there may be a gas pocket


@dataclass
class Light:
    """n pulses: `expected` photons of each sample (n, SAMPLES), of which Poisson numbers are drawn; share of them in
    the top array, and over how many tubes they spread (n,); `exact` photons and `ringing` of the electronics in phd
    (n, SAMPLES) are added."""

    expected: Floats
    top: Floats
    spread: Floats
    exact: Array | int = 0
    ringing: Floats | float = 0.0


def s1(n: int, multiple: Array, at: RunConditions, rng: np.random.Generator) -> Light:
    """Draw n S1 pulses of 4 to 3,000 phd; several scatters give more."""
    area = at.s1_gain * _log_uniform(4, 3000, n, rng) * np.where(multiple, 1.3, 1.0)
    top = 0.22 + 0.18 * rng.random(n)  # the higher in the liquid, the more
    return Light(area[:, None] * _decay(SCINTILLATION_NS), top, np.full(n, 300.0))


def s2(n: int, multiple: Array, at: RunConditions, rng: np.random.Generator) -> Light:
    """Draw n S2 pulses of about 5 to 3,000 electrons, less what is lost on the way; one of several scatters has a part
    of them."""
    drift_us = rng.uniform(86, 934, n) * 1.52 / drift_velocity(at.field_v_cm)
    part = np.where(multiple, rng.uniform(0.15, 0.85, n), 1.0)
    number = part * _log_uniform(6, 3000, n, rng) * np.exp(-drift_us / at.lifetime_us)
    sigma_ns = np.sqrt(200.0**2 + 900.0**2 * drift_us / 950)
    late = CENTRES_NS - 3 * sigma_ns[:, None]
    arriving = np.exp(-0.5 * (late / sigma_ns[:, None]) ** 2)
    arriving *= number[:, None] / arriving.sum(axis=1, keepdims=True)
    electrons = rng.poisson(arriving).astype(np.float64)
    few = electrons.sum(axis=1) < 3
    electrons[few, 80:83] += 1  # less would not be called an S2
    return _electroluminescence(electrons, at, rng)


def single_electron(n: int, multiple: Array, at: RunConditions, rng: np.random.Generator) -> Light:
    """Draw n pulses of one electron each."""
    electrons = np.zeros((n, SAMPLES))
    electrons[:, int(START_NS / STEP_NS)] = 1
    return _electroluminescence(electrons, at, rng)


def single_photon(n: int, multiple: Array, at: RunConditions, rng: np.random.Generator) -> Light:
    """Draw n pulses of one photon each."""
    exact = np.zeros((n, SAMPLES), np.int64)
    exact[:, int(START_NS / STEP_NS)] = 1
    return Light(np.zeros((n, SAMPLES)), np.full(n, 0.5), np.ones(n), exact)


def photons_by_chance(n: int, multiple: Array, at: RunConditions, rng: np.random.Generator) -> Light:
    """Draw n pulses of 2 to 8 photons by chance within 0.4 to 1.2 us."""
    number, window = np.floor(_log_uniform(2, 9, n, rng)), rng.uniform(400, 1200, n)
    exact = np.zeros((n, SAMPLES), np.int64)
    for k in range(8):
        place = ((START_NS + window * rng.random(n)) / STEP_NS).astype(int)
        exact[np.arange(n), place] += number > k
    return Light(np.zeros((n, SAMPLES)), np.full(n, 0.5), np.full(n, 300.0), exact)


def anything_else(n: int, multiple: Array, at: RunConditions, rng: np.random.Generator) -> Light:
    """Draw n pulses of ringing electronics, trains of electrons, flashes of one tube, events in the gas; the first is a
    bit rarer."""
    kind = rng.choice(4, n, p=[0.16, 0.28, 0.28, 0.28])
    expected, top, spread = np.zeros((n, SAMPLES)), np.full(n, 0.72), np.full(n, 120.0)
    ringing = np.zeros((n, SAMPLES))
    damped = np.where(CENTRES_NS > 0, np.exp(-np.maximum(CENTRES_NS, 0) / 1500), 0.0)
    phase = rng.uniform(0, 2 * np.pi, (n, 1))
    wave = rng.uniform(0.1, 2, (n, 1)) * damped * np.sin(2 * np.pi * CENTRES_NS / rng.uniform(120, 600, (n, 1)) + phase)
    ringing[kind == 0] = wave[kind == 0]
    top[kind == 0] = rng.random(int((kind == 0).sum()))
    train = np.flatnonzero(kind == 1)
    electrons = np.zeros((len(train), SAMPLES))
    number = rng.integers(3, 9, len(train))
    for k in range(8):
        place = 40 + (rng.random(len(train)) * 380).astype(int)
        electrons[np.arange(len(train)), place] += number > k
    expected[train] = _electroluminescence(electrons, at, rng).expected
    flash = kind == 2
    expected[flash] = _log_uniform(6, 300, int(flash.sum()), rng)[:, None] * _decay(15.0)
    top[flash], spread[flash] = rng.integers(0, 2, int(flash.sum())), 1.0
    gas = kind == 3
    expected[gas] = _log_uniform(60, 3000, int(gas.sum()), rng)[:, None] * _decay(250.0)
    top[gas] = 0.85
    return Light(expected, top, spread, ringing=ringing)


Maker = Callable[[int, Array, RunConditions, np.random.Generator], Light]


def draw_waveforms(light: Light, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Return waveforms (n, SAMPLES) in phd a sample, their top-bottom asymmetry (n,), and how many tubes see light
    (n,)."""
    number = rng.poisson(light.expected) + light.exact
    electrons = number + rng.binomial(number, TWICE)  # of the photocathode
    charge = electrons + RESOLUTION * np.sqrt(electrons) * rng.standard_normal(number.shape)
    wave = correlate1d(charge / (1 + TWICE), TUBE, axis=1, mode="constant")
    wave += NOISE_PHD * rng.standard_normal(wave.shape) + light.ringing
    photons = number.sum(axis=1)
    top = rng.binomial(photons, light.top)
    asymmetry = np.where(photons > 0, (2 * top - photons) / np.maximum(photons, 1), 2 * light.top - 1)
    same = rng.poisson(photons**2 / (2 * light.spread))  # tubes that are hit once more
    tubes = np.where(photons < 20, photons - same, light.spread * -np.expm1(-photons / light.spread))
    return wave, asymmetry, np.clip(np.rint(tubes), 1, np.maximum(light.spread, 1))


def _electroluminescence(electrons: Floats, at: RunConditions, rng: np.random.Generator) -> Light:
    """Return the light of electrons (n, SAMPLES) by the sample in which they reach the gas: each gives some all along
    its way."""
    n, built = len(electrons), at.built
    pocket = (rng.random(n) < POCKET_SHARE) * at.gas_pocket
    transit = np.rint(TRANSIT_NS * (1 + 2 * pocket) / STEP_NS).astype(int)
    yields = at.s2_gain * built.electron_phd * (1 - pocket) * np.exp(0.05 * rng.standard_normal(n))
    running = np.concatenate([np.zeros((n, 1)), electrons.cumsum(axis=1)], axis=1)
    until = np.arange(1, SAMPLES + 1)
    since = np.maximum(until[None] - transit[:, None], 0)
    inside = running[:, 1:] - np.take_along_axis(running, since, axis=1)
    expected = inside * (yields / transit)[:, None]
    return Light(expected, 0.72 + 0.02 * rng.standard_normal(n), np.full(n, 120.0))


def _decay(tau_ns: float) -> Floats:
    """Return an exponential decay (SAMPLES,) of sum 1."""
    shape = np.where(CENTRES_NS > 0, np.exp(-np.maximum(CENTRES_NS, 0) / tau_ns), 0.0)
    return np.asarray(shape / shape.sum())


def _log_uniform(low: float, high: float, n: int, rng: np.random.Generator) -> Floats:
    return np.asarray(np.exp(rng.uniform(np.log(low), np.log(high), n)))
