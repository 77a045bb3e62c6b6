"""Answers of the study in numbers and tables: how far measured factors are from the true ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lynkeus.scale_factors.closure import Closure
from lynkeus.scale_factors.measurement import Cell, Measurement

Found = Mapping[tuple[str, str], Measurement]  # by sample and variable


@dataclass(frozen=True)
class Row:
    """One measured factor: its place, the true one with its error, and the total error on the side of the truth."""

    sample: str
    variable: str
    place: str
    true: float
    true_error: float
    cell: Cell
    number: int

    @property
    def measured(self) -> float:
        """Return the measured factor."""
        return float(self.cell.fit.factor[self.number])

    @property
    def error(self) -> float:
        """Return the total error on the side of the truth."""
        return abs(float(self.cell.total(self.true > self.measured)[self.number]))

    @property
    def pull(self) -> float:
        """Return the distance to the truth in units of the error."""
        return (self.measured - self.true) / self.error

    @property
    def bare_pull(self) -> float:
        """Return the same with the statistics of data and of simulation alone."""
        side = int(self.true > self.measured)
        parts = [self.cell.shifts[name][self.number, side] for name in ("statistics", "templates")]
        return (self.measured - self.true) / float(np.hypot(*parts))


def metrics_of(rows: Sequence[Row], found: Found, closure: Closure) -> dict[str, float]:
    """Return numbers of the pseudo-experiments, and of each sample with each variable."""
    metrics = {
        "closure.coverage": closure.coverage[0],
        "closure.pull": float(closure.pulls.mean()),
        "closure.width": float(closure.pulls.std()),
        "closure.failed": closure.failed / closure.tried,
    }
    for sample, variable in found:
        own = _own(rows, sample, variable)
        pulls, bare = (np.array([getattr(row, name) for row in own]) for name in ("pull", "bare_pull"))
        numbers = {
            "failed": float(len(found[sample, variable].problems())),
            "factors": float(len(own)),
            "rms_pull": _rms(pulls),
            "rms_bare_pull": _rms(bare),
            "within": float(np.mean(np.abs(pulls) <= 1)) if own else float("nan"),
            "worst_pull": float(np.abs(pulls).max()) if own else float("nan"),
            "error": float(np.median([row.error for row in own])) if own else float("nan"),
        }
        metrics |= {f"{sample}.{variable}.{name}": value for name, value in numbers.items()}
    return metrics


def tables_of(rows: Sequence[Row], found: Found, closure: Closure) -> dict[str, list[tuple[str, ...]]]:
    """Return title -> lines of cells, the first of which is the head."""
    share, low, high = closure.coverage
    drawn: list[tuple[str, ...]] = [
        ("pseudo-experiments", "interval of 68 % holds the truth", "90 % interval", "mean pull", "width of pulls"),
        (str(closure.tried), f"{share:.3f}", f"{low:.3f} to {high:.3f}", f"{closure.pulls.mean():+.2f}",
         f"{closure.pulls.std():.2f}"),
    ]  # fmt: skip
    metrics = metrics_of(rows, found, closure)
    short: list[tuple[str, ...]] = [
        ("sample", "variable", "factors", "no usable fit", "within one error", "root mean square pull",
         "the same without other simulations", "median error"),
    ]  # fmt: skip
    for sample, variable in found:
        start = f"{sample}.{variable}."
        own = {key.removeprefix(start): value for key, value in metrics.items() if key.startswith(start)}
        short.append(
            (sample, variable, f"{own['factors']:.0f}", f"{own['failed']:.0f}", _shown(own["within"], ".0%"),
             _shown(own["rms_pull"], ".2f"), _shown(own["rms_bare_pull"], ".2f"), _shown(own["error"], ".3f"))
        )  # fmt: skip
    tables = {"Measured against true, in short": short, "Pseudo-experiments from one fit": drawn}
    for sample, variable in found:
        own_rows = _own(rows, sample, variable)
        if own_rows:
            tables[f"{sample}, {variable}"] = _lines(own_rows)
        problems = [(problem,) for problem in found[sample, variable].problems()]
        if problems:
            tables[f"{sample}, {variable}: fits that cannot be used"] = [("what, and what to do",), *problems]
    return tables


def _shown(value: float, form: str) -> str:
    return "-" if np.isnan(value) else format(value, form)


def _own(rows: Sequence[Row], sample: str, variable: str) -> list[Row]:
    return [row for row in rows if (row.sample, row.variable) == (sample, variable)]


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else float("nan")


def _lines(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    sources = list(dict.fromkeys(name for row in rows for name in row.cell.shifts))
    lines: list[tuple[str, ...]] = [("bin", "true", "measured", "error", *sources, "pull", "p of the fit")]
    for row in rows:
        sizes = [
            np.abs(row.cell.shifts[name][row.number]).max() if name in row.cell.shifts else 0.0 for name in sources
        ]
        lines.append(
            (row.place, f"{row.true:.3f} ± {row.true_error:.3f}", f"{row.measured:.3f}", f"{row.error:.3f}",
             *(f"{size:.3f}" for size in sizes), f"{row.pull:+.1f}", f"{row.cell.fit.p_value:.2g}")
        )  # fmt: skip
    return lines
