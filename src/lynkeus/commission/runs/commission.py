"""Commissioning of scorers of runs: changes planted into real good runs, found at the promised rate of false alarms?"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lynkeus.commission.plant.good_events import GoodEvents, RunTruth
from lynkeus.commission.plant.runs import FAULTS, plant
from lynkeus.commission.runs.turn_on import Case, RunOutcome, RunTurnOn, run_turn_on
from lynkeus.core import Array, Floats, SettingsError, SourceError
from lynkeus.fitting.fitted_runs import FALSE_ALARMS, FittedRuns
from lynkeus.metrics.rates import wilson_interval
from lynkeus.sources.runs.events import Events
from lynkeus.sources.runs.folder import Run, RunFile, RunReader
from lynkeus.transforms.event_columns import EventColumns

EVENTS = (200, 1000, 5000)  # in a run, as far as the good runs have as many
FEWEST_EVENTS = 20
ENOUGH = 0.5  # of the good runs must have so many events
GOOD_RUNS = 100  # of each number of events, drawn from the good runs
MOST_EVENTS = 20_000  # of each good run, to plant into
MOST_GOOD = 1000  # good runs that are judged as they are
QUICK = 8
Progress = Callable[[str, float | None], None]


@dataclass(frozen=True)
class RunCommissionSettings:
    """`faults` kind -> sizes, planted into `per_case` runs of each number of `events` (none: those the runs have);
    `false_alarms`: share of good runs that may be flagged. Raises SettingsError."""

    faults: Mapping[str, Sequence[float]] = field(
        default_factory=lambda: {kind: of.sizes for kind, of in FAULTS.items()}
    )
    events: Sequence[int] = ()
    per_case: int = 20
    false_alarms: float = FALSE_ALARMS
    seed: int = 0

    def __post_init__(self) -> None:
        for kind, sizes in self.faults.items():
            if kind not in FAULTS:
                raise SettingsError(f"no fault of runs called {kind!r}; there are: {', '.join(FAULTS)}")
            if not sizes or not np.isfinite(sizes).all() or min(sizes) <= 0:
                raise SettingsError(f"{kind}: sizes are positive numbers, got {tuple(sizes)}")
        if not self.faults or self.per_case < 1 or any(number < FEWEST_EVENTS for number in self.events):
            raise SettingsError(
                f"commissioning needs a kind of fault, planted at least once, in runs of {FEWEST_EVENTS} events or more"
            )
        if not 0.0 < self.false_alarms < 1.0:
            raise SettingsError(f"false alarms are a share of good runs, between 0 and 1, not {self.false_alarms}")


@dataclass(frozen=True)
class GoodRuns:
    """What one scorer said of good runs: of `runs` of `events` (0: as they are) it `flagged` so many; `seen`: those
    that it has learned from; `unjudged`: not enough data; `ms` of processor time a run."""

    scorer: str
    events: float
    runs: int
    flagged: int
    seen: int
    unjudged: int
    ms: float

    @property
    def share(self) -> tuple[float, float, float]:
        """Of the runs that are flagged, with its interval (90 %, Wilson)."""
        return (self.flagged / max(self.runs, 1), *wilson_interval(self.flagged, self.runs))


@dataclass(frozen=True)
class RunCommissioning:
    """Turn-on `rows`, `good` runs, `lineages` by scorer (the commissioned one first), the `files`, and the `widths` of
    the columns in words."""

    rows: tuple[RunTurnOn, ...]
    good: tuple[GoodRuns, ...]
    settings: RunCommissionSettings
    lineages: Mapping[str, Mapping[str, Any]]
    files: tuple[str, ...]
    widths: Mapping[str, str]
    messages: tuple[str, ...] = ()


def commission_runs(
    models: Mapping[str, FittedRuns],
    files: Sequence[RunFile],
    settings: RunCommissionSettings | None = None,
    progress: Progress | None = None,
) -> RunCommissioning:
    """Commission the first of the models, beside the others, which get the very same runs.

    The good runs should be others than those learned from. Raises SettingsError for models of other columns or of
    histograms, SourceError where no run can be read or all are too short.
    """
    settings, tell = settings or RunCommissionSettings(), progress or (lambda what, share: None)
    first = next(iter(models.values()))
    _check(models, first)
    reader = RunReader(first.columns, first.book, MOST_EVENTS)
    tell("read good runs", 0.0)
    read = [(file, reader.read(file)) for file in files]
    runs = [run for _, run in read if not run.problem]
    messages = [run.problem for _, run in read if run.problem]
    if not runs:
        raise SourceError(f"none of the {len(files)} good runs can be read; the first: {messages[0]}")
    ground = GoodEvents.fit(first.columns, [(run.values, run.group) for run in runs], settings.seed)
    numbers = _numbers(runs, settings)
    rows: list[RunTurnOn] = []
    good: list[GoodRuns] = []
    for at, (name, model) in enumerate(models.items()):
        tell(f"{name}: good runs as they are", at / len(models))
        held = [file for file, run in read if not run.problem][:MOST_GOOD]
        good.append(_as_they_are(name, model, held, settings.false_alarms))
        for step, number in enumerate(numbers):
            share = (at + step / len(numbers)) / len(models)
            tell(f"{name}: runs of {number} events", share)
            outcomes, counted = _judge_all(name, model, _planted(ground, runs, number, settings), settings.false_alarms)
            good.append(counted)
            scores = np.array([outcome.score for outcome in outcomes.pop(("", 0.0))])
            for (kind, size), own in outcomes.items():
                rows.append(run_turn_on(Case(kind, size, float(number), name), own, scores, settings.false_alarms))
    tell("done", 1.0)
    lineages = {name: model.lineage for name, model in models.items()}
    paths = tuple(str(file.path or file.name) for file in files)
    return RunCommissioning(tuple(rows), tuple(good), settings, lineages, paths, _widths(ground), tuple(messages))


def _check(models: Mapping[str, FittedRuns], first: FittedRuns) -> None:
    """Refuse before anything long begins."""
    for name, model in models.items():
        if not model.columns.names:
            raise SettingsError(f"{name}: judges runs of histograms; changes can be planted into runs of events only")
        other = set(model.columns.names) - set(first.columns.names)
        if other or model.columns.group not in ("", first.columns.group):
            raise SettingsError(
                f"{name}: was fitted on other columns ({', '.join(model.columns.names)}); fit it on the same runs"
            )


def _numbers(runs: Sequence[Run], settings: RunCommissionSettings) -> list[int]:
    """Of events, that enough of the runs have; the median where all are too short."""
    lengths = np.array([len(run.values) for run in runs])
    numbers = [number for number in settings.events or EVENTS if (lengths >= number).mean() >= ENOUGH]
    middle = int(np.median(lengths))
    if not numbers and middle < FEWEST_EVENTS:
        raise SourceError(f"the good runs have {middle} events in the middle; commissioning needs {FEWEST_EVENTS}")
    return numbers or [middle]


def _file_of(columns: EventColumns, name: str, values: Floats, group: Array) -> RunFile:
    events: Events = dict(zip(columns.names, values.T, strict=True))
    if columns.group:
        events[columns.group] = group
    return RunFile(name, lambda: iter([events]))


def _planted(
    ground: GoodEvents, runs: Sequence[Run], number: int, settings: RunCommissionSettings
) -> Iterator[tuple[tuple[str, float], RunFile, RunTruth]]:
    """Good runs of so many events (kind ''), then all kinds and sizes; the same for every scorer."""
    rng = np.random.default_rng((settings.seed, number))
    long = [run for run in runs if len(run.values) >= number] or list(runs)
    cases = [("", 0.0)] * GOOD_RUNS
    cases += [(kind, float(size)) for kind, sizes in settings.faults.items() for size in sizes] * settings.per_case
    for at, (kind, size) in enumerate(cases):
        run = long[at % len(long)]
        chosen = rng.permutation(len(run.values))[:number]
        values, group, truth = run.values[chosen], run.group[chosen], RunTruth()
        if kind:
            values, group, truth = plant(kind, size, ground, (values, group), rng)
        yield (kind, size), _file_of(ground.columns, f"{kind}{at}", values, group), truth


def _judge_all(
    name: str, model: FittedRuns, runs: Iterator[tuple[tuple[str, float], RunFile, RunTruth]], false_alarms: float
) -> tuple[dict[tuple[str, float], list[RunOutcome]], GoodRuns]:
    """Outcomes of each kind and size, and what was said of the good ones."""
    found: dict[tuple[str, float], list[RunOutcome]] = defaultdict(list)
    events, good_s = [], 0.0
    for case, file, truth in runs:
        begun = time.process_time()
        run = model.reader.read(file)
        judged = model.judge(run)
        if not case[0]:
            good_s += time.process_time() - begun
            events.append(run.events)
        found[case].append(RunOutcome(judged.score, judged.p_value, judged.chief, truth))
    good = found["", 0.0]
    counted = _count(name, float(np.median(events)), good, false_alarms)
    return found, replace(counted, ms=1e3 * good_s / max(len(good), 1))


def _count(name: str, events: float, good: Sequence[RunOutcome], false_alarms: float) -> GoodRuns:
    p_values = np.array([outcome.p_value for outcome in good])
    flagged, unjudged = int((p_values < false_alarms).sum()), int(np.isnan(p_values).sum())
    return GoodRuns(name, events, len(good) - unjudged, flagged, 0, unjudged, 0.0)


def _as_they_are(name: str, model: FittedRuns, read: Sequence[RunFile], false_alarms: float) -> GoodRuns:
    learned = set(model.lineage.get("files", ()))
    seen = sum(str(file.path) in learned for file in read)
    _, counted = _judge_all(name, model, ((("", 0.0), file, RunTruth()) for file in read), false_alarms)
    return replace(counted, events=0.0, seen=seen)


def _widths(ground: GoodEvents) -> dict[str, str]:
    """Of each column, in words."""
    scale = ground.columns.scale
    return {
        name: f"a factor {10**width:.3g}" if log else f"{width:.3g}"
        for name, width, log in zip(ground.columns.names, ground.width, scale.log, strict=True)
    }
