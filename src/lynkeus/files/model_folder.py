"""A model folder: written as a whole or not at all, with a checksum of every file; verified before it is believed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError

from lynkeus.core import ModelError

MODEL, SUMS = "model.json", "SHA256SUMS"


def write_model(folder: Path, write: Callable[[Path], None], more: Mapping[str, bytes] | None = None) -> None:
    """Write the folder by `write`, with `more` files in it: it is complete, or what was there before stays.

    Raises ModelError otherwise.
    """
    check_output(folder)
    partial, old = folder.with_name(folder.name + ".partial"), folder.with_name(folder.name + ".old")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, content in (more or {}).items():
            (partial / name).write_bytes(content)
        write(partial)
        lines = [f"{_digest(path)}  {path.relative_to(partial).as_posix()}" for path in _files(partial)]
        (partial / SUMS).write_text("\n".join(lines) + "\n", encoding="utf-8")
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        partial.rename(folder)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{folder}: the model cannot be written ({error}); free some space or choose another -o"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def check_output(folder: Path) -> None:
    """Raise ModelError where something that is no model folder is in the way of a new one."""
    if folder.exists() and not (folder / MODEL).is_file():
        raise ModelError(f"{folder} exists and is not a model folder: choose another name with -o")


def is_of_runs(folder: Path) -> bool:
    """Whether a model folder is one of runs."""
    try:
        return "runs" in json.loads((folder / MODEL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_model(folder: Path) -> None:
    """Raise ModelError unless every file is there and as it was written."""
    if not (folder / MODEL).is_file() or not (folder / SUMS).is_file():
        raise ModelError(f"{folder} is not a model folder ({MODEL} or {SUMS} is missing); make one with lynkeus fit")
    listed = {}
    for line in (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        listed[name] = digest
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if listed.pop(name, None) != _digest(path):
            raise ModelError(f"{path} is not what was saved (its checksum differs): the model is damaged; fit it again")
    if listed:
        raise ModelError(f"{folder / next(iter(listed))} is missing: the model is incomplete; fit it again")
