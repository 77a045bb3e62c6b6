"""WeaverRecipe: clouds as weaver's data configuration makes them, without padding."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core.batch import Array, Schema
from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.core.packed import Packed
from lynkeus.sources.clouds.columns import LIST, NUMBER, TEXT, Jagged, Table, chosen, nearest, rows_of
from lynkeus.sources.clouds.files.cloud_file import CloudFile
from lynkeus.sources.clouds.labels import one_hot
from lynkeus.sources.clouds.recipe import UNKNOWN, Clouds, grouped
from lynkeus.sources.clouds.weaver.configuration import Configuration
from lynkeus.sources.clouds.weaver.variables import Variables, needed, shortened
from lynkeus.sources.formats.layout import Layout
from lynkeus.sources.formats.tables import listed, weights_of

TRAINING = "aux_training_"  # what weaver calls it that a sample is trained on


class WeaverRecipe:
    """Clouds by a configuration: selected, with new variables, standardised, cut off at the lengths of their groups.

    `training`: the selection, weights and labels are those to learn by; otherwise the selection is that of test time,
    weights are left out, and labels may be missing. Raises SourceError naming file and branch for one that is not
    there, and what needs it.
    """

    def __init__(self, files: Sequence[CloudFile], config: Configuration, layout: Layout, training: bool) -> None:
        self.config, self.training, self.given = config, training, layout
        self.messages = list(config.notes)
        self.labelled = True
        self.classes = config.classes
        self.observers: tuple[str, ...] = ()
        self._check(files, config.inputs, "inputs")
        self._check(files, () if self.selection is None else self.selection.names, "selection")
        self.observers = tuple(name for name in config.observers if self._there(files, name, "observers"))
        labels = config.flags if config.label is None else config.label.names
        if training:
            self._check(files, labels, "labels")
            self._check(files, self._weights, "weights")
        elif not all(self._missing(files, name) is None for name in labels):
            self.labelled = False
            self.messages.append(f"{config.name}: no labels, as files have no {listed(labels, 4)}")

    @property
    def selection(self) -> Any:
        """Return what selects samples, None where all are read."""
        return self.config.selection if self.training else self.config.test_selection

    @property
    def _weights(self) -> tuple[str, ...]:
        if not self.training:
            return ()
        made = self.config.reweighting
        return (*(self.config.precomputed.names if self.config.precomputed else ()), *(made.names if made else ()))

    @property
    def schema(self) -> Schema:
        """Return the schema of the samples: GROUP/VARIABLE."""
        names = tuple(f"{group.name}/{name}" for group in self.config.groups for name in group.variables)
        return Schema("cloud", names, (), (None, None), classes=self.classes)

    @property
    def layout(self) -> dict[str, Any]:
        """Return the layout with what was learned of the data, which a model remembers."""
        options = dict(self.given.weaver or {})
        preprocess = dict(options.get("preprocess") or {})
        params = {name: rule.to_dict() for name, rule in self.config.rules.items()}
        options["preprocess"] = preprocess | ({"params": params} if self.config.automatic else {})
        made = self.config.reweighting
        if made is not None and made.histograms is not None:
            held = {name: own.tolist() for name, own in made.histograms.items()}
            options["weights"] = dict(options["weights"]) | {"reweight_hists": held}
        return replace(self.given, weaver=options).to_dict()

    def needs(self, file: CloudFile) -> list[str]:
        """Return the branches that are read; see Recipe."""
        wanted = needed(self._variables(), self.config.variables)
        return list(dict.fromkeys(own for name in wanted if (own := self._decoded(name)) in file.types))

    def clouds(self, table: Table, path: Path, first: int, notes: Counter[str]) -> Clouds:
        """Return the samples of a piece; see Recipe."""
        held, rows = self.selected(table, path)
        groups, of_nan = {}, 0
        for group in self.config.groups:
            lists = []
            for name in group.variables:
                own = shortened(held.lists(name), group.length)
                values, bad = self.config.rules[name].apply(own.values)
                of_nan += bad
                lists.append((name, Jagged(values, own.offsets)))
            groups[group.name] = grouped(lists, f"{path}: {group.name}", first)
        if of_nan:
            notes["values that were NaN or infinite after standardisation and became 0, as in weaver"] += of_nan
        packed = Packed(groups)
        empty = int((next(iter(groups.values())).lengths == 0).sum())
        if empty:
            notes[f"samples without {next(iter(groups))}"] += empty
        left = rows_of(table) - len(rows)
        if left:
            notes["samples left out by the selection"] += left
        meta = {name: held.plain(name) for name in self.observers}
        weight = weights_of(self._weight(held), f"{path}: weights", first) if self._weights else None
        return Clouds(packed, rows, meta, self._truth(held, notes), weight)

    def role(self, name: str) -> str:
        """Return what a branch is read as."""
        wanted = needed(self._variables(), self.config.variables)
        back = {self._decoded(own): why for own, why in wanted.items()}
        if name not in back:
            return "not read"
        return f"read for {back[name]}" if back[name] != name else "read"

    def selected(self, table: Table, path: Path) -> tuple[Variables, Any]:
        """Return the variables of the samples that are selected, and their rows in the piece."""
        count = rows_of(table)
        columns = {name: table[own] for name in self._columns() if (own := self._decoded(name)) in table}
        for variable, values in self.config.by_file.items():
            value = next((v for pattern, v in values.items() if _fits(pattern, str(path), self.config.name)), 0.0)
            columns[variable] = np.full(count, value)
        columns[TRAINING] = np.full(count, self.training)
        held = Variables(columns, self.config.variables, str(path))
        if self.selection is None:
            return held, np.arange(count)
        rows = np.flatnonzero(held.value(self.selection, "selection").astype(bool))
        return Variables(chosen(columns, rows), self.config.variables, str(path)), rows

    def _weight(self, held: Variables) -> Array:
        made = self.config.reweighting
        if made is None or made.histograms is None:
            assert self.config.precomputed is not None or made is not None
            return held.value(self.config.precomputed, "weights") if self.config.precomputed else np.ones(held.rows)
        return made.weights(*self.for_weights(held))

    def for_weights(self, held: Variables) -> tuple[dict[str, Array], Array | None]:
        """Return the columns of one number of each sample that the reweighting needs, and the base weights."""
        made = self.config.reweighting
        assert made is not None
        base = None if made.base is None else held.value(made.base, "reweight_basewgt")
        return {name: held.plain(name) for name in (*made.variables, *made.classes)}, base

    def label_numbers(self, held: Variables) -> Array:
        """Return (n,) the numbers of the classes by the expression of custom labels. Raises SettingsError for
        fractions."""
        assert self.config.label is not None
        found = held.value(self.config.label, "labels")
        whole = np.nan_to_num(found.astype(float), nan=UNKNOWN)
        if (whole % 1 != 0).any():
            raise SettingsError(f"{self.config.name}: labels: {self.config.label.text!r} gives fractions, no classes")
        return whole.astype(np.int64)

    def _truth(self, held: Variables, notes: Counter[str]) -> Array | None:
        if not self.labelled:
            return None
        if self.config.label is None:
            flags = np.stack([held.plain(name).astype(float) for name in self.config.flags], axis=1)
            return one_hot(flags, listed(self.config.flags, 3), notes)
        numbers = self.label_numbers(held)
        return np.where((numbers >= 0) & (numbers < len(self.classes)), numbers, UNKNOWN)

    def _variables(self) -> Iterable[str]:
        labels = (self.config.flags if self.config.label is None else self.config.label.names) if self.labelled else ()
        selection = () if self.selection is None else self.selection.names
        return (*self.config.inputs, *selection, *self.observers, *labels, *self._weights)

    def _columns(self) -> list[str]:
        return list(needed(self._variables(), self.config.variables))

    def _check(self, files: Sequence[CloudFile], names: Iterable[str], what: str) -> None:
        for name in names:
            lost = self._missing(files, name)
            if lost is not None:
                raise SourceError(f"{lost} ({what} of {self.config.name})")

    def _there(self, files: Sequence[CloudFile], name: str, what: str) -> bool:
        lost = self._missing(files, name)
        if lost is not None:
            self.messages.append(f"{what}: {name} is left out: {lost}")
        return lost is None

    def _missing(self, files: Sequence[CloudFile], name: str) -> str | None:
        """Return which file lacks what of a variable, None where all of it is there."""
        for column, why in needed([name], self.config.variables).items():
            for file in files:
                own = self._decoded(column)
                if own not in file.types and column not in self.config.by_file and column != TRAINING:
                    need = "" if why == column else f", which {why} needs"
                    return f"{file.path}: has no branch {own}{need}{nearest(own, file.types)}"
                if file.types.get(own, NUMBER) not in (NUMBER, LIST, TEXT):
                    return f"{file.path}: the branch {own} holds {file.types[own]}, and no numbers or words"
        return None

    def _decoded(self, name: str) -> str:
        for source, target in self.config.renamed.items():
            name = name.replace(source, target)
        return name


def _fits(pattern: str, path: str, name: str) -> bool:
    try:
        return re.search(pattern, path) is not None
    except re.error as error:
        raise SettingsError(f"{name}: file_magic: {pattern!r} is no regular expression ({error})") from error
