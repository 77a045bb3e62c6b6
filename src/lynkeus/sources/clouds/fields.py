"""Fields of a layout in TOML, each refused in one line that names it where it is not what it must be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lynkeus.core.errors import SettingsError
from lynkeus.sources.clouds.columns import nearest


def require_known(given: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    """Raise SettingsError for a field that is none of `names`, with the nearest one."""
    known = list(names)
    for key in given:
        if key not in known:
            raise SettingsError(f"{where}.{key}: no such field{nearest(key, known)}; there are: {', '.join(known)}")


def table_in(given: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    """Return a table of a layout, empty where there is none. Raises SettingsError for anything else."""
    found = given.get(key, {})
    if not isinstance(found, Mapping):
        raise SettingsError(f"{where}.{key}: must be a table, got {found!r}")
    return found


def text_in(given: Mapping[str, Any], key: str, where: str) -> str:
    """Return the text of a field, '' where there is none. Raises SettingsError for anything else."""
    found = given.get(key, "")
    if not isinstance(found, str):
        raise SettingsError(f"{where}.{key}: must be text, got {found!r}")
    return found
