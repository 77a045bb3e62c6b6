"""Spectra of pions rho(p_T, phi) of heavy-ion collisions through a crossover or a first-order transition, with truth.

2 + 1 dimensions, ideal, no cascade of hadrons, no decays of resonances: how and why, and what is not in it, in
docs/explanations/matter_simulators.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from lynkeus.core.batch import Batch, Floats, Schema
from lynkeus.core.errors import SettingsError
from lynkeus.core.extras import needing
from lynkeus.simulate.hydro.eos import EquationOfState, equation_of_state
from lynkeus.simulate.hydro.freeze_out import Bins, counted, spectrum
from lynkeus.simulate.hydro.initial import GOLD, LEAD, MODELS, initial_energy
from lynkeus.simulate.hydro.surface import Surface, isosurface

CLASSES = ("lattice", "first_order")
NUCLEI = {"gold": GOLD, "lead": LEAD}
BATCH = 16
LATEST = 30.0  # fm
RANGES = {
    "tau0": (0.1, 5), "freeze_out": (0.08, 0.2), "peak": (1, 500), "size": (20, 1000), "dx": (0.05, 1), "n": (1, 10**7),
}  # fmt: skip
KEPT_EVERY, COARSE = 4, 2  # steps and cells between points of the surface


@dataclass
class HydroSource:
    """`n` collisions as images (n, 1, p_T, phi) of pions, `eos` "lattice", "first_order", "ideal", the file of a table,
    or "all": the first two in turn, which `truth` counts.

    `initial`: optical, glauber, spots or trento; `nucleus` gold or lead; `b`: impact parameter in fm, or two of them
    with a dash between; `tau0` fm; `freeze_out` GeV; `peak` energy density of a central collision, GeV/fm^3; `bins`
    15x48 of p_T up to `highest` GeV and phi; `particles`: pions that are counted, 0 for the smooth spectrum; `size`
    cells of `dx` fm. Spectra are divided by their sum. Raises SettingsError for values out of range.
    """

    eos: str = "all"
    n: int = 100
    seed: int = 0
    initial: str = "spots"
    nucleus: str = "gold"
    b: str | float = "0-8"
    tau0: float = 0.6
    freeze_out: float = 0.137
    peak: float = 30.0
    bins: str = "15x48"
    highest: float = 2.0
    particles: float = 0.0
    size: int = 100
    dx: float = 0.3

    def __post_init__(self) -> None:
        if self.nucleus not in NUCLEI:
            raise SettingsError(f"nucleus must be one of {', '.join(NUCLEI)}, got {self.nucleus!r}")
        if self.initial not in MODELS:
            raise SettingsError(f"initial must be one of {', '.join(MODELS)}, got {self.initial!r}")
        try:
            self.reach = tuple(float(part) for part in str(self.b).split("-"))
            pt, phi = (int(part) for part in str(self.bins).lower().split("x"))
        except ValueError as error:
            raise SettingsError(f"b must be like 4 or 0-8 fm and bins like 15x48 ({error})") from error
        if len(self.reach) > 2 or min(self.reach) < 0 or max(self.reach) > 16 or self.reach[0] > self.reach[-1]:
            raise SettingsError(f"b must be one impact parameter or two rising ones from 0 to 16 fm, got {self.b!r}")
        self.grid = Bins(pt, phi, self.highest)
        for name, (low, high) in RANGES.items():
            if not low <= float(getattr(self, name)) <= high:
                raise SettingsError(f"{name} must lie from {low:g} to {high:g}, got {getattr(self, name)!r}")

    @property
    def schema(self) -> Schema:
        """Return images of one channel; the classes are the equations of state."""
        classes = CLASSES if self.eos in ("all", *CLASSES) else (self.eos,)
        return Schema("image", ("pions",), ("",), (1, self.grid.pt, self.grid.phi), instrument="hydro", classes=classes)

    def __len__(self) -> int:
        return self.n

    def of_length(self, samples: int) -> HydroSource:
        """Return the first, or more, of the same collisions."""
        return replace(self, n=samples)

    def __iter__(self) -> Iterator[Batch]:
        for first in range(0, self.n, BATCH):
            numbers = np.arange(first, min(first + BATCH, self.n))
            events = [self.event(int(number)) for number in numbers]
            values = np.stack([event[0] for event in events])[:, None].astype(np.float32)
            meta = {
                "event": numbers,
                "b": np.array([e[1] for e in events]),
                "tau_end": np.array([e[2] for e in events]),
            }
            truth = np.array([self.schema.classes.index(self._name(int(number))) for number in numbers])
            yield Batch(self.schema, values, truth=truth, meta=meta)

    def _name(self, number: int) -> str:
        return CLASSES[number % 2] if self.eos == "all" else self.eos

    def event(self, number: int) -> tuple[Floats, float, float]:
        """Return the spectrum (p_T, phi) of one collision, its impact parameter and how long the fluid lived, fm. The
        same number gives the same collision."""
        rng = np.random.default_rng([self.seed, number])
        b = float(np.sqrt(rng.uniform(self.reach[0] ** 2, self.reach[-1] ** 2)))
        surface, end = self._surface(self._name(number), b, rng)
        rate = spectrum(surface, self.freeze_out, self.grid)
        turned = np.roll(rate, int(rng.integers(self.grid.phi)), axis=1)  # nobody knows the angle of the collision
        if self.particles:
            turned = counted(turned, self.grid, self.particles, rng)
        return turned / max(turned.sum(), 1e-300), b, end

    @cached_property
    def _x(self) -> Floats:
        return (np.arange(self.size) - 0.5 * (self.size - 1)) * self.dx

    def _surface(self, name: str, b: float, rng: np.random.Generator) -> tuple[Surface, float]:
        with needing("the simulator of heavy-ion collisions", "matter"):
            from lynkeus.simulate.hydro.evolve import Fluid, evolve
        eos = _eos(name)
        last = eos.energy_at(self.freeze_out)
        energy = initial_energy(self.initial, self._x, b, rng, NUCLEI[self.nucleus], self.peak)
        if energy.max() < 2 * last:
            raise SettingsError(
                f"a collision at b = {b:.1f} fm is too dilute to flow: take a smaller b or a larger peak"
            )
        start = Fluid.at_rest(energy, self.tau0, self.dx, eos)
        kept = [start.copy()]
        for fluid in evolve(start, eos, LATEST, KEPT_EVERY):
            kept.append(fluid.copy())
            if fluid.e.max() < last:
                break
        else:
            raise SettingsError(f"the fluid still lives at {LATEST:g} fm; take a lower peak or a higher freeze_out")
        some = slice(None, None, COARSE)
        e, vx, vy = (np.stack([getattr(one, name)[some, some] for one in kept]) for name in ("e", "vx", "vy"))
        x = self._x[some]
        return isosurface(np.array([one.tau for one in kept]), e, vx, vy, x, x, last), kept[-1].tau


@lru_cache(8)
def _eos(name: str) -> EquationOfState:
    return equation_of_state(name)
