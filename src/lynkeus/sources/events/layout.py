"""The table [events] of a layout: which columns an event has, what selects it, what it weighs, and what varies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from lynkeus.core.errors import SettingsError
from lynkeus.sources.clouds.columns import nearest
from lynkeus.sources.clouds.fields import require_known, table_in, text_in
from lynkeus.transforms.expressions import Expression, parse

WAYS = ("up", "down")
Named = Mapping[str, Expression]


@dataclass(frozen=True)
class EventLayout:
    """How events are made of what a file holds.

    `columns` by name (none: every column of numbers), `variables` that other expressions use, `select` keeps events,
    `weight` of each. `processes` and `regions` by name: the first whose condition holds; `files`: pattern of names of
    files to process. `weights`: of a systematic, the weight one sigma up and down; `shifted`: the columns that it
    changes, up and down. `observers`: what else is known of an event, numbers or words. `tree`: of ROOT files.
    """

    tree: str = ""
    select: Expression | None = None
    weight: Expression | None = None
    columns: Named = field(default_factory=dict)
    variables: Named = field(default_factory=dict)
    observers: Named = field(default_factory=dict)
    processes: Named = field(default_factory=dict)
    regions: Named = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, Named] = field(default_factory=dict)
    shifted: Mapping[str, Mapping[str, Named]] = field(default_factory=dict)

    @property
    def optional(self) -> dict[str, Expression]:
        """Return the columns of each event beside its values, by the names that they get: what data may lack."""
        found = dict(self.observers)
        for name, ways in self.weights.items():
            found |= {f"weight_{name}_{way}": own for way, own in ways.items()}
        for name, both in self.shifted.items():
            found |= {f"{column}_{name}_{way}": own for way, held in both.items() for column, own in held.items()}
        return found


def event_layout(given: Mapping[str, Any], name: str) -> EventLayout:
    """Return the table [events] of a layout. Raises SettingsError naming the field."""
    where = f"{name}: events"
    require_known(given, [own.name for own in fields(EventLayout)], where)
    weights = {key: _ways(own, f"{where}.weights.{key}") for key, own in table_in(given, "weights", where).items()}
    shifted = {key: _shifts(own, f"{where}.shifted.{key}") for key, own in table_in(given, "shifted", where).items()}
    named = {part: _named(given, part, where) for part in ("columns", "variables", "observers", "processes", "regions")}
    found = EventLayout(
        text_in(given, "tree", where), _one(given.get("select"), f"{where}.select"),
        _one(given.get("weight"), f"{where}.weight"), named["columns"], named["variables"], named["observers"],
        named["processes"], named["regions"],
        {str(key): str(own) for key, own in table_in(given, "files", where).items()}, weights, shifted,
    )  # fmt: skip
    _check(found, where)
    return found


def _check(found: EventLayout, where: str) -> None:
    if found.processes and found.files:
        raise SettingsError(f"{where}: processes come from conditions or from files; give one of them")
    if found.weights and found.weight is None:
        one = next(iter(found.weights))
        raise SettingsError(f"{where}.weights.{one}: is a variation without its nominal: give weight as well")
    for name, both in found.shifted.items():
        for way, held in both.items():
            for column in held:
                if found.columns and column not in found.columns:
                    raise SettingsError(
                        f"{where}.shifted.{name}.{way}.{column}: is a variation without its nominal: there is no "
                        f"column {column}{nearest(column, found.columns)}"
                    )


def _ways(given: Any, where: str) -> Named:
    """Return both directions of a weight. Raises SettingsError for one alone."""
    if not isinstance(given, Mapping) or set(given) != set(WAYS):
        raise SettingsError(f"{where}: give up and down, as {{ up = ..., down = ... }}")
    return {way: parse(str(given[way]), f"{where}.{way}") for way in WAYS}


def _shifts(given: Any, where: str) -> Mapping[str, Named]:
    if not isinstance(given, Mapping) or set(given) != set(WAYS):
        raise SettingsError(f"{where}: give the tables up and down, each column = expression")
    found = {way: _named(given, way, where) for way in WAYS}
    if set(found["up"]) != set(found["down"]):
        raise SettingsError(f"{where}: up and down must change the same columns")
    return found


def _named(given: Mapping[str, Any], key: str, where: str) -> dict[str, Expression]:
    return {str(name): parse(own if isinstance(own, str) else str(own), f"{where}.{key}.{name}")
            for name, own in table_in(given, key, where).items()}  # fmt: skip


def _one(given: Any, where: str) -> Expression | None:
    return None if given is None or given == "" else parse(given if isinstance(given, str) else str(given), where)
