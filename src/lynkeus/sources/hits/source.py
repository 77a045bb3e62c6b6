"""HitSource: hits of one file or of many, each event whole in a batch, with what their labels say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Array, Batch, Schema
from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.hits.columns import TRUTH, Columns, read_columns
from lynkeus.sources.hits.names import bare, is_answer, is_number_of, means_signal, roles_of

BATCH = 50_000  # hits in a batch, about: events stay whole


class Chosen(NamedTuple):
    """`values`: the columns that hits are judged by, `meta`: those that say what and where they are, by name;
    `left_out`: others; `schema` where the file says itself what it holds."""

    values: dict[str, Array]
    meta: dict[str, Array]
    left_out: list[str]
    schema: Schema | None = None


class HitSource:
    """Hits from `paths`; the column `labels` says which are of a track.

    A number for each hit is a column, an array for each as many as it has cells, called `adc[pad,time]`. What says
    whether a hit is of a track, which event it is of and what it is called is meta, and never judged by. `expected`:
    the schema that a model reads. Raises SourceError where a file lacks one of its columns, or is damaged.
    """

    def __init__(self, paths: list[Path], labels: str = "", expected: Schema | None = None) -> None:
        self.files = tuple(paths)
        self.labels = labels
        self.messages: list[str] = []
        self.expected = expected
        self._held = (0, self._read(0))
        chosen = self._held[1]
        self.schema = expected or chosen.schema or Schema("hit", tuple(chosen.values), (), (len(chosen.values),))
        if chosen.left_out:
            self.messages.append(f"{paths[0]}: not judged by, as they are no numbers: {listed(chosen.left_out)}")
        aside = [name for name in chosen.meta if name != labels]
        if aside and expected is None:
            self.messages.append(f"{paths[0]}: not judged by, as they say what a hit is or count it: {listed(aside)}")
        self._lengths: dict[int, int] = {0: len(next(iter(chosen.values.values())))}

    def __len__(self) -> int:
        """Return the number of hits of all files that have been read so far, and of the others as many as the first."""
        return sum(self._lengths.get(k, self._lengths[0]) for k in range(len(self.files)))

    def __iter__(self) -> Iterator[Batch]:
        names, first = self.schema.names, 0
        for number, path in enumerate(self.files):
            chosen = self._chosen(number)
            lacking = [name for name in names if name not in chosen.values]
            if lacking:
                raise SourceError(f"{path}: has no {listed(lacking)}, which the other hits have; it holds "
                                  f"{listed(list(chosen.values))}")  # fmt: skip
            values = np.stack([chosen.values[name] for name in names], axis=1).astype(np.float32, copy=False)
            self._lengths[number] = len(values)
            meta = dict(chosen.meta)
            truth = meta.pop(TRUTH, None) if self.labels != TRUTH else meta.get(TRUTH)
            meta["position"] = first + np.arange(len(values))
            first += len(values)
            whole = Batch(self.schema, values, truth=_as_truth(truth), meta=meta)
            yield from self._cut(whole)

    def _chosen(self, number: int) -> Chosen:
        if self._held[0] != number:
            self._held = (number, self._read(number))
        return self._held[1]

    def _read(self, number: int) -> Chosen:
        path = self.files[number]
        read = read_columns(path)
        if read.schema is not None and read.schema.kind != "hit":
            raise SourceError(f"{path}: holds a {read.schema.kind} by its own schema, and no hits")
        own = self.expected or read.schema
        chosen = choose(read.columns, self.labels, own)._replace(schema=read.schema)
        if not chosen.values:
            raise SourceError(f"{path}: holds no column of numbers by which hits could be judged")
        rows = len(next(iter(chosen.values.values())))
        lacking = [name for name in (self.expected.names if self.expected else ()) if name not in chosen.values]
        if lacking:
            raise SourceError(f"{path}: has no {listed(lacking)}, which the model was fitted on; it holds "
                              f"{listed(list(chosen.values))}")  # fmt: skip
        assert rows
        return chosen

    def _cut(self, batch: Batch) -> Iterator[Batch]:
        """Batches in which each event is whole; all of a file where its events are mixed."""
        name = roles_of([*batch.meta, *self.schema.names]).event
        if not name or len(batch) <= BATCH:
            yield batch
            return
        event = batch.meta[name] if name in batch.meta else batch.values[:, self.schema.names.index(name)]
        changes = np.flatnonzero(event[1:] != event[:-1]) + 1
        if len(changes) + 1 > len(np.unique(event)):
            yield batch  # of mixed events one cannot be cut off
            return
        wanted = np.arange(BATCH, len(batch), BATCH)
        at = changes[np.minimum(np.searchsorted(changes, wanted), len(changes) - 1)] if len(changes) else wanted[:0]
        ends = [0, *np.unique(at).tolist(), len(batch)]
        for low, high in pairwise(ends):
            yield batch[low:high]


def choose(columns: Columns, labels: str, expected: Schema | None) -> Chosen:
    """Return what each column is for. `expected`: the schema of the file or of a model, which says what is a value."""
    known = set(expected.names) if expected else set()
    chosen = Chosen({}, {}, [])
    for name, column in columns.items():
        cells = {name: column} if column.ndim == 1 else _cells(name, column)
        if cells.keys() <= known:
            chosen.values.update(cells)
        elif column.ndim > 1:
            if column.dtype.kind in "iuf" and not is_answer(name) and expected is None:
                chosen.values.update(cells)
            continue
        elif column.dtype.kind not in "iuf":
            (chosen.meta.update(cells) if column.dtype.kind in "USO" else chosen.left_out.append(name))
        elif name == labels or is_answer(name) or is_number_of(name) or expected is not None:
            chosen.meta[name] = column
        else:
            chosen.values[name] = column
    return chosen


def _cells(name: str, column: Array) -> dict[str, Array]:
    """Return the cells of an array for each hit, by name: adc[pad,time], or adc[0,time] of one axis."""
    flat = column.reshape(len(column), -1, column.shape[-1]) if column.ndim > 2 else column[:, None, :]
    return {
        f"{name}[{pad},{time}]": flat[:, pad, time] for pad in range(flat.shape[1]) for time in range(flat.shape[2])
    }


def _as_truth(column: Array | None) -> Array | None:
    if column is None or column.dtype.kind not in "iuf" or not np.isfinite(column).all():
        return None
    whole = column.astype(np.int64)
    return whole if (whole == column).all() else None


class Labels(NamedTuple):
    """`noise` (n,): 1 where the labels say so, 0 of a track; `says`: how they were read."""

    noise: Array
    says: str


def read_labels(name: str, column: Array) -> Labels:
    """Return what a column of labels says: of numbers, of true and false, of tracks by number, or of words.

    Raises SourceError for one that says neither.
    """
    if column.dtype.kind in "USO":
        return _words(name, column)
    if not np.isfinite(column).all():
        lacking = int((~np.isfinite(column)).sum())
        raise SourceError(f"labels {name}: {lacking} hits have none (NaN); leave these out, or say 0 or 1 of them")
    found = np.unique(column)
    signal = means_signal(name)
    if set(found.tolist()) <= {0, 1}:
        noise = column == 0 if signal else column == 1
        means = "1 is of a track, 0 is noise" if signal else "1 is noise, 0 is of a track"
        return Labels(noise.astype(np.int64), f"labels {name}: {means}")
    if signal and (found == np.floor(found)).all() and bare(name) != "on_track":
        least = 0 if found[0] < 0 else 1
        return Labels(
            (column < least).astype(np.int64), f"labels {name}: number of a track from {least} on, else noise"
        )
    some = ", ".join(f"{one:g}" for one in found[:5])
    raise SourceError(f"labels {name}: must be 0 and 1, found {some}; write 1 for hits on a track, 0 for others")


def _words(name: str, column: Array) -> Labels:
    words = np.char.lower(np.char.strip(column.astype(str)))
    found: Mapping[str, bool] = {str(word): _is_noise(str(word)) for word in np.unique(words)}
    noise = np.isin(words, [word for word, own in found.items() if own])
    said = ", ".join(f"{word} is {'noise' if own else 'of a track'}" for word, own in list(found.items())[:6])
    return Labels(noise.astype(np.int64), f"labels {name}: {said}")


def _is_noise(word: str) -> bool:
    return word not in ("signal", "track", "on_track", "true", "yes", "1", "good", "hit", "keep", "primary", "real")
