"""What is learned of the data before they are trained on: standardisation, weights, and how many classes there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import trunc

import numpy as np

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.files.damaged import pieces_of
from lynkeus.sources.clouds.columns import rows_of
from lynkeus.sources.clouds.files.cloud_file import CloudFile, Stretch
from lynkeus.sources.clouds.labels import MOST_CLASSES
from lynkeus.sources.clouds.weaver.inputs import AUTO, Rule
from lynkeus.sources.clouds.weaver.recipe import WeaverRecipe
from lynkeus.sources.clouds.weaver.variables import Variables

ROWS = 4096  # of a piece
MOST_VALUES = 2_000_000  # of a variable by which it is standardised; of more every second, fourth, ... is taken


def learn(recipe: WeaverRecipe, files: Sequence[CloudFile]) -> None:
    """Complete a recipe by its files: automatic standardisation, weights that are not known yet, and the classes of
    custom labels. What there is to say goes to its messages. Raises SourceError where nothing is selected."""
    config = recipe.config
    unknown = [name for name in config.inputs if config.rules[name].center == AUTO]
    if unknown:
        recipe.config = config = replace(config, rules={**config.rules, **_standardised(recipe, files, unknown)})
    if config.label is not None:
        recipe.classes = _classes(recipe, files)
    made = config.reweighting
    if not recipe.training or made is None or made.histograms is not None:
        return
    counts: dict[str, Array] = {}
    rows = 0
    for held in _pieces(recipe, files, 1.0):
        rows += held.rows
        for name, own in made.counted(*recipe.for_weights(held)).items():
            counts[name] = counts[name] + own if name in counts else own
    if not rows:
        raise SourceError(f"{files[0].path}: nothing is selected, of which weights could be made; see the selection")
    made = made.made(counts)
    if made.base is not None:
        weights = [made.weights(*recipe.for_weights(held)) for held in _pieces(recipe, files, 1.0)]
        made = made.scaled(np.concatenate(weights))
    recipe.config = replace(config, reweighting=made)
    recipe.messages.append(
        f"{config.name}: weights by {made.method} spectra of {' and '.join(made.variables)}, of {rows} samples"
    )


def _standardised(recipe: WeaverRecipe, files: Sequence[CloudFile], names: Sequence[str]) -> dict[str, Rule]:
    kept: dict[str, _Kept] = {name: _Kept() for name in names}
    rows = 0
    for held in _pieces(recipe, files, recipe.config.fraction):
        rows += held.rows
        for name in names:
            kept[name].add(held.lists(name).values)
    empty = next((name for name in names if not kept[name].count), "")
    if empty:
        raise SourceError(f"{files[0].path}: {empty} has no value in the {rows} samples by which it is standardised")
    thinned = max(own.step for own in kept.values())
    more = f", by every {thinned}th value" if thinned > 1 else ""
    recipe.messages.append(f"{recipe.config.name}: {len(names)} variables are standardised by {rows} samples{more}")
    return {name: recipe.config.rules[name].learned(own.values) for name, own in kept.items()}


def _classes(recipe: WeaverRecipe, files: Sequence[CloudFile]) -> tuple[str, ...]:
    most = -1
    for held in _pieces(recipe, files, 1.0):
        most = max(most, int(recipe.label_numbers(held).max(initial=-1)))
    if most >= MOST_CLASSES:
        raise SourceError(f"{recipe.config.name}: labels number {most + 1} classes, at most {MOST_CLASSES}; mend them")
    return tuple(str(number) for number in range(most + 1))


def _pieces(recipe: WeaverRecipe, files: Sequence[CloudFile], fraction: float) -> Iterator[Variables]:
    """Yield what is selected of the first part of each file."""
    for file in files:
        last = min(file.rows, max(1, trunc(fraction * file.rows)))
        left = last
        for table in pieces_of(file.path, file.tables(recipe.needs(file), Stretch(0, file.rows), ROWS)):
            part = {name: column[: min(left, rows_of(table))] for name, column in table.items()}
            left -= rows_of(part)
            held, rows = recipe.selected(part, file.path)
            if len(rows):
                yield held
            if left <= 0:
                break


class _Kept:
    """Values of a variable: all of them, or every second, fourth, ... where they are many."""

    def __init__(self) -> None:
        self.parts: list[Array] = []
        self.count, self.step, self.seen = 0, 1, 0

    def add(self, values: Array) -> None:
        chosen = values[(-self.seen) % self.step :: self.step]
        self.seen += len(values)
        self.parts.append(np.array(chosen, np.float64))
        self.count += len(chosen)
        while self.count > MOST_VALUES:
            self.parts = [self.values[::2]]
            self.count, self.step = len(self.parts[0]), self.step * 2

    @property
    def values(self) -> Array:
        return np.concatenate(self.parts)
