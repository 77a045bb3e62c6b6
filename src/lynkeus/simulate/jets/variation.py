"""How simulated data may differ from simulation: another tune or scale of the shower, tracking, impact parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from lynkeus.core.errors import SettingsError
from lynkeus.simulate.jets.detector.response import Response
from lynkeus.simulate.jets.settings import WHO
from lynkeus.simulate.jets.shower.sudakov import Tune


@dataclass(frozen=True)
class NamedTune:
    """A tune: its number in Pythia (Tune:pp), and what is like it in the fast generator."""

    pythia: int
    fast: Tune


TUNES = {
    "monash": NamedTune(14, Tune()),
    "a14": NamedTune(21, Tune(alpha=0.121, soft=1.15)),
    "4c": NamedTune(5, Tune(alpha=0.1318, vectors=0.45, strange=0.19, soft=0.9)),
}
USUAL, DATA = {"tune": "monash", "tracking": 1.0, "d0_scale": 1.0, "fsr": 1.0}, {
    "tune": "a14", "tracking": 0.95, "d0_scale": 1.2, "fsr": 1.0,
}  # fmt: skip
RANGES = {"tracking": (0.5, 1.03), "d0_scale": (0.1, 10.0), "fsr": (0.25, 4.0)}


@dataclass(frozen=True)
class Variation:
    """The name of the `tune`, `tracking` (times the efficiency), `d0_scale` (times the resolution) and `fsr` (times the
    scale of the coupling in the shower)."""

    tune: str
    tracking: float
    d0_scale: float
    fsr: float

    @property
    def fast(self) -> Tune:
        """Return the tune of the fast generator."""
        return replace(TUNES[self.tune].fast, fsr=self.fsr)

    @property
    def pythia(self) -> tuple[str, ...]:
        """Return the settings of Pythia, a line each."""
        return f"Tune:pp = {TUNES[self.tune].pythia}", f"TimeShower:renormMultFac = {self.fsr**2}"

    @property
    def response(self) -> Response:
        """Return the response of the detector."""
        return Response(tracking=self.tracking, d0_scale=self.d0_scale)


def variation_of(data: int, given: dict[str, str | float | None]) -> Variation:
    """Return what was said, or what is usual for simulation, or for `data`. Raises SettingsError in one line."""
    if data not in (0, 1):
        raise SettingsError(f"{WHO}: data={data!r} must be 0 or 1")
    usual = DATA if data else USUAL
    chosen = {name: usual[name] if value is None else value for name, value in given.items()}
    tune = str(chosen.pop("tune"))
    if tune not in TUNES:
        raise SettingsError(f"{WHO}: no tune {tune!r}; there are {', '.join(TUNES)}")
    numbers = {}
    for name, value in chosen.items():
        low, high = RANGES[name]
        if not isinstance(value, int | float) or not math.isfinite(value) or not low <= value <= high:
            raise SettingsError(f"{WHO}: {name}={value!r} must be a number from {low:g} to {high:g}")
        numbers[name] = float(value)
    return Variation(tune, **numbers)
