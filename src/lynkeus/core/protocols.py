"""Source and Scorer: the two protocols that every file format, simulator, method and plug-in fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from lynkeus.core.batch import Array, Batch, Floats, Schema
from lynkeus.core.finding import Finding

Scores = npt.NDArray[np.float64]  # (n, outputs), higher = more like that output's name, NaN = not enough data
Evidence = npt.NDArray[np.floating[Any]]  # the shape of Batch.values: how much each number speaks for the alarm


@dataclass(frozen=True)
class About:
    """What a scorer is, in the attribute `about` of its class; `lynkeus list scorers` shows it.

    `kinds` of samples it reads, whether it is `learned` (a network is trained), what its explanation shows, the `cost`
    of a fit in words; which `labels` it uses: none, good or anomalous where there are any ("optional"), or
    needs ("known"), or many "classes", or "numbers", or answers to several
    questions, "heads"; `constants`: columns that never change in the reference
    are not set aside for it; `weights`: whether samples count by their weights in its fit; `scale`: "-log10 p" where
    its score is already the decimal logarithm of how rare a good sample scores this high, so that nothing has to be
    calibrated; `recommended` for its kind of data: `-s auto` keeps it where nothing else is better beyond chance;
    `names_kinds`: it says which kind of fault it is, and its outputs after the first are for single kinds; `runs`: the
    samples that it reads are whole runs; `titles`: what pages call an output, where its name does not say that to
    people of every field; `answers`: which of its outputs answers for faults of one "channel" and which for those of
    "all channels" at once, where it tells them apart; `tags`: its outputs are the classes of the schema, and its scores
    their probabilities; `measures`: its outputs are numbers that are known of samples, and its scores estimates of
    them; `generates`: it has no outputs and makes samples.
    """

    kinds: tuple[str, ...]
    learned: bool
    explains: str
    cost: str
    labels: Literal["", "optional", "known", "classes", "numbers", "heads"] = ""
    constants: bool = False
    weights: bool = False
    scale: Literal["", "-log10 p"] = ""
    recommended: bool = False
    names_kinds: bool = False
    runs: bool = False
    titles: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    tags: bool = False
    measures: bool = False
    generates: bool = False

    @property
    def by_class(self) -> bool:
        """Return whether its scores are probabilities of classes."""
        return self.tags or self.labels == "heads"


@runtime_checkable
class Source(Protocol):
    """Anything that yields Batches of one Schema: a file, a stream, a simulator, a replay.

    Iterating again starts from the beginning, except for live streams. A source with a known length may have
    `__len__` (samples); progress bars use it.
    """

    @property
    def schema(self) -> Schema: ...

    def __iter__(self) -> Iterator[Batch]: ...


@runtime_checkable
class Scorer(Protocol):
    """Learns from a Source what is normal (or what is what), then gives each sample one number per output.

    No logic in `__init__`; learned names end in `_`. `score` refuses a schema it was not fitted on. `explain` says
    what speaks for one of the outputs, in the shape of `batch.values`. A model folder holds safetensors and JSON, never
    pickle.
    """

    @property
    def outputs(self) -> tuple[str, ...]: ...

    def fit(self, source: Source) -> Self: ...

    def score(self, batch: Batch) -> Scores: ...

    def explain(self, batch: Batch, output: str) -> Evidence: ...

    def save(self, folder: Path) -> None: ...

    @classmethod
    def load(cls, folder: Path) -> Self: ...


@runtime_checkable
class Tracking(Protocol):
    """A Scorer that follows its instrument in time (a slowly moving baseline, the last windows).

    `score`, `explain` and `find` depend on what was learned and on the state, and leave both alone; `update`
    moves the state past a batch that was scored. Samples come in time order. `state` and `resume` carry the
    state over a restart: after `resume(state())` a freshly loaded scorer goes on as if it had never stopped;
    `resume({})` starts afresh, as at the beginning of a new file.
    """

    def update(self, batch: Batch) -> None: ...

    def state(self) -> dict[str, Array]: ...

    def resume(self, state: dict[str, Array]) -> None: ...


@runtime_checkable
class Finds(Protocol):
    """A Scorer that says more of a sample than a number: where, which kind of fault, how sure, and in words.

    `find` gives what it found in each sample of a batch on one output, the most conspicuous first, nothing where all
    looks well. What `score` has just computed for the same batch need not be computed again: see `LastBatch`.
    """

    def find(self, batch: Batch, output: str) -> list[tuple[Finding, ...]]: ...


class Unseen(NamedTuple):
    """What a scorer says of good samples that it learned from: (n, outputs) `scores` as if it had not seen them, NaN
    where it has none; (n, outputs) `left_out`: the channel, or in a word why, where a sample is no good data, else
    ''."""

    scores: Scores
    left_out: npt.NDArray[np.str_]


@runtime_checkable
class Refers(Protocol):
    """A Scorer that knows how it would score the data that it learned from if it had not seen them, and which of them
    are no good data; those are left out of the calibration. Its fit must be robust against them by itself."""

    def unseen(self, batch: Batch) -> Unseen: ...


@runtime_checkable
class JudgesPlots(Protocol):
    """A Scorer of runs that says how conspicuous each plot is, (n, plots) in sigmas of good runs, NaN where it does not
    judge one: its score is that of the worst, and so is what is said of the run."""

    def plot_sigma(self, batch: Batch) -> Floats: ...


@runtime_checkable
class Tags(Protocol):
    """A Scorer whose outputs are classes, of which each sample is one, and whose scores are their probabilities.

    `fit` learns from the truth of samples, by the numbers of the classes of the schema; `calibrate` then makes the
    probabilities those of samples that it has not learned from.
    """

    def calibrate(self, source: Source) -> None: ...


@runtime_checkable
class Measures(Protocol):
    """A Scorer whose outputs are numbers, such as a density, and whose scores are its estimates of them.

    `targets`: names of what `fit` learns, columns of the meta of its samples. `calibrate` then makes `spread`, (n,
    outputs) half a 68 % interval around each estimate, that of samples that it has not learned from.
    """

    targets: tuple[str, ...]

    def calibrate(self, source: Source) -> None: ...

    def spread(self, batch: Batch) -> Floats: ...


@runtime_checkable
class Generates(Protocol):
    """A Scorer without outputs that makes samples like those it has seen, in the order of a `seed`.

    `targets`: numbers of the samples that it can be asked for, by `conditions`. `generate` raises SettingsError for one
    that it has not seen the like of, but for `extrapolate`.
    """

    targets: tuple[str, ...]

    def generate(self, count: int, seed: int, conditions: Mapping[str, float], extrapolate: bool = False) -> Batch: ...


@runtime_checkable
class Refines(Protocol):
    """A Scorer without outputs that makes fine images of coarse ones, which do not say all of them.

    `refine` gives one of those that fit, by its `seed` ("sample"), their "mean", or half of the 68 % interval around it
    ("spread"); `pair` the coarse images of fine ones, and these, cut to fit; `compare` says how near to fine ones it
    comes.
    """

    def refine(self, low: Batch, seed: int = 0, give: str = "sample") -> Batch: ...

    def pair(self, images: Array) -> tuple[Batch, Array]: ...

    def compare(self, images: Sequence[Array]) -> list[str]: ...


@runtime_checkable
class Heads(Protocol):
    """A Scorer that answers questions of each sample, each by one of several classes.

    `heads`: the classes of each question. Its outputs are the probabilities of all of them, one question after the
    other. `fit` learns from a source that numbers the answers (`Answered`), -1 where one is not known; `unseen_answers`
    are the (n, outputs) probabilities that samples were given by scorers that had not seen them, and their (n, heads)
    answers.
    """

    @property
    def heads(self) -> Mapping[str, tuple[str, ...]]: ...

    def unseen_answers(self) -> tuple[Scores, Array]: ...


@runtime_checkable
class Describes(Protocol):
    """A Scorer that says more of each sample than its outputs: further columns (n,) of the table of scores, by name."""

    def further(self, batch: Batch) -> dict[str, Array]: ...


@runtime_checkable
class Compares(Protocol):
    """A Scorer that remembers what it learned from: of each sample those that are most `similar`, the nearest first,
    as words (`task`, `answer`) and a `likeness` from 0 to 1."""

    def similar(self, batch: Batch, many: int = 5) -> list[list[dict[str, Any]]]: ...


@runtime_checkable
class Exports(Protocol):
    """A Scorer that can be written as a file for other programs (ONNX), with `model`: what its model folder says.

    `export` returns the largest difference of the scores of the file, relative to their size.
    """

    def export(self, path: Path, model: Mapping[str, Any]) -> float: ...


@runtime_checkable
class Watches(Protocol):
    """A Scorer that speaks of some of its channels only: `watches` names them; the others are what it knows the causes
    by."""

    @property
    def watches(self) -> tuple[str, ...]: ...


def about_of(scorer: object) -> About:
    """Return what a scorer says of itself; a plug-in may leave that out."""
    return getattr(scorer, "about", About(("table", "waveform"), False, "", ""))
