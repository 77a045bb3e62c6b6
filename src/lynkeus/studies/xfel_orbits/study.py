"""European XFEL beam orbits: statistics and networks side by side, on real orbits, or on simulated ones."""

from __future__ import annotations

import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

from lynkeus.core import Check, Source, Study
from lynkeus.simulate.beam.orbit import OrbitSource
from lynkeus.sources import Select, open_source

MINUTE = 600  # rows at 10 Hz
SCORERS = (
    "orbit", "conditional_residual", "pca_residual", "mahalanobis", "three_sigma", "nearest_neighbours",
    "isolation_forest", "one_class_svm",
)  # fmt: skip
LEARNED: dict[str, dict[str, Any]] = {
    "autoencoder": {"network": "dense", "latent": 64, "width": 256, "training": {"epochs": 20}},
    "sequence_to_sequence": {"training": {"epochs": 20}},
    "deep_svdd": {"network": "xfel_orbits", "training": {"epochs": 20}},  # the published network, repaired
}
FAULTS = {
    "noisy": (0.5, 1.0, 3.0),
    "offset": (0.5, 1.0, 3.0),
    "stuck": (1.0,),
    "drift": (2.0,),
    "gain": (1.0,),
    "swapped": (1.0,),
    "dropout": (1.0,),
    "kick": (2.0, 5.0, 10.0),
    "flip": (1.0,),
    "frozen": (1.0,),
}


def xfel_orbits(smoke: bool = False) -> Study:
    """Which monitor is wrong, and did the beam move: European XFEL orbits, statistics and networks."""
    source, data = _data()
    train, test = (80, 40) if not smoke else (24, 10)
    return Study(
        name="xfel_orbits",
        question="Which beam position monitor disagrees with all the others, and did the orbit itself move: how small "
        "a fault does each scorer find at one false alarm an hour?",
        train=Select(source, rows=(0, train * MINUTE)),
        test=Select(source, rows=(train * MINUTE, (train + test) * MINUTE)),
        scorers={name: {} for name in ("orbit", "pca_residual", "three_sigma")} if smoke else _all_scorers(),
        faults=FAULTS if not smoke else {"noisy": (3.0,), "offset": (3.0,), "flip": (1.0,)},
        window=10,
        per_case=40 if not smoke else 8,
        checks=_checks(smoke),
        data=f"{data}; fitted on the first {train} minutes, faults of 6 s planted into the next {test} minutes",
    )


def _all_scorers() -> dict[str, dict[str, Any]]:
    return {**{name: dict[str, Any]() for name in SCORERS}, **LEARNED}


def _data() -> tuple[Source, str]:
    folder = os.environ.get("LYNKEUS_DATA", "")
    path = Path(folder) / "xfel_orbits" / "orbits.h5"
    if folder and path.is_file():
        return open_source(path, "xfel_orbits"), "real orbits of 2022-02-25, 00:00 to 02:00 UTC (10 Hz, 103 monitors)"
    return OrbitSource(hours=2.0, seed=1), "simulated orbits (sim://orbit?seed=1), because LYNKEUS_DATA is not set"


def _checks(smoke: bool) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)["smoke" if smoke else "full"]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
