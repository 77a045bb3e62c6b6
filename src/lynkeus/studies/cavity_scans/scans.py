"""The images of the study, all simulated, and what the vertical test said of their cavities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lynkeus.core import Array, Batch, Floats, Schema
from lynkeus.scans.cavity_properties import CavityProperties
from lynkeus.simulate.surface.limits import BARE_MV_M, Test, Weak, limit_mv_m, vertical_test
from lynkeus.simulate.surface.scans import ScanPlan, cavity_name, niobium_entries, properties, weak_spots
from lynkeus.simulate.surface.source import SCHEMA, take
from lynkeus.sources import InMemory
from lynkeus.sources.wrappers.wrapper import Wrapper

BATCH = 64
NUMBERS = ("max_field_mv_m", "q0", "quench_cell", "quench_angle_deg")
MEASURED = NUMBERS[:2]


@dataclass(frozen=True)
class Scans:
    """Every image that a plan makes, made when they are first read and then kept; meta as in meta.csv.

    `every`: only every so many of the good images, and none with a defect.
    """

    plan: ScanPlan
    every: int = 0

    @property
    def schema(self) -> Schema:
        """Return the schema: colour images of one size."""
        return replace(SCHEMA, shape=(3, *self.plan.size))

    @cached_property
    def _made(self) -> tuple[Batch, dict[str, Array]]:
        entries = list(niobium_entries(self.plan))
        if self.every:
            entries = [entry for entry in entries if not entry.shot.defects][:: self.every]
        pixels = np.empty((len(entries), 3, *self.plan.size), np.uint8)
        masks: dict[str, Array] = {}
        for number, entry in enumerate(entries):
            picture = take(entry.shot)
            pixels[number] = picture.pixels
            if picture.mask.any():
                masks[entry.row["file"]] = picture.mask
        meta = {name: np.array([entry.row[name] for entry in entries]) for name in entries[0].row}
        truth = np.array([bool(entry.shot.defects) for entry in entries], np.int64)
        return Batch(self.schema, pixels, truth=truth, meta=meta), masks

    @property
    def batch(self) -> Batch:
        """All images; truth 1: with a defect."""
        return self._made[0]

    @property
    def masks(self) -> dict[str, Array]:
        """File -> (rows, columns) bool of an image in which a defect shows."""
        return self._made[1]

    def __iter__(self) -> Iterator[Batch]:
        yield from InMemory(self.batch, BATCH)

    @cached_property
    def properties(self) -> CavityProperties:
        """Return what the vertical test found after the last scan."""
        rows = [properties(self.plan, cavity) for cavity in range(self.plan.cavities)]
        numbers = {name: np.array([row[name] for row in rows], float) for name in NUMBERS}
        return CavityProperties(tuple(row["cavity"] for row in rows), numbers)

    @cached_property
    def unrelated(self) -> CavityProperties:
        """The control: what a test would find if no defect limited these cavities, only metal and field emission."""
        tests = [self._tested([], self.plan.cells, (16, cavity)) for cavity in range(self.plan.cavities)]
        numbers = {name: np.array([getattr(test, name) for test in tests], float) for name in MEASURED}
        return CavityProperties(self.properties.cavities, numbers)

    @cached_property
    def of_cells(self) -> CavityProperties:
        """Return what tests would find of every cell, were it a one-cell cavity: "cav001 3" -> its field."""
        cells = [(cavity, cell) for cavity in range(self.plan.cavities) for cell in range(1, self.plan.cells + 1)]
        fields = []
        for cavity, cell in cells:
            own = [one for one in weak_spots(self.plan, cavity)[-1] if one.cell == cell]
            fields.append(self._tested(own, 1, (17, cavity, cell)).max_field_mv_m)
        names = tuple(f"{cavity_name(cavity)} {cell}" for cavity, cell in cells)
        return CavityProperties(names, {MEASURED[0]: np.array(fields, float)})

    def _tested(self, weak: list[Weak], cells: int, key: tuple[int, ...]) -> Test:
        rng = np.random.default_rng([self.plan.seed, *key])
        emits = cells > 1 and bool(rng.random() < self.plan.emitters)
        return vertical_test(weak, self.plan.treatments[-1], cells, emits, rng)

    @cached_property
    def limits_mv_m(self) -> Floats:
        """Return (cavities, cells) the lowest field that a defect in the last scan allows: all that the surface could
        tell."""
        bare = BARE_MV_M[self.plan.treatments[-1]][0]
        limits = np.full((self.plan.cavities, self.plan.cells), bare)
        for cavity in range(self.plan.cavities):
            for one in weak_spots(self.plan, cavity)[-1]:
                limits[cavity, one.cell - 1] = min(limits[cavity, one.cell - 1], limit_mv_m(one.defect, bare))
        return limits


class Halved(Wrapper):
    """The same images at half the size."""

    def __init__(self, source: Scans) -> None:
        rows, columns = source.plan.size
        super().__init__(source, replace(source.schema, shape=(3, rows // 2, columns // 2)))

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.source:
            yield halved(batch)


def halved(batch: Batch) -> Batch:
    """Return an image of half the size: each pixel is the mean of four."""
    n, channels, rows, columns = batch.values.shape
    fours = batch.values.reshape(n, channels, rows // 2, 2, columns // 2, 2)
    schema = replace(batch.schema, shape=(channels, rows // 2, columns // 2))
    return batch.with_values(fours.mean(axis=(3, 5)).round().astype(np.uint8), schema)
