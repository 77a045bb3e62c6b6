"""Turn-on curves: efficiency against fault size at a fixed budget, as rows of one table for all kinds of samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.commission.plant.planter import HARMLESS, Kind
from lynkeus.commission.plant.rows import KINDS
from lynkeus.commission.settings import OF_GOOD, PER_HOUR, Budget
from lynkeus.core import Floats, Scorer, SourceError, about_of
from lynkeus.files.whole import write_parquet
from lynkeus.metrics.rates import bootstrap_auroc, bootstrap_interval, placements, wilson_interval

CHANCE = "chance"
NAN = float("nan")
TYPES = {"str": pa.string(), "float": pa.float64(), "int": pa.int64(), "bool": pa.bool_()}


class Case(NamedTuple):
    """What was planted: a fault of a size, in runs of so many `events` (0: these are no runs)."""

    fault: str
    size: float
    events: float = 0.0


class Asked(NamedTuple):
    """Who was asked: a scorer, one of its outputs, whether that one is `meant` for the fault, and whether its reference
    was `extrapolated` for the budget."""

    scorer: str
    output: str
    meant: bool = True
    extrapolated: bool = False


class Outcome(NamedTuple):
    """What one output made of one fault.

    `scores` (m,) of its faulty windows, one where samples stand alone; `found`: it alarmed; `right_kind`, `right_place`
    at the peak: 1 or 0, NaN where there is nothing to name; `right` (m,): does each window name the place?
    `detect_s`: from the beginning of the fault to the end of the first alarming window; NaN where there are no times;
    `luck`: how often a place at random is right.
    """

    scores: Floats
    found: bool
    right_kind: float
    right_place: float
    right: Floats
    detect_s: float = NAN
    luck: float = NAN


@dataclass(frozen=True)
class TurnOn:
    """One point of a turn-on curve: one `fault` of one `size` (in `unit`, "": it has none), on one `output` of one
    `scorer`; in runs of `events` (NaN: these are no runs).

    `efficiency` with its interval `low`, `high` (90 %, Wilson): share of `faults` that were found; of a `harmless` one
    it should be no more than the budget. `right_kind`, `right_place`: share of those found whose peak names the kind
    and the place (channel, spot, variable); `right_window`: share of all faulty windows that name the place; NaN where
    there is nothing to name. `auroc` per window against good data, interval by bootstrap. Times to detect in s, NaN
    without times. `budget` in `budget_unit`: per hour, or a share of good samples. `meant`: this output is meant for
    this fault; the other rows show cross talk. The scorer `chance` raises alarms at random, at the same budget.
    """

    fault: str
    size: float
    unit: str
    events: float
    output: str
    scorer: str
    efficiency: float
    low: float
    high: float
    right_kind: float
    right_place: float
    right_window: float
    auroc: float
    auroc_low: float
    auroc_high: float
    detect_median_s: float
    detect_p90_s: float
    faults: int
    budget: float
    budget_unit: str
    extrapolated: bool
    meant: bool
    harmless: bool


def outputs_asked(scorer: Scorer, name: str, kind: Kind) -> dict[str, bool]:
    """Return the outputs of a scorer whose answers to a fault are counted, and whether each is meant for it.

    A scorer says itself which of its outputs answers for faults of one channel and which for those of all
    (`About.answers`). Where its outputs after the first are for single kinds, these are asked for their own kind only.
    Any other scorer answers with all that it has.
    """
    about, outputs = about_of(scorer), scorer.outputs
    if about.names_kinds:
        return {output: True for k, output in enumerate(outputs) if k == 0 or output == name}
    answer = about.answers.get(kind.concerns, "")
    return {output: answer in ("", output) or answer not in outputs for output in outputs}


def point(
    case: Case, kind: Kind, asked: Asked, outcomes: Sequence[Outcome], good: Floats, budget: Budget, seed: int = 0
) -> TurnOn:
    """One point from the outcomes of one case on one output; `good` (n,): scores of good data.

    Samples that stand alone are drawn again on both sides for the interval of the AUROC; of a stream, whose windows
    hang together, only the faults.
    """
    found = np.array([outcome.found for outcome in outcomes])
    low, high = wilson_interval(int(found.sum()), len(outcomes))
    places = [placements(outcome.scores, good) for outcome in outcomes]
    times = np.array([outcome.detect_s for outcome in outcomes])[found]
    known = bool(np.isfinite(times).any())
    median, p90 = np.nanquantile(times, [0.5, 0.9]) if known else (NAN, NAN)
    harmless = kind.change == HARMLESS
    named = [] if harmless else [outcome for outcome in outcomes if outcome.found]
    right = np.concatenate([outcome.right for outcome in outcomes])
    return TurnOn(
        *case[:2], kind.unit, case.events or NAN, asked.output, asked.scorer, float(found.mean()), low, high,
        _mean([outcome.right_kind for outcome in named]), _mean([outcome.right_place for outcome in named]),
        NAN if harmless or budget.unit == OF_GOOD else _mean(right),
        float(np.concatenate(places).mean()) if len(good) else NAN, *_interval(outcomes, places, good, budget, seed),
        float(median), float(p90), len(outcomes), budget.value, budget.unit, asked.extrapolated, asked.meant, harmless,
    )  # fmt: skip


def _interval(
    outcomes: Sequence[Outcome], places: Sequence[Floats], good: Floats, budget: Budget, seed: int
) -> tuple[float, float]:
    if budget.unit == PER_HOUR:
        return bootstrap_interval(lambda joined: float(joined.mean()), places, seed)
    scores = np.concatenate([good, *(outcome.scores for outcome in outcomes)])
    copies = bootstrap_auroc(np.arange(len(scores)) >= len(good), scores, seed=seed)
    if not np.isfinite(copies).any():
        return NAN, NAN
    low, high = np.nanquantile(copies, [0.05, 0.95])
    return float(low), float(high)


def _mean(values: Iterable[float]) -> float:
    known = np.array([value for value in values if not np.isnan(value)])
    return float(known.mean()) if len(known) else NAN


def by_chance(row: TurnOn, share: float, luck: float) -> TurnOn:
    """The control row beside another: alarms at random that find a `share` of the faults, and places by `luck`."""
    return replace(
        row, scorer=CHANCE, efficiency=share, low=share, high=share, right_kind=NAN, right_place=luck,
        right_window=NAN if np.isnan(row.right_window) else luck, auroc=0.5, auroc_low=0.5, auroc_high=0.5,
        detect_median_s=NAN, detect_p90_s=NAN, extrapolated=False,
    )  # fmt: skip


def write_table(rows: Iterable[TurnOn], path: Path) -> None:
    """Write the rows as Parquet; the file is complete or not there."""
    schema = pa.schema([(field.name, TYPES[str(field.type)]) for field in fields(TurnOn)])
    write_parquet(pa.Table.from_pylist([asdict(row) for row in rows], schema), path)


def read_table(path: Path) -> tuple[TurnOn, ...]:
    """Inverse of `write_table`, also of the two kinds of tables that versions before 0.2 wrote.

    Raises SourceError where the file is no such table.
    """
    try:
        return tuple(TurnOn(**_as_now(row)) for row in pq.read_table(path).to_pylist())
    except (OSError, pa.ArrowException, TypeError, KeyError) as error:
        raise SourceError(f"{path}: no table of turn-on curves ({error}); write one with lynkeus commission") from error


def _as_now(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of an older table: of rows in time with `budget_per_hour`, of runs with `runs` and `false_alarms`."""
    if "budget_unit" in row:
        return dict(row)
    nothing = {field.name: NAN for field in fields(TurnOn) if field.type == "float"}
    if "false_alarms" in row:
        old = {"faults": row["runs"], "budget": row["false_alarms"], "budget_unit": OF_GOOD, "output": "anomaly"}
        own = {name: value for name, value in row.items() if name not in ("runs", "false_alarms")}
        return {**nothing, "unit": "size", "extrapolated": False, "meant": True, **own, **old}
    own = {name: value for name, value in row.items() if name != "budget_per_hour"}
    old = {"budget": row["budget_per_hour"], "budget_unit": PER_HOUR, "unit": KINDS[row["fault"]].unit}
    return {**nothing, "harmless": False, **own, **old}
