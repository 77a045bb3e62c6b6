"""Turn-on curves: efficiency against fault size at a fixed alarm budget, as rows of one table."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.core import Floats, SourceError
from lynkeus.metrics.rates import bootstrap_interval, placements, wilson_interval
from lynkeus.transforms.faults import FAULTS, Fault

CHANCE = "chance"
NAN = float("nan")


@dataclass(frozen=True)
class Outcome:
    """What one scorer made of one planted fault on one output.

    `scores` (m,) and `right` (m,) of its faulty windows: does it name the planted channel? `detect_s`: from the first
    faulty row (`start_ns`) to the end of the first alarming window, NaN where there is none; `named`: the right channel
    at the peak. `end_ns`: of its last faulty window.
    """

    fault: Fault
    output: str
    scores: Floats
    right: npt.NDArray[np.bool_]
    detect_s: float
    named: bool
    start_ns: int
    end_ns: int


@dataclass(frozen=True)
class TurnOn:
    """One point of a turn-on curve: one fault of one size, on one output of one scorer.

    `efficiency` with its interval `low`, `high` (90 %, Wilson): share of `faults` with at least one alarming window.
    `right_place`: share of the detected faults whose peak names the planted channel; `right_window`: share of all
    faulty windows that do (both NaN for a fault of the whole beam). `auroc` per window against the data as they are,
    interval by bootstrap over faults. Times to detect in s. `meant`: this output is meant for this fault; the other
    rows show cross talk. The scorer `chance` raises alarms at random, at the same budget.
    """

    fault: str
    size: float
    output: str
    scorer: str
    efficiency: float
    low: float
    high: float
    right_place: float
    right_window: float
    auroc: float
    auroc_low: float
    auroc_high: float
    detect_median_s: float
    detect_p90_s: float
    faults: int
    budget_per_hour: float
    extrapolated: bool
    meant: bool


def is_meant(kind: str, output: str, outputs: Sequence[str]) -> bool:
    """Whether an output is the one for this kind of fault: monitor faults are for `monitor`, beam faults for `beam`,
    and a scorer that has no such output answers with all it has."""
    concerns = FAULTS[kind].concerns
    return output == concerns or concerns not in outputs


def turn_on(outcomes: Sequence[Outcome], good: Floats, scorer: str, budget_per_hour: float, seed: int = 0) -> TurnOn:
    """One point from the outcomes of one kind and size on one output; `good` (n,): scores of the data as they are.

    `extrapolated` and `meant` are left to the caller.
    """
    fault, output = outcomes[0].fault, outcomes[0].output
    times = np.array([outcome.detect_s for outcome in outcomes])
    found = ~np.isnan(times)
    low, high = wilson_interval(int(found.sum()), len(outcomes))
    places = [placements(outcome.scores, good) for outcome in outcomes]
    auroc_low, auroc_high = bootstrap_interval(lambda joined: float(joined.mean()), places, seed)
    right_place = right_window = NAN
    if FAULTS[fault.kind].concerns == "monitor":
        right_window = float(np.concatenate([outcome.right for outcome in outcomes]).mean())
        if found.any():
            right_place = float(np.mean([outcome.named for outcome in outcomes if not np.isnan(outcome.detect_s)]))
    median, p90 = np.quantile(times[found], [0.5, 0.9]) if found.any() else (NAN, NAN)
    return TurnOn(
        fault.kind, fault.size, output, scorer, float(found.mean()), low, high, right_place, right_window,
        float(np.concatenate(places).mean()), auroc_low, auroc_high, float(median), float(p90), len(outcomes),
        budget_per_hour, extrapolated=False, meant=True,
    )  # fmt: skip


def by_chance(row: TurnOn, fault_hours: float, channels: int) -> TurnOn:
    """The control row beside another: alarms at random times and places, as many an hour as the budget allows."""
    share = float(-np.expm1(-row.budget_per_hour * fault_hours))
    place = NAN if np.isnan(row.right_window) else (2 if row.fault == "swapped" else 1) / channels
    return replace(
        row, scorer=CHANCE, efficiency=share, low=share, high=share, right_place=place, right_window=place,
        auroc=0.5, auroc_low=0.5, auroc_high=0.5, detect_median_s=NAN, detect_p90_s=NAN, extrapolated=False,
    )  # fmt: skip


def write_table(rows: Iterable[TurnOn], path: Path) -> None:
    """Write the rows as Parquet; the file is complete or not there."""
    types = {"str": pa.string(), "float": pa.float64(), "int": pa.int64(), "bool": pa.bool_()}
    schema = pa.schema([(field.name, types[str(field.type)]) for field in fields(TurnOn)])
    write_parquet(pa.Table.from_pylist([asdict(row) for row in rows], schema), path)


def read_table(path: Path) -> tuple[TurnOn, ...]:
    """Inverse of `write_table`. Raises SourceError where the file is no such table."""
    names = [field.name for field in fields(TurnOn)]
    try:
        return tuple(TurnOn(**row) for row in pq.read_table(path, columns=names).to_pylist())
    except (OSError, pa.ArrowException, TypeError) as error:
        raise SourceError(f"{path}: no table of turn-on curves ({error}); write one with lynkeus commission") from error


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write any table as Parquet; the file is complete or as it was before."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    write_whole(path, sink.getvalue().to_pybytes())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is complete or as it was before. Raises SourceError saying why it cannot be."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise SourceError(f"{path}: cannot be written ({reason}); free some space or choose another -o") from error
