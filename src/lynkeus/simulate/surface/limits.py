"""What limits the field of a simulated cavity: its worst local defect, the metal itself, or an emitter nobody sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lynkeus.simulate.surface.defects import Defect

# How much a defect of 100 um and contrast 1 raises the magnetic field at its edge, relative. A stain has no relief.
ENHANCEMENT = {"pit": 0.9, "cat_eye": 1.2, "bump": 0.3, "scratch": 0.15, "stain": 0.0}
BARE_MV_M = {"none": (24.0, 1.5), "bcp": (31.0, 1.5), "ep": (40.0, 1.5)}  # where the metal quenches: mean and spread
EMISSION_MV_M = (16.0, 32.0)  # where field emission stops a test
FIELD_SCATTER, ANGLE_SCATTER_DEG = 0.02, 3.0  # of the measurement, rms
Q0, Q0_SPREAD = 1.6e10, 0.08


@dataclass(frozen=True)
class Weak:
    """A defect and where it sits on the cavity: in which image of which cell, and at what angle."""

    cell: int
    image: int
    angle_deg: float
    defect: Defect


@dataclass(frozen=True)
class Test:
    """What a vertical test says. Where field emission stopped it, cell and angle of the quench are NaN."""

    max_field_mv_m: float
    q0: float
    quench_cell: float
    quench_angle_deg: float
    limited_by: str  # quench, field_emission


def limit_mv_m(defect: Defect, bare_mv_m: float) -> float:
    """The accelerating field at which the edge of a defect quenches.

    The field there is larger by about (R/r)^(1/3), R the size of the pit and r the radius of its edge (V. Shemelin,
    H. Padamsee, TTC report 2008-07); contrast stands for how steep the edge is.
    """
    steep = ENHANCEMENT[defect.kind] * defect.contrast * (defect.radius_um / 100) ** (1 / 3)
    return float(bare_mv_m / (1 + steep))


def vertical_test(weak: Sequence[Weak], treatment: str, cells: int, emits: bool, rng: np.random.Generator) -> Test:
    """Test a cavity: the lowest of all limits counts; a quench of the bare metal is anywhere."""
    bare = float(rng.normal(*BARE_MV_M[treatment]))
    cell, angle_deg, field = float(rng.integers(1, cells + 1)), float(rng.uniform(0, 360)), bare
    emission, found, angle_error, spread = rng.uniform(*EMISSION_MV_M), *rng.normal(size=3)
    for one in weak:
        limit = limit_mv_m(one.defect, bare)
        if limit < field:
            cell, angle_deg, field = float(one.cell), one.angle_deg, limit
    quenches = not (emits and emission < field)
    field = field if quenches else float(emission)
    q0 = Q0 * np.exp(Q0_SPREAD * spread - (field / 60) ** 2) * (1.0 if quenches else 0.5)
    return Test(
        round(field * (1 + FIELD_SCATTER * found), 2),
        float(f"{q0:.3g}"),
        cell if quenches else np.nan,
        round((angle_deg + ANGLE_SCATTER_DEG * angle_error) % 360, 1) if quenches else np.nan,
        "quench" if quenches else "field_emission",
    )
