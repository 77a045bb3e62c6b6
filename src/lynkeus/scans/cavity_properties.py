"""What is known of each cavity as a whole: measured numbers to correlate scores with, and where it quenched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from lynkeus.core import Floats, SourceError
from lynkeus.scans.quench import ANGLE, CELL

CAVITY = "cavity"


@dataclass(frozen=True)
class CavityProperties:
    """`cavities`: names; `numbers`: column -> (cavities,), NaN where missing; `texts`: columns that hold no numbers."""

    cavities: tuple[str, ...]
    numbers: Mapping[str, Floats]
    texts: tuple[str, ...] = ()

    @property
    def measured(self) -> dict[str, Floats]:
        """The numbers that say how good a cavity is: all but the place of the quench."""
        return {name: column for name, column in self.numbers.items() if name not in (CELL, ANGLE)}

    @property
    def quenches(self) -> dict[str, tuple[float, float]]:
        """Cavity -> (cell, angle in degrees) of its quench, NaN where not located; nothing without these columns."""
        if CELL not in self.numbers or ANGLE not in self.numbers:
            return {}
        places = zip(self.numbers[CELL].tolist(), self.numbers[ANGLE].tolist(), strict=True)
        return dict(zip(self.cavities, places, strict=True))

    def column(self, name: str, cavities: tuple[str, ...]) -> Floats:
        """One property of these cavities, which all must be known."""
        return self.numbers[name][[self.cavities.index(cavity) for cavity in cavities]]


def read_properties(path: Path) -> CavityProperties:
    """A CSV or Parquet table with a row per cavity: its name in the column `cavity`, and columns of numbers.

    Raises SourceError where it is unreadable, names a cavity twice, or holds no number.
    """
    try:
        if path.suffix.lower() == ".parquet":
            table = pq.read_table(path, partitioning=None)
        else:
            options = pa_csv.ConvertOptions(column_types={CAVITY: pa.string()})
            table = pa_csv.read_csv(path, pa_csv.ReadOptions(use_threads=False), convert_options=options)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        words = str(error).splitlines()[0].rstrip(".")
        raise SourceError(f"{path}: is not a CSV (UTF-8) or Parquet table of cavities ({words}); mend it") from error
    if CAVITY not in table.column_names:
        raise SourceError(f"{path}: no column {CAVITY!r} with the names of the cavities; rename the one that has them")
    cavities = tuple(str(name).strip() for name in table.column(CAVITY).to_pylist())
    twice = [name for name, count in Counter(cavities).items() if count > 1]
    if twice:
        raise SourceError(f"{path}: the cavity {twice[0]!r} has {cavities.count(twice[0])} rows; keep one")
    numbers, texts = {}, []
    for name in table.column_names:
        if name != CAVITY:
            column = table.column(name).combine_chunks()
            if (
                pa.types.is_integer(column.type)
                or pa.types.is_floating(column.type)
                or pa.types.is_boolean(column.type)
            ):
                numbers[name] = np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))
            elif not pa.types.is_null(column.type):
                texts.append(name)
    if not numbers:
        raise SourceError(f"{path}: no column of numbers beside {CAVITY!r}; nothing to correlate with")
    return CavityProperties(cavities, numbers, tuple(texts))
