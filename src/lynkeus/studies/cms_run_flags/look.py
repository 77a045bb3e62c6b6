"""The tables of the page: every way by cross-validation, flags per run, and runs that nobody has labelled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lynkeus.core import Findings, Outcome
from lynkeus.studies.cms_run_flags.crossed import Held, crossed, partitions, unknown_runs
from lynkeus.studies.cms_run_flags.figures import efficiency_figure, size_figure
from lynkeus.studies.cms_run_flags.methods import Method
from lynkeus.studies.cms_run_flags.table import UNKNOWN, RunTable

SHOWN = ("few entries (trivial)", "flags, PCA (cheap)", "flags, chi2 of 1 (cheap)", "joined with entries, PCA",
         "logistic", "logistic, with PCA")  # fmt: skip
JUDGED = ("few entries (trivial)", "mean, PCA", "joined with entries, PCA", "logistic", "logistic, with PCA")
BY_TIME = "by time"


@dataclass(frozen=True)
class Way:
    """A method, what it needs labels for, and whether it sees the scores of the PCA."""

    method: Method
    labels: str
    pca: bool = False


@dataclass(frozen=True)
class RunLook:
    """All `ways`, in `seeds` random partitions and one by time."""

    table: RunTable
    ways: Mapping[str, Way]
    seeds: int

    def __call__(self, case: str, outcomes: Sequence[Outcome], folder: Path) -> Findings:
        """Return tables, numbers and figures of one case; figures are written to the folder."""
        at_random = list(partitions(self.table, self.seeds, by_time=False))
        in_time = list(partitions(self.table, 1, by_time=True))
        held: dict[str, Held] = {}
        metrics: dict[str, float] = {}
        for name, way in self.ways.items():
            held[name] = crossed(way.method, self.table, at_random)
            metrics |= {f"{name}.{key}": value for key, value in held[name].numbers().items()}
            apart = crossed(way.method, self.table, in_time).numbers()
            metrics |= {f"{name}.{BY_TIME}.{key}": value for key, value in apart.items()}
        efficiency_figure({name: held[name] for name in SHOWN}, folder / "efficiency.svg")
        size_figure(held["logistic"], folder / "size.svg")
        tables = {
            f"Which run is bad: every run judged by others, {self.seeds} x 5 parts": self._runs(metrics),
            "Which plots are flagged": self._flags(metrics),
        }
        if (self.table.label == UNKNOWN).any():
            unknown = {name: unknown_runs(self.ways[name].method, self.table) for name in JUDGED}
            metrics |= {f"{name}.unknown.{key}": value for name, one in unknown.items() for key, value in one.items()}
            tables["Runs that nobody has labelled"] = _unknown(unknown)
        return Findings({"efficiency.svg": EFFICIENCY, "size.svg": SIZE}, metrics, tables)

    def _runs(self, metrics: Mapping[str, float]) -> list[tuple[str, ...]]:
        head = ("way", "labels", "sees the PCA", "AUROC (90 % interval)", "among runs of like size",
                "AUROC, ten runs in a row held out", "good runs flagged", "bad runs flagged")  # fmt: skip
        rows = [
            (
                name, way.labels, "yes" if way.pca else "no", _with_interval(metrics, f"{name}.auroc"),
                f"{metrics[f'{name}.like_size']:.3f}", f"{metrics[f'{name}.{BY_TIME}.auroc']:.3f}",
                f"{metrics[f'{name}.run.good']:.1%}", f"{metrics[f'{name}.run.bad']:.0%}",
            )
            for name, way in self.ways.items()
        ]  # fmt: skip
        return [head, *rows]

    def _flags(self, metrics: Mapping[str, float]) -> list[tuple[str, ...]]:
        head = ("way", "flags per good run", "per bad run", "ratio (90 % interval)",
                "ratio, ten runs in a row held out", "ratio at the plain 98 % quantile")  # fmt: skip
        rows = [
            (
                name, f"{metrics[f'{name}.good']:.2f}", f"{metrics[f'{name}.bad']:.2f}",
                _with_interval(metrics, f"{name}.ratio", 1), f"{metrics[f'{name}.{BY_TIME}.ratio']:.1f}",
                _with_interval(metrics, f"{name}.quantile.ratio", 1),
            )
            for name in _different(self.ways, metrics)
        ]  # fmt: skip
        return [head, *rows]


def _different(names: Iterable[str], metrics: Mapping[str, float]) -> list[str]:
    """Ways without those that flag the same plots as one before: they differ in the score of the run only."""
    first: dict[tuple[float, ...], str] = {}
    for name in names:
        first.setdefault(
            tuple(metrics[f"{name}.{key}"] for key in ("good", "bad", "quantile.good", "quantile.bad")), name
        )
    return list(first.values())


def _unknown(found: Mapping[str, Mapping[str, float]]) -> list[tuple[str, ...]]:
    keys = ("above good", "above good of its size", "above bad")
    rows = [(name, f"{one['flagged']:.0%}", *(f"{one[key]:.2f}" for key in keys)) for name, one in found.items()]
    return [("way", "flagged", "scores above a good run", "above a good run of its size", "above a bad run"), *rows]


def _with_interval(metrics: Mapping[str, float], key: str, digits: int = 3) -> str:
    value, low, high = (f"{metrics[f'{key}{end}']:.{digits}f}" for end in ("", ".low", ".high"))
    return f"{value} ({low} to {high})"


EFFICIENCY = "Share of bad runs above a threshold against that of good ones, each run judged by what others teach"
SIZE = "Score of the logistic regression without PCA against the size of the run: short good runs look bad too"
