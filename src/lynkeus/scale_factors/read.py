"""From files to jets: scored here by a model, or tables that `lynkeus score` wrote, which are not scored again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.core import Batch, Floats, Source, SourceError
from lynkeus.fitting.fitted import Fitted
from lynkeus.scale_factors.jets import Jets
from lynkeus.scale_factors.template_values import physical, template_values
from lynkeus.sources import InMemory

PT, ETA, LABEL, WEIGHT = "jet_pt", "jet_eta", "label", "weight"
Open = Callable[[str], Source]


@dataclass(frozen=True)
class Read:
    """Jets of one sample: `jets`, whose flavours are numbers of `classes`; `labelled` and `weighted` say whether the
    sample had labels and weights."""

    jets: Jets
    classes: tuple[str, ...]
    labelled: bool
    weighted: bool


@dataclass(frozen=True)
class Reader:
    """Reads samples for one `output` of a model and one `template` variable. `open`: from a path or URL to a Source."""

    fitted: Fitted
    output: str
    template: str
    open: Open

    def __call__(self, path: str) -> Read:
        """Return the jets of a file, folder or URL. Raises SourceError naming what is not there."""
        found = (
            self._table(path)
            if is_scores(path, self.output)
            else scored(self.fitted, self.open(path), self.output, self.template, path)
        )
        if not len(found.jets):
            raise SourceError(f"{path}: there is not a single jet")
        return found

    def check(self, path: str) -> None:
        """Raise SourceError where something is lacking, before anything is scored."""
        if is_scores(path, self.output):
            self._table(path)
            return
        first = next(iter(self.open(path)), None)
        if first is not None:
            template_values(first, self.template, path)
            for name in (PT, ETA):
                _observer(first, name, path)

    def _table(self, path: str) -> Read:
        """Read a table of scores: the output, jet_pt, jet_eta, the template variable; label and weight if there."""
        table = pq.read_table(path)
        score, template, pt, eta = (_column(table, name, path) for name in (self.output, self.template, PT, ETA))
        words = np.array(table[LABEL].to_pylist(), str) if LABEL in table.column_names else np.full(len(score), "")
        classes = tuple(sorted(set(words.tolist()) - {""}))
        number = {name: k for k, name in enumerate(classes)}
        flavour = np.array([number.get(word, -1) for word in words], np.int64)
        template = physical(self.template, template)
        weight = _column(table, WEIGHT, path) if WEIGHT in table.column_names else None
        jets = Jets(score, template, pt, eta, flavour, weight, path)
        return Read(jets, classes, bool(classes), weight is not None)


def scored(fitted: Fitted, source: Source, output: str, template: str, name: str) -> Read:
    """Return the jets of a source, scored by an output of a model. Raises SourceError, for the data `name`, where there
    is no jet, or where its momentum, direction or template variable is not there."""
    parts = list(_parts(fitted, source, output, template, name))
    if not parts:
        raise SourceError(f"{name}: there is not a single jet")
    score, variable, pt, eta, flavour = (np.concatenate([part[k] for part in parts]) for k in range(5))
    weights = [part[5] for part in parts]
    weight = None if any(one is None for one in weights) else np.concatenate(weights)
    jets = Jets(score, variable, pt, eta, flavour, weight, name)
    return Read(jets, parts[0][6], bool((flavour >= 0).any()), weight is not None)


def _parts(fitted: Fitted, source: Source, output: str, template: str, name: str) -> Iterator[tuple[Any, ...]]:
    number = list(fitted.scorer.outputs).index(output)
    for batch in source:
        scores = [fitted.scorer.score(own)[:, number] for own in fitted.prepare(InMemory(batch))]
        if sum(map(len, scores)) != len(batch):
            raise SourceError(f"{name}: the model scores {sum(map(len, scores))} of {len(batch)} jets")
        flavour = np.full(len(batch), -1) if batch.truth is None else np.asarray(batch.truth, np.int64)
        kinematics = (_observer(batch, one, name) for one in (PT, ETA))
        variable = template_values(batch, template, name)
        yield (np.concatenate(scores), variable, *kinematics, flavour, batch.weight, batch.schema.classes)


def is_scores(path: str, output: str) -> bool:
    """Return whether a file is a table of scores of such an output."""
    file = Path(path)
    if file.suffix.lower() != ".parquet" or not file.is_file():
        return False
    try:
        return {output, f"{output}_p_value"} <= set(pq.read_schema(file).names)
    except (OSError, pa.ArrowException):
        return False  # said where it is read


def with_classes(found: Read, classes: Sequence[str]) -> Jets:
    """Return the jets with flavours numbered by other classes. Raises SourceError for a class that is not in them."""
    present = [found.classes[k] for k in np.unique(found.jets.flavour) if k >= 0]
    strange = [name for name in present if name not in classes]
    if strange:
        raise SourceError(
            f"{found.jets.name}: has jets of class {strange[0]!r}, which the other simulation has not "
            f"({', '.join(classes)}); all of them must have the same classes"
        )
    number = np.array([*(classes.index(name) if name in classes else -1 for name in found.classes), -1])
    return replace(found.jets, flavour=number[found.jets.flavour])


def _column(table: pa.Table, name: str, path: str) -> Floats:
    if name not in table.column_names:
        known = ", ".join(table.column_names)
        raise SourceError(
            f"{path}: the scores have no column {name!r}; give another --template, or the jets themselves, which are "
            f"scored here; columns: {known}"
        )
    values = table[name]
    if not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
        raise SourceError(f"{path}: the column {name!r} holds no numbers ({values.type})")
    return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False), float)


def _observer(batch: Batch, name: str, path: str) -> Floats:
    if name not in batch.meta:
        known = ", ".join(sorted(batch.meta)) or "none"
        raise SourceError(f"{path}: jets have no {name}, by which factors are binned; columns that are there: {known}")
    return np.asarray(batch.meta[name], float)
