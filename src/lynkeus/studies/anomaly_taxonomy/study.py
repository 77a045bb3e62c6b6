"""Point, contextual and group anomalies in the plane, and one digit against nine: which scorer sees which kind."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from lynkeus.core import Array, Batch, Case, Check, Comparison, Findings, Floats, Outcome, Part, Schema
from lynkeus.sources import InMemory
from lynkeus.studies.anomaly_taxonomy import plane
from lynkeus.studies.anomaly_taxonomy.baselines import centre_distance, grey_level, mean_image
from lynkeus.studies.anomaly_taxonomy.figures import image_maps, plane_maps

DIGITS = tuple(str(digit) for digit in range(10))
DRAWN = ("3", "8")  # digits of which score maps are drawn, the hardest ones
PLANE: dict[str, dict[str, Any]] = {
    "table": {},
    "nearest_neighbours": {},
    "isolation_forest": {},
    "one_class_svm": {},
    "mahalanobis": {},
    "three_sigma": {},
    "autoencoder": {"latent": 1},  # two would be the plane itself
    "deep_svdd": {},
}
WINDOWS = {name: options for name, options in PLANE.items() if name != "table"}
# Chosen on digits 3 and 8 with a part of the training images held out; more epochs or numbers gained nothing there.
IMAGES: dict[str, dict[str, Any]] = {
    "nearest_neighbours": {},
    "deep_svdd": {"training": {"epochs": 30}},
    "autoencoder": {"latent": 8, "training": {"epochs": 12}},
}


def anomaly_taxonomy(smoke: bool = False) -> Comparison:
    """Which scorer sees point, contextual and group anomalies, and which pixels give away a wrong digit?"""
    samples = 400 if smoke else 2000
    kinds = {"point": plane.point, "contextual": plane.contextual, "group": plane.group}
    path = Path(os.environ.get("LYNKEUS_DATA", "")) / "mnist" / "mnist.npz"
    mnist = not smoke and bool(os.environ.get("LYNKEUS_DATA")) and path.is_file()
    parts = {
        "plane": Part(
            cases={name: kind(samples, 1) for name, kind in kinds.items()},
            scorers=PLANE,
            baselines={"distance to the mean": centre_distance},
            look=plane_maps,
            data=f"simulated, {samples} good points to learn from and as many to test. A group is ten points in a row "
            "that are too alike, each of them a usual one",
        ),
        "windows": Part(
            cases={"group_in_windows": plane.windows(2 * samples, 2)},
            scorers=WINDOWS,
            baselines={"distance to the mean": centre_distance},
            look=plane_maps,
            data=f"simulated, groups as above among {2 * samples} points, which are scored in windows of ten",
        ),
        "digits": _mnist_digits(path) if mnist else _small_digits(DRAWN if smoke else DIGITS),
    }
    question = (
        "A point may be wrong by itself, in its context, or only together with others: which scorer sees which kind? "
        "And of one digit that is normal and nine that are not: which pixels speak?"
    )
    return Comparison("anomaly_taxonomy", question, parts, _checks("mnist" if mnist else "small_digits"))


def _mnist_digits(path: Path) -> Part:
    with np.load(path, allow_pickle=False) as file:
        train, test = (file[name].astype(np.float32) / 255 for name in ("x_train", "x_test"))
        cases = _cases((train, file["y_train"]), (test, file["y_test"]), DIGITS)
    return _digits(cases, IMAGES, "MNIST, 60,000 images to learn from and 10,000 to test")


def _small_digits(digits: Sequence[str]) -> Part:
    """Two thirds to learn from, in their order: the images come from 43 people, one after the other."""
    images, digit = load_digits(return_X_y=True)
    images = (images / 16.0).astype(np.float32).reshape(-1, 8, 8)
    cut = 2 * len(images) // 3
    cases = _cases((images[:cut], digit[:cut]), (images[cut:], digit[cut:]), digits)
    data = "the small digits of scikit-learn, 1,198 images to learn from and 599 to test"
    return _digits(cases, {name: {} for name in IMAGES}, data)


def _cases(train: tuple[Floats, Array], test: tuple[Floats, Array], digits: Sequence[str]) -> dict[str, Case]:
    cases = {}
    for name in digits:
        own = train[1] == int(name)
        truth = np.where(test[1] == int(name), 0, test[1].astype(np.int64) + 1)
        cases[name] = Case(_images(train[0][own]), _images(test[0], truth))
    return cases


def _digits(cases: dict[str, Case], scorers: dict[str, dict[str, Any]], data: str) -> Part:
    return Part(
        cases,
        scorers,
        ("normal", *DIGITS),
        {"mean grey level": grey_level, "distance to the mean image": mean_image},
        look=_maps,
        data=f"{data}; one digit is normal, learned from all its training images, the nine others are anomalies",
    )


def _maps(case: str, outcomes: Sequence[Outcome], folder: Path) -> Findings:
    return image_maps(case, outcomes, folder, ("", *DIGITS)) if case in DRAWN else Findings()


def _images(images: Floats, truth: Array | None = None) -> InMemory:
    schema = Schema("image", ("grey",), (), (1, *images.shape[1:]))
    return InMemory(Batch(schema, images[:, None], truth=truth))


def _checks(which: str) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)[which]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
