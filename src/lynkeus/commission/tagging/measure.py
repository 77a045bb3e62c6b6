"""What a tagger is worth: each class against each other one, everywhere and in bins, at working points, and in a worse
detector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from lynkeus.commission.tagging.jets import AS_MEASURED, FEWEST, JetScores
from lynkeus.core import Array, CalibrationError, Floats
from lynkeus.core.background import Background
from lynkeus.files.whole import write_parquet
from lynkeus.fitting.fitted import Fitted
from lynkeus.metrics.rates import wilson_interval
from lynkeus.metrics.tagging import COPIES, against, separation

EVERYWHERE = "all"
BINS = {"pt": 4, "eta": 3, "pile-up": 3}  # of equally many jets; of eta of its size
UNITS = {"pt": "GeV", "eta": "", "pile-up": "vertices"}
WORKING_POINTS = (0.1, 0.01, 0.001)  # background efficiencies, as usual for loose, medium and tight
FEW_COPIES = 50  # of bins and variations: their intervals are read roughly
NO_SIGNAL = ("qcd", "background", "other", "light", "udsg", "uds", "fake", "unmatched")
COLUMNS = (
    "model", "detector", "signal", "background", "variable", "from", "to", "quantity", "signal_efficiency", "value",
    "low", "high", "threshold", "signal_jets", "background_jets",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One number of the report: `quantity` (auc; rejection, 1/eB, at a signal efficiency) of a signal class against a
    background class, of jets whose `variable` lies between `ends`, in a `detector`; with its interval."""

    model: str
    detector: str
    signal: str
    background: str
    variable: str
    ends: tuple[float, float]
    quantity: str
    signal_efficiency: float
    value: float
    low: float
    high: float
    threshold: float
    signal_jets: int
    background_jets: int


@dataclass(frozen=True)
class WorkingPoint:
    """A threshold of `output` whose background efficiency is `stated` by the calibration of the model, and how many of
    the jets here pass: efficiency for background with its interval, and for signal."""

    model: str
    output: str
    stated: float
    threshold: float
    background: float
    low: float
    high: float
    signal: float


def pairs(outputs: Sequence[str], truth: Array) -> list[tuple[int, int]]:
    """Return (signal, background) of all classes that have jets: each against each other, but those that are called
    background in themselves (QCD, light) are no signal."""
    counts = np.bincount(truth, minlength=len(outputs))
    there = [k for k in range(len(outputs)) if counts[k] >= FEWEST]
    signals = [k for k in there if outputs[k].lower() not in NO_SIGNAL] or there
    return [(signal, other) for signal in signals for other in there if other != signal]


def rows_of(name: str, jets: JetScores, seed: int) -> list[Row]:
    """Return all numbers of a model: everywhere, in bins of what is known, and in worse detectors."""
    found: list[Row] = []
    for pair in pairs(jets.outputs, jets.truth):
        for detector, probability in {AS_MEASURED: jets.probability, **jets.varied}.items():
            copies = COPIES if detector == AS_MEASURED else FEW_COPIES
            found += _rows(name, jets, probability, pair, (detector, EVERYWHERE, (-np.inf, np.inf)), (seed, copies))
        for variable, ends, inside in bins_of(jets):
            place = AS_MEASURED, variable, ends
            found += _rows(name, jets.of(inside), jets.probability[inside], pair, place, (seed, FEW_COPIES))
    return found


def _rows(
    name: str,
    jets: JetScores,
    probability: Floats,
    pair: tuple[int, int],
    place: tuple[Any, ...],
    draws: tuple[int, int],
) -> Iterator[Row]:
    signal, background = pair
    own = np.isin(jets.truth, pair)
    hit = jets.truth[own] == signal
    if min(hit.sum(), (~hit).sum()) < FEWEST:
        return
    seed, copies = draws
    score = against(probability[own], signal, background)
    weight = None if jets.weight is None else jets.weight[own]
    found = separation(hit, score, weight, seed=seed, copies=copies)
    many = found.signal, found.background
    head = name, place[0], jets.outputs[signal], jets.outputs[background], place[1], place[2]
    yield Row(*head, "auc", np.nan, found.auc, found.auc_low, found.auc_high, np.nan, *many)
    for k, efficiency in enumerate(found.efficiency):
        values = found.rejection[k], found.rejection_low[k], found.rejection_high[k], found.threshold[k]
        yield Row(*head, "rejection", efficiency, *values, *many)


def bins_of(jets: JetScores) -> Iterator[tuple[str, tuple[float, float], Array]]:
    """Yield bins of equally many jets: variable, both ends, and which jets (n,) are inside."""
    for variable, bins in BINS.items():
        if variable not in jets.known:
            continue
        values = jets.known[variable]
        values = np.abs(values) if variable == "eta" else values
        edges = np.unique(np.nanquantile(values, np.linspace(0, 1, bins + 1)))
        for low, high in pairwise(edges):
            inside = (values >= low) & ((values < high) | ((high == edges[-1]) & (values <= high)))
            yield variable, (float(low), float(high)), np.flatnonzero(inside)


def working_points(name: str, fitted: Fitted, jets: JetScores) -> list[WorkingPoint]:
    """Return those of WORKING_POINTS that the calibration of each output supports, and what passes here."""
    found = []
    heavy = np.ones(len(jets.truth)) if jets.weight is None else jets.weight
    for k, output in enumerate(jets.outputs):
        calibration, own = fitted.calibrations[output], jets.truth == k
        if not isinstance(calibration, Background) or not own.any() or own.all():
            continue
        for stated in WORKING_POINTS:
            try:
                threshold = calibration.working_point(stated)
            except CalibrationError:
                continue  # the page says which are stated, and how many jets that needs
            passes = jets.p_value[:, k] <= stated * (1 + 1e-9)
            low, high = wilson_interval(int(passes[~own].sum()), int((~own).sum()))
            shares = [float(np.average(passes[part], weights=heavy[part])) for part in (~own, own)]
            found.append(WorkingPoint(name, output, stated, threshold, shares[0], low, high, shares[1]))
    return found


def write_rows(rows: Sequence[Row], path: Any) -> None:
    """Write the rows as Parquet."""
    columns: Mapping[str, list[Any]] = {
        column: [row.ends[column == "to"] if column in ("from", "to") else getattr(row, column) for row in rows]
        for column in COLUMNS
    }
    write_parquet(pa.table(dict(columns)), path)
