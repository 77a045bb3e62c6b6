"""Samples that stand alone, as ground to plant in: pulses, rows of a table without times, images; in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from lynkeus.commission.judge import GOOD, Trial
from lynkeus.commission.plant.images import Blemishes
from lynkeus.commission.plant.planter import Anywhere, Kind, Planter
from lynkeus.commission.plant.signals import Signals
from lynkeus.commission.settings import CommissionSettings
from lynkeus.commission.turn_on import Case
from lynkeus.core import Array, Batch, SettingsError, Source, SourceError
from lynkeus.fitting.fitted import Fitted
from lynkeus.sources import files_of

MOST = {"image": 1000}  # good samples that are used, from the beginning
MOST_OTHERS = 20_000
HELD_NUMBERS, HELD = 20_000_000, 2000  # of good samples that faults are counted in, numbers and samples
HELD_IMAGES = 20
EVERY = 4  # of a scorer that follows its instrument one sample in so many is spoiled at a time: its neighbours are good
PER_CASE, BRIEF = {"image": 12}, {"image": 4}
USUAL, USUAL_BRIEF = 60, 15
PLANTED_INTO = ("table", "waveform", "image")


class Gathered(NamedTuple):
    """What one pass over good samples has seen: how many there are to use, in how many batches, some of them, what is
    left out in words."""

    samples: int
    batches: int
    held: Sequence[Array]
    start_ns: int
    end_ns: int
    messages: tuple[str, ...]


@dataclass(frozen=True)
class PlantedSamples:
    """Good samples as the first model sees them, and faults for them; the same for all models that see them so."""

    source: Source
    gathered: Gathered
    planter: Planter
    settings: CommissionSettings

    @classmethod
    def of(cls, fitted: Fitted, source: Source, settings: CommissionSettings) -> Self:
        """Look at the samples once. Raises SettingsError for a kind of sample that nothing can be planted into."""
        prepared = fitted.prepare(source)
        kind = prepared.schema.kind
        if kind not in PLANTED_INTO:
            raise SettingsError(
                f"nothing can be planted into {kind} samples; give data of which some are known to be faulty, and name "
                "their labels by --labels"
            )
        gathered = gather(prepared)
        planter: Planter = (
            Blemishes.fit(gathered.held) if kind == "image" else Signals.fit(prepared.schema, np.stack(gathered.held))
        )
        return cls(prepared, gathered, planter, settings)

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """Return what is planted."""
        return self.planter.kinds

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """Every kind and size."""
        what = {"image": "images", "table": "rows that stand alone", "waveform": "pulses"}[self.source.schema.kind]
        return tuple(Case(kind, size, 0.0) for kind, size in self.settings.cases(self.kinds, what))

    @property
    def per_case(self) -> int:
        """How often each is planted."""
        kind = self.source.schema.kind
        return self.settings.count(PER_CASE.get(kind, USUAL), BRIEF.get(kind, USUAL_BRIEF))

    @cached_property
    def plan(self) -> list[list[int]]:
        """For each good sample, which cases are planted into it: all equally often, spread over the samples."""
        rng = np.random.default_rng(self.settings.seed)
        wanted = self.per_case * len(self.cases)
        rounds = -(-wanted // self.gathered.samples)
        places = np.concatenate([rng.permutation(self.gathered.samples) for _ in range(rounds)])[:wanted]
        found: list[list[int]] = [[] for _ in range(self.gathered.samples)]
        for place, number in zip(places.tolist(), np.arange(wanted) % len(self.cases), strict=True):
            found[place].append(int(number))
        return found

    def seen(self, fitted: Fitted) -> int:
        """Return all of the good samples where the model was fitted on the same files, else 0."""
        own = {str(path.absolute()) for path in files_of(self.source)}
        data = fitted.lineage.get("data")
        parts = data if isinstance(data, list) else [data] if isinstance(data, dict) else []
        learned = {str(Path(str(one.get("path"))).absolute()) for one in parts}
        return self.gathered.samples if own & learned else 0

    @property
    def parts(self) -> int:
        """In how many parts they are judged: batches."""
        return self.gathered.batches

    def pieces(self, fitted: Fitted, whole: bool) -> Iterator[Callable[[], Iterable[Trial]]]:
        """Yield for each batch copies with faults, then the batch itself."""
        first = 0
        for batch in capped(self.source, self.gathered.samples):
            yield partial(self._of_batch, batch, first, whole)
            first += len(batch)

    def _of_batch(self, batch: Batch, first: int, whole: bool) -> Iterator[Trial]:
        depth = max((len(self.plan[first + row]) for row in range(len(batch))), default=0)
        for level in range(depth):
            rows = np.array([row for row in range(len(batch)) if len(self.plan[first + row]) > level])
            for part in range(EVERY if whole else 1):
                own = rows[rows % EVERY == part] if whole else rows
                if len(own):
                    yield self._planted(batch, own, first, level, whole)
        yield Trial(batch, np.arange(len(batch)), [GOOD] * len(batch), [Anywhere()] * len(batch), moves=True)

    def _planted(self, batch: Batch, rows: Array, first: int, level: int, whole: bool) -> Trial:
        cases = [self.cases[self.plan[first + row][level]] for row in rows.tolist()]
        made, truths = [], []
        for row, case in zip(rows.tolist(), cases, strict=True):
            rng = np.random.default_rng([self.settings.seed, first + row, level])
            values, truth = self.planter.plant(batch.values[row], case.fault, case.size, rng)
            made.append(values)
            truths.append(truth)
        new = np.stack(made)
        if not whole:
            return Trial(batch[rows].with_values(new), np.arange(len(rows)), cases, truths)
        values = batch.values.astype(new.dtype)
        values[rows] = new
        return Trial(batch.with_values(values), rows, cases, truths)


def same_view(first: Source, other: Source, name: str) -> None:
    """Raise SettingsError where another model does not see samples as the first one does."""
    differs = first.schema.difference(other.schema)
    if differs:
        raise SettingsError(
            f"{name}: sees these data in another way than the first model ({differs}); fit it on the same"
        )


def capped(source: Source, most: int) -> Iterator[Batch]:
    """Yield the batches of the first samples that are not labelled as faulty."""
    left = most
    for batch in map(good_of, source):
        if left <= 0:
            return
        if len(batch):
            yield batch if len(batch) <= left else batch[:left]
        left -= len(batch)


def good_of(batch: Batch) -> Batch:
    """Return the samples that are not labelled as faulty."""
    return batch if batch.truth is None or not batch.truth.any() else batch[batch.truth == 0]


def gather(source: Source) -> Gathered:
    """Look at good samples once, at most as many as are used. Raises SourceError where there are too few."""
    kind = source.schema.kind
    most = MOST.get(kind, MOST_OTHERS)
    held: list[Array] = []
    step, count, batches, faulty, span, more = 1, 0, 0, 0, [], False
    for whole in source:
        batch = good_of(whole)
        faulty += len(whole) - len(batch)
        more = count + len(batch) > most
        batch = batch[: most - count]
        if len(batch):
            held += list(batch.values[(-count) % step :: step])
            count, batches = count + len(batch), batches + 1
            span += [] if batch.time_ns is None else [int(batch.time_ns[0]), int(batch.time_ns[-1])]
        if more:
            break
        while len(held) > 1 and len(held) > _kept(kind, held[0].size):
            held, step = held[::2], 2 * step
    if count < 2:
        raise SourceError("the data give fewer than two samples to plant into: are they shorter than one window?")
    said = tuple(getattr(source, "messages", ()))
    said += (f"{faulty} samples are labelled as faulty and left out",) if faulty else ()
    said += (f"the first {count} samples are used, there are more",) if more else ()
    return Gathered(count, batches, held, span[0] if span else 0, span[-1] if span else 0, said)


def _kept(kind: str, numbers: int) -> int:
    return HELD_IMAGES if kind == "image" else min(HELD, max(HELD_NUMBERS // max(numbers, 1), 8))


def words_of(fitted: Fitted) -> str:
    """Return what the samples of a model are called."""
    if fitted.view.alone:
        return "runs"
    kind = "waveform" if fitted.view.window else fitted.view.schema.kind
    return {"image": "images", "waveform": "pulses", "table": "rows"}.get(kind, f"samples ({kind})")
