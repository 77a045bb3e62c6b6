"""Labels: of which class each sample of a cloud is: by a column, by columns of 0 and 1, or by its file."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.sources.clouds.columns import NUMBER, TEXT, Table, nearest
from lynkeus.sources.clouds.files.cloud_file import CloudFile, Stretch
from lynkeus.sources.clouds.recipe import UNKNOWN
from lynkeus.sources.formats.tables import listed

LABEL, ONE_HOT = "label", "label_"
MOST_CLASSES = 200  # more are no classes but a number or a name of each sample
WORDS_UNKNOWN = ("", "unknown", "nan", "none")
SCAN_ROWS = 100_000


@dataclass(frozen=True)
class Labels:
    """The `classes`, and what says which of them a sample is: `column` (its entries in words to the number of the
    class), the columns of 0 and 1 in the order of the classes (`flags`), or `by_file`; none of them: it is not known.

    Words that are no class of a model are `others`: of no known class, and counted.
    """

    classes: tuple[str, ...] = ()
    column: str = ""
    flags: tuple[str, ...] = ()
    by_file: Mapping[Path, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()  # of the numbers in the column, where the format says them

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that are read for the labels."""
        return (self.column,) if self.column else tuple(name for name in self.flags if name)

    def asked_for(self, classes: tuple[str, ...]) -> Labels:
        """Return the same by the numbers that a model has for its classes."""
        if not classes or classes == self.classes:
            return self
        there = {name.removeprefix(ONE_HOT): name for name in self.flags}
        flags = tuple(there.get(name, "") for name in classes) if self.flags else ()
        return Labels(classes, self.column, flags, self.by_file, self.names)

    def truth(self, table: Table, path: Path, count: int, notes: Counter[str]) -> npt.NDArray[np.int64] | None:
        """Return (n,) the number of the class of each sample of a piece of a file, -1 where it is not known; None where
        nothing says it."""
        if self.by_file:
            return self._numbers(np.full(count, self.by_file.get(path, "")), notes)
        if self.column:
            if self.column not in table:
                return np.full(count, UNKNOWN)
            return self._numbers(words_of(np.asarray(table[self.column]), self.names), notes)
        if not self.flags:
            return None
        held = [np.asarray(table[name]) if name in table else np.zeros(count) for name in self.flags]
        return one_hot(np.stack(held, axis=1), listed([name for name in self.flags if name], 3), notes)

    def _numbers(self, words: Array, notes: Counter[str]) -> npt.NDArray[np.int64]:
        number = {name: k for k, name in enumerate(self.classes)}
        found, place = np.unique(words, return_inverse=True)
        truth = np.array([number.get(str(word), UNKNOWN) for word in found], np.int64)[place.reshape(-1)]
        for word, count in zip(found.tolist(), np.bincount(place.reshape(-1)).tolist(), strict=True):
            if word not in number:
                said = f"the class {word!r}, which is none of the model" if word else "no known class"
                notes[f"samples of {said}"] += count
        return truth


def one_hot(flags: Array, names: str, notes: Counter[str]) -> npt.NDArray[np.int64]:
    """Return (n,) which of the columns (n, classes) of 0 and 1 is 1; -1, and counted, where not exactly one is."""
    flags = np.nan_to_num(np.asarray(flags, float))
    right = ((flags == 0) | (flags == 1)).all(axis=1) & (flags.sum(axis=1) == 1)
    if not right.all():
        several = int((~right & (flags.sum(axis=1) > 1)).sum())
        for count, said in ((several, "several classes"), (int((~right).sum()) - several, "no class")):
            if count:
                notes[f"samples of {said} by the columns {names}, which must be 0 but for a single 1"] += count
    return np.where(right, flags.argmax(axis=1), UNKNOWN).astype(np.int64)


def words_of(values: Array, names: tuple[str, ...] = ()) -> Array:
    """Return entries of a column as words, '' where the class is not known; whole numbers by their `names`."""
    if values.dtype.kind in "US":
        words = np.char.strip(values.astype(str))
        return np.where(np.isin(np.char.lower(words), WORDS_UNKNOWN), "", words)
    found = np.where(np.isfinite(values), values, -1).astype(np.int64)
    named = np.array([*names, ""]) if names else None
    if named is not None:
        return named[np.where((found >= 0) & (found < len(names)), found, len(names))]
    return np.where(found >= 0, found.astype(str), "")


def find_labels(files: Sequence[CloudFile], column: str, by_file: Mapping[Path, str]) -> Labels:
    """Return the labels of files: of a `column` that the user names, by file, of a column `label`, of columns `label_*`
    of 0 and 1, or of one whose numbers the format calls classes. Raises SourceError for a column that there is not, or
    that holds no classes."""
    if by_file:
        return Labels(tuple(sorted({word for word in by_file.values() if word})), by_file=by_file)
    if column:
        return _of_column(files, column, asked=True)
    flags = _flags(files)
    if any(file.types.get(LABEL) in (TEXT, NUMBER) for file in files):
        return _of_column(files, LABEL)
    if len(flags) > 1:
        return Labels(tuple(name.removeprefix(ONE_HOT) for name in flags), flags=flags)
    if flags:
        return _of_column(files, flags[0])
    known = [name for file in files for name in file.class_names]
    return _of_column(files, known[0]) if known else Labels()


def labels_by_file(paths: Sequence[Path], patterns: Mapping[str, str], expression: str) -> dict[Path, str]:
    """Return the class of each file: of the first pattern (`qcd_*.root`) that its name fits, else what the group
    `label` (or the first one) of a regular expression finds in its name. Raises SourceError for a file that neither
    fits."""
    found: dict[Path, str] = {}
    for path in paths if patterns or expression else ():
        word = next((word for pattern, word in patterns.items() if fnmatch.fnmatch(path.name, pattern)), "")
        if not word and expression:
            hit = re.search(expression, path.name)
            word = "" if hit is None else str(hit.groupdict().get("label") or (hit.groups() or (hit[0],))[0] or "")
        if not word:
            given = listed([*patterns, *([expression] if expression else [])], 4)
            raise SourceError(f"{path}: its name fits no class of the layout ({given}); add a pattern for it")
        found[path] = word
    return found


def _flags(files: Sequence[CloudFile]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for file in files:
        names |= dict.fromkeys(n for n, kind in file.types.items() if n.startswith(ONE_HOT) and kind == NUMBER)
    return tuple(names)


def _of_column(files: Sequence[CloudFile], column: str, asked: bool = False) -> Labels:
    names = next((file.class_names[column] for file in files if column in file.class_names), ())
    words: set[str] = set()
    for file in files:
        kind = file.types.get(column)
        if kind not in (TEXT, NUMBER):
            if asked:
                what = "has no column" if kind is None else "holds no numbers or words in the column"
                raise SourceError(
                    f"{file.path}: {what} {column}, which the labels come from{nearest(column, file.types)}"
                )
            continue
        for table in file.tables([column], Stretch(0, file.rows), SCAN_ROWS):
            values = np.asarray(table[column])
            if values.dtype.kind == "f" and (np.nan_to_num(values) % 1 != 0).any():
                raise SourceError(
                    f"{file.path}: {column} holds fractions, and no classes; name another column by --labels"
                )
            words |= set(np.unique(words_of(values, names)).tolist())
            if len(words) > MOST_CLASSES:
                raise SourceError(
                    f"{file.path}: {column} has more than {MOST_CLASSES} values, and is no class; name another"
                )
    classes = names if names and words <= {*names, ""} else tuple(sorted(words - {""}, key=_as_number))
    return Labels(tuple(classes), column, names=names)


def _as_number(word: str) -> tuple[int, str]:
    return (int(word), word) if word.lstrip("-").isdecimal() else (0, word)
