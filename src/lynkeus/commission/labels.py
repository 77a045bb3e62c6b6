"""Labelled data: the same report without planting, a row for each kind of label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from lynkeus.commission.judge import GOOD, Trial
from lynkeus.commission.plant.planter import Anywhere, InPixels, Kind, Truth
from lynkeus.commission.settings import CommissionSettings
from lynkeus.commission.turn_on import Case
from lynkeus.core import Array, Batch, SettingsError, Source, SourceError, about_of
from lynkeus.fitting.fitted import Fitted
from lynkeus.sources.images.masks import Mask, read_masks
from lynkeus.sources.runs.read import RunFolder
from lynkeus.sources.wrappers.wrapper import Wrapper

GOOD_WORDS = ("", "0", "good", "ok", "healthy", "normal", "none", "false")  # labels in words that say: nothing is wrong
SAYS = "labelled so in the data"
CHANGES = ("shifted", "gone", "new")  # what scorers of runs call what happened
FEWEST = 2  # good samples and faulty ones
NAMES = ("run", "file")  # in the meta of a batch: what a sample is called
KEYS, LABELS = ("file", "run", "name"), ("label", "fault", "truth")  # columns of a table of labels


class Named(Wrapper):
    """A source whose samples are labelled in words: `label_of` a name (of a file or a run), where it has one."""

    def __init__(self, source: Source, label_of: Callable[[str], str | None]) -> None:
        super().__init__(source)
        self.label_of = label_of

    def __iter__(self) -> Iterator[Batch]:
        left_out = 0
        for batch in self.source:
            key = next((name for name in NAMES if name in batch.meta), None)
            if key is None:
                raise SettingsError("these samples have no names (files, runs) that labels could be matched to")
            known = [self.label_of(str(name)) for name in batch.meta[key]]
            there = np.array([label is not None for label in known])
            left_out += int((~there).sum())
            if not there.any():
                continue
            words = np.array([label or "" for label in known], dtype=str)
            truth = np.array([int(word.lower() not in GOOD_WORDS) for word in words])
            batch = replace(batch, truth=truth, meta={**batch.meta, "label": words})
            yield batch if there.all() else batch[there]
        self.own_messages = [f"{left_out} samples have no label and are left out"] if left_out else []


def by_folder(name: str) -> str | None:
    """Return the name of the folder that an image lies in, as its label."""
    parent = Path(name).parent
    return None if parent == Path() else parent.parts[-1]


def by_table(labels: Mapping[str, str]) -> Callable[[str], str | None]:
    """Return labels by name, with the ending of the file or without."""
    bare = {Path(name).stem: label for name, label in labels.items()}
    return lambda name: labels.get(name, bare.get(Path(name).stem))


def read_labels(path: Path) -> dict[str, str]:
    """Return the labels of a CSV or Parquet table by name: a column `file` or `run`, and one `label`, `fault` or
    `truth`. Raises SourceError."""
    try:
        table = pq.read_table(path) if path.suffix.lower() == ".parquet" else pa_csv.read_csv(path)
    except (OSError, pa.ArrowException) as error:
        words = str(error).splitlines()[0]
        raise SourceError(f"{path}: is not a CSV or Parquet table of labels ({words}); mend it") from error
    key, label = (next((name for name in some if name in table.column_names), None) for some in (KEYS, LABELS))
    if key is None or label is None:
        there = table.column_names
        raise SourceError(
            f"{path}: needs a column {' or '.join(KEYS)} and one {', '.join(LABELS)}; it has {', '.join(there)}"
        )
    names, said = (["" if one is None else str(one) for one in table.column(name).to_pylist()] for name in (key, label))
    return dict(zip(names, said, strict=True))


@dataclass(frozen=True)
class LabelledSamples:
    """Samples of which some are labelled as faulty: how many of each kind of label there are (`counts`, "" good), what
    labels in numbers are called (`names`), names and sizes of `images` that have masks, how many batches (`parts`), and
    the kinds that a scorer may have `said`."""

    source: Source
    settings: CommissionSettings
    counts: Mapping[str, int]
    names: Mapping[int, str]
    images: Sequence[tuple[str, tuple[int, int]]] = ()
    messages: tuple[str, ...] = ()
    parts: int = 1
    said: tuple[str, ...] = CHANGES

    @classmethod
    def of(cls, fitted: Fitted, source: Source, settings: CommissionSettings) -> Self:
        """Count what is labelled, in one pass. Raises SettingsError where good or faulty samples are missing."""
        counts: Counter[str] = Counter()
        images: list[tuple[str, tuple[int, int]]] = []
        said = (*CHANGES, *fitted.scorer.outputs[1:])
        found = cls(source, settings, counts, names_of_labels(fitted), images, said=said)
        prepared = found.prepared(fitted)
        parts = 0
        for batch in prepared:
            parts += 1
            counts.update(kinds_of_labels(batch, found.names))
            if settings.masks is not None:
                images += _names_and_sizes(batch)
        found = replace(found, messages=tuple(getattr(prepared, "messages", ())), parts=parts)
        if not found.kinds or counts[""] < FEWEST:
            raise SettingsError(
                f"the labels name {counts['']} good samples and {sum(counts.values()) - counts['']} others; the report "
                f"needs {FEWEST} good ones and others: name them by --labels"
            )
        return found

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """Return one for each kind of label, the most frequent first."""
        ordered = sorted((name for name in self.counts if name), key=lambda name: (-self.counts[name], name))
        return {name: Kind(SAYS, change=name if name in self.said else "") for name in ordered}

    @property
    def total(self) -> int:
        """Of samples to judge."""
        return sum(self.counts.values())

    def prepared(self, fitted: Fitted) -> Source:
        """Return what a model reads, with the labels."""
        own, label_of = fitted.prepare(self.source), self.settings.label_of
        return own if label_of is None else Named(own, label_of)

    def seen(self, fitted: Fitted) -> int:
        """Return 0: it is not known."""
        return 0

    def pieces(self, fitted: Fitted, whole: bool) -> Iterator[Callable[[], Iterable[Trial]]]:
        """Yield for each batch the faulty ones, then the good ones."""
        masks = self._masks()
        for batch in self.prepared(fitted):
            labels = np.array(kinds_of_labels(batch, self.names), dtype=object)
            yield partial(_of_batch, batch, labels, [self._truth(str(label), masks) for label in labels], whole)

    def _masks(self) -> Iterator[Mask] | None:
        """The mask of each image, in their order; read as they are asked for."""
        if self.settings.masks is None:
            return None
        return read_masks(self.settings.masks, [name for name, _ in self.images], [size for _, size in self.images])

    def _truth(self, label: str, masks: Iterator[Mask] | None) -> Truth:
        change = self.kinds[label].change if label else ""
        return Anywhere(change) if masks is None else InPixels(next(masks), change)


def _of_batch(batch: Batch, labels: Array, truths: Sequence[Truth], whole: bool) -> Iterator[Trial]:
    faulty, good = np.flatnonzero(labels != ""), np.flatnonzero(labels == "")
    for rows in (faulty, good):
        if len(rows):
            cases = [Case(label, 1.0, 0.0) if label else GOOD for label in labels[rows]]
            own = [truths[row] for row in rows.tolist()]
            if whole:
                yield Trial(batch, rows, cases, own, moves=rows is good or not len(good))
            else:
                yield Trial(batch[rows], np.arange(len(rows)), cases, own)


def _names_and_sizes(batch: Batch) -> list[tuple[str, tuple[int, int]]]:
    if "file" not in batch.meta or batch.schema.kind != "image":
        raise SettingsError("--masks: these samples are no images of a folder, so masks cannot be matched to them")
    size = (int(batch.values.shape[2]), int(batch.values.shape[3]))
    return [(str(file), size) for file in batch.meta["file"]]


def names_of_labels(fitted: Fitted) -> dict[int, str]:
    """Return what a scorer that learned classes calls the labels 1, 2, ...; no other knows."""
    outputs = fitted.scorer.outputs
    if about_of(fitted.scorer).labels != "classes":
        return {}
    return dict(enumerate(outputs[1:], start=1))


def kinds_of_labels(batch: Batch, names: Mapping[int, str]) -> list[str]:
    """Return (n,) the kind of label of each sample, "" where it is good: in words where the data have them."""
    truth = np.zeros(len(batch), int) if batch.truth is None else batch.truth
    words = next((batch.meta[key] for key in ("label", "fault") if key in batch.meta), None)
    found = []
    for row, number in enumerate(truth.tolist()):
        word = "" if words is None else str(words[row])
        said = word if word.lower() not in (*GOOD_WORDS, "1", "defect") else ""
        found.append("" if not number else said or names.get(number, word if word == "defect" else f"label {number}"))
    return found


def has_labels(source: Source) -> bool:
    """Return whether any sample is labelled as faulty; one pass over the data where they have labels at all."""
    if isinstance(source, RunFolder):
        return False
    for batch in source:
        if batch.truth is None:
            return False
        if batch.truth.any():
            return True
    return False


def label_kinds(numbers: Sequence[int], names: Mapping[int, str]) -> dict[str, Kind]:
    """Return the kinds of labels of a stream, which has numbers only."""
    return {names.get(number, f"label {number}"): Kind(SAYS) for number in sorted(numbers)}
