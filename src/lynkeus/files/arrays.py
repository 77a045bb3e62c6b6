"""How a scorer is kept: arrays as safetensors, the rest as JSON, in one folder. Never pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from lynkeus.core import Array, ModelError, Schema

S = TypeVar("S")
WEIGHTS, SETTINGS = "weights.safetensors", "scorer.json"


def write_folder(folder: Path, schema: Schema, settings: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write one scorer; the folder is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, str(folder / WEIGHTS))
    content = {"schema": schema.to_dict(), "settings": dict(settings)}
    (folder / SETTINGS).write_text(json.dumps(content, indent=1), encoding="utf-8")


def read_folder(folder: Path) -> tuple[Schema, dict[str, Any], dict[str, Array]]:
    """Schema, settings and arrays. Raises ModelError naming the file that is missing or damaged."""
    for name in (WEIGHTS, SETTINGS):
        if not (folder / name).is_file():
            raise ModelError(f"{folder / name} is missing: the model folder is incomplete; fit it again")
    try:
        content = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        schema, settings = Schema.from_dict(content["schema"]), content["settings"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / SETTINGS} is damaged ({error}); fit the model again") from error
    try:
        arrays = load_file(str(folder / WEIGHTS))
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{folder / WEIGHTS} is damaged ({error}); fit the model again") from error
    return schema, settings, arrays


def read_scorer(kind: type[S], folder: Path, *names: str) -> tuple[S, dict[str, Array]]:
    """A scorer whose settings are the fields of its dataclass, with its `schema_`, and its arrays.

    Raises ModelError as `read_folder`, and where a setting is not known or one of the arrays `names` is missing.
    """
    schema, settings, arrays = read_folder(folder)
    try:
        scorer = kind(**settings)
        found = {name: arrays[name] for name in names}
    except (KeyError, TypeError) as error:
        raise ModelError(f"{folder} does not hold a {kind.__name__} of this version ({error}); fit it again") from error
    scorer.schema_ = schema  # type: ignore[attr-defined]
    return scorer, found
