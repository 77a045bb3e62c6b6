"""Blocks of collisions are made by all processes that are allowed, and kept on disk: `$LYNKEUS_CACHE/hydro/KEY/`, else
under `~/.cache/lynkeus`. A generation that was killed goes on where it was; a folder may be removed at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core.batch import Array
from lynkeus.core.progress import report_progress
from lynkeus.files.whole import beside
from lynkeus.files.workers import Work, in_order, processes_allowed

BLOCK = 16  # collisions
AHEAD = 4  # blocks that each process makes before the first of them is given
OF_CODE = 3  # raised whenever the same settings give other collisions
Block = dict[str, Array]


def blocks(source: Any) -> Iterator[Block]:
    """Yield the columns of all collisions of a HydroSource, BLOCK of them at a time."""
    count = -(-source.n // BLOCK)
    folder, processes = _folder(source), processes_allowed()
    work = Work(_begin, (source, folder), here=partial(_make, source, folder))
    for first in range(0, count, AHEAD * processes):
        wave = list(range(first, min(first + AHEAD * processes, count)))
        found = {number: _kept(folder, number, len(_events(source, number))) for number in wave}
        missing = [number for number in wave if found[number] is None]
        for number, made in zip(missing, in_order(work, missing, processes), strict=True):
            found[number] = made
        for number in wave:
            block = found[number]
            assert block is not None
            yield {name: column[: source.n - number * BLOCK] for name, column in block.items()}
            report_progress(f"hydro: {number + 1} of {count} blocks", (number + 1) / count)


def _folder(source: Any) -> Path:
    root = os.environ.get("LYNKEUS_CACHE")
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lynkeus"
    settings: Mapping[str, Any] = asdict(replace(source, n=1)) | {"code": OF_CODE, "table": _table(source.eos)}
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    return (Path(root) if root else usual) / "hydro" / key


def _table(eos: str) -> str:
    """Return a checksum of the table of an equation of state that is a file: another one by that name is another."""
    path, found = Path(eos), hashlib.sha256()
    if not path.exists():
        return ""
    for one in sorted(path.glob("*.dat")) if path.is_dir() else (path,):
        found.update(one.read_bytes())
    return found.hexdigest()


def _events(source: Any, number: int) -> range:
    """Return the numbers of the collisions of a block; the last one has no more than are wanted."""
    return range(number * BLOCK, min((number + 1) * BLOCK, source.n))


def _kept(folder: Path, number: int, least: int) -> Block | None:
    """Return a block of at least so many that is kept, None where it is not, or cannot be read."""
    path = folder / f"{number:06d}.npz"
    if not path.is_file():
        return None
    try:
        with np.load(path) as held:
            block = {name: held[name] for name in held.files}
            return block if len(block["event"]) >= least else None
    except (OSError, ValueError, KeyError, EOFError):  # cut short or of another hand: it is made again
        return None


def _begin(source: Any, folder: Path) -> Callable[[int], Block]:
    return partial(_make, source, folder)


def _make(source: Any, folder: Path, number: int) -> Block:
    block: dict[str, Any] = source.block(_events(source, number))
    with suppress(OSError):  # a disk that is full, or may not be written to, is none of the collisions' business
        folder.mkdir(parents=True, exist_ok=True)
        with beside(folder / f"{number:06d}.npz") as partly, partly.open("wb") as file:
            np.savez(file, **block)
    return block
