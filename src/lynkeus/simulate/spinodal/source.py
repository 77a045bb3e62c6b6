"""Density maps of nuclear matter that has expanded through a first-order transition, and the baryons that fly out.

Where the transition is spinodal, matter breaks up into clumps; by Maxwell's construction it does not (Steinheimer et
al. 2019, arXiv:1906.06562). In momentum the motion of heat hides them: what is in it and what not, in
docs/explanations/matter_simulators.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from lynkeus.core.batch import Array, Batch, Floats, Schema
from lynkeus.core.errors import SettingsError
from lynkeus.core.extras import needing

CLASSES = ("maxwell", "spinodal")
SPACES = ("coordinate", "momentum")
BATCH = 50
CELLS, LENGTH = 20, 16.0  # of the square, fm at the start
FIRST_DENSITY, LAST_SCALE = 1.6, 1.8  # in units of nuclear density; a(t) at the end
EXPANSION = (0.09, 0.11)  # 1/fm
FLOW = 0.2  # p / m of the matter at the end, per fm of the start: it is faster than while it is followed
WAVES = (0.08, 0.20)  # of the first density, relative
SMOOTH = 1.6  # fm: of what fluctuates at the start
NUCLEON = 0.938  # GeV
RANGES = {"n": (1, 10**8), "bins": (4, 20), "baryons": (1, 10**6), "temperature": (0.0, 0.5), "reach": (0.2, 5.0)}


@dataclass
class SpinodalSource:
    """`n` events as maps (n, 1, `bins`, `bins`), `eos` "maxwell", "spinodal", or "all": both in turn, which `truth`
    counts.

    `space` "coordinate": the density where each is, in units of the mean; "momentum": how many of about `baryons` have
    the momenta p_x, p_y up to `reach` GeV each way (160: the protons of two lead nuclei, which detectors count; with
    their neutrons 400); they fly with the matter, the faster the farther out, and by the
    `temperature` (GeV) of the end. In meta `baryons` (all that there are), `expansion` 1/fm and `waves` of the start.
    Raises SettingsError for values out of range.
    """

    eos: str = "all"
    space: str = "coordinate"
    n: int = 500
    seed: int = 0
    bins: int = 20
    baryons: float = 160.0
    temperature: float = 0.085
    reach: float = 2.0

    def __post_init__(self) -> None:
        if self.eos not in ("all", *CLASSES):
            raise SettingsError(f"eos must be all or one of {', '.join(CLASSES)}, got {self.eos!r}")
        if self.space not in SPACES:
            raise SettingsError(f"space must be one of {', '.join(SPACES)}, got {self.space!r}")
        for name, (low, high) in RANGES.items():
            if not low <= float(getattr(self, name)) <= high:
                raise SettingsError(f"{name} must lie from {low:g} to {high:g}, got {getattr(self, name)!r}")
        if self.space == "coordinate" and CELLS % int(self.bins):
            raise SettingsError(f"bins must divide the {CELLS} cells of the square, got {self.bins}")

    @property
    def schema(self) -> Schema:
        """Return images of one channel; the classes are those of the equation of state."""
        bins = int(self.bins)
        name = "density" if self.space == "coordinate" else "baryons"
        return Schema("image", (name,), ("",), (1, bins, bins), instrument=f"spinodal {self.space}", classes=CLASSES)

    def __len__(self) -> int:
        return self.n

    def of_length(self, samples: int) -> SpinodalSource:
        """Return the first, or more, of the same events."""
        return replace(self, n=samples)

    def __iter__(self) -> Iterator[Batch]:
        for first in range(0, self.n, BATCH):
            numbers = range(first, min(first + BATCH, self.n))
            events = [self.event(number) for number in numbers]
            truth = np.array([self._class(number) for number in numbers])
            meta = {name: np.array([event[1][name] for event in events]) for name in ("baryons", "expansion", "waves")}
            values = np.stack([event[0] for event in events])[:, None].astype(np.float32)
            yield Batch(self.schema, values, truth=truth, meta={"event": np.array(numbers), **meta})

    def _class(self, number: int) -> int:
        return number % 2 if self.eos == "all" else CLASSES.index(self.eos)

    def event(self, number: int) -> tuple[Array, dict[str, float]]:
        """Return the map (bins, bins) of one event and what it has drawn; the same number gives the same event."""
        rng = np.random.default_rng([self.seed, number])
        expansion, waves = float(rng.uniform(*EXPANSION)), float(rng.uniform(*WAVES))
        u = self.density(self._class(number) == 1, expansion, waves, rng)
        count = int(rng.poisson(self.baryons))
        drawn = {"baryons": count, "expansion": expansion, "waves": waves}
        if self.space == "momentum":
            return self._momenta(u, count, rng), drawn
        side = CELLS // int(self.bins)
        coarse = u.reshape(int(self.bins), side, int(self.bins), side).mean(axis=(1, 3))
        return coarse / coarse.mean(), drawn

    def density(self, spinodal: bool, expansion: float, waves: float, rng: np.random.Generator) -> Floats:
        """Return the charge per comoving square at the end (CELLS, CELLS), in units of nuclear density."""
        with needing("the simulator of spinodal clumping", "matter"):
            from lynkeus.simulate.spinodal.separate import separate
        u = FIRST_DENSITY * (1.0 + waves * fluctuations(CELLS, LENGTH / CELLS, SMOOTH, rng))
        if separate(u, LENGTH / CELLS, expansion, LAST_SCALE, spinodal) < 0:
            raise SettingsError("a density became no number: the event cannot be made; take another seed")
        return u

    def _momenta(self, u: Floats, count: int, rng: np.random.Generator) -> Array:
        weight = np.maximum(u, 0).ravel()
        cell = rng.choice(weight.size, count, p=weight / weight.sum())
        x = np.stack(np.unravel_index(cell, u.shape), axis=1) + rng.random((count, 2))
        flow = FLOW * (x * LENGTH / CELLS - LENGTH / 2)
        heat = rng.normal(0.0, np.sqrt(self.temperature / NUCLEON), (count, 2))
        edges = np.linspace(-self.reach, self.reach, int(self.bins) + 1)
        momentum = NUCLEON * (flow + heat)
        found: Array = np.histogram2d(momentum[:, 0], momentum[:, 1], bins=[edges, edges])[0]
        return found


def fluctuations(cells: int, dx: float, smooth: float, rng: np.random.Generator) -> Floats:
    """Return noise (cells, cells) of mean 0 and spread 1 that is alike over `smooth` fm, periodic."""
    k = 2 * np.pi * np.fft.fftfreq(cells, dx)
    shape = np.exp(-0.5 * smooth**2 * (k[:, None] ** 2 + k**2))
    shape[0, 0] = 0.0
    found: Floats = np.fft.ifft2(np.fft.fft2(rng.normal(size=(cells, cells))) * shape).real
    return found / found.std()
