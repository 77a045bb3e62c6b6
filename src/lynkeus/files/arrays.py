"""How a scorer is kept: arrays as safetensors, the rest as JSON, in one folder. Never pickle.

Its parts are dataclasses or named tuples; `arrays_of` and `part_of` turn them into arrays by the names of their fields.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from lynkeus.core import Array, ModelError, Schema

S = TypeVar("S")
NUMBERS = (bool, int, float, complex)
WEIGHTS, SETTINGS = "weights.safetensors", "scorer.json"


class Arrays(dict[str, Array]):
    """The arrays of a model folder by name. Asked for one that is not there, it raises a ModelError."""

    def __init__(self, folder: Path, arrays: Mapping[str, Array]) -> None:
        super().__init__(arrays)
        self.folder = folder

    def __missing__(self, name: str) -> Array:
        raise ModelError(f"{self.folder} does not hold {name!r}: it is no model of this version; fit it again")


def arrays_of(part: Any, prefix: str = "", leave: Collection[str] = ()) -> dict[str, Array]:
    """Return the fields of a part as arrays by name, behind a prefix; those of parts in it as "field.own".

    Numbers are arrays of one, words are their bytes, parts of a tuple "field.0.own"; None and `leave` are left out.
    """
    found: dict[str, Array] = {}
    for name, hint in _hints(type(part)).items():
        value, own = getattr(part, name), prefix + name
        if value is None or name in leave:
            continue
        if _is_part(type(value)):
            found |= arrays_of(value, f"{own}.")
        elif get_origin(hint) is tuple and _is_part(get_args(hint)[0]):
            for number, one in enumerate(value):
                found |= arrays_of(one, f"{own}.{number}.")
        elif isinstance(value, str):
            found[own] = np.frombuffer(value.encode(), np.uint8)
        else:
            found[own] = np.atleast_1d(np.asarray(value))
            if found[own].dtype.kind not in "biufc":
                raise TypeError(f"{type(part).__name__}.{name} is neither numbers nor a part: {value!r}")
    return found


def part_of(kind: type[S], arrays: Mapping[str, Array], prefix: str = "", **given: Any) -> S:
    """Return the part that `arrays_of` gave the arrays of; fields that are `given` are not looked for.

    Raises KeyError where one is missing: a ModelError if the arrays are those of `read_folder`.
    """
    hints = {name: hint for name, hint in _hints(kind).items() if name not in given}
    return kind(**given, **{name: _value(hint, arrays, prefix + name) for name, hint in hints.items()})


def _value(hint: Any, arrays: Mapping[str, Array], name: str) -> Any:
    """Return the array of a name as what the field is declared to be."""
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (one for one in get_args(hint) if one is not NoneType)
        if name not in arrays and not any(key.startswith(f"{name}.") for key in arrays):
            return None
    if _is_part(hint):
        return part_of(hint, arrays, f"{name}.")
    if get_origin(hint) is tuple:
        (own, *_) = get_args(hint)
        if not _is_part(own):
            return tuple(arrays[name].tolist())
        count = len({key[len(name) + 1 :].partition(".")[0] for key in arrays if key.startswith(f"{name}.")})
        return tuple(part_of(own, arrays, f"{name}.{number}.") for number in range(count))
    if hint is str or get_origin(hint) is Literal:
        return arrays[name].tobytes().decode()
    return hint(arrays[name][0].item()) if hint in NUMBERS else arrays[name]


def _is_part(kind: Any) -> bool:
    return isinstance(kind, type) and (dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"))


def _hints(kind: Any) -> dict[str, Any]:
    """Return what each field of a dataclass or named tuple is declared to be."""
    hints = get_type_hints(kind)
    names = [one.name for one in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else kind._fields
    return {name: hints[name] for name in names}


def write_folder(folder: Path, schema: Schema, settings: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write one scorer; the folder is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, str(folder / WEIGHTS))
    content = {"schema": schema.to_dict(), "settings": dict(settings)}
    (folder / SETTINGS).write_text(json.dumps(content, indent=1), encoding="utf-8")


def read_folder(folder: Path) -> tuple[Schema, dict[str, Any], Arrays]:
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
    return schema, settings, Arrays(folder, arrays)


def read_scorer(kind: type[S], folder: Path) -> tuple[S, Arrays]:
    """A scorer whose settings are the fields of its dataclass, with its `schema_`, and its arrays.

    Raises ModelError as `read_folder`, where a setting is not known, and later where an array is asked for in vain.
    """
    schema, settings, arrays = read_folder(folder)
    try:
        scorer = kind(**settings)
    except TypeError as error:
        raise ModelError(f"{folder} does not hold a {kind.__name__} of this version ({error}); fit it again") from error
    scorer.schema_ = schema  # type: ignore[attr-defined]
    return scorer, arrays
