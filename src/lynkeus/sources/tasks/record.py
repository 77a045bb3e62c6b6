"""One task of JSON as counts: {"parameters": {...}, "errors": {"good_sites": {CODE: {SITE: COUNT}}, ...}}."""

from __future__ import annotations

from collections import Counter
from collections.abc import ItemsView, Mapping
from functools import lru_cache
from math import isfinite
from typing import Any, NamedTuple

from lynkeus.core.errors import SourceError

PARAMETERS, ERRORS, TASK = "parameters", "errors", "task"
STATES = ("good_sites", "bad_sites")
NAMES = ("task", "name", "workflow", "id")  # of a task, where it stands alone
MOST = 1e9  # jobs of one task that fail at one site with one code
SHAPE = '{"parameters": {...}, "errors": {"good_sites": {CODE: {SITE: COUNT}}, "bad_sites": {...}}}'


class Record(NamedTuple):
    """A task: its `name`, its `keys` (state, code, site) with their `counts`, and its `parameters` as text."""

    name: str
    keys: list[tuple[str, str, str]]
    counts: list[float]
    parameters: dict[str, str]


def is_task(found: Any) -> bool:
    """Return whether a value of JSON is a task: it says which errors there were."""
    return isinstance(found, Mapping) and (ERRORS in found or isinstance(found.get(PARAMETERS), Mapping))


def record_of(name: str, found: Any, notes: Counter[str], where: str) -> Record:
    """Return a task; `notes` counts what was left out. Raises SourceError naming the task whose form is another."""
    if not is_task(found):
        raise SourceError(f"{where}: {name!r} is no task; it must look like {SHAPE}")
    keys: list[tuple[str, str, str]] = []
    counts: list[float] = []
    errors = found.get(ERRORS) or {}
    if not isinstance(errors, Mapping):
        raise SourceError(f"{where}: the errors of {name!r} are no table of codes by site; it must look like {SHAPE}")
    for state, codes in errors.items():
        if state not in STATES:
            notes[f"states of sites other than {' and '.join(STATES)} are left out"] += 1
            continue
        for code, by_site in _table(codes, name, where):
            for site, count in _table(by_site, name, where):
                jobs = float(count) if type(count) is int and 0 < count <= MOST else jobs_of(count, notes)
                if jobs:
                    keys.append(_key(state, str(code), str(site)))
                    counts.append(jobs)
    if not keys:
        notes["tasks without errors"] += 1
    return Record(name, keys, counts, _parameters(found.get(PARAMETERS), name, where))


@lru_cache(maxsize=2**17)
def _key(state: str, code: str, site: str) -> tuple[str, str, str]:
    """Return a key, the same object for the same words: of a hundred thousand tasks there are millions, of which few
    differ, and the garbage collector would go through all of them again and again."""
    return state.removesuffix("_sites"), code, site


def _table(found: Any, name: str, where: str) -> ItemsView[Any, Any]:
    if found is None:
        return {}.items()
    if not isinstance(found, Mapping):
        raise SourceError(f"{where}: the errors of {name!r} hold {found!r:.40} where a table is meant: {SHAPE}")
    return found.items()


def jobs_of(count: Any, notes: Counter[str]) -> float:
    """Return a count of jobs; 0 for what is none, which is noted."""
    try:
        jobs = float(count)
    except (TypeError, ValueError):
        notes["counts that are no numbers are left out"] += 1
        return 0.0
    if not isfinite(jobs) or jobs < 0:
        notes["counts below zero or not finite are left out"] += 1
        return 0.0
    if jobs > MOST:
        notes[f"counts above {MOST:.0e} are taken as that many"] += 1
    return min(jobs, MOST)


def _parameters(found: Any, name: str, where: str) -> dict[str, str]:
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise SourceError(f"{where}: the parameters of {name!r} are no table; it must look like {SHAPE}")
    return {str(key): _word(value) for key, value in found.items()}


def _word(value: Any) -> str:
    """Return a parameter as text, '' where there is none."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(_word(one) for one in value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
