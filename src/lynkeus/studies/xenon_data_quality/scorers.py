"""What stands side by side: the recommended scorer, what is cheap, what is learned, and the number of events alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lynkeus.core import Floats

POPULATION = "population"
CHEAP: dict[str, tuple[str, dict[str, Any]]] = {
    name: (name, {}) for name in ("binned_chi2", "kolmogorov", "beta_binomial", "histogram_pca")
}
OF_EVENTS: dict[str, tuple[str, dict[str, Any]]] = {
    name: (name, {}) for name in ("energy_distance", "two_sample_classifier", "mixture")
}
NUMBER = "number of events"
EPOCHS = 5
QUICK = ("autoencoder", "variational_autoencoder", "one_class_svm")


def learned(epochs: int = EPOCHS, sample: int = 6000) -> dict[str, tuple[str, dict[str, Any]]]:
    """The five families on histograms, and on events those that are quick, with short trainings; sequences, which take
    longest, the shortest."""
    training = {"training": {"epochs": epochs}}
    inner: dict[str, Mapping[str, Any]] = {
        "autoencoder": training,
        "variational_autoencoder": training,
        "adversarial": training | {"encoder_training": training["training"]},
        "sequence_to_sequence": {"training": {"epochs": 1}},
        "one_class_svm": {},
    }
    found = {}
    for way, more in (("run_histograms", {}), ("run_events", {"sample": sample})):
        for name in inner if way == "run_histograms" else QUICK:
            options = inner[name]
            found[f"{way} {name}"] = (way, {"scorer": name, "options": dict(options), **more})
    return found


def every(smoke: bool) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return by the name that is shown: the name of the scorer, and its options; a quick look has one learned one."""
    own: dict[str, tuple[str, dict[str, Any]]] = {POPULATION: (POPULATION, {})}
    if smoke:
        name = "run_events one_class_svm"
        return own | {"binned_chi2": CHEAP["binned_chi2"], name: learned(1, 1000)[name]}
    return own | CHEAP | OF_EVENTS | learned()


def number_of_events(good: Floats, test: Floats) -> Floats:
    """Return (n,) how far the number of events of each run is from the nearest usual one, of padded runs (n, event,
    column).

    A run that is longer or shorter than any good one would be conspicuous by that alone.
    """
    usual, found = (np.log(np.maximum(np.isfinite(runs[:, :, 0]).sum(axis=1), 1)) for runs in (good, test))
    return np.abs(found[:, None] - usual[None]).min(axis=1)
