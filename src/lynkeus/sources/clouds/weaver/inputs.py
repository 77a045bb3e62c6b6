"""Inputs of weaver's configuration: groups of variables, and the rule by which each is standardised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from lynkeus.core.batch import Array
from lynkeus.core.errors import SettingsError

AUTO = "auto"
USUAL = ((2, "multiply_by", 1.0), (3, "clip_min", -5.0), (4, "clip_max", 5.0), (5, "pad_value", 0.0))
PARAMS = ("length", "pad_mode", "center", "scale", "min", "max", "pad_value")


class Group(NamedTuple):
    """A group of inputs by name, its `variables`, and how many particles of a sample are kept (None: all)."""

    name: str
    variables: tuple[str, ...]
    length: int | None


@dataclass(frozen=True)
class Rule:
    """How a variable is standardised: (value - center) * scale, from `min` up to `max`; not at all where `center` is
    None, and "auto" until it is known. NaN becomes 0. `length`, `pad_mode` and `pad_value` are kept for weaver; nothing
    is padded here."""

    length: int | None
    pad_mode: str
    center: float | str | None
    scale: float
    min: float
    max: float
    pad_value: float

    def apply(self, values: Array) -> tuple[Array, int]:
        """Return the values as float32, and how many of them were NaN or infinite and became 0."""
        found = values.astype(np.float32)
        if self.center is not None:
            assert not isinstance(self.center, str), self
            with np.errstate(all="ignore"):
                found = (found - np.float32(self.center)) * np.float32(self.scale)
                found = np.clip(found, np.float32(self.min), np.float32(self.max))
        bad = ~np.isfinite(found)
        return np.where(bad, np.float32(0), found), int(bad.sum())

    def learned(self, values: Array) -> Rule:
        """Return the rule with median and spread of these values: the larger of the distances from the median to the
        16th and the 84th percentile; NaN counts as 0, as in weaver."""
        low, center, high = np.percentile(np.nan_to_num(values), [16, 50, 84])
        scale = max(high - center, center - low)
        return replace(self, center=float(center), scale=1.0 if scale == 0 else float(1.0 / scale))

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters as weaver writes them."""
        return asdict(self)


def groups_of(
    inputs: Mapping[str, Any], automatic: bool, params: Any, name: str
) -> tuple[tuple[Group, ...], dict[str, Rule]]:
    """Return the groups without those of masks, and the rule of each variable: by the `params` that an earlier run has
    learned, where there are any. Raises SettingsError where a variable has two rules."""
    groups, rules, seen = [], dict[str, Rule](), dict[str, None]()
    for group, given in inputs.items():
        where = f"{name}: inputs.{group}"
        if not isinstance(given, dict) or not isinstance(given.get("vars"), list) or not given["vars"]:
            raise SettingsError(f"{where}: must be a table with length and vars, a list of variables")
        length = given.get("length")
        if not (length is None or (isinstance(length, int) and not isinstance(length, bool) and length > 0)):
            raise SettingsError(f"{where}.length: must be a whole number above 0, got {length!r}")
        mode, names = str(given.get("pad_mode", "constant")).lower(), []
        if group.endswith("_mask") and mode != "constant":
            raise SettingsError(f"{where}.pad_mode: must be constant for a mask, got {mode!r}")
        for variable in given["vars"]:
            own = variable if isinstance(variable, list) else [variable]
            if not own or not isinstance(own[0], str):
                raise SettingsError(f"{where}.vars: must begin with the name of a variable, got {variable!r}")
            names.append(own[0])
            seen[own[0]] = None
            rule = _rule(own, length, mode, automatic, where)
            if params is None and rules.setdefault(own[0], rule) != rule:
                raise SettingsError(f"{where}: {own[0]} has other numbers in another group; give it a second name")
        if not group.endswith("_mask"):
            groups.append(Group(group, tuple(names), length))
    if not groups:
        raise SettingsError(f"{name}: inputs: there is no group of inputs beside masks; give one")
    if params is not None:
        real = {variable for group in groups for variable in group.variables}
        known = params if isinstance(params, dict) else {}
        wanted = [variable for variable in seen if variable in real or variable in known]
        rules = {variable: _given(params, variable, name) for variable in wanted}
    return tuple(groups), rules


def _rule(own: list[Any], length: int | None, mode: str, automatic: bool, where: str) -> Rule:
    center = own[1] if len(own) > 1 else (AUTO if automatic else None)
    if center is not None and center != AUTO:
        center = number(center, f"{where}.vars: subtract_by of {own[0]}")
    numbers = [
        number(own[k], f"{where}.vars: {what} of {own[0]}") if len(own) > k else usual
        for k, what, usual in (
            (2, "multiply_by", 1.0),
            (3, "clip_min", -5.0),
            (4, "clip_max", 5.0),
            (5, "pad_value", 0.0),
        )
    ]
    if numbers[1] > numbers[2]:
        raise SettingsError(f"{where}.vars: clip_min of {own[0]} is above its clip_max")
    if center == AUTO and own[0].endswith("_mask"):
        center = None
    return Rule(length, mode, center, *numbers)


def _given(params: Any, variable: str, name: str) -> Rule:
    where = f"{name}: preprocess.params.{variable}"
    held = params.get(variable) if isinstance(params, dict) else None
    if not isinstance(held, dict) or set(held) != set(PARAMS):
        raise SettingsError(
            f"{name}: preprocess.params.{variable}: must have {', '.join(PARAMS)}, as weaver writes them"
        )
    where = f"{name}: preprocess.params.{variable}"
    center = held["center"] if held["center"] in (None, AUTO) else number(held["center"], f"{where}.center")
    scale, low, high, pad = (number(held[key], f"{where}.{key}") for key in ("scale", "min", "max", "pad_value"))
    return Rule(held["length"], str(held["pad_mode"]), center, scale, low, high, pad)


def number(value: Any, where: str) -> float:
    """Return a number; also one that YAML takes for a word, such as 1e-3. Raises SettingsError for anything else."""
    try:
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            return float(value)
    except ValueError:
        pass
    raise SettingsError(f"{where}: must be a number, got {value!r}")
