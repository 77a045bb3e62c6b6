"""Recipe: how the columns of files become clouds, with what else is known of each sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lynkeus.core.batch import Array, Schema
from lynkeus.core.errors import SourceError
from lynkeus.core.packed import Group, Packed
from lynkeus.sources.clouds.columns import Jagged, Table
from lynkeus.sources.clouds.files.cloud_file import CloudFile

UNKNOWN = -1  # the class of a sample that is not known


@dataclass(frozen=True)
class Clouds:
    """Samples of one piece of a file: their `packed` particles, the `rows` of the piece that they come from (n,), what
    is known of them (`meta`), their class (`truth`) and their `weight`, where there are any."""

    packed: Packed
    rows: npt.NDArray[np.int64]
    meta: Mapping[str, Array] = field(default_factory=dict)
    truth: Array | None = None
    weight: Array | None = None


class Recipe(Protocol):
    """What makes clouds of columns.

    `schema` of the samples; `messages`: what was decided for all files. `needs`: the columns to be read of a file.
    `clouds`: those of a piece of it that begins at row `first`; `notes` counts what there is to say of samples.
    `role` of a column in words.
    """

    messages: list[str]

    @property
    def schema(self) -> Schema: ...

    def needs(self, file: CloudFile) -> list[str]: ...

    def clouds(self, table: Table, path: Path, first: int, notes: Counter[str]) -> Clouds: ...

    def role(self, name: str) -> str: ...


def grouped(lists: Sequence[tuple[str, Jagged]], where: str, first: int = 0) -> Group:
    """Return the lists of a group as its features. Raises SourceError, for `where` from row `first` on, naming the list
    that is longer or shorter than the first one."""
    name, leading = lists[0]
    for other, own in lists[1:]:
        if not np.array_equal(own.offsets, leading.offsets):
            row = int(np.argmax(own.lengths != leading.lengths))
            raise SourceError(
                f"{where}: {other} has {own.lengths[row]} entries in row {first + row}, where {name} has "
                f"{leading.lengths[row]}; write lists of one length, or leave {other} out"
            )
    values = np.empty((len(leading.values), len(lists)), np.float32)
    with np.errstate(over="ignore"):
        for k, (_, own) in enumerate(lists):
            values[:, k] = own.values
    return Group(values, leading.offsets)
