"""Messages: JSON of one channel or of several, as updates: names, time stamps, numbers."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

NS = 1_000_000_000
TIME = ("time", "time_ns", "timestamp", "t")
TAG = ("pulse_id", "train_id", "pulse", "tag")
ABOUT = (*TIME, *TAG, "severity", "unit")
LARGEST = 2**63 - 1  # what a sample can hold of a time or the number of a pulse
SCALES = ((10**17, 1), (10**14, 1_000), (10**11, 1_000_000))  # of ns, us, ms since 1970; smaller ones are seconds


class Value(NamedTuple):
    """A value of a channel in a message; `stamp_ns` and `tag` are 0 where there is none."""

    name: str
    stamp_ns: int
    tag: int
    value: Any
    severity: int


def values_in(content: bytes, subject: str) -> list[Value]:
    """Return the values of one message. Raises ValueError that says what is wrong with it.

    {"time": ..., "channel": NAME, "value": 1.2}, {"time": ..., "values": {NAME: 1.2, ...}}, {"time": ..., NAME: 1.2,
    ...}, a list of such, or a number, which is of the channel that is called as the subject.
    """
    try:
        message = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError("is no JSON") from error
    parts = message if isinstance(message, list) and any(isinstance(one, dict) for one in message) else [message]
    try:
        return [value for part in parts for value in _values(part, subject)]
    except OverflowError as error:
        raise ValueError("holds a number that is too large") from error


def _values(part: Any, subject: str) -> list[Value]:
    if not isinstance(part, dict):
        return [Value(subject, 0, 0, _number(part, subject), 0)]
    stamp, tag = _time(part), _whole(part, TAG)
    severity = _whole(part, ("severity",))
    if "values" in part:
        named = part["values"]
        if not isinstance(named, dict):
            raise ValueError("values must be an object of names and numbers")
    elif "value" in part:
        name = part.get("channel", part.get("name", subject))
        if not isinstance(name, str) or not name:
            raise ValueError(f"channel must be a name, got {name!r}")
        named = {name: part["value"]}
    else:
        named = {name: value for name, value in part.items() if name not in ABOUT}
        if not named:
            raise ValueError("holds no value")
    for name in named:
        if not name.isprintable():  # JSON can say halves of characters, and ends of lines
            raise ValueError(f"{name!r} is no name of a channel")
    return [Value(str(name), stamp, tag, _number(value, name), severity) for name, value in named.items()]


def _number(value: Any, name: Any) -> Any:
    """Return a number or a vector; null and NaN are missing."""
    if value is None:
        return math.nan
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, list) and value and all(one is None or isinstance(one, int | float) for one in value):
        return np.array([math.nan if one is None else one for one in value], float)
    raise ValueError(f"{name} must be a number or a list of numbers, got {type(value).__name__}")


def _whole(part: dict[str, Any], names: tuple[str, ...]) -> int:
    found = next((part[name] for name in names if name in part), 0)
    if isinstance(found, bool) or not isinstance(found, int):
        raise ValueError(f"{'/'.join(names)} must be a whole number, got {found!r}")
    if abs(found) > LARGEST:
        raise OverflowError
    return found


def _time(part: dict[str, Any]) -> int:
    """Return ns since 1970: of s, ms, us or ns by their size, or of a text such as 2026-11-29T18:00:00Z; 0: none."""
    name = next((name for name in TIME if name in part), None)
    if name is None:
        return 0
    given = part[name]
    if isinstance(given, str):
        try:
            at = datetime.fromisoformat(given)
        except ValueError as error:
            raise ValueError(f"{name} {given!r} is no time") from error
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return round((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6) * 1000
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given) or given < 0:
        raise ValueError(f"{name} must be a time, got {given!r}")
    factor = next((step for least, step in SCALES if given >= least), NS)
    found = given * factor if isinstance(given, int) else round(given * factor)
    if found > LARGEST:
        raise OverflowError
    return found
