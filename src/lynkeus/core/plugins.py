"""One table of names to "package.module:Class [extras it needs]"; plug-ins of other packages are found the same way.

An outside package adds a scorer by an entry point of the group `lynkeus.scorers` (likewise `.sources`,
`.simulators`, `.studies`). Names come from here only: a model folder holds a name, never a class path.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from lynkeus.core.declared import Declared, declared_by
from lynkeus.core.errors import SettingsError
from lynkeus.core.extras import missing
from lynkeus.core.protocols import About
from lynkeus.core.typed import typed

BUILT_IN: dict[str, dict[str, str]] = {
    "scorers": {
        "three_sigma": "lynkeus.scorers.statistics.three_sigma:ThreeSigma",
        "pca_residual": "lynkeus.scorers.statistics.pca_residual:PcaResidual",
        "mahalanobis": "lynkeus.scorers.statistics.mahalanobis:Mahalanobis",
        "conditional_residual": "lynkeus.scorers.statistics.conditional_residual:ConditionalResidual",
        "nearest_neighbours": "lynkeus.scorers.statistics.nearest_neighbours:NearestNeighbours",
        "isolation_forest": "lynkeus.scorers.statistics.isolation_forest:IsolationForest",
        "one_class_svm": "lynkeus.scorers.statistics.one_class_svm:OneClassSvm",
        "orbit": "lynkeus.scorers.orbit.scorer:Orbit",
        "table": "lynkeus.scorers.statistics.table:Table",
        "population": "lynkeus.scorers.population.scorer:Population",
        "discord": "lynkeus.scorers.statistics.discord:Discord",
        "ensemble": "lynkeus.scorers.combine.ensemble:Ensemble",
        "smoothed": "lynkeus.scorers.combine.smoothed:Smoothed",
        "autoencoder": "lynkeus.scorers.learned.autoencoder:Autoencoder [learn]",
        "deep_svdd": "lynkeus.scorers.learned.deep_svdd:DeepSvdd [learn]",
        "deep_sad": "lynkeus.scorers.learned.deep_sad:DeepSad [learn]",
        "classifier": "lynkeus.scorers.learned.classifier:Classifier [learn]",
        "variational_autoencoder": "lynkeus.scorers.learned.variational_autoencoder:VariationalAutoencoder [learn]",
        "flow": "lynkeus.scorers.learned.flow:Flow [learn]",
        "adversarial": "lynkeus.scorers.learned.adversarial.scorer:Adversarial [learn]",
        "sequence_to_sequence": "lynkeus.scorers.learned.sequence_to_sequence:SequenceToSequence [learn]",
        "pulse_sequence": "lynkeus.scorers.learned.pulse_sequence:PulseSequence [learn]",
        "cavity": "lynkeus.scorers.cavity.scorer:Cavity",
        "inspect": "lynkeus.scorers.inspect.scorer:Inspect [learn,vision]",
        "binned_chi2": "lynkeus.scorers.histograms.binned_chi2:BinnedChi2",
        "kolmogorov": "lynkeus.scorers.histograms.kolmogorov:Kolmogorov",
        "beta_binomial": "lynkeus.scorers.histograms.beta_binomial:BetaBinomial",
        "histogram_pca": "lynkeus.scorers.histograms.histogram_pca:HistogramPca",
        "run_histograms": "lynkeus.scorers.combine.run_histograms:RunHistograms",
        "run_events": "lynkeus.scorers.combine.run_events:RunEvents",
        "energy_distance": "lynkeus.scorers.events.energy_distance:EnergyDistance",
        "two_sample_classifier": "lynkeus.scorers.events.two_sample_classifier:TwoSampleClassifier",
        "mixture": "lynkeus.scorers.events.mixture:EventMixture",
        "search_classifier": "lynkeus.scorers.taggers.search_classifier:SearchClassifier [learn]",
        "particle_net": "lynkeus.scorers.taggers.particle_net:ParticleNet [learn]",
        "particle_transformer": "lynkeus.scorers.taggers.particle_transformer:ParticleTransformer [learn]",
        "deepcsv": "lynkeus.scorers.taggers.deepcsv:DeepCSV [learn]",
        "deepjet": "lynkeus.scorers.taggers.deepjet:DeepJet [learn]",
        "deepak8": "lynkeus.scorers.taggers.deepak8:DeepAK8 [learn]",
        "jet_mass": "lynkeus.scorers.taggers.mass:JetMass",
        "jet_observables": "lynkeus.scorers.taggers.observables:JetObservables",
        "pad_spectrum": "lynkeus.scorers.taggers.pads.scorer:PadSpectrum",
        "eos_meter": "lynkeus.scorers.taggers.maps.eos_meter:EosMeter [learn]",
        "map_classifier": "lynkeus.scorers.taggers.maps.map_classifier:MapClassifier [learn]",
        "generator": "lynkeus.scorers.generators.scorer:Generator [learn]",
        "super_resolution": "lynkeus.scorers.generators.finer.scorer:SuperResolution [learn]",
        "regression": "lynkeus.scorers.regression.scorer:Regression [learn]",
        "advisor": "lynkeus.scorers.advisor.scorer:Advisor",
        "text": "lynkeus.scorers.texts.scorer:Text",
        "unusual_text": "lynkeus.scorers.texts.unusual:UnusualText",
        "tau_graph": "lynkeus.scorers.taggers.taus.scorer:TauGraphTagger [learn]",
        "deep_tau": "lynkeus.scorers.taggers.taus.scorer:DeepTauTagger [learn]",
        "hit_filter": "lynkeus.scorers.hits.hit_filter:HitFilter [learn]",
    },
    "sources": {
        "hdf5": "lynkeus.sources.formats.hdf5:Hdf5Source",
        "pulses": "lynkeus.sources.formats.pulses:PulseSource",
        "parquet": "lynkeus.sources.formats.parquet:ParquetSource",
        "csv": "lynkeus.sources.formats.csv:CsvSource",
        "numpy": "lynkeus.sources.formats.numpy:NumpySource",
        "images": "lynkeus.sources.images.folder:ImageSource",
        "bundle": "lynkeus.sources.bundles.bundle:BundleSource",
        "epics+pva": "lynkeus.sources.streams.camera:PvaSource [live]",
        "epics+ca": "lynkeus.sources.streams.clients:CaSource [live]",
        "nats": "lynkeus.sources.streams.clients:NatsSource [live]",
        "kafka": "lynkeus.sources.streams.clients:KafkaSource [live]",
        "kafka+tls": "lynkeus.sources.streams.clients:KafkaSource [live]",
        "tango": "lynkeus.sources.streams.tango:TangoSource [tango]",
        "doocs+file": "lynkeus.sources.streams.adapter:FileOfDoocs",
        "karabo-bridge": "lynkeus.sources.streams.karabo:KaraboSource [live]",
        "tls": "lynkeus.sources.streams.clients:NatsSource [live]",
        "nats+tls": "lynkeus.sources.streams.clients:NatsSource [live]",
    },
    "simulators": {
        "orbit": "lynkeus.simulate.beam.orbit:OrbitSource",
        "cavity": "lynkeus.simulate.cavity.source:CavitySource",
        "surface": "lynkeus.simulate.surface.source:SurfaceSource",
        "inspection": "lynkeus.simulate.surface.scans:ScanPlan",
        "noble": "lynkeus.simulate.xenon.source:Noble",
        "jets": "lynkeus.simulate.jets.source:JetSource",
        "pulses": "lynkeus.simulate.pulses.source:PulseRuns",
        "hydro": "lynkeus.simulate.hydro.source:HydroSource",
        "lattice": "lynkeus.simulate.lattice.source:LatticeSource",
        "calorimeter": "lynkeus.simulate.calorimeter.source:CalorimeterSource",
        "htautau": "lynkeus.simulate.search.htautau.source:HiggsToTaus",
        "stop": "lynkeus.simulate.search.stop.source:StopSearch",
        "tpc_pads": "lynkeus.simulate.tpc.source:TpcPads",
        "spinodal": "lynkeus.simulate.spinodal.source:SpinodalSource",
        "tpc_hits": "lynkeus.simulate.tpc.hits.source:TpcHits",
        "one_lepton": "lynkeus.simulate.search.one_lepton.source:OneLepton",
        "workflows": "lynkeus.simulate.workflows.source:Workflows",
        "logbook": "lynkeus.simulate.logbook.source:Logbook",
    },
    "studies": {
        "xfel_orbits": "lynkeus.studies.xfel_orbits.study:xfel_orbits [learn]",
        "anomaly_taxonomy": "lynkeus.studies.anomaly_taxonomy.study:anomaly_taxonomy [learn]",
        "xfel_cavities": "lynkeus.studies.xfel_cavities.study:xfel_cavities [learn]",
        "cavity_scans": "lynkeus.studies.cavity_scans.study:cavity_scans [learn,vision]",
        "surface_inspection": "lynkeus.studies.surface_inspection.study:surface_inspection [learn,vision]",
        "mnist_anogan": "lynkeus.studies.mnist_anogan.study:mnist_anogan [learn]",
        "top_tagging": "lynkeus.studies.top_tagging.study:top_tagging [learn]",
        "cms_run_flags": "lynkeus.studies.cms_run_flags.study:cms_run_flags",
        "xenon_data_quality": "lynkeus.studies.xenon_data_quality.study:xenon_data_quality [learn]",
        "tau_id": "lynkeus.studies.tau_id.study:tau_id [learn]",
        "flavour_tagging": "lynkeus.studies.flavour_tagging.study:flavour_tagging [learn]",
        "htautau_relevance": "lynkeus.studies.htautau_relevance.study:htautau_relevance [learn]",
        "asimov_loss": "lynkeus.studies.asimov_loss.study:asimov_loss [learn]",
        "spinodal": "lynkeus.studies.spinodal.study:spinodal [learn,matter]",
        "eos_meter": "lynkeus.studies.eos_meter.study:eos_meter [learn,matter]",
        "super_resolution": "lynkeus.studies.super_resolution.study:super_resolution [learn,vision]",
        "scalar_field": "lynkeus.studies.scalar_field.study:scalar_field [learn,matter]",
        "scale_factors": "lynkeus.studies.scale_factors.study:scale_factors [learn,hep]",
        "tpc_pads": "lynkeus.studies.tpc_pads.study:tpc_pads",
        "hit_filter": "lynkeus.studies.hit_filter.study:hit_filter [learn]",
        "one_lepton": "lynkeus.studies.one_lepton.study:one_lepton [learn]",
        "workflow_recovery": "lynkeus.studies.workflow_recovery.study:workflow_recovery",
        "text_heads": "lynkeus.studies.text_heads.study:text_heads",
        "logbook": "lynkeus.studies.logbook.study:logbook",
    },
}

SINGULAR = {"scorers": "scorer", "sources": "source", "simulators": "simulator", "studies": "study"}


def entries(group: str) -> dict[str, EntryPoint]:
    """Every entry of a group by name: the built-in ones, then those of plug-ins (which cannot replace one)."""
    if group not in BUILT_IN:
        raise SettingsError(f"no group {group!r}; groups are {', '.join(BUILT_IN)}")
    found = {name: EntryPoint(name, target, f"lynkeus.{group}") for name, target in BUILT_IN[group].items()}
    for entry in _plugged_in(group, tuple(sys.path)):
        found.setdefault(entry.name, entry)
    return found


@cache
def _plugged_in(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Return the entry points of what is installed along `path`: to read them all takes 10 ms, and one command asks
    fifty times."""
    return tuple(entry_points(group=f"lynkeus.{group}"))


def _entry(group: str, name: str) -> EntryPoint | None:
    """Return the entry of a name, None where there is none: plug-ins are looked for where it is not built in, since to
    read what every installed package offers takes 15 ms."""
    target = BUILT_IN.get(group, {}).get(name)
    return entries(group).get(name) if target is None else EntryPoint(name, target, f"lynkeus.{group}")


def load(group: str, name: str) -> Any:
    """The class or function behind a name. Raises SettingsError naming what exists, or why it cannot be imported."""
    entry = _entry(group, name)
    if entry is None:
        raise SettingsError(f"no {SINGULAR[group]} called {name!r}; there are: {', '.join(sorted(entries(group)))}")
    try:
        return entry.load()
    except (ImportError, AttributeError) as problem:
        needs = missing(entry.extras) if isinstance(problem, ImportError) and _is_built_in(entry) else ""
        raise SettingsError(
            f"the {SINGULAR[group]} {name!r} {needs}"
            if needs
            else f"the {SINGULAR[group]} {name!r} ({entry.value}) cannot be loaded: {problem}; "
            "install the package that provides it again, with the extra it needs"
        ) from problem


def declared(group: str, name: str) -> Declared:
    """Return what the entry says of itself; of a built-in one read from its file, as its packages may not be installed.

    Raises SettingsError as `load`, for a name that there is not and for a plug-in that cannot be imported.
    """
    entry = _entry(group, name)
    if entry is None or not _is_built_in(entry):
        return Declared.of(load(group, name))
    return declared_by(entry.module, entry.attr, missing(entry.extras))


def about(scorer: str) -> About:
    """Return what a scorer by that name is, and what it reads. Raises SettingsError as `load`."""
    return declared("scorers", scorer).about


def _is_built_in(entry: EntryPoint) -> bool:
    return entry.dist is None


def make_scorer(name: str, options: Mapping[str, Any]) -> Any:
    """A new scorer with these options. Raises SettingsError naming an option that it does not have, or one that is not
    of the type that its signature says."""
    kind = load("scorers", name)
    known = inspect.signature(kind)
    try:
        known.bind(**options)
        given = {
            key: typed(key, known.parameters[key].annotation, value) if key in known.parameters else value
            for key, value in options.items()
        }
        for key, value in given.items():
            if key in known.parameters and known.parameters[key].annotation in ("int", int):
                usual = known.parameters[key].default
                least = 1 if isinstance(usual, int) and usual > 0 else 0  # 0 where that is what is usual, as of seeds
                if value < least:
                    raise SettingsError(f"{key} must be at least {least}, got {value}")
    except TypeError as error:
        shown = ", ".join(known.parameters) or "none"
        raise SettingsError(f"the scorer {name}: {error}; its settings are: {shown}") from error
    except SettingsError as error:
        raise SettingsError(f"the scorer {name}: {error}") from error
    return kind(**given)
