"""Deposits of photons and pions in a calorimeter with fine cells, seen from the front.

A shower is drawn spot by spot from radial profiles of Grindhammer & Peters 1993 (hep-ex/0001020) at the maximum of the
shower; their constants are recalled and not confirmed. A pion makes several electromagnetic parts around a wide
hadronic one, with shares and distances of our own choice. In depth everything is summed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from lynkeus.core.batch import Array, Batch, Floats, Schema
from lynkeus.core.errors import SettingsError

CLASSES = ("photon", "pion")
BATCH = 200
SPOT = 0.01  # GeV: of one spot, so that the number of spots fluctuates as 10 % / sqrt(E)
CORE, TAIL, CORE_SHARE = 0.14, 1.3, 0.85  # Moliere radii, and share of the core, at the maximum of the shower
FLUCTUATES = 0.15  # of both radii, from shower to shower
HADRONIC = (1.2, 0.35)  # Moliere radii of the wide part of a pion, and its share of the energy
PARTS, FAR = (
    3.0,
    0.9,
)  # electromagnetic parts of a pion on average; Moliere radii from its axis
RANGES = {"n": (1, 10**8), "cells": (8, 200), "cell": (0.02, 2.0), "noise": (0.0, 10.0)}


@dataclass
class CalorimeterSource:
    """`n` showers as maps (n, 1, `cells`, `cells`) of energy in GeV, `particle` photon, pion, or "all": both in turn,
    which `truth` counts.

    `energy` GeV, or two numbers with a dash between, of which each shower draws evenly in the logarithm; `cell` size in
    Moliere radii; `noise` of a cell in GeV. Each comes in near the middle, anywhere in the fourth part of the map. In
    meta `energy`, and `x`, `y` where it came in, in cells. Raises SettingsError for values out of range.
    """

    particle: str = "all"
    n: int = 500
    seed: int = 0
    energy: str | float = "5-100"
    cells: int = 24
    cell: float = 0.25
    noise: float = 0.0

    def __post_init__(self) -> None:
        if self.particle not in ("all", *CLASSES):
            raise SettingsError(f"particle must be all or one of {', '.join(CLASSES)}, got {self.particle!r}")
        for name, (low, high) in RANGES.items():
            if not low <= float(getattr(self, name)) <= high:
                raise SettingsError(f"{name} must lie from {low:g} to {high:g}, got {getattr(self, name)!r}")
        try:
            ends = [float(part) for part in str(self.energy).split("-")]
        except ValueError as error:
            raise SettingsError(f"energy must be a number, or two like 5-100, in GeV ({error})") from error
        if len(ends) > 2 or not 0.1 <= ends[0] <= ends[-1] <= 5000:
            raise SettingsError(f"energy must be one number or two rising ones from 0.1 to 5000, got {self.energy!r}")
        self.range = ends[0], ends[-1]

    @property
    def schema(self) -> Schema:
        """Return images of one channel; the classes are the particles."""
        side = int(self.cells)
        return Schema("image", ("energy",), ("GeV",), (1, side, side), instrument="calorimeter", classes=CLASSES)

    def __len__(self) -> int:
        return self.n

    def of_length(self, samples: int) -> CalorimeterSource:
        """Return the first, or more, of the same showers."""
        return replace(self, n=samples)

    def __iter__(self) -> Iterator[Batch]:
        for first in range(0, self.n, BATCH):
            numbers = range(first, min(first + BATCH, self.n))
            showers = [self.shower(number) for number in numbers]
            meta = {name: np.array([own[1][name] for own in showers]) for name in ("energy", "x", "y")}
            truth = np.array([self._class(number) for number in numbers])
            values = np.stack([own[0] for own in showers])[:, None].astype(np.float32)
            yield Batch(self.schema, values, truth=truth, meta={"event": np.array(numbers), **meta})

    def _class(self, number: int) -> int:
        return number % 2 if self.particle == "all" else CLASSES.index(self.particle)

    def shower(self, number: int) -> tuple[Array, dict[str, float]]:
        """Return the map (cells, cells) of one shower and what it has drawn; the same number gives the same shower."""
        rng = np.random.default_rng([self.seed, number])
        energy = float(np.exp(rng.uniform(*np.log(self.range))))
        middle = rng.uniform(0.25, 0.75, 2) * self.cells
        parts = [(energy, np.zeros(2), 1.0)] if self._class(number) == 0 else _pion(energy, rng)
        places = np.concatenate([_spots(own, at, wide, rng) for own, at, wide in parts])
        edges = np.arange(int(self.cells) + 1)
        at = places / self.cell + middle
        deposits = SPOT * np.histogram2d(at[:, 1], at[:, 0], bins=[edges, edges])[0]
        if self.noise:
            deposits = deposits + rng.normal(0.0, self.noise, deposits.shape)
        return deposits, {"energy": energy, "x": float(middle[0]), "y": float(middle[1])}


def _pion(energy: float, rng: np.random.Generator) -> list[tuple[float, Floats, float]]:
    """Return energies, places and widths of the parts of a pion's shower; a width of 0 is the hadronic part."""
    wide, share = HADRONIC
    own = float(np.clip(share * rng.lognormal(0.0, 0.4), 0.1, 0.9))
    many = 1 + int(rng.poisson(PARTS))
    shares = rng.dirichlet(np.full(many, 0.7)) * (1 - own)
    places = rng.normal(0.0, FAR / np.sqrt(2), (many, 2)) * rng.exponential(1.0, (many, 1))
    found: list[tuple[float, Floats, float]] = [(own * energy, np.zeros(2), wide / TAIL)]
    return found + [(float(part) * energy, at, 1.0) for part, at in zip(shares, places, strict=True)]


def _spots(energy: float, at: Floats, wide: float, rng: np.random.Generator) -> Floats:
    """Return (spots, 2) where energy is left, in Moliere radii: by r^2 = R^2 u / (1 - u), of core or tail."""
    count = int(rng.poisson(energy / SPOT))
    radii = np.array([CORE, TAIL]) * wide * rng.lognormal(0.0, FLUCTUATES, 2)
    core = rng.random(count) < (CORE_SHARE if wide == 1.0 else 0.0)
    u = rng.random(count)
    radius: Floats = np.where(core, radii[0], radii[1]) * np.sqrt(u / np.maximum(1 - u, 1e-9))
    angle = rng.uniform(0, 2 * np.pi, count)
    found: Floats = at + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return found
