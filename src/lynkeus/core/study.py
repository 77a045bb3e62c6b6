"""Study: one question to data, with everything that is needed to ask it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lynkeus.core.batch import Array, Batch, Floats
from lynkeus.core.errors import SettingsError
from lynkeus.core.protocols import Scorer, Source


@dataclass(frozen=True)
class Check:
    """One number that a run must reach: `metric` is a key of the run's metrics, `at_least` or `at_most` its bound."""

    metric: str
    at_least: float | None = None
    at_most: float | None = None

    def holds(self, value: float) -> bool:
        """Return whether the value is within the bounds; NaN never is."""
        low = self.at_least is None or value >= self.at_least
        high = self.at_most is None or value <= self.at_most
        return bool(value == value and low and high)


@dataclass(frozen=True)
class Study:
    """`name, question, train, reference, test (Sources), scorers, budget, checks`.

    `scorers`: names as on the command line with their options; the first is the one that is recommended and checked.
    `reference`: what false alarms are calibrated on (None: the training data, without its own incidents). `window`:
    rows per sample (0: single rows). `faults`: what is planted into `test`, kind -> sizes, each `per_case` times.
    `data` says in words what the sources are.
    """

    name: str
    question: str
    train: Source
    test: Source
    scorers: Mapping[str, Mapping[str, Any]]
    faults: Mapping[str, Sequence[float]]
    reference: Source | None = None
    window: int = 0
    budget_per_hour: float = 1.0
    per_case: int = 60
    checks: tuple[Check, ...] = ()
    data: str = ""

    def __post_init__(self) -> None:
        if not self.scorers:
            raise SettingsError(f"the study {self.name!r} names no scorer")
        if not self.budget_per_hour > 0:
            raise SettingsError(f"the study {self.name!r} needs a positive alarm budget")


@dataclass(frozen=True)
class Case:
    """One set of labelled samples: truth 0 is normal, else a class.

    A scorer that uses labels sees those of `train`; the others learn from its samples of truth 0, or without one.
    """

    train: Source
    test: Source


@dataclass(frozen=True)
class Outcome:
    """What a scorer (None: a baseline) made of the samples `test` of a case: `scores` (n, outputs), of which the first
    one counts; `kinds` (n,) of fault, '' where it looks good, by scorers that name them; seconds of processor time."""

    name: str
    scorer: Scorer | None
    test: Batch
    scores: Floats
    kinds: Array | None = None
    fit_s: float = 0.0
    score_s: float = 0.0


@dataclass(frozen=True)
class Findings:
    """What a study adds to a case by itself: files that were written -> their captions, further metrics, and `tables`:
    title -> lines of cells, the first of which is the head."""

    figures: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)


Baseline = Callable[[Floats, Floats], Floats]  # good training samples (n, ...), test samples (m, ...) -> scores (m,)


@dataclass(frozen=True)
class Part:
    """The same scorers on one case or several, over which is averaged.

    `cases` by name. `scorers`: as in Study; where one comes twice, a word tells them apart ("deep_sad few"). `classes`:
    names of truth 0 (normal), 1, ... `baselines`: what is so simple that a scorer must beat it. `groups`: name in
    `meta` of samples that are not independent, drawn together for the intervals. `look`: called after each case with
    its name, the outcomes and a folder for figures.
    """

    cases: Mapping[str, Case]
    scorers: Mapping[str, Mapping[str, Any]]
    classes: tuple[str, ...] = ("normal", "anomalous")
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    groups: str = ""
    look: Callable[[str, Sequence[Outcome], Path], Findings] | None = None
    data: str = ""


@dataclass(frozen=True)
class Comparison:
    """A study on labelled samples: scorers side by side, in `parts` by name that each have a table of their own.

    Metrics are called part.case.scorer.statistic, with the case "mean" over all cases of a part. `together`: what a
    look has seen of a case it shows with the next, so that one process does all of them.
    """

    name: str
    question: str
    parts: Mapping[str, Part]
    checks: tuple[Check, ...] = ()
    together: bool = False

    def __post_init__(self) -> None:
        empty = [name for name, part in self.parts.items() if not part.cases or not part.scorers]
        if empty or not self.parts:
            raise SettingsError(f"the comparison {self.name!r} has no case or no scorer in {empty or 'any part'}")


Figures = Mapping[str, Mapping[str, float]]  # by row (a method), then by column


@dataclass(frozen=True)
class Repeated:
    """A study of which everything is drawn, learned and measured anew for every one of its `seeds`.

    `measure` gives for a seed the figures of each part (a table of the page) by name; `notes`: what is said above the
    table of a part. Metrics are called part.row.column, the mean over seeds, with .low and .high, its 90 % interval.
    """

    name: str
    question: str
    measure: Callable[[int], Mapping[str, Figures]]
    seeds: tuple[int, ...] = (1, 2, 3)
    checks: tuple[Check, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    data: str = ""

    def __post_init__(self) -> None:
        if len(self.seeds) < 2:
            raise SettingsError(f"the study {self.name!r} has {len(self.seeds)} seeds; an interval needs two")


@dataclass(frozen=True)
class Inquiry:
    """A study whose `parts`, by name, each find an answer by themselves, given a folder for figures: for questions that
    are not of labelled samples. `data` says in words what each part has looked at.

    Metrics are called part.name.
    """

    name: str
    question: str
    parts: Mapping[str, Callable[[Path], Findings]]
    checks: tuple[Check, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.parts:
            raise SettingsError(f"the study {self.name!r} has no part")


@dataclass(frozen=True)
class Against:
    """One question to taggers: jets of the class `signal` against those of `background`, at signal `efficiencies`, and
    at working points that let such shares of the background pass (`passing`).

    What is cut on is P(signal) / (P(signal) + P(background)): probabilities of other classes do not matter.
    """

    signal: str
    background: tuple[str, ...]
    efficiencies: tuple[float, ...] = (0.3, 0.5, 0.7, 0.8)
    passing: tuple[float, ...] = ()


@dataclass(frozen=True)
class Tagged:
    """What a tagger (or a baseline: no models) made of the test jets in each of its trainings: `scores` by question,
    (trainings, n); the fitted `models`, processor seconds of a fit, jets a second."""

    name: str
    scores: Mapping[str, Floats]
    models: tuple[Any, ...] = ()
    fit_s: float = 0.0
    jets_per_s: float = 0.0


@dataclass(frozen=True)
class Tagging:
    """A study of taggers: each is trained once for every seed, on the same jets, and asked the same questions.

    `scorers`: names with their options, as in Part; `baselines`: test jets -> (n,), higher is more like the signal;
    `against` by name; `pairs`: (one, other) whose difference is given with its interval. `look`: called with the test
    jets, all results and a folder for figures. Metrics are called question.scorer.statistic and question.one over
    other.statistic.
    """

    name: str
    question: str
    train: Source
    test: Source
    scorers: Mapping[str, Mapping[str, Any]]
    against: Mapping[str, Against]
    baselines: Mapping[str, Callable[[Batch], Floats]] = field(default_factory=dict)
    pairs: tuple[tuple[str, str], ...] = ()
    seeds: tuple[int, ...] = (1, 2, 3)
    checks: tuple[Check, ...] = ()
    look: Callable[[Batch, Sequence[Tagged], Path], Findings] | None = None
    data: str = ""

    def __post_init__(self) -> None:
        known = {*self.scorers, *self.baselines}
        if not self.scorers or not self.against or not self.seeds:
            raise SettingsError(f"the study {self.name!r} needs a scorer, a question and a seed")
        unknown = {name for pair in self.pairs for name in pair} - known
        if unknown:
            raise SettingsError(f"the study {self.name!r} compares {sorted(unknown)}, which it does not have")
