"""One table of names to "package.module:Class"; plug-ins of other packages are found the same way.

An outside package adds a scorer by an entry point of the group `lynkeus.scorers` (likewise `.sources`,
`.simulators`, `.studies`). Names come from here only: a model folder holds a name, never a class path.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from lynkeus.core.errors import SettingsError

BUILT_IN: dict[str, dict[str, str]] = {
    "scorers": {
        "three_sigma": "lynkeus.scorers.three_sigma:ThreeSigma",
        "pca_residual": "lynkeus.scorers.pca_residual:PcaResidual",
        "mahalanobis": "lynkeus.scorers.mahalanobis:Mahalanobis",
        "conditional_residual": "lynkeus.scorers.conditional_residual:ConditionalResidual",
        "nearest_neighbours": "lynkeus.scorers.nearest_neighbours:NearestNeighbours",
        "isolation_forest": "lynkeus.scorers.isolation_forest:IsolationForest",
        "one_class_svm": "lynkeus.scorers.one_class_svm:OneClassSvm",
        "orbit": "lynkeus.scorers.orbit:Orbit",
        "table": "lynkeus.scorers.table:Table",
        "population": "lynkeus.scorers.population:Population",
        "discord": "lynkeus.scorers.discord:Discord",
        "ensemble": "lynkeus.scorers.ensemble:Ensemble",
        "smoothed": "lynkeus.scorers.smoothed:Smoothed",
        "autoencoder": "lynkeus.scorers.autoencoder:Autoencoder",
        "deep_svdd": "lynkeus.scorers.deep_svdd:DeepSvdd",
        "deep_sad": "lynkeus.scorers.deep_sad:DeepSad",
        "classifier": "lynkeus.scorers.classifier:Classifier",
        "variational_autoencoder": "lynkeus.scorers.variational_autoencoder:VariationalAutoencoder",
        "flow": "lynkeus.scorers.flow:Flow",
        "adversarial": "lynkeus.scorers.adversarial:Adversarial",
        "sequence_to_sequence": "lynkeus.scorers.sequence_to_sequence:SequenceToSequence",
        "pulse_sequence": "lynkeus.scorers.pulse_sequence:PulseSequence",
        "cavity": "lynkeus.scorers.cavity:Cavity",
        "inspect": "lynkeus.scorers.inspect:Inspect",
        "binned_chi2": "lynkeus.scorers.binned_chi2:BinnedChi2",
        "kolmogorov": "lynkeus.scorers.kolmogorov:Kolmogorov",
        "beta_binomial": "lynkeus.scorers.beta_binomial:BetaBinomial",
        "histogram_pca": "lynkeus.scorers.histogram_pca:HistogramPca",
        "run_histograms": "lynkeus.scorers.run_histograms:RunHistograms",
        "run_events": "lynkeus.scorers.run_events:RunEvents",
        "energy_distance": "lynkeus.scorers.energy_distance:EnergyDistance",
        "two_sample_classifier": "lynkeus.scorers.two_sample_classifier:TwoSampleClassifier",
        "mixture": "lynkeus.scorers.mixture:EventMixture",
    },
    "sources": {
        "hdf5": "lynkeus.sources.hdf5:Hdf5Source",
        "pulses": "lynkeus.sources.pulses:PulseSource",
        "parquet": "lynkeus.sources.parquet:ParquetSource",
        "csv": "lynkeus.sources.csv:CsvSource",
        "numpy": "lynkeus.sources.numpy:NumpySource",
        "images": "lynkeus.sources.images:ImageSource",
        "bundle": "lynkeus.sources.bundle:BundleSource",
    },
    "simulators": {
        "orbit": "lynkeus.simulate.orbit:OrbitSource",
        "cavity": "lynkeus.simulate.cavity:CavitySource",
        "surface": "lynkeus.simulate.surface:SurfaceSource",
        "noble": "lynkeus.simulate.noble:Noble",
        "pulses": "lynkeus.simulate.pulses:PulseRuns",
    },
    "studies": {
        "xfel_orbits": "lynkeus.studies.xfel_orbits.study:xfel_orbits",
        "anomaly_taxonomy": "lynkeus.studies.anomaly_taxonomy.study:anomaly_taxonomy",
        "xfel_cavities": "lynkeus.studies.xfel_cavities.study:xfel_cavities",
        "cavity_scans": "lynkeus.studies.cavity_scans.study:cavity_scans",
        "surface_inspection": "lynkeus.studies.surface_inspection.study:surface_inspection",
        "mnist_anogan": "lynkeus.studies.mnist_anogan.study:mnist_anogan",
        "cms_run_flags": "lynkeus.studies.cms_run_flags.study:cms_run_flags",
        "xenon_data_quality": "lynkeus.studies.xenon_data_quality.study:xenon_data_quality",
    },
}

SINGULAR = {"scorers": "scorer", "sources": "source", "simulators": "simulator", "studies": "study"}


def entries(group: str) -> dict[str, EntryPoint]:
    """Every entry of a group by name: the built-in ones, then those of plug-ins (which cannot replace one)."""
    if group not in BUILT_IN:
        raise SettingsError(f"no group {group!r}; groups are {', '.join(BUILT_IN)}")
    found = {name: EntryPoint(name, target, f"lynkeus.{group}") for name, target in BUILT_IN[group].items()}
    for entry in entry_points(group=f"lynkeus.{group}"):
        found.setdefault(entry.name, entry)
    return found


def load(group: str, name: str) -> Any:
    """The class or function behind a name. Raises SettingsError naming what exists, or why it cannot be imported."""
    found = entries(group)
    if name not in found:
        raise SettingsError(f"no {SINGULAR[group]} called {name!r}; there are: {', '.join(sorted(found))}")
    try:
        return found[name].load()
    except (ImportError, AttributeError) as problem:
        raise SettingsError(
            f"the {SINGULAR[group]} {name!r} ({found[name].value}) cannot be loaded: {problem}; "
            "install the package that provides it again, with the extra it needs"
        ) from problem


def make_scorer(name: str, options: Mapping[str, Any]) -> Any:
    """A new scorer with these options. Raises SettingsError naming an option that it does not have."""
    kind = load("scorers", name)
    try:
        inspect.signature(kind).bind(**options)
    except TypeError as error:
        known = ", ".join(inspect.signature(kind).parameters) or "none"
        raise SettingsError(f"the scorer {name}: {error}; its settings are: {known}") from error
    return kind(**options)
