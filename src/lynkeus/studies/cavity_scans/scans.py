"""The images of the study, all simulated, and what the vertical test said of their cavities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lynkeus.core import Array, Batch, Schema
from lynkeus.evaluate.cavity_properties import CavityProperties
from lynkeus.simulate.surface import SCHEMA, take
from lynkeus.simulate.surface_limits import BARE_MV_M, limit_mv_m
from lynkeus.simulate.surface_scans import ScanPlan, niobium_entries, properties, weak_spots
from lynkeus.sources import InMemory

BATCH = 64
NUMBERS = ("max_field_mv_m", "q0", "quench_cell", "quench_angle_deg")


@dataclass(frozen=True)
class Scans:
    """Every image that a plan makes, made when they are first read and then kept; meta as in meta.csv.

    `every`: only every so many of the good images, and none with a defect.
    """

    plan: ScanPlan
    every: int = 0

    @property
    def schema(self) -> Schema:
        """Colour images of one size."""
        return replace(SCHEMA, shape=(3, *self.plan.size))

    @cached_property
    def batch(self) -> Batch:
        """All images; truth 1: with a defect."""
        entries = list(niobium_entries(self.plan))
        if self.every:
            entries = [entry for entry in entries if not entry.shot.defects][:: self.every]
        pixels = np.stack([take(entry.shot).pixels for entry in entries])
        meta = {name: np.array([entry.row[name] for entry in entries]) for name in entries[0].row}
        truth = np.array([bool(entry.shot.defects) for entry in entries], np.int64)
        return Batch(self.schema, pixels, truth=truth, meta=meta)

    def __iter__(self) -> Iterator[Batch]:
        yield from InMemory(self.batch, BATCH)

    @cached_property
    def properties(self) -> CavityProperties:
        """What the vertical test found after the last scan."""
        rows = [properties(self.plan, cavity) for cavity in range(self.plan.cavities)]
        numbers = {name: np.array([row[name] for row in rows], float) for name in NUMBERS}
        return CavityProperties(tuple(row["cavity"] for row in rows), numbers)

    @cached_property
    def limits_mv_m(self) -> Array:
        """(cavities,) the lowest field that a defect in the last scan allows: all that the surface could tell."""
        bare = BARE_MV_M[self.plan.treatments[-1]][0]
        weak = [weak_spots(self.plan, cavity)[-1] for cavity in range(self.plan.cavities)]
        return np.array([min([bare, *(limit_mv_m(one.defect, bare) for one in own)]) for own in weak])
