"""What the study asks beside the AUROC of its first table: all scorers, turn-on curves, false alarms, names, pulses."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.commission.turn_on import TurnOn, write_table
from lynkeus.core import Findings, Outcome
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.verdicts import FALSE_ALARMS, RunVerdicts, answer
from lynkeus.metrics.rates import wilson_interval
from lynkeus.studies.xenon_data_quality.compare import (
    TARGETS,
    Contest,
    Metrics,
    batch_of,
    turn_on,
    with_interval,
)
from lynkeus.studies.xenon_data_quality.figures import ExampleRun, bands_figure, examples_figure, turn_on_figure
from lynkeus.studies.xenon_data_quality.pulses import pulse_findings
from lynkeus.studies.xenon_data_quality.runs import GOOD, Made, RunRequest
from lynkeus.studies.xenon_data_quality.scorers import NUMBER, POPULATION

Lines = Sequence[Sequence[str]]
SHOWN = (
    RunRequest(GOOD, 0.0, 1000),
    RunRequest("s2_shift", 0.05, 1000),
    RunRequest("no_kr83m", 1.0, 1000),
    RunRequest("new_nr", 0.05, 1000),
)


@dataclass(frozen=True)
class RunsLook:
    """`scorers`: shown name -> (name, options). `curves`: runs with every fault, for the turn-on of the recommended
    one; `good`: many good runs, for its false alarms; `shown`: one of each of SHOWN; `pulses`: runs, and pulses of
    each."""

    contest: Contest
    scorers: Mapping[str, tuple[str, Mapping[str, Any]]]
    curves: Made
    good: Made
    shown: Made
    pulses: tuple[int, int]

    def __call__(self, case: str, outcomes: Sequence[Outcome], folder: Path) -> Findings:
        """Return tables, numbers and figures of one case; figures are written to the folder."""
        measured: dict[str, Metrics] = {NUMBER: self._by_number()}
        for label, (name, options) in self.scorers.items():
            fitted, seconds = self.contest.fit(name, options)
            measured[label] = self.contest.measure(fitted) | {"fit_s": seconds}
            if label == POPULATION:
                chief = fitted
        metrics = {f"{name}.{key}": value for name, numbers in measured.items() for key, value in numbers.items()}
        tables: dict[str, Lines] = {"Targets": _targets(measured), "All faults, all sizes": _judged(measured)}
        rows = turn_on(chief, POPULATION, self.curves, self.contest.targets, self.contest.truths)
        write_table(rows, folder / "turn_on.parquet")
        turn_on_figure(rows, folder / "turn_on.svg")
        metrics |= _names(rows)
        tables[f"Every fault, by {POPULATION}"] = _faults(rows)
        found, tables["False alarms"] = self._false_alarms(chief)
        said, more = pulse_findings(*self.pulses)
        self._figures(chief, folder)
        figures = {"turn_on.svg": TURN_ON, "examples.png": EXAMPLES, "bands.png": BANDS}
        return Findings(figures, metrics | found | said, tables | more)

    def _by_number(self) -> Metrics:
        """Return what the number of events alone says: how far it is from that of good runs."""
        found: Metrics = {}
        usual = np.array([len(made.run) for made in self.contest.targets if made.wanted.fault == GOOD])
        for target in TARGETS:
            own = [made for made in self.contest.targets if made.wanted.events == target.wanted.events]
            good, bad = (
                np.array([len(made.run) for made in own if made.wanted.fault == fault])
                for fault in (GOOD, target.wanted.fault)
            )
            if len(good) and len(bad):
                middle = np.median(usual[np.abs(np.log(usual / target.wanted.events)) < 0.5])
                numbers = with_interval(np.abs(good - middle), np.abs(bad - middle))
                found |= {f"{target.says}.{name}": value for name, value in numbers.items()}
        return found

    def _false_alarms(self, fitted: Fitted) -> tuple[Metrics, Lines]:
        """Over many good runs, and their kinds."""
        begun = time.process_time()
        judged = [answer(fitted, batch_of(fitted, made)) for made in self.good]
        spent = time.process_time() - begun
        p_values = np.array([one.p_value for one in judged])
        lines: list[tuple[str, ...]] = [("promised", "flagged", "90 % interval", "runs")]
        metrics: Metrics = {"false_alarms.ms": 1e3 * spent / len(judged)}
        for promised in (0.001, FALSE_ALARMS, 0.05, 0.2):
            count = int((p_values < promised).sum())
            low, high = wilson_interval(count, len(p_values))
            metrics |= {f"false_alarms.{promised:g}": count / len(p_values), f"false_alarms.{promised:g}.high": high}
            lines.append(
                (f"{promised:.1%}", f"{count / len(p_values):.2%}", f"{low:.2%} to {high:.2%}", str(len(p_values)))
            )
        return metrics, lines

    def _figures(self, fitted: Fitted, folder: Path) -> None:
        examples, verdicts = [], RunVerdicts(fitted)
        for made in self.shown:
            record = verdicts.record(batch_of(fitted, made))
            wanted = made.wanted
            title = "a good run" if wanted.fault == GOOD else f"{wanted.fault} {wanted.size:g}"
            examples.append(ExampleRun(title, made.run, record))
        examples_figure(examples, folder / "examples.png")
        longest = max(self.contest.targets, key=lambda made: len(made.run) * (made.wanted.fault == GOOD))
        bands_figure(longest.run, folder / "bands.png")


def _targets(measured: Mapping[str, Metrics]) -> Lines:
    head = ("AUROC (90 %), 60 good and 30 bad runs", *(f"{t.says} events" for t in TARGETS))
    lines = [("*to reach*", *(f"{target.reach:g}" for target in TARGETS))]
    for name, numbers in measured.items():
        lines.append((f"*{name}*" if name == NUMBER else name, *(_auroc(numbers, target.says) for target in TARGETS)))
    return [head, *lines]


def _judged(measured: Mapping[str, Metrics]) -> Lines:
    head = (
        "scorer", "AUROC (90 %)", "efficiency at 1 % (90 %)", "kind right", "variable or place right",
        "good runs flagged", "ms a run", "fit s, calibration included",
    )  # fmt: skip
    lines = []
    for name, numbers in measured.items():
        if "judged.ms" in numbers:
            efficiency, low, high = (numbers[f"judged.efficiency{end}"] for end in ("", ".low", ".high"))
            shares = (_percent(numbers[f"judged.{key}"]) for key in ("kind", "place", "false_alarms"))
            lines.append((
                name, _auroc(numbers, "judged"), f"{efficiency:.2f} ({low:.2f} to {high:.2f})", *shares,
                f"{numbers['judged.ms']:.0f}", f"{numbers['fit_s']:.0f}",
            ))  # fmt: skip
    return [head, *lines]


def _names(rows: Sequence[TurnOn]) -> Metrics:
    """Over all runs of the turn-on curves that are flagged."""
    weight = np.array([row.efficiency * row.faults for row in rows])
    found: Metrics = {f"{POPULATION}.curves.flagged": float(weight.sum())}
    for key in ("kind", "place"):
        right = np.nan_to_num([getattr(row, f"right_{key}") for row in rows])
        found[f"{POPULATION}.curves.{key}"] = float(right @ weight / weight.sum())
    return found


def _faults(rows: Sequence[TurnOn]) -> Lines:
    """A line for each fault and size; for each number of events efficiency, kind and place."""
    numbers = list(dict.fromkeys(row.events for row in rows))
    lines = [("fault", "size", *(f"{number:,.0f} events: efficiency (kind, place right)" for number in numbers))]
    for fault, size in dict.fromkeys((row.fault, row.size) for row in rows):
        own = {row.events: row for row in rows if (row.fault, row.size) == (fault, size)}
        cells = [_cell(own[number]) if number in own else "" for number in numbers]
        lines.append((fault, f"{size:g}", *cells))
    return lines


def _cell(row: TurnOn) -> str:
    named = f" ({_percent(row.right_kind)}, {_percent(row.right_place)})" if row.efficiency > 0 else ""
    return f"{row.efficiency:.2f}{named}"


def _auroc(numbers: Metrics, key: str) -> str:
    if f"{key}.auroc" not in numbers:
        return "-"
    value, low, high = (numbers[f"{key}.auroc{end}"] for end in ("", ".low", ".high"))
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else f"{share:.0%}"


TURN_ON = (
    "Share of the runs with a fault that are flagged at 1 % false alarms, against its size, for runs of 200, 1,000 and "
    "5,000 events; bands are 90 % intervals. Sizes of shifts are relative, of what is new a share of the events, of "
    "what is gone the share that is missing, of hot_pmt in phd"
)
EXAMPLES = (
    "A good run and one with each kind of change. Above all events, outlined what the scorer named; below the plot in "
    "which it shows, with the band of good runs"
)
BANDS = "The populations of a good run of 5,000 events"
