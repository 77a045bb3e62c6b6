"""From an energy deposited in liquid xenon to photons and electrons, vectorised: a fast surrogate of NEST.

Energy makes E / W quanta, ions and excitons; a part of the ions recombines and gives photons instead of electrons. The
mean of what recombines follows the box model of Thomas and Imel, f = 1 - ln(1 + x) / x, whose x was tabulated against
the energy, with a power of the field, so that the yields of NEST 2 come out within 2 % at 193 V/cm; nuclear recoils
follow the published formula (arXiv:2211.10726). tests/simulate/xenon/test_nest.py holds the comparison.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import erf

from lynkeus.core.batch import Array, Floats

W_KEV = 13.44e-3  # energy of one quantum
FIELD_V_CM = 193.0  # at which x is tabulated
SPECIES = ("beta", "gamma", "kr83m", "nr", "alpha")
# Energy in keV: (ln x at FIELD_V_CM, power of the field with which x goes).
BETA = {
    1: (-0.934, -0.279), 1.78: (0.087, -0.126), 3.16: (0.735, -0.112), 5.62: (1.139, -0.165), 10: (1.372, -0.250),
    17.8: (1.488, -0.350), 31.6: (1.550, -0.473), 42.2: (1.553, -0.565), 56.2: (1.487, -0.676), 75: (1.327, -0.770),
    100: (1.105, -0.801), 178: (0.653, -0.735), 316: (0.259, -0.670), 1000: (-0.399, -0.612),
}  # fmt: skip
GAMMA = {
    10: (1.823, -0.450), 32.1: (1.823, -0.537), 57.4: (1.754, -0.588), 84.6: (1.645, -0.649), 103: (1.561, -0.688),
    125: (1.456, -0.729), 152: (1.330, -0.769), 184: (1.188, -0.800), 271: (0.889, -0.820), 400: (0.632, -0.777),
}  # fmt: skip
KR83M = {41.5: (2.139, -0.410)}  # 32.1 and 9.4 keV, seen as one
RECOMBINATION = {"beta": BETA, "gamma": GAMMA, "kr83m": KR83M}


class Yields(NamedTuple):
    """Means (n,): `quanta` in all, `ions`, and `electrons` that escape; `fano` of the quanta; rms `spread` of the share
    of ions that recombine, beyond the binomial one, and its `skew` (delta of the skew-normal distribution)."""

    quanta: Floats
    ions: Floats
    electrons: Floats
    fano: Floats
    spread: Floats
    skew: Floats


def mean_yields(species: str, energy_kev: Floats, field_v_cm: float) -> Yields:
    """Return the mean yields of deposits of one of SPECIES, for fields from 50 to 500 V/cm."""
    if species == "nr":
        return _nuclear(energy_kev, field_v_cm)
    if species == "alpha":
        return _alpha(energy_kev, field_v_cm)
    return _electronic(species, energy_kev, field_v_cm)


def draw_quanta(species: str, energy_kev: Floats, field_v_cm: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw the numbers of photons and electrons (n,) of each deposit."""
    mean = mean_yields(species, energy_kev, field_v_cm)
    quanta = np.rint(mean.quanta + np.sqrt(mean.fano * mean.quanta) * rng.standard_normal(len(energy_kev)))
    escaping = mean.electrons / mean.ions
    ions = np.maximum(quanta * mean.ions / mean.quanta, 1.0)
    binomial = ions * escaping * (1 - escaping)
    sigma = np.sqrt(binomial + (mean.spread * ions) ** 2)
    electrons = ions * escaping + sigma * _skew_normal(mean.skew * (mean.spread * ions / sigma), rng)
    electrons = np.clip(np.rint(electrons), 0, np.maximum(quanta, 0))
    return (quanta - electrons).clip(0).astype(np.int64), electrons.astype(np.int64)


def _electronic(species: str, energy_kev: Floats, field_v_cm: float) -> Yields:
    """Return the yields of electronic recoils by the tabulated box model of Thomas and Imel."""
    table = RECOMBINATION[species]
    log_x, power = np.array(list(table.values())).T
    at, knots = np.log(energy_kev), np.log(list(table))
    x = np.exp(np.interp(at, knots, log_x) + np.interp(at, knots, power) * np.log(field_v_cm / FIELD_V_CM))
    quanta = energy_kev / W_KEV
    ions = quanta / (1 + 0.1825 * erf(0.05 * energy_kev))
    electrons = ions * np.log1p(x) / x
    fano = 0.12 + 0.0009 * np.sqrt(quanta * field_v_cm)
    spread = 0.047 * max(1.0, field_v_cm / FIELD_V_CM) ** 0.21 * _bell(electrons / quanta, 0.425, 0.205)
    return Yields(quanta, ions, electrons, fano, spread, 0.985 / (1 + (energy_kev / 128) ** 2.5))


def _nuclear(energy_kev: Floats, field_v_cm: float) -> Yields:
    """Return the yields of nuclear recoils (arXiv:2211.10726)."""
    quanta = 11.0 * energy_kev**1.1
    threshold = 1 - 1 / (1 + (energy_kev / 0.3) ** 2)
    electrons = energy_kev * threshold / (0.048 * field_v_cm**-0.0533 * np.sqrt(energy_kev + 12.6))
    ions = np.maximum(quanta / 1.8, 1.02 * electrons)
    spread = 0.04 * _bell(electrons / quanta, 0.5, 0.19)
    return Yields(quanta, ions, electrons, np.full_like(quanta, 0.4), spread, np.full_like(quanta, 0.91))


def _alpha(energy_kev: Floats, field_v_cm: float) -> Yields:
    """Return the yields of alpha particles: nearly all ions recombine."""
    quanta = 0.972 * energy_kev / W_KEV  # dense tracks quench the rest
    electrons = 5500 * (energy_kev / 5590) ** 0.17 * (field_v_cm / FIELD_V_CM) ** 0.44
    constant = np.ones_like(quanta)
    return Yields(quanta, quanta / 1.005, electrons, 0.4 * constant, 0.0015 * constant, 0 * constant)


def _bell(values: Floats, centre: float, width: float) -> Floats:
    return np.asarray(np.exp(-0.5 * ((values - centre) / width) ** 2))


def _skew_normal(delta: Floats, rng: np.random.Generator) -> Floats:
    """Draw skew-normal numbers (n,) of mean 0 and variance 1."""
    first, second = rng.standard_normal((2, len(delta)))
    raw = delta * np.abs(first) + np.sqrt(1 - delta**2) * second
    return np.asarray((raw - delta * np.sqrt(2 / np.pi)) / np.sqrt(1 - 2 * delta**2 / np.pi))
