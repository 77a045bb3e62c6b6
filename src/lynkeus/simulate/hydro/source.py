"""Spectra of pions rho(p_T, phi) of heavy-ion collisions through a crossover or a first-order transition, with truth.

2 + 1 dimensions, ideal, no cascade of hadrons, no decays of resonances: how and why, and what is not in it, in
docs/explanations/matter_simulators.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from lynkeus.core.batch import Batch, Floats, Schema
from lynkeus.core.errors import SettingsError
from lynkeus.core.extras import needing
from lynkeus.simulate.hydro.eos import EquationOfState, equation_of_state
from lynkeus.simulate.hydro.freeze_out import Bins, counted, spectrum
from lynkeus.simulate.hydro.initial import GOLD, LEAD, MODELS, initial_energy
from lynkeus.simulate.hydro.kept import blocks
from lynkeus.simulate.hydro.surface import Surface, isosurface

CLASSES = ("lattice", "first_order")
NUCLEI = {"gold": GOLD, "lead": LEAD}
LATEST = 30.0  # fm
RANGES = {"size": (20, 1000), "dx": (0.05, 1), "n": (1, 10**7), "highest": (0.1, 20), "particles": (0, 1e9)}
LEAST_BINS, MOST_BINS = 2, 1000
DRAWN = {"b": (0, 16), "tau0": (0.1, 5), "freeze_out": (0.08, 0.2), "peak": (1, 500)}  # by each collision, from a range
ANY = "any"
KEPT_EVERY, COARSE = 4, 2  # steps and cells between points of the surface


@dataclass
class HydroSource:
    """`n` collisions as images (n, 1, p_T, phi) of pions, `eos` "lattice", "first_order", "ideal", the file of a table,
    or "all": the first two in turn, which `truth` counts.

    `initial`: optical, glauber, spots, trento, or "any" of them; `nucleus` gold or lead; `b`: impact parameter in fm;
    `tau0` fm; `freeze_out` GeV; `peak` energy density of a central collision, GeV/fm^3; `bins` 15x48 of p_T up to
    `highest` GeV and phi; `particles`: pions that are counted, 0 for the smooth spectrum; `size` cells of `dx` fm. Of
    b, tau0, freeze_out and peak two numbers with a dash between are a range that each collision draws from: what is not
    known of nature should not be one number. Spectra are divided by their sum. Collisions that were made once are kept
    on disk. Raises SettingsError for values out of range.
    """

    eos: str = "all"
    n: int = 100
    seed: int = 0
    initial: str = "spots"
    nucleus: str = "gold"
    b: str | float = "0-8"
    tau0: str | float = "0.4-1.0"
    freeze_out: str | float = "0.125-0.15"
    peak: str | float = "20-45"
    bins: str = "15x48"
    highest: float = 2.0
    particles: float = 0.0
    size: int = 100
    dx: float = 0.3

    def __post_init__(self) -> None:
        if self.nucleus not in NUCLEI:
            raise SettingsError(f"nucleus must be one of {', '.join(NUCLEI)}, got {self.nucleus!r}")
        if self.initial not in (*MODELS, ANY):
            raise SettingsError(f"initial must be one of {', '.join(MODELS)} or {ANY}, got {self.initial!r}")
        try:
            pt, phi = (int(part) for part in str(self.bins).lower().split("x"))
        except ValueError as error:
            raise SettingsError(f"bins must be like 15x48, got {self.bins!r}") from error
        if not LEAST_BINS <= min(pt, phi) <= max(pt, phi) <= MOST_BINS:
            raise SettingsError(f"bins must be from {LEAST_BINS} to {MOST_BINS} on each axis, got {self.bins}")
        self.grid = Bins(pt, phi, self.highest)
        self.ranges = {name: range_of(name, getattr(self, name), *limits) for name, limits in DRAWN.items()}
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
        classes = self.schema.classes
        for block in blocks(self):
            values = block.pop("spectrum")[:, None].astype(np.float32)
            truth = np.array([classes.index(self._name(int(number))) for number in block["event"]])
            yield Batch(self.schema, values, truth=truth, meta=block)

    def block(self, numbers: range) -> dict[str, Any]:
        """Return the columns of collisions by number: `spectrum` (n, p_T, phi), `event`, what each has drawn (`b`,
        `tau0`, `freeze_out`, `peak`, `initial`), and `tau_end`: how long its fluid lived, fm."""
        events = [self.event(number) for number in numbers]
        return {name: np.array([event[name] for event in events]) for name in events[0]}

    def _name(self, number: int) -> str:
        return CLASSES[number % 2] if self.eos == "all" else self.eos

    def event(self, number: int) -> dict[str, Any]:
        """Return one collision, see `block`; `spectrum` (p_T, phi). The same number gives the same collision."""
        rng = np.random.default_rng([self.seed, number])
        own = self._drawn(number, rng)
        surface, end = self._surface(self._name(number), own, rng)
        rate = spectrum(surface, own["freeze_out"], self.grid)
        turned = np.roll(rate, int(rng.integers(self.grid.phi)), axis=1)  # nobody knows the angle of the collision
        if self.particles:
            turned = counted(turned, self.grid, self.particles, rng)
        return {"spectrum": turned / max(turned.sum(), 1e-300), "event": number, **own, "tau_end": end}

    def _drawn(self, number: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return what one collision has drawn; b comes first and from its own stream, evenly in its square."""
        low, high = self.ranges["b"]
        found: dict[str, Any] = {"b": float(np.sqrt(rng.uniform(low**2, high**2)))}
        other = np.random.default_rng([self.seed, number, 1])
        for name in ("tau0", "freeze_out", "peak"):
            found[name] = float(other.uniform(*self.ranges[name]))
        initial = self.initial if self.initial != ANY else MODELS[int(other.integers(len(MODELS)))]
        return found | {"initial": initial}

    @cached_property
    def _x(self) -> Floats:
        return (np.arange(self.size) - 0.5 * (self.size - 1)) * self.dx

    def _surface(self, name: str, own: Mapping[str, Any], rng: np.random.Generator) -> tuple[Surface, float]:
        with needing("the simulator of heavy-ion collisions", "matter"):
            from lynkeus.simulate.hydro.evolve import Fluid, evolve
        eos = _eos(name)
        last = eos.energy_at(own["freeze_out"])
        energy = initial_energy(own["initial"], self._x, own["b"], rng, NUCLEI[self.nucleus], own["peak"])
        if energy.max() < 2 * last:
            raise SettingsError(
                f"a collision at b = {own['b']:.1f} fm is too dilute to flow: take a smaller b or a larger peak"
            )
        start = Fluid.at_rest(energy, own["tau0"], self.dx, eos)
        kept = [start.copy()]
        if _at_the_edge(start) > last:  # walls are not in nature, and hold it together
            raise SettingsError(
                f"the collision is larger than the grid of {self.size} x {self.dx:g} = {self.size * self.dx:g} fm: "
                "take a larger size, or a larger dx (the default is 100 x 0.3 = 30 fm)"
            )
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


def _at_the_edge(fluid: Any) -> float:
    """Return the largest energy density in the outermost cells."""
    return float(max(side.max() for side in (fluid.e[0], fluid.e[-1], fluid.e[:, 0], fluid.e[:, -1])))


@lru_cache(8)
def _eos(name: str) -> EquationOfState:
    return equation_of_state(name)


def range_of(name: str, given: str | float, low: float, high: float) -> tuple[float, float]:
    """Return the two ends of what was given as a number, or as two with a dash between. Raises SettingsError."""
    try:
        ends = [float(part) for part in str(given).split("-")]
    except ValueError as error:
        raise SettingsError(f"{name} must be a number, or two like {low:g}-{high:g} ({error})") from error
    if len(ends) > 2 or not low <= ends[0] <= ends[-1] <= high:
        raise SettingsError(f"{name} must be one number or two rising ones from {low:g} to {high:g}, got {given!r}")
    return ends[0], ends[-1]
