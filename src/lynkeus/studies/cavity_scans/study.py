"""Simulated inspections of cavities: what aggregation does to the correlation with the field, how local it must be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from lynkeus.core import Case, Check, Comparison, Part
from lynkeus.scans.latent import METHODS
from lynkeus.simulate.surface.scans import ScanPlan
from lynkeus.studies.anomaly_taxonomy.baselines import grey_level
from lynkeus.studies.cavity_scans.look import CONTRAST, CavityLook
from lynkeus.studies.cavity_scans.scans import Halved, Scans
from lynkeus.studies.cavity_scans.spots import strongest_contrast

SIZE, PIXEL_UM = (128, 160), 16.0
PLAN = ScanPlan(cavities=24, cells=9, angles=12, size=SIZE, pixel_um=PIXEL_UM, seed=31)
LEARNED = ScanPlan(cavities=6, cells=9, angles=12, size=SIZE, pixel_um=PIXEL_UM, seed=32)  # other cavities
SMOKE_PLAN = ScanPlan(cavities=10, cells=3, angles=8, size=(64, 80), pixel_um=24.0, seed=31)
SMOKE_LEARNED = ScanPlan(cavities=6, cells=3, angles=8, size=(64, 80), pixel_um=24.0, seed=32)

CLASSES = ("good", "defect")
EPOCHS = {"autoencoder": 20, "variational_autoencoder": 20, "adversarial": 20}
SMOKE_EPOCHS = {"autoencoder": 3, "variational_autoencoder": 3, "adversarial": 2}
SMOKE_METHODS = METHODS[:2]  # UMAP needs the extra vision


def cavity_scans(smoke: bool = False) -> Comparison:
    """Does the surface say something of the field of a cavity, and is the quench in the list?"""
    test = Scans(SMOKE_PLAN if smoke else PLAN)
    good = Scans(SMOKE_LEARNED if smoke else LEARNED, every=2)
    look = CavityLook(test, good, SMOKE_METHODS if smoke else METHODS)
    parts = {
        "halved": Part(
            {"halved": Case(Halved(good), Halved(test))},
            _networks(SMOKE_EPOCHS if smoke else EPOCHS),
            CLASSES,
            groups="cavity",
            look=look,
            data="the images of the next part at half the size, for networks that make an image again; their maps are "
            "what they did not make, in sigma of good images at that place",
        ),
        "scans": Part(
            {look.shows: Case(good, test)},
            _scorers(smoke),
            CLASSES,
            {"mean grey": grey_level, CONTRAST: strongest_contrast},
            groups="cavity",
            look=look,
            data=_data(test.plan, good.plan),
        ),
    }
    return Comparison("cavity_scans", QUESTION, parts, _checks(smoke), together=True)


QUESTION = (
    "Images of whole cavities become one number each: by the worst image, the three worst, the mean, the area or "
    "number of clear spots. What does that do to the correlation with the field that a cavity reaches? How local must "
    "it be: is the worst spot of the whole cavity enough, or must one know where it quenched? And is that place in the "
    "ranked list of spots? **All images and tests are simulated** (`sim://surface`): a weak spot quenches there by a "
    "formula, so that the answer is known; some cavities are limited by field emission that no image shows."
    "\n\n"
    "**Score and place.** `inspect` knows best which image has a defect. Generators (f-AnoGAN) and autoencoders hardly "
    "know it, as their score is a mean over the image; the worst spot of the very same map does know, and lies in the "
    "defect about as often as that of `inspect`, or of a filter of a few lines (*local contrast*). "
    "**Aggregation.** With the scores of these networks no aggregation shows a correlation with the field, as was "
    "reported of real cavities; the worst spot of their maps does, and the worst image by `inspect` or local contrast. "
    "Means, areas and numbers are worse, most of all when vendors are mixed. **Locality.** Where the worst spot "
    "counts, the whole cavity does as well as the place of the quench; means gain by the place with local contrast, "
    "within the intervals. A test of every cell shows less for each, as most cells have no defect. **Control.** "
    "Against fields that the surface has nothing to do with, nothing is found. **Latent space.** In features of "
    "`inspect` images lie together by vendor, as they do by their mean colour, and by treatment; two cavities of one "
    "vendor and treatment are not told apart, and images with a defect lie among the good ones. Codes of f-AnoGAN show "
    "the same, and less of it."
    "\n\n"
    "In the tables p is corrected for all pairs of a scorer (permutations, largest of all pairs); up to 0.05 rho is "
    "bold. What is not bold was not found, which does not say that it is not there."
)


def _networks(epochs: Mapping[str, int]) -> Mapping[str, Mapping[str, Any]]:
    """Small networks, trained briefly; scores by reconstruction (f-AnoGAN: and by features of the critic)."""
    found: dict[str, dict[str, Any]] = {
        name: {"latent": 64, "training": {"epochs": number}} for name, number in epochs.items()
    }
    found["variational_autoencoder"]["score_by"] = "reconstruction"
    found["adversarial"]["encoder_training"] = {"epochs": epochs["adversarial"]}
    return found


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
