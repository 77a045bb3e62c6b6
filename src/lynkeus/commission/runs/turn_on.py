"""Turn-on points of runs: how often a change of some size is found in runs of so many events, and named rightly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from lynkeus.commission.plant.good_events import RunTruth
from lynkeus.commission.turn_on import write_parquet
from lynkeus.core import Change, Floats
from lynkeus.metrics.rates import auroc, bootstrap_auroc, wilson_interval

WIDEST = 5.0  # times the range of the events concerned: a wider one says nothing of the place
NAN = float("nan")


class RunOutcome(NamedTuple):
    """What a scorer said of one run: `score` (higher: worse, NaN: not enough data), `p_value`, the chief `change`."""

    score: float
    p_value: float
    change: Change
    truth: RunTruth


@dataclass(frozen=True)
class RunTurnOn:
    """One point: one `fault` of one `size` in runs of `events`, by one `scorer`.

    `efficiency` with its interval `low`, `high` (90 %, Wilson): share of `runs` that are not called good at
    `false_alarms`; for a `harmless` fault it should be no more than that. `auroc` against good runs of as many events,
    interval by bootstrap. `right_kind`, `right_place`: of the runs that are flagged, the share of which the kind of
    change, and the variable (shifted) or the place (gone, new) are named rightly; NaN where there are none.
    """

    fault: str
    size: float
    events: float
    scorer: str
    efficiency: float
    low: float
    high: float
    auroc: float
    auroc_low: float
    auroc_high: float
    right_kind: float
    right_place: float
    runs: int
    harmless: bool
    false_alarms: float


class Case(NamedTuple):
    """What was planted, in how many events, and who was asked."""

    fault: str
    size: float
    events: float
    scorer: str


def run_turn_on(case: Case, outcomes: Sequence[RunOutcome], good: Floats, false_alarms: float) -> RunTurnOn:
    """One point from the outcomes of a case; `good` (n,): scores of good runs of as many events."""
    flagged = [outcome for outcome in outcomes if outcome.p_value < false_alarms]
    low, high = wilson_interval(len(flagged), len(outcomes))
    scores = np.concatenate([good, [outcome.score for outcome in outcomes]])
    wrong = np.arange(len(scores)) >= len(good)
    copies = bootstrap_auroc(wrong, scores)
    auroc_low, auroc_high = np.nanquantile(copies, [0.05, 0.95]) if np.isfinite(copies).any() else (NAN, NAN)
    harmless = outcomes[0].truth.change == "none"
    named = [] if harmless else flagged
    return RunTurnOn(
        *case, len(flagged) / len(outcomes), low, high, auroc(wrong, scores), float(auroc_low), float(auroc_high),
        float(np.mean([one.change.kind == one.truth.change for one in named])) if named else NAN,
        float(np.mean([names_place(one.change, one.truth) for one in named])) if named else NAN,
        len(outcomes), harmless, false_alarms,
    )  # fmt: skip


def names_place(change: Change, truth: RunTruth) -> bool:
    """Whether a change names what was planted: the variable of a shift, else the group or the place.

    A place is right where it holds the middle of the events concerned in all columns that it names, and is not much
    wider than they are in at least one of them.
    """
    if truth.change == "shifted":
        return bool(set(change.variable.split(", ")) & set(truth.variables))
    if truth.group and not change.region:
        return truth.group in (change.group, change.population)
    if truth.group and change.group and change.group != truth.group:
        return False
    named = [(change.region[name], truth.region[name]) for name in truth.region if name in change.region]
    inside = all(low <= 0.5 * (first + last) <= high for (low, high), (first, last) in named)
    narrow = any(high - low <= WIDEST * max(last - first, 1e-12) for (low, high), (first, last) in named)
    if not named:
        return bool(set(change.variable.split(", ")) & set(truth.variables))
    return inside and narrow


def write_run_table(rows: Sequence[RunTurnOn], path: Path) -> None:
    """Write the rows as Parquet; the file is complete or as it was before."""
    types = {"str": pa.string(), "float": pa.float64(), "int": pa.int64(), "bool": pa.bool_()}
    schema = pa.schema([(field.name, types[str(field.type)]) for field in fields(RunTurnOn)])
    write_parquet(pa.Table.from_pylist([asdict(row) for row in rows], schema), path)
