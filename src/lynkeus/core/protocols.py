"""Source and Scorer: the two protocols that every file format, simulator, method and plug-in fits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from lynkeus.core.batch import Array, Batch, Floats, Schema

Scores = npt.NDArray[np.float64]  # (n, outputs), higher = more like that output's name, NaN = not enough data
Evidence = npt.NDArray[np.floating[Any]]  # the shape of Batch.values: how much each number speaks for the alarm


@dataclass(frozen=True)
class About:
    """What a scorer is, in the attribute `about` of its class; `lynkeus list scorers` shows it.

    `kinds` of samples it reads, whether it is `learned` (a network is trained), what its explanation shows, the `cost`
    of a fit in words; which `labels` it uses: none, good or anomalous where there are any ("optional"), or
    needs ("known"), or many "classes"; `constants`: columns that never change in the reference
    are not set aside for it; `weights`: whether samples count by their weights in its fit.
    """

    kinds: tuple[str, ...]
    learned: bool
    explains: str
    cost: str
    labels: Literal["", "optional", "known", "classes"] = ""
    constants: bool = False
    weights: bool = False


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

    No logic in `__init__`; learned names end in `_`. `score` refuses a schema it was not fitted on. `explain`
    has the shape of `batch.values`. A model folder holds safetensors and JSON, never pickle.
    """

    @property
    def outputs(self) -> tuple[str, ...]: ...

    def fit(self, source: Source) -> Self: ...

    def score(self, batch: Batch) -> Scores: ...

    def explain(self, batch: Batch) -> Evidence: ...

    def save(self, folder: Path) -> None: ...

    @classmethod
    def load(cls, folder: Path) -> Self: ...


@runtime_checkable
class Tracking(Protocol):
    """A Scorer that follows its instrument in time (a slowly moving baseline, the last windows).

    `score`, `explain` and `locate` depend on what was learned and on the state, and leave both alone; `update`
    moves the state past a batch that was scored. Samples come in time order. `state` and `resume` carry the
    state over a restart: after `resume(state())` a freshly loaded scorer goes on as if it had never stopped;
    `resume({})` starts afresh, as at the beginning of a new file.
    """

    def update(self, batch: Batch) -> None: ...

    def state(self) -> dict[str, Array]: ...

    def resume(self, state: dict[str, Array]) -> None: ...


@runtime_checkable
class Locating(Protocol):
    """A Scorer that names the place itself: (n, outputs) channel names, '' where it has none."""

    def locate(self, batch: Batch) -> npt.NDArray[np.str_]: ...


@runtime_checkable
class Telling(Protocol):
    """A Scorer that says in half a sentence what is wrong with one sample, and where."""

    def tell(self, batch: Batch, row: int, output: str) -> str: ...


@runtime_checkable
class Suspecting(Protocol):
    """A Scorer that knows what cannot be noise, whatever the reference holds: (n, outputs) channel names, '' where all
    may be well.

    Such windows are left out of the calibration. Its fit must be robust against them by itself.
    """

    def suspects(self, batch: Batch) -> npt.NDArray[np.str_]: ...


class Spot(NamedTuple):
    """A conspicuous place of an image: pixels to the right and down from its upper left, height in sigmas, area in
    pixels."""

    x: float
    y: float
    sigma: float
    area: float


class GoodPatch(NamedTuple):
    """A place of a good image, in pixels of the `file` ("": not known), and how far it is from what it is compared
    with."""

    file: str
    x: float
    y: float
    distance: float


class Inspected(NamedTuple):
    """An image as an Inspecting scorer sees it: `map` (row, column) float32 of its size, in sigmas of good images;
    `alike`: the good patches most like each of the spots, nearest first, by scorers that know them."""

    score: float
    map: Floats
    spots: tuple[Spot, ...]
    alike: tuple[tuple[GoodPatch, ...], ...] = ()


@runtime_checkable
class Inspecting(Protocol):
    """A Scorer of images that says where: score, map and spots of each image of a batch."""

    def inspect(self, batch: Batch) -> list[Inspected]: ...


@runtime_checkable
class CrossFitted(Protocol):
    """A Scorer that knows (n, outputs) scores of what it learned from, each by parts of it that have not seen it.

    Its calibration is made from these: what it was trained on it knows too well.
    """

    def held_out_scores(self) -> Scores: ...


@runtime_checkable
class Classifying(Protocol):
    """A Scorer that names the kind of fault: (n,) names, '' where a sample looks good."""

    def classify(self, batch: Batch) -> npt.NDArray[np.str_]: ...
