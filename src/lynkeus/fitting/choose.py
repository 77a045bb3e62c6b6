"""Choose, for `-s auto`: which of several scorers finds most faults in held-out data at one rate of false positives."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lynkeus.core import (
    About,
    Array,
    Batch,
    Floats,
    LynkeusError,
    Scorer,
    SettingsError,
    Source,
    plugins,
)
from lynkeus.core.progress import ReportProgress
from lynkeus.fitting.fit import FitSettings, view_of
from lynkeus.fitting.follow import move_past, start
from lynkeus.fitting.reference import FOLDS
from lynkeus.fitting.weights import check_weights_used
from lynkeus.metrics.rates import wilson_interval
from lynkeus.sources import Blocks, Labelled
from lynkeus.transforms.inputs import Inputs
from lynkeus.transforms.planting import FALSE_POSITIVES, plant

AUTO = "auto"
EVERY = 4
SCALE_SAMPLES = 2000  # good samples that say what a sigma is
FAULTS = 300  # to plant at least, in several rounds where few samples are held out
NOTHING = About((), False, "", "")
FEWEST = 10  # held-out samples of each kind, without which nothing can be told


@dataclass(frozen=True)
class Candidate:
    """How one scorer did: `efficiency` for `faults` at FALSE_POSITIVES, its interval (90 %), seconds to fit; or why it
    was not tried (`refused`)."""

    name: str
    efficiency: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    faults: int = 0
    seconds: float = 0.0
    refused: str = ""

    def line(self) -> str:
        """Return the candidate in one line, with the share that it found and the interval."""
        if self.refused:
            return f"{self.name}: not tried ({self.refused})"
        found = f"{self.efficiency:.0%} ({self.low:.0%} to {self.high:.0%}) of {self.faults} faults"
        return f"{self.name}: finds {found}, {self.seconds:.1f} s to fit"


@dataclass(frozen=True)
class Choice:
    """The `best` of the `candidates`, and `why` in a line."""

    best: str
    candidates: tuple[Candidate, ...]
    why: str


def choose(
    source: Source, settings: FitSettings, learned: Sequence[str] = (), report: ReportProgress | None = None
) -> Choice:
    """Fit all scorers that train no network, and the `learned` ones asked for, on four fifths of the data; plant faults
    into the rest, or take known anomalies where there are enough, and keep the best; a cheaper one where it is as good.

    Raises SettingsError where none can be used, or samples have weights, which do not count here.
    """
    check_weights_used(source, "-s auto", NOTHING, dict(settings.layout or {}).get("weight", ""))
    if source.schema.kind == "cloud" and source.schema.shape == (None, None):
        raise SettingsError(
            "-s auto plants faults into good data, and jets are of classes: name jet_observables or particle_net; "
            "lynkeus commission MODEL DATA --compare OTHER says which is better"
        )
    known = {name: plugins.declared("scorers", name) for name in plugins.entries("scorers")}
    names = [name for name, scorer in known.items() if not scorer.about.learned] + list(learned)
    found = []
    for number, name in enumerate(names):
        if report is not None:
            report(name, number / len(names))
        try:
            found.append(_try(name, source, settings))
        # One that cannot read these data, or finds too few of them, is no reason to stop: it is listed with why.
        except LynkeusError as refused:
            found.append(Candidate(name, refused=str(refused)))
    absent = {name: scorer.missing for name, scorer in known.items() if scorer.missing and name not in learned}
    found += [Candidate(name, refused=why) for name, why in absent.items()]
    tried = [candidate for candidate in found if not candidate.refused]
    if not tried:
        raise SettingsError(f"no scorer can be fitted on these data; the first says: {found[0].refused}")
    most = max(tried, key=lambda candidate: candidate.efficiency)
    # Within the interval of the best the difference may be chance, so cost and recommendation decide.
    as_good = [candidate for candidate in tried if candidate.efficiency >= most.low]
    best = min(as_good, key=lambda candidate: (not plugins.about(candidate.name).recommended, candidate.seconds))
    why = f"{best.name} is chosen: {best.line().partition(': ')[2]}"
    if best is not most:
        reason = "is the recommended one" if plugins.about(best.name).recommended else "is cheaper"
        why += f"; {most.name} finds {most.efficiency:.0%}, no more than chance explains, and {best.name} {reason}"
    return Choice(best.name, tuple(sorted(found, key=lambda c: -np.nan_to_num(c.efficiency, nan=-1.0))), why)


def _try(name: str, source: Source, settings: FitSettings) -> Candidate:
    about = plugins.about(name)
    prepared = view_of(source, settings, about).of(source)
    if prepared.schema.kind not in about.kinds:
        raise SettingsError(f"it reads {', '.join(about.kinds)}")
    labelled = Labelled(prepared, settings.labels, settings.intervals)
    known = labelled.check(about.labels, name, 0)
    scorer = plugins.load("scorers", name)()
    began = time.monotonic()
    scorer.fit(Blocks(labelled if about.labels else labelled.good, known.good, FOLDS))
    seconds = time.monotonic() - began
    good, faulty = _held_out_scores(scorer, labelled, Blocks.held_out(known.good, FOLDS))
    if len(good) < FEWEST or len(faulty) < FEWEST:
        raise SettingsError(f"only {len(good)} good and {len(faulty)} faulty samples are left to judge by")
    limit = np.quantile(good, 1.0 - FALSE_POSITIVES)
    hits = int((faulty > limit).sum())
    return Candidate(name, hits / len(faulty), *wilson_interval(hits, len(faulty)), len(faulty), seconds)


def _held_out_scores(scorer: Scorer, labelled: Source, held_out: Array) -> tuple[Floats, Floats]:
    """Scores of held-out good samples, and of those that got a fault; several outputs as the least of their ranks."""
    rng, seen = np.random.default_rng(0), 0
    nothing = np.empty((0, len(scorer.outputs)))
    good, faulty, inputs = [nothing], [nothing], None
    rounds = -(-FAULTS // max(int(held_out.sum()), 1))
    start(scorer)
    for batch in labelled:
        is_good = np.ones(len(batch), bool) if batch.truth is None else batch.truth == 0
        number = np.minimum(seen + np.cumsum(is_good) - is_good, len(held_out) - 1)
        seen += int(is_good.sum())
        inputs = inputs or Inputs.fit(batch.values[is_good][:SCALE_SAMPLES])
        own = np.flatnonzero(is_good & held_out[number])
        for first in range(EVERY * rounds if len(own) else 0):  # one in four at a time: windows beside it stay good
            spoiled = own[first % EVERY :: EVERY]
            faulty.append(scorer.score(_with_faults(batch, spoiled, inputs, rng))[spoiled])
        good.append(scorer.score(batch)[own])
        move_past(scorer, batch)
    reference, wrong = np.concatenate(good), np.concatenate(faulty)
    if not len(reference):
        return np.empty(0), np.empty(0)
    return _rarest(reference, reference), _rarest(wrong, reference)


def _with_faults(batch: Batch, rows: Array, inputs: Inputs, rng: np.random.Generator) -> Batch:
    values = batch.values.astype(np.float64)
    column = (slice(None), *([None] * (values.ndim - 2)))
    scaled = (values[rows] - inputs.centre[column]) / inputs.sigma[column]
    values[rows] = plant(scaled, rng) * inputs.sigma[column] + inputs.centre[column]
    return batch.with_values(values)


def _rarest(scores: Floats, reference: Floats) -> Floats:
    """Return (n,) the highest share of reference scores that any output of a sample exceeds; single outputs as they
    are."""
    if scores.shape[1] == 1:
        return np.nan_to_num(scores[:, 0], nan=-np.inf)
    columns = [np.searchsorted(np.sort(reference[:, k]), scores[:, k]) / len(reference) for k in range(scores.shape[1])]
    beyond = [np.maximum(scores[:, k] - np.nanmax(reference[:, k]), 0) for k in range(scores.shape[1])]
    return np.max(columns, axis=0) + np.max(beyond, axis=0)
