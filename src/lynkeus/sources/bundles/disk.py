"""A bundle while it is written: `NAME.partial`, so that a kill or a full disk loses nothing that was on the disk."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.files.whole import disk_errors, replace_file, sync_folder
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
    _write_json(partial / SCHEMA, content)
    os.rename(partial, folder)
    for records in folder.glob("records*.raw"):
        records.unlink()
    sync_folder(folder.parent)


def on_disk(partial: Path) -> AbstractContextManager[None]:
    """Turn what the disk refuses within into one line."""
    return disk_errors(partial, mend="what is there is kept: make room, run the same command again and it goes on")


def write_all(file: FileIO, rows: Array) -> None:
    """All bytes of the rows; an unbuffered file may take them in several goes."""
    left = np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data
    while left:
        left = left[file.write(left) :]


def write_header(file: FileIO, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """A .npy header; NumPy leaves room in it for the number of rows to grow, so its length stays the same."""
    fields = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, fields)


def _agree(plan: dict[str, Any], partial: Path) -> dict[str, Any]:
    path = partial / SCHEMA
    if path.exists():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            before = None
        if not isinstance(before, dict) or {name: before.get(name) for name in plan} != plan:
            raise SourceError(f"{partial}: was begun from another source; remove it and run the command again")
    _write_json(path, plan)
    return plan


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    replace_file(path, json.dumps(content, indent=1).encode(), sync_first=True)
