"""A bundle while it is written: `NAME.partial`, so that a kill or a full disk loses nothing that was on the disk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.sources.bundles.bundle import SCHEMA


def begin(folder: Path, plan: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
    """Make `folder`.partial with the plan in it, or find it with the same; give its path, and the plan as JSON has it.

    Raises SourceError where the folder exists, or was begun with another plan.
    """
    if folder.exists():
        raise SourceError(f"{folder}: exists already; remove it or choose another name")
    partial = folder.with_name(folder.name + ".partial")
    with on_disk(partial):
        partial.mkdir(parents=True, exist_ok=True)
        return partial, _agree(json.loads(json.dumps(plan)), partial)


def finish(partial: Path, folder: Path, content: Mapping[str, Any]) -> None:
    """Everything has been written: complete schema.json, and give the folder its name."""
    write_json(partial / SCHEMA, content)
    os.rename(partial, folder)
    for records in folder.glob("records*.raw"):
        records.unlink()
    sync_folder(folder.parent)


@contextmanager
def on_disk(partial: Path) -> Iterator[None]:
    """Turn what the disk refuses into one line."""
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"{partial}: cannot be written ({error.strerror or error}); what is there is kept: make room, run the same "
            "command again and it goes on"
        ) from error


def write_all(file: FileIO, rows: Array) -> None:
    """All bytes of the rows; an unbuffered file may take them in several goes."""
    left = np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data
    while left:
        left = left[file.write(left) :]


def write_header(file: FileIO, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """A .npy header; NumPy leaves room in it for the number of rows to grow, so its length stays the same."""
    fields = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, fields)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """As a whole or not at all."""
    beside = path.with_suffix(".new")
    with beside.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        sync(file)
    beside.replace(path)


def sync(file: Any) -> None:
    """Return when the disk has it."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Return when the disk has the names in it."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _agree(plan: dict[str, Any], partial: Path) -> dict[str, Any]:
    path = partial / SCHEMA
    if path.exists():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            before = None
        if not isinstance(before, dict) or {name: before.get(name) for name in plan} != plan:
            raise SourceError(f"{partial}: was begun from another source; remove it and run the command again")
    write_json(path, plan)
    return plan
