"""Simulated inspections of cavities: what aggregation does to the correlation with the field, how local it must be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from lynkeus.core import Case, Check, Comparison, Part
from lynkeus.simulate.surface_scans import ScanPlan
from lynkeus.studies.anomaly_taxonomy.baselines import grey_level
from lynkeus.studies.cavity_scans.look import CONTRAST, CavityLook
from lynkeus.studies.cavity_scans.scans import Scans
from lynkeus.studies.cavity_scans.spots import strongest_contrast

SIZE, PIXEL_UM = (128, 160), 16.0
PLAN = ScanPlan(cavities=24, cells=9, angles=12, size=SIZE, pixel_um=PIXEL_UM, seed=31)
LEARNED = ScanPlan(cavities=6, cells=9, angles=12, size=SIZE, pixel_um=PIXEL_UM, seed=32)  # other cavities
SMOKE_PLAN = ScanPlan(cavities=10, cells=3, angles=8, size=(64, 80), pixel_um=24.0, seed=31)
SMOKE_LEARNED = ScanPlan(cavities=6, cells=3, angles=8, size=(64, 80), pixel_um=24.0, seed=32)


def cavity_scans(smoke: bool = False) -> Comparison:
    """Does the surface say something of the field of a cavity, and is the quench in the list?"""
    test = Scans(SMOKE_PLAN if smoke else PLAN)
    good = Scans(SMOKE_LEARNED if smoke else LEARNED, every=2)
    part = Part(
        {"inspections": Case(good, test)},
        _scorers(smoke),
        ("good", "defect"),
        {"mean grey": grey_level, CONTRAST: strongest_contrast},
        groups="cavity",
        look=CavityLook(test, good),
        data=_data(test.plan, good.plan),
    )
    return Comparison("cavity_scans", QUESTION, {"scans": part}, _checks(smoke))


QUESTION = (
    "Images of whole cavities become one number each: by the worst image, the three worst, the mean, the area or "
    "number of clear spots. What does that do to the correlation with the field that a cavity reaches? How local must "
    "it be: is the worst spot of the whole cavity enough, or must one know where it quenched? And is that place in the "
    "ranked list of spots? **All images and tests are simulated** (`sim://surface`): a weak spot quenches there by a "
    "formula, so that the answer is known; some cavities are limited by field emission that no image shows."
)


def _scorers(smoke: bool) -> Mapping[str, Mapping[str, Any]]:
    return {"nearest_neighbours": {"sample": 200}} if smoke else {"inspect": {}, "nearest_neighbours": {"sample": 400}}


def _data(test: ScanPlan, good: ScanPlan) -> str:
    images = test.cavities * len(test.treatments) * test.cells * test.angles
    rows, columns = test.size
    return (
        f"{images:,} simulated images of {columns} x {rows} pixels of {test.pixel_um:g} um: {test.cavities} cavities "
        f"of {test.cells} cells and three vendors, {test.angles} images around each equator, after "
        f"{' and after '.join(test.treatments)}; {test.defects:g} defects a cavity in the mean. To learn from: every "
        f"second good image of {good.cavities} other cavities. Test images are drawn again by cavities"
    )


def _checks(smoke: bool) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)["smoke" if smoke else "full"]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
