"""Options as their signatures say: what a user typed is of the type that is wanted, or is refused in a line.

Without it `true` counts as 1, and a word where a number is wanted ends deep in a library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lynkeus.core.errors import SettingsError

SEVERAL = ("tuple[", "Sequence[", "list[")
TABLES = ("Mapping[", "dict[")


def typed(name: str, annotation: Any, value: Any) -> Any:
    """Return the value of an option that is annotated as int, float, bool, str, a tuple or a mapping; 1e5 is a whole
    number. What is annotated otherwise stays as it is. Raises SettingsError, whose text begins with the name."""
    kind = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    number = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    if kind == "int":
        wanted, fits = "a whole number", number and value % 1 == 0
    elif kind == "float":
        wanted, fits = "a number", number
    elif kind == "bool":
        wanted, fits = "true or false", isinstance(value, bool)
    elif kind == "str":
        wanted, fits = "a text", isinstance(value, str | int) and not isinstance(value, bool)
    elif kind.startswith(SEVERAL):
        wanted, fits = "a text, or several", isinstance(value, Sequence)
    elif kind.startswith(TABLES):
        wanted, fits = f"a table, written as {name}.NAME=VALUE", isinstance(value, Mapping)
    else:
        return value
    if not fits:
        shown = str(value).lower() if isinstance(value, bool) else repr(value)
        raise SettingsError(f"{name} must be {wanted}, got {shown}")
    return int(value) if kind == "int" else str(value) if kind == "str" else value
