"""Configuration: weaver's YAML data configuration (weaver-core 0.5), checked as a whole before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lynkeus.core.errors import SettingsError
from lynkeus.sources.clouds.columns import nearest
from lynkeus.sources.clouds.weaver.inputs import Group, Rule, groups_of
from lynkeus.sources.clouds.weaver.weights import Reweighting, reweighting_of
from lynkeus.transforms.expressions import Expression, parse

KEYS = (
    "treename", "branch_magic", "file_magic", "selection", "test_time_selection", "preprocess", "new_variables",
    "inputs", "labels", "observers", "monitor_variables", "weights", "bucketing",
)  # fmt: skip


@dataclass(frozen=True)
class Configuration:
    """What a configuration says. `variables`: new ones by name; `groups`: inputs without masks, `rules` for each of
    their variables; `classes` (simple labels, the names of their `flags`) or the `label` that numbers them;
    `observers`: what is known of a sample; `precomputed`: the product of weights; `reweighting`: the weights that are
    made of the data.
    """

    name: str
    selection: Expression | None
    test_selection: Expression | None
    variables: Mapping[str, Expression]
    groups: tuple[Group, ...]
    rules: Mapping[str, Rule]
    automatic: bool
    fraction: float
    flags: tuple[str, ...] = ()
    label: Expression | None = None
    observers: tuple[str, ...] = ()
    precomputed: Expression | None = None
    reweighting: Reweighting | None = None
    tree: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)
    by_file: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the names of the classes, without a `label_` that all of them begin with."""
        if self.flags and all(flag.startswith("label_") for flag in self.flags):
            return tuple(flag.removeprefix("label_") for flag in self.flags)
        return self.flags

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the variables of all groups, each once."""
        return tuple(dict.fromkeys(name for group in self.groups for name in group.variables))


def configuration(options: Mapping[str, Any], name: str) -> Configuration:
    """Return the configuration that a YAML file of weaver holds. Raises SettingsError, in one line with file and field,
    for what weaver does not have either, and for expressions that are not read."""
    for key in options:
        if key not in KEYS:
            raise SettingsError(f"{name}: {key}: no such field{nearest(key, KEYS)}; there are: {', '.join(KEYS)}")
    variables = {
        new: parse(text if isinstance(text, str) else str(text), f"{name}: new_variables.{new}")
        for new, text in _table(options, "new_variables", name).items()
        if text != new
    }
    preprocess = _table(options, "preprocess", name)
    method, params = str(preprocess.get("method", "manual")).lower(), preprocess.get("params")
    if not method.startswith(("auto", "manual")):
        raise SettingsError(f"{name}: preprocess.method: must be manual or auto, got {preprocess['method']!r}")
    automatic = method.startswith("auto")
    groups, rules = groups_of(_table(options, "inputs", name), automatic, params, name)
    flags, label, more = _labels(_table(options, "labels", name), name)
    observers, monitors = _names(options, "observers", name), _names(options, "monitor_variables", name)
    if observers and monitors:
        raise SettingsError(f"{name}: observers and monitor_variables cannot both be given; put all in observers")
    weights = options.get("weights")
    precomputed, reweighting = (None, None) if not weights else _weights(weights, name)
    notes = [f"{name}: bucketing is not needed: jets are not padded"] if options.get("bucketing") else []
    return Configuration(
        name, _selection(options, "selection", name),
        _selection(options, "test_time_selection", name) or _selection(options, "selection", name),
        variables, groups, rules, automatic, _share(preprocess.get("data_fraction", 0.1), name), flags, label,
        (*observers, *monitors), precomputed, reweighting, str(options.get("treename") or ""),
        {str(a): str(b) for a, b in _table(options, "branch_magic", name).items()},
        _by_file(_table(options, "file_magic", name), name), (*notes, *more),
    )  # fmt: skip


def _selection(options: Mapping[str, Any], key: str, name: str) -> Expression | None:
    text = options.get(key)
    return None if text in (None, "") else parse(str(text), f"{name}: {key}")


def _labels(given: Mapping[str, Any], name: str) -> tuple[tuple[str, ...], Expression | None, list[str]]:
    """Return the flags of simple labels, or the expression of custom ones, and what is to be said."""
    if "type" not in given or "value" not in given:
        raise SettingsError(f"{name}: labels: needs a type (simple or custom) and a value")
    value = given["value"]
    if given["type"] == "simple":
        if not isinstance(value, list) or len(value) < 2 or not all(isinstance(own, str) for own in value):
            raise SettingsError(f"{name}: labels.value: must be a list of two names or more, got {value!r}")
        return tuple(value), None, []
    if not isinstance(value, dict) or not value:
        raise SettingsError(f"{name}: labels.value: must be a table of names and expressions, got {value!r}")
    first, *others = value
    more = [f"{name}: labels: {first} numbers the classes; {', '.join(others)} not read"] if others else []
    return (), parse(str(value[first]), f"{name}: labels.value.{first}"), more


def _weights(given: Any, name: str) -> tuple[Expression | None, Reweighting | None]:
    if not isinstance(given, dict) or "use_precomputed_weights" not in given:
        raise SettingsError(f"{name}: weights: must be a table with use_precomputed_weights: true or false")
    if not given["use_precomputed_weights"]:
        return None, reweighting_of(given, name)
    branches = given.get("weight_branches")
    if not isinstance(branches, list) or not branches:
        raise SettingsError(f"{name}: weights.weight_branches: must be a list of names, got {branches!r}")
    return parse("*".join(f"({branch})" for branch in branches), f"{name}: weights.weight_branches"), None


def _by_file(given: Mapping[str, Any], name: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for variable, values in given.items():
        if not isinstance(values, dict) or not all(isinstance(v, int | float) for v in values.values()):
            raise SettingsError(f"{name}: file_magic.{variable}: must be a table of patterns and numbers")
        found[variable] = {str(pattern): float(value) for pattern, value in values.items()}
    return found


def _table(options: Mapping[str, Any], key: str, name: str) -> Mapping[str, Any]:
    found = options.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise SettingsError(f"{name}: {key}: must be a table of names, got {found!r}")
    return found


def _names(options: Mapping[str, Any], key: str, name: str) -> tuple[str, ...]:
    found = options.get(key) or []
    if not isinstance(found, list) or not all(isinstance(own, str) for own in found):
        raise SettingsError(f"{name}: {key}: must be a list of names, got {found!r}")
    return tuple(found)


def _share(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise SettingsError(f"{name}: preprocess.data_fraction: must be above 0 and at most 1, got {value!r}")
    return float(value)
