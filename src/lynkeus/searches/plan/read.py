"""read_plan: the TOML file of a search, checked; every mistake is one line with file and field."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lynkeus.core import SettingsError
from lynkeus.files.settings_text import read_toml
from lynkeus.searches.plan.files import files_of, layout_of, place
from lynkeus.searches.plan.plan import (
    COLUMNS,
    FILES,
    LEAVE_OUT,
    PROBABILITY,
    REFUSE,
    SIZE,
    WAYS,
    WEIGHTS,
    Plan,
    Point,
    Region,
    Samples,
    Systematic,
)
from lynkeus.searches.toys import FEWEST, TOO_FEW
from lynkeus.transforms.expressions import Expression, parse

KNOWN = {
    "": ("name", "signal", "points", "parameters", "inputs", "seed", "toys", "uncovered", "samples", "processes",
         "regions", "systematics", "classifier"),
    "samples": ("simulation", "data", "training", "model", "layout", "labels", "weights", "select"),
    "processes": ("normalised", "fixed"),
    "region": ("class", "cut", "signal", "bins"),
    "systematic": ("kind", "size", "up", "down", "processes"),
}  # fmt: skip
MOST_BINS = 10


def read_plan(path: Path) -> Plan:
    """Return the plan in a file; names of files in it are relative to its folder. Raises SettingsError."""
    return plan_of(read_toml(path, "the plan"), str(path), path.parent)


def plan_of(given: Mapping[str, Any], where: str, folder: Path) -> Plan:
    """Return the plan that a table says. Raises SettingsError naming `where` and the field."""
    _known(given, "", where)
    samples = _samples(_table(given, "samples", where), f"{where}: samples", folder)
    processes = _table(given, "processes", where)
    _known(processes, "processes", f"{where}: processes")
    normalised = _texts(processes, "normalised", f"{where}: processes")
    fixed = {str(k): _number(v, f"{where}: processes.fixed.{k}", 0.0, 5.0)
             for k, v in _table(processes, "fixed", where).items()}  # fmt: skip
    signal = _text(given, "signal", where, "signal")
    if not normalised:
        raise SettingsError(f"{where}: processes.normalised: name the backgrounds that are scaled to data")
    twice = [name for name in normalised if name in fixed or name == signal] + ([signal] if signal in fixed else [])
    if twice or len(set(normalised)) < len(normalised):
        raise SettingsError(f"{where}: processes: {(twice or list(normalised))[0]} is named twice")
    parameters = _texts(given, "parameters", where)
    own = (signal, *normalised, *fixed)
    toys = int(_number(given.get("toys", 0), f"{where}: toys", 0, 1e6))
    if 0 < toys < FEWEST:
        raise SettingsError(f"{where}: toys: {TOO_FEW}; got {toys}")
    plan = Plan(
        _text(given, "name", where, "search"), samples, signal, normalised, fixed,
        _regions(given, own, where), _systematics(given, own, where, folder), _points(given, parameters, where),
        parameters, _texts(given, "inputs", where), dict(_table(given, "classifier", where)),
        int(_number(given.get("seed", 0), f"{where}: seed", 0, 2**31)),
        toys,
        _choice(given.get("uncovered", REFUSE), (REFUSE, LEAVE_OUT), f"{where}: uncovered"), given,
    )  # fmt: skip
    _check_regions(plan, where)
    return plan


def _samples(given: Mapping[str, Any], where: str, folder: Path) -> Samples:
    _known(given, "samples", where)
    if not given.get("simulation"):
        raise SettingsError(f"{where}.simulation: name a file, a pattern or sim://..., or a list of them")
    if not given.get("data"):
        raise SettingsError(f"{where}.data: is missing: a file, a pattern or sim://NAME?data=1")
    if not given.get("training") and not given.get("model"):
        raise SettingsError(f"{where}: give training (events that the classifier learns from) or a model")
    found = {name: files_of(given[name], f"{where}.{name}", folder) for name in ("simulation", "data", "training")
             if given.get(name)}  # fmt: skip
    if len(found["data"]) > 1:
        raise SettingsError(f"{where}.data: must be one file or pattern")
    select = given.get("select")
    return Samples(
        found["simulation"], found["data"][0], found.get("training", ()), place(_text(given, "model", where), folder),
        layout_of(_text(given, "layout", where), folder), _text(given, "labels", where, "process"),
        _text(given, "weights", where), None if select is None else parse(str(select), f"{where}.select"),
    )  # fmt: skip


def _regions(given: Mapping[str, Any], processes: Sequence[str], where: str) -> tuple[Region, ...]:
    table = _table(given, "regions", where)
    if not table:  # a region for each class
        return tuple(Region(f"{name} region", name, None, name == processes[0], 3 if name == processes[0] else 1)
                     for name in processes)  # fmt: skip
    found = []
    for name, own in table.items():
        at = f"{where}: regions.{name}"
        if not isinstance(own, Mapping):
            raise SettingsError(f"{at}: must be a table, written [regions.{name}]")
        _known(own, "region", at)
        cut = own.get("cut")
        signal = own.get("signal", False)
        if not isinstance(signal, bool):
            raise SettingsError(f"{at}.signal: must be true or false, got {signal!r}")
        found.append(
            Region(
                str(name), _text(own, "class", at), None if cut in (None, "") else parse(str(cut), f"{at}.cut"), signal,
                int(_number(own.get("bins", 1), f"{at}.bins", 1, MOST_BINS)),
            )
        )  # fmt: skip
    return tuple(found)


def _check_regions(plan: Plan, where: str) -> None:
    if not plan.signal_regions:
        raise SettingsError(f"{where}: regions: none has signal = true: say in which one the signal is looked for")
    if len(plan.controls) < len(plan.normalised):
        raise SettingsError(
            f"{where}: regions: {len(plan.controls)} control regions for {len(plan.normalised)} backgrounds that are "
            "scaled to data: give one for each at least"
        )
    for region in plan.controls:
        at = f"{where}: regions.{region.name}"
        if region.of_class == plan.signal:
            raise SettingsError(
                f"{at}: looks at data where the classifier says {plan.signal}: that is a signal region; give it "
                "signal = true, or another class"
            )
        if region.bins > 1:
            raise SettingsError(f"{at}.bins: only signal regions have bins; leave it out")
    select = plan.samples.select
    if select is not None and (seen := [n for n in select.names if n.startswith(PROBABILITY)]):
        raise SettingsError(
            f"{where}: samples.select: {seen[0]} would look at the signal region before regions are made; put it into "
            "the cut of a region"
        )


def _systematics(
    given: Mapping[str, Any], processes: Sequence[str], where: str, folder: Path
) -> tuple[Systematic, ...]:
    found = []
    for name, own in _table(given, "systematics", where).items():
        at = f"{where}: systematics.{name}"
        if isinstance(own, bool) or not isinstance(own, str | int | float | Mapping):
            raise SettingsError(f'{at}: must be "weights", "columns", a share such as 0.025, or a table')
        table: Mapping[str, Any] = own if isinstance(own, Mapping) else (
            {"kind": own} if isinstance(own, str) else {"size": own})  # fmt: skip
        _known(table, "systematic", at)
        only = _texts(table, "processes", at)
        unknown = [one for one in only if one not in processes]
        if unknown:
            raise SettingsError(f"{at}.processes: no process {unknown[0]}; there are {', '.join(processes)}")
        ways = {way: files_of(table[way], f"{at}.{way}", folder)[0] for way in WAYS if way in table}
        kind = str(table.get("kind", FILES if ways else SIZE))
        _choice(kind, (WEIGHTS, COLUMNS, FILES, SIZE), f"{at}.kind")
        if (kind == FILES) != (len(ways) == 2):
            raise SettingsError(f"{at}: a variation by files needs both: up = FILE and down = FILE")
        size = _number(table.get("size", 0.0), f"{at}.size", 0.0, 2.0)
        if kind == SIZE and not size:
            raise SettingsError(f"{at}: give the share that it changes, such as 0.025")
        found.append(Systematic(str(name), kind, size, ways, only))
    return tuple(found)


def _points(given: Mapping[str, Any], parameters: Sequence[str], where: str) -> tuple[Point, ...]:
    found = []
    points = given.get("points", [])
    if not isinstance(points, list):
        raise SettingsError(f"{where}: points: must be a list, such as ['1900_100']")
    for one in points:
        parts = one if isinstance(one, list) else str(one).split("_")
        try:
            values = tuple(float(part) for part in parts)
        except (TypeError, ValueError) as error:
            raise SettingsError(f"{where}: points: {one!r} is no point; write 1900_100, or [1900, 100]") from error
        if len(values) != len(parameters):
            raise SettingsError(
                f"{where}: points: {one!r} has {len(values)} values for {len(parameters)} parameters "
                f"({', '.join(parameters) or 'none'})"
            )
        found.append(Point("_".join(f"{value:g}" for value in values), values))
    if len({point.name for point in found}) < len(found):
        raise SettingsError(f"{where}: points: one is named twice")
    return tuple(found)


def expressions(plan: Plan) -> list[tuple[str, Expression]]:
    """Return the cuts of the regions with their names."""
    return [(region.name, region.cut) for region in plan.regions if region.cut is not None]


def _known(given: Mapping[str, Any], of: str, where: str) -> None:
    for key in given:
        if key not in KNOWN[of]:
            near = difflib.get_close_matches(key, KNOWN[of], 1)
            hint = f"; nearest is {near[0]}" if near else ""
            raise SettingsError(f"{where}: {key}: no such field{hint}; there are: {', '.join(KNOWN[of])}")


def _table(given: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    found = given.get(key, {})
    if not isinstance(found, Mapping):
        raise SettingsError(f"{where}: {key}: must be a table, written [{key}]")
    return found


def _text(given: Mapping[str, Any], key: str, where: str, default: str = "") -> str:
    found = given.get(key, default)
    if not isinstance(found, str):
        raise SettingsError(f"{where}.{key}: must be text, got {found!r}")
    return found


def _texts(given: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    found = given.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise SettingsError(f"{where}: {key}: must be a list of names, got {found!r}")
    return tuple(found)


def _number(given: Any, where: str, least: float, most: float) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not least <= given <= most:
        raise SettingsError(f"{where}: must be a number from {least:g} to {most:g}, got {given!r}")
    return float(given)


def _choice(given: Any, known: Sequence[str], where: str) -> str:
    if given not in known:
        raise SettingsError(f"{where}: must be one of {', '.join(known)}, got {given!r}")
    return str(given)
