"""Runs of events, as ground to plant in: so many events of a good run, with a change in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Self

import numpy as np

from lynkeus.commission.judge import GOOD, Trial
from lynkeus.commission.plant.good_events import GoodEvents, RunTruth
from lynkeus.commission.plant.planter import Anywhere, Kind, Truth
from lynkeus.commission.plant.runs import KINDS, plant
from lynkeus.commission.settings import CommissionSettings
from lynkeus.commission.turn_on import Case
from lynkeus.core import Array, Floats, SettingsError, SourceError
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.verdicts import view_of_runs
from lynkeus.sources.runs.events import Events
from lynkeus.sources.runs.folder import Run, RunFile, RunReader
from lynkeus.sources.runs.read import RunFolder
from lynkeus.transforms.event_columns import EventColumns

EVENTS = (200, 1000, 5000)  # in a run, as far as the good runs have as many
FEWEST_EVENTS = 20
ENOUGH = 0.5  # of the good runs must have so many events
GOOD_RUNS = 100  # of each number of events, drawn from the good runs
MOST_EVENTS = 20_000  # of each good run, to plant into
MOST_GOOD = 1000  # good runs that are judged as they are
PER_CASE, BRIEF = 20, 8
PART = 16  # runs that are judged at a time, by whichever process


@dataclass(frozen=True)
class PlantedRuns:
    """Good `runs` as read, and their `files`; what is planted into how many `events` of each; `messages` on runs that
    cannot be read."""

    files: Sequence[RunFile]
    runs: Sequence[Run]
    settings: CommissionSettings
    ground: GoodEvents
    events: Sequence[int]
    messages: tuple[str, ...]

    @classmethod
    def of(cls, fitted: Fitted, folder: RunFolder, settings: CommissionSettings) -> Self:
        """Read the good runs, which should be others than those learned from. Raises SettingsError for a model of
        histograms or a number of events that is too small, SourceError where no run can be read or all are short."""
        if any(number < FEWEST_EVENTS for number in settings.events):
            raise SettingsError(f"changes are planted into runs of {FEWEST_EVENTS} events or more")
        view = view_of_runs(fitted)
        if not view.columns.names:
            raise SettingsError(
                f"{fitted.name}: judges runs of histograms; changes can be planted into runs of events only; give runs "
                "of which some are known to be bad, and name their labels by --labels FILE.csv"
            )
        settings.cases(KINDS, "runs")
        reader = RunReader(view.columns, view.book, MOST_EVENTS)
        read = [(file, reader.read(file)) for file in folder.runs]
        good = [(file, run) for file, run in read if not run.problem]
        messages = tuple(run.problem for _, run in read if run.problem)
        if not good:
            raise SourceError(f"none of the {len(read)} good runs can be read; the first: {messages[0]}")
        runs = [run for _, run in good]
        ground = GoodEvents.fit(view.columns, [(run.values, run.group) for run in runs], settings.seed)
        return cls([file for file, _ in good], runs, settings, ground, _numbers(runs, settings), messages)

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """Return what is planted."""
        return KINDS

    @property
    def per_case(self) -> int:
        """How often each is planted, for each number of events."""
        return self.settings.count(PER_CASE, BRIEF)

    @cached_property
    def cases(self) -> tuple[tuple[str, float], ...]:
        """Every kind and size, as often as it is planted, after good runs."""
        every = self.settings.cases(KINDS, "runs")
        return (("", 0.0),) * GOOD_RUNS + every * self.per_case

    @property
    def total(self) -> int:
        """Of runs to judge."""
        return min(len(self.files), MOST_GOOD) + len(self.cases) * len(self.events)

    @property
    def notes(self) -> dict[str, str]:
        """Return the width of each column, in words."""
        scale = self.ground.columns.scale
        return {
            f"one width of {name}": f"a factor {10**width:.3g}" if log else f"{width:.3g}"
            for name, width, log in zip(self.ground.columns.names, self.ground.width, scale.log, strict=True)
        }

    def require(self, name: str, fitted: Fitted) -> None:
        """Raise SettingsError where another model was fitted on other columns."""
        wanted, columns = self.ground.columns, view_of_runs(fitted).columns
        if not columns.names or set(columns.names) - set(wanted.names) or columns.group not in ("", wanted.group):
            raise SettingsError(
                f"{name}: was fitted on other columns ({', '.join(columns.names)}); fit it on the same runs"
            )

    def seen(self, fitted: Fitted) -> int:
        """Return how many of the good runs were learned from."""
        learned = set(fitted.lineage.get("files", ()))
        return sum(str(file.path) in learned for file in self.files[:MOST_GOOD])

    @property
    def parts(self) -> int:
        """In how many parts they are judged."""
        return -(-self.total // PART)

    def pieces(self, fitted: Fitted, whole: bool) -> Iterator[Callable[[], Iterable[Trial]]]:
        """Yield the good runs as they are, then for each number of events good ones and all kinds and sizes."""
        for first in range(0, self.total, PART):
            yield partial(self._part, fitted, range(first, min(first + PART, self.total)))

    def _part(self, fitted: Fitted, numbers: range) -> Iterator[Trial]:
        """Runs by their number, each drawn by itself: whoever draws it gets the same, also for another model."""
        as_they_are = min(len(self.files), MOST_GOOD)
        for number in numbers:
            if number < as_they_are:
                yield _trial(fitted, self.files[number], GOOD, Anywhere())
            else:
                events, at = divmod(number - as_they_are, len(self.cases))
                case, file, truth = self._planted(self.events[events], at)
                yield _trial(fitted, file, case, truth)

    def _planted(self, number: int, at: int) -> tuple[Case, RunFile, Truth]:
        """Return a run of so many events: good ones first, then all kinds and sizes."""
        kind, size = self.cases[at]
        rng = np.random.default_rng((self.settings.seed, number, at))
        long = self._long(number)
        run = long[at % len(long)]
        chosen = rng.permutation(len(run.values))[:number]
        values, group, truth = run.values[chosen], run.group[chosen], RunTruth()
        if kind:
            values, group, truth = plant(kind, size, self.ground, (values, group), rng)
        return Case(kind, size, float(number)), _file_of(self.ground.columns, f"{kind}{at}", values, group), truth

    def _long(self, number: int) -> Sequence[Run]:
        """Return the runs that have so many events; all where none has."""
        return [run for run in self.runs if len(run.values) >= number] or self.runs


def _trial(fitted: Fitted, file: RunFile, case: Case, truth: Truth) -> Trial:
    (batch,) = fitted.prepare(RunFolder([file]))
    return Trial(batch, np.arange(1), [case], [truth])


def _numbers(runs: Sequence[Run], settings: CommissionSettings) -> list[int]:
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
