"""The text of a YAML configuration as plain values: only data, only so many, and only types that JSON has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lynkeus.core.errors import SettingsError
from lynkeus.core.extras import needing

MOST_LETTERS, MOST_VALUES = 1_000_000, 100_000


def parsed_yaml(text: str, name: str) -> dict[str, Any]:
    """Return what a YAML file holds. Raises SettingsError in one line, with the line of the file where it is no YAML,
    for a file that is too long or that holds other things than numbers, words, lists and tables by name."""
    with needing(f"{name}: a YAML file", "hep"):
        import yaml
    if len(text) > MOST_LETTERS:
        raise SettingsError(f"{name}: has {len(text)} letters; a configuration has at most {MOST_LETTERS}")
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f" in line {mark.line + 1}" if mark is not None else ""
        said = getattr(error, "problem", None) or next(iter(str(error).splitlines()), "")
        raise SettingsError(f"{name}: is not valid YAML{at} ({said}); mend it there") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{name}: is not valid YAML ({type(error).__name__}); mend it") from error
    if not isinstance(found, dict):
        raise SettingsError(f"{name}: must be a table of names (selection:, inputs:, labels:, ...)")
    for count, _ in enumerate(_values(found, name, 0)):
        if count > MOST_VALUES:  # anchors that refer to one another grow without end
            raise SettingsError(f"{name}: holds more than {MOST_VALUES} values; write a shorter one")
    return found


def _values(held: Any, name: str, depth: int) -> Iterator[Any]:
    if depth > 20:
        raise SettingsError(f"{name}: is nested more than 20 deep; write it flatter")
    if isinstance(held, dict):
        for key, value in held.items():
            if not isinstance(key, str):
                raise SettingsError(f"{name}: {key!r} is no name; put it in quotes")
            yield key
            yield from _values(value, name, depth + 1)
    elif isinstance(held, list):
        for value in held:
            yield from _values(value, name, depth + 1)
    elif held is None or isinstance(held, str | int | float | bool):
        yield held
    else:
        raise SettingsError(f"{name}: {held!r} is neither a number nor a word; put it in quotes")
