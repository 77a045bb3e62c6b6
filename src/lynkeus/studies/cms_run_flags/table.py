"""The runs: scores of each plot by several tests, its entries, and whether the run was good, bad, or nobody said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pyarrow import csv

from lynkeus.core import Array, Batch, Floats, Schema, SourceError

GOOD, BAD, UNKNOWN = 0, 1, -1
MISSING = -99
PCA = "PCA chi2prime"
PCA_FILE = "HLTPhysics_PCA_131224_modified_chi2_values.csv"
REFERENCES = (1, 4, 8)
KINDS = {"chi2": "_chi2_score_beta", "pull": "_pull_score_beta"}


@dataclass(frozen=True)
class RunTable:
    """Runs in the order in which they were taken: number `run`, `label` (n,), and per plot its `entries` and the
    `scores` of each test by name, (n, plots) with NaN where there is none."""

    run: Array
    label: Array
    plots: tuple[str, ...]
    scores: dict[str, Floats]
    entries: Floats

    @property
    def log_size(self) -> Floats:
        """Return (n,) logarithm of the entries of all plots."""
        return np.log(np.maximum(np.nansum(self.entries, axis=1), 1.0))

    def batch(self, rows: Array) -> Batch:
        """Logarithms of all scores and entries, a column each; truth: 1 for bad runs."""
        tables = {**self.scores, "entries": self.entries}
        values = np.concatenate([np.log(np.maximum(own, 1e-6)) for own in tables.values()], axis=1)
        names = tuple(f"{plot} {test}" for test in tables for plot in self.plots)
        there = np.isfinite(values).any(axis=0)
        names = tuple(name for name, known in zip(names, there, strict=True) if known)
        schema = Schema("table", names, shape=(len(names),))
        truth = (self.label[rows] == BAD).astype(np.int64)
        return Batch(schema, values[np.ix_(rows, there)], truth=truth, meta={"run": self.run[rows]})


def read_runs(folder: Path) -> RunTable:
    """The tables of AutoDQM_ML, joined by run number. Raises SourceError naming a file that cannot be read."""
    first = _columns(folder / PCA_FILE)
    tables: dict[str, dict[str, Floats]] = {PCA: _ending(first, "_chi2prime")}
    order = np.argsort(first["run_number"])
    rows = {PCA: order}
    for number in REFERENCES:
        columns = _columns(folder / f"HLTPhysics_{number}_REF.csv")
        for kind, ending in KINDS.items():
            name = f"beta-binomial {kind}, {number} reference{'s' if number > 1 else ''}"
            tables[name], rows[name] = _ending(columns, ending), np.argsort(columns["run_number"])
            if not np.array_equal(columns["run_number"][rows[name]], first["run_number"][order]):
                raise SourceError(f"{folder}: HLTPhysics_{number}_REF.csv and {PCA_FILE} do not hold the same runs")
    plots = tuple(dict.fromkeys(plot for table in tables.values() for plot in table))
    scores = {name: _filled(table, plots)[rows[name]] for name, table in tables.items()}
    entries = _filled(_ending(first, "_integral"), plots)[order]
    return RunTable(first["run_number"][order], first["label"][order], plots, scores, entries)


def _columns(path: Path) -> dict[str, Array]:
    """Columns by name, the first of those that come twice."""
    try:
        table = csv.read_csv(path)
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
    names = table.column_names
    return {name: table.column(names.index(name)).to_numpy() for name in dict.fromkeys(names)}


def _ending(columns: dict[str, Array], ending: str) -> dict[str, Floats]:
    """Plots by their short names; -99 is missing."""
    found = {}
    for name, column in columns.items():
        if name.endswith(ending):
            plot = name.removesuffix(ending).replace("L1T//", "L1T/").removeprefix("L1T/Run summary/")
            found[plot] = np.where(column == MISSING, np.nan, column.astype(float))
    return found


def _filled(table: dict[str, Floats], plots: tuple[str, ...]) -> Floats:
    """Return (n, plots), NaN for a plot that is not there."""
    absent = np.full(len(next(iter(table.values()))), np.nan)
    return np.stack([table.get(plot, absent) for plot in plots], axis=1)


def simulated_runs(seed: int = 1, plots: int = 12) -> RunTable:
    """A small table of the same shape: bad runs are shorter, come in groups, and a third of their plots are off."""
    rng = np.random.default_rng(seed)
    runs = 180
    label = np.repeat(rng.choice([GOOD, BAD, UNKNOWN], runs // 3, p=[0.7, 0.2, 0.1]), 3)
    log_size = rng.normal(np.where(label == GOOD, 18.0, 17.0), 1.0)
    off = 1.5 * (rng.random((runs, plots)) < 1 / 3) * (label == BAD)[:, None]
    scores = {}
    for name, slope in (
        (PCA, -0.4),
        ("beta-binomial pull, 8 references", 0.3),
        ("beta-binomial chi2, 1 reference", 0.3),
    ):
        scores[name] = np.exp(rng.normal(off + slope * (log_size - 18.0)[:, None], 0.7))
    scores["beta-binomial pull, 8 references"][:5] = np.nan
    entries = np.exp(log_size)[:, None] * rng.uniform(0.01, 0.2, plots)
    names = tuple(f"plot {number}" for number in range(plots))
    return RunTable(np.arange(355_000, 355_000 + runs), label, names, scores, entries)
