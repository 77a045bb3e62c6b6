"""The engine by NEST itself, through nestpy (extra `noble`): the same interface, a tenth of the speed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from lynkeus.core.errors import SettingsError
from lynkeus.simulate.xenon.detector import LENGTH_MM, Deposits, Detector, PmtSignals, drift_velocity

DENSITY = 2.9  # g/cm^3
# nestpy.NR is the number of a recoil in argon; those of xenon are in nestpy.interactions.
KINDS = {"beta": "beta", "gamma": "gammaRay", "kr83m": "Kr83m", "nr": "NR", "alpha": "ion"}
ALPHA = (4.0, 2.0)  # mass and charge number


def nest(
    deposits: Deposits, detector: Detector, field_v_cm: float, lifetime_us: float, rng: np.random.Generator
) -> PmtSignals:
    """Return S1 and S2 of each deposit by NEST. Raises SettingsError where nestpy is not installed."""
    try:
        import nestpy
    except ImportError:
        raise SettingsError("NEST needs nestpy: pip install 'lynkeus[noble]', or take engine=surrogate") from None
    with _quiet():
        nestpy.RandomGen.rndm().set_seed(int(rng.integers(2**31)))
        built = getattr(nestpy.detectors, detector.name)()
        built.set_eLife_us(lifetime_us)
        calculator = _Calculator(nestpy, built, deposits.species, field_v_cm)
        rows = [calculator.areas(*row) for row in _rows(deposits)]
    s1, s2, s1c, s2c = np.array(rows, dtype=float).reshape(-1, 4).clip(0).T  # negative: below NEST's threshold
    # NEST corrects with the true lifetime; a detector is corrected with the usual one.
    drift_us = deposits.depth_mm / drift_velocity(field_v_cm)
    return PmtSignals(s1, s2, s1c, s2c * np.exp(drift_us / detector.lifetime_us - drift_us / lifetime_us))


class _Calculator:
    def __init__(self, nestpy: Any, built: Any, species: str, field_v_cm: float) -> None:
        self.nestpy, self.field, self.velocity = nestpy, field_v_cm, drift_velocity(field_v_cm)
        self.kind = getattr(nestpy.interactions, KINDS[species])
        self.nucleus = ALPHA if species == "alpha" else ()
        self.nest = nestpy.NESTcalc(built)
        self.g2 = self.nest.CalculateG2(False)

    def areas(self, energy: float, x: float, y: float, depth: float, charge: float) -> tuple[float, ...]:
        """Return s1, s2, s1c, s2c in phd of one deposit."""
        z, v = LENGTH_MM - depth, self.velocity
        yields = self.nest.GetYields(self.kind, energy, DENSITY, self.field, *self.nucleus)
        quanta = self.nest.GetQuanta(yields, DENSITY)
        place = (x, y, z, x, y, z)
        mode = self.nestpy.S1CalculationMode.Hybrid  # photon by photon where there are few
        s1 = self.nest.GetS1(quanta, *place, v, v, self.kind, 0, self.field, energy, mode, 0, [0], [0.0])
        electrons, mode = round(quanta.electrons * charge), self.nestpy.S2CalculationMode.Full
        s2 = self.nest.GetS2(electrons, *place, depth / v, v, 0, self.field, mode, 0, [0], [0.0], self.g2)
        return s1[4], s2[6], s1[5], s2[7]


def _rows(deposits: Deposits) -> Iterator[list[float]]:
    columns = (deposits.energy_kev, deposits.x_mm, deposits.y_mm, deposits.depth_mm, deposits.charge)
    return iter(np.stack(columns, axis=1).tolist())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep NEST's own notes off the user's output, which may be data."""
    sys.stdout.flush()
    sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    kept = {stream: os.dup(stream) for stream in (1, 2)}
    try:
        for stream in kept:
            os.dup2(nowhere, stream)
        yield
    finally:
        for stream, was in kept.items():
            os.dup2(was, stream)
            os.close(was)
        os.close(nowhere)
