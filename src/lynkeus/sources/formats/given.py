"""Checks of what a layout file says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from lynkeus.core.errors import SettingsError


def check_known(cls: Any, given: Mapping[str, Any], where: str) -> None:
    """Raise SettingsError for a field that a class does not have."""
    known = [field.name for field in fields(cls)]
    for name in given:
        if name not in known:
            raise SettingsError(f"{dotted(where, name)}: no such field; there are: {', '.join(known)}")


def check_texts(made: Any, where: str) -> None:
    """Raise SettingsError for a text field that is none."""
    for field in fields(made):
        if field.type == "str" and not isinstance(getattr(made, field.name), str):
            given = getattr(made, field.name)
            raise SettingsError(f"{dotted(where, field.name)}: must be text, got {given!r}")


def texts(given: Any, where: str) -> tuple[str, ...]:
    """Return a list of patterns as a tuple. Raises SettingsError for what is none."""
    if not isinstance(given, list | tuple) or not given or not all(isinstance(text, str) for text in given):
        raise SettingsError(f"{where}: must be a list of patterns, got {given!r}")
    return tuple(given)


def dotted(where: str, name: str) -> str:
    """Return the full name of a field."""
    return f"{where}.{name}" if where else name


def positive(value: Any) -> bool:
    """Return whether a value is a positive number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def whole(value: Any) -> bool:
    """Return whether a value is a whole number: true is none."""
    return isinstance(value, int) and not isinstance(value, bool)
