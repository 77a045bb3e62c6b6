"""Published likelihoods: a HistFactory workspace as somebody else wrote it, alone or with a patch for each signal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lynkeus.core import SettingsError
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.searches.inference import FEW_EVENTS, Model, best_fit, cls_of, discovery, upper_limit

BANDS = ("minus_2", "minus_1", "expected", "plus_1", "plus_2")
Row = dict[str, Any]


def patches_of(paths: Sequence[Path]) -> dict[str, list[Any]]:
    """Return patches by name: of files with a patch (a list of changes, RFC 6902), or of sets of patches as HEPData has
    them. Raises SettingsError naming a file that is none."""
    found: dict[str, list[Any]] = {}
    for path in paths:
        own = _json(path)
        if isinstance(own, list):
            more = {path.stem.removeprefix("patch."): own}
        elif isinstance(own, Mapping) and isinstance(own.get("patches"), list):
            more = {str(one["metadata"]["name"]): one["patch"] for one in own["patches"]
                    if isinstance(one, Mapping) and "patch" in one and "name" in one.get("metadata", {})}  # fmt: skip
        else:
            more = {}
        if not more:
            raise SettingsError(f"{path}: is no JSON patch and no set of them; give what belongs to the workspace")
        for name, patch in more.items():
            if name in found:
                raise SettingsError(f"{path}: a patch {name} was given before; give each once")
            found[name] = patch
    return found


def read_workspace(path: Path, patch: Sequence[Any] | None = None, name: str = "") -> Model:
    """Return the model of a workspace, with a patch of this name. Raises SettingsError in one line."""
    from jsonpatch import JsonPatchException  # of pyhf
    from jsonpointer import JsonPointerException

    where = f"{path}" + (f" with {name}" if name else "")
    given = _json(path)
    if not isinstance(given, Mapping):
        raise SettingsError(f"{path}: is no workspace, but a {type(given).__name__}; give channels and observations")
    try:
        model = Model.of(given, [] if patch is None else [patch])
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from error
    except (JsonPatchException, JsonPointerException, TypeError, ValueError, KeyError, IndexError) as error:
        said = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise SettingsError(f"{where}: cannot be put together ({said}); is the patch of this workspace?") from error
    if model.strength is None:
        raise SettingsError(f"{where}: its measurement names no strength of a signal (poi): there is nothing to limit")
    return model


def likelihoods(path: Path, paths: Sequence[Path], toys: int = 0, report: ReportProgress = silent) -> list[Row]:
    """Return a row of each patch, or of the workspace alone: limits on the strength of its signal, as observed and as
    expected at -2 to 2 sigmas, CLs at strength 1, its best fit, and the significance of the data."""
    patches: dict[str, list[Any] | None] = {**patches_of(paths)} if paths else {path.stem: None}
    rows = []
    for k, (name, patch) in enumerate(patches.items()):
        report(name, k / len(patches))
        rows.append(_row(name, read_workspace(path, patch, name if patch else ""), toys))
    return rows


def _row(name: str, model: Model, toys: int) -> Row:
    at_one = cls_of(model, 1.0)
    try:
        limit = upper_limit(model, toys)
        limits = [limit.observed, *limit.expected]
    except SettingsError as error:
        if "no signal strength" not in str(error):
            raise
        limits = [float("inf")] * 6
    best, found = best_fit(model), discovery(model)
    return {
        "name": name, "limit_observed": limits[0], **dict(zip(BANDS, limits[1:], strict=True)),
        "cls": at_one[0], **{f"cls_{band}": value for band, value in zip(BANDS, at_one[1:], strict=True)},
        "strength": best.values[model.strength], "error": best.errors[model.strength],
        "z_observed": found.significance, "p_value": found.p_value, "z_expected": found.expected, "toys": toys,
        "few_events": model.fewest < FEW_EVENTS,
    }  # fmt: skip


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: is no JSON ({str(error).splitlines()[0]}); copy it again") from error
