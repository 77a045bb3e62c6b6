"""Plain: clouds of columns that say by their names what they are: lists `part_*` of particles, `sv_*` of vertices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from lynkeus.core.batch import Schema
from lynkeus.core.errors import SourceError
from lynkeus.core.packed import Group, Packed
from lynkeus.sources.clouds.columns import LIST, NUMBER, TEXT, Jagged, Table, nearest, rows_of
from lynkeus.sources.clouds.files.cloud_file import CloudFile
from lynkeus.sources.clouds.labels import Labels
from lynkeus.sources.clouds.recipe import Clouds, grouped
from lynkeus.sources.formats.tables import counted, listed, weights_of

GROUPS = {"part_": "particles", "sv_": "vertices"}
COUNTERS = {group: f"n{start.strip('_')}" for start, group in GROUPS.items()}  # of ROOT: entries of each list
UNITS = {
    "px": "GeV", "py": "GeV", "pz": "GeV", "energy": "GeV", "pt": "GeV", "mass": "GeV", "d0val": "mm", "d0err": "mm",
    "dzval": "mm", "dzerr": "mm", "dxy": "mm", "d3d": "mm",
}  # fmt: skip
# As JetClass has them; one order, whatever the order of a file. Others come after these as they lie in the file.
USUAL = (
    "px", "py", "pz", "energy", "deta", "dphi", "d0val", "d0err", "dzval", "dzerr", "charge", "isChargedHadron",
    "isNeutralHadron", "isPhoton", "isElectron", "isMuon",
)  # fmt: skip
OWN = ("position", "file")  # of each sample, by this package


class Plain:
    """Particles and vertices of lists called `part_*` and `sv_*`; all other numbers and words of a sample are known of
    it. Of files that differ, what all of them have is read.

    `expected`: what a model reads, in its order. `weight`: the column of how much a sample counts. Raises SourceError
    naming file and column for what is missing.
    """

    def __init__(
        self, files: Sequence[CloudFile], labels: Labels, expected: Schema | None = None, weight: str = ""
    ) -> None:
        self.weight, self.messages = weight, list[str]()
        first = files[0]
        lists = [name for name, kind in first.types.items() if kind == LIST]
        there = {f"{group}/{name}": name for name in lists for start, group in GROUPS.items() if name.startswith(start)}
        there = dict(sorted(there.items(), key=lambda item: _place(item[1])))
        wanted = self._shared(files, there) if expected is None else self._asked(files, expected.names)
        if not wanted:
            raise SourceError(f"{first.path}: holds no list part_px, part_py, ... that all files have; see --layout")
        self.features = wanted
        self.labels = labels if expected is None else labels.asked_for(expected.classes)
        self.observers = self._observers(files)
        if weight:
            _require(files, weight, (NUMBER,), "--weights")
        self.schema = schema_of(wanted, wanted.values(), self.labels.classes)
        self._say_left_out(first, lists)

    def needs(self, file: CloudFile) -> list[str]:
        """Return the columns that are read; see Recipe."""
        labels = [name for name in self.labels.columns if name in file.types]
        weight = [self.weight] if self.weight else []
        counters = [name for name in COUNTERS.values() if file.types.get(name) == NUMBER]
        return list(dict.fromkeys([*self.features.values(), *self.observers, *labels, *weight, *counters]))

    def clouds(self, table: Table, path: Path, first: int, notes: Counter[str]) -> Clouds:
        """Return the samples of a piece; see Recipe."""
        names: dict[str, list[str]] = {}
        for name, column in self.features.items():
            names.setdefault(name.partition("/")[0], []).append(column)
        groups = {
            group: grouped([(name, _list(table, name)) for name in columns], str(path), first)
            for group, columns in names.items()
        }
        for group, own in groups.items():
            _check_counter(table, COUNTERS[group], own, f"{path}: {names[group][0]}", first)
        packed, count = Packed(groups), rows_of(table)
        empty = int((next(iter(groups.values())).lengths == 0).sum())
        if empty:
            notes[f"samples without {next(iter(groups))}"] += empty
        weight = weights_of(np.asarray(table[self.weight]), f"{path}: {self.weight}", first) if self.weight else None
        meta = {name: np.asarray(table[name]) for name in self.observers}
        return Clouds(packed, np.arange(count), meta, self.labels.truth(table, path, count, notes), weight)

    def role(self, name: str) -> str:
        """Return what a column is read as."""
        group = next((feature.partition("/")[0] for feature, own in self.features.items() if own == name), "")
        if group:
            return f"feature of {group}"
        if name == self.weight:
            return "weights"
        return (
            "labels" if name in self.labels.columns else "known of a sample" if name in self.observers else "not read"
        )

    def _shared(self, files: Sequence[CloudFile], there: dict[str, str]) -> dict[str, str]:
        lost = {name: next((f.path for f in files if f.types.get(own) != LIST), None) for name, own in there.items()}
        gone = {name: path for name, path in lost.items() if path is not None}
        if gone:
            path = next(iter(gone.values()))
            self.messages.append(
                f"{counted(len(gone), 'feature')} left out, as some files do not have them: "
                f"{listed(list(gone))} (not in {path})"
            )
        return {name: own for name, own in there.items() if name not in gone}

    def _asked(self, files: Sequence[CloudFile], names: Sequence[str]) -> dict[str, str]:
        wanted = {name: name.partition("/")[2] for name in names}
        for name in wanted.values():
            _require(files, name, (LIST,), "the model")
        return wanted

    def _observers(self, files: Sequence[CloudFile]) -> list[str]:
        counters = {f"n{name}" for name in files[0].types} | set(COUNTERS.values())
        aside = {*self.labels.columns, self.weight, *counters, *OWN}
        known = [name for name, kind in files[0].types.items() if kind in (NUMBER, TEXT) and name not in aside]
        gone = [name for name in known if any(file.types.get(name) not in (NUMBER, TEXT) for file in files)]
        if gone:
            self.messages.append(f"known of a sample in some files only, and left out: {listed(gone)}")
        return [name for name in known if name not in gone]

    def _say_left_out(self, first: CloudFile, lists: Sequence[str]) -> None:
        others = [name for name in lists if name not in self.features.values()]
        strange = [f"{name} ({kind})" for name, kind in first.types.items() if kind not in (LIST, NUMBER, TEXT)]
        if others:
            what = "neither part_* nor sv_*, or new to the model"
            self.messages.append(f"{first.path}: lists that are not read, {what}: {listed(others)}")
        if strange:
            self.messages.append(
                f"{first.path}: columns that are not read, as they hold no numbers or words: {listed(strange)}"
            )


def schema_of(names: Iterable[str], columns: Iterable[str], classes: tuple[str, ...]) -> Schema:
    """Return the schema of clouds with these features "GROUP/NAME", with the units that their columns have by name."""
    units = tuple(UNITS.get(c.partition("_")[2], "") if c.startswith(tuple(GROUPS)) else "" for c in columns)
    return Schema("cloud", tuple(names), units if any(units) else (), (None, None), classes=classes)


def _check_counter(table: Table, counter: str, group: Group, where: str, first: int) -> None:
    """Raise SourceError for a list of another length than its counter says, where there is one."""
    if counter not in table:
        return
    said = np.asarray(table[counter])
    if not np.array_equal(said, group.lengths):
        row = int(np.argmax(said != group.lengths))
        has = f"{where} has {group.lengths[row]} entries in row {first + row}"
        raise SourceError(f"{has}, where {counter} says {said[row]}; write the file again, or leave {counter} out")


def _place(column: str) -> tuple[int, int]:
    start, _, name = column.partition("_")
    return list(GROUPS).index(f"{start}_"), USUAL.index(name) if name in USUAL else len(USUAL)


def _require(files: Sequence[CloudFile], name: str, kinds: tuple[str, ...], who: str) -> None:
    for file in files:
        if file.types.get(name) not in kinds:
            holds = f"holds {file.types[name]}" if name in file.types else "has no"
            # Counters of lists, as ROOT has them, look alike and are nothing that could have been meant.
            there = [own for own in file.types if own[0] != "n" or own[1:] not in {*file.types, name}]
            raise SourceError(f"{file.path}: {holds} {name}, which {who} needs{nearest(name, there)}")


def _list(table: Table, name: str) -> Jagged:
    found = table[name]
    assert isinstance(found, Jagged), name
    return found
