"""Chunks of jets that took long are kept on disk: `$LYNKEUS_CACHE/jets/KEY/`, else under `~/.cache/lynkeus`.

The key is of all settings, the version of Pythia and our own code; a folder says in `settings.json` what it is of, and
may be removed at any time.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core.batch import Batch
from lynkeus.core.packed import Group, Packed
from lynkeus.files.whole import beside
from lynkeus.simulate.jets.columns import jet_schema
from lynkeus.simulate.jets.plan import Plan

TRUTH, META = "truth", "meta/"


def cache_folder(plan: Plan) -> Path:
    """Return where the chunks of a plan are kept; it need not be there."""
    root = os.environ.get("LYNKEUS_CACHE")
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lynkeus"
    return (Path(root) if root else usual) / "jets" / plan.key


def kept_chunk(plan: Plan, number: int) -> Batch | None:
    """Return a chunk that is kept, None where it is not, or cannot be read."""
    path = cache_folder(plan) / f"{number:06d}.npz"
    if plan.generator != "pythia" or not path.is_file():
        return None
    try:
        with np.load(path) as held:
            arrays = {name: held[name] for name in held.files}
        groups = {
            name.removesuffix("/values"): Group(values, arrays[name.removesuffix("values") + "offsets"])
            for name, values in arrays.items()
            if name.endswith("/values")
        }
        meta = {name.removeprefix(META): column for name, column in arrays.items() if name.startswith(META)}
        return Batch(jet_schema(plan.wanted.classes), Packed(groups), truth=arrays[TRUTH], meta=meta)
    except (OSError, ValueError, KeyError, EOFError):  # cut short or of another hand: it is made again
        return None


def keep_chunk(plan: Plan, number: int, batch: Batch) -> None:
    """Keep a chunk; a disk that is full or may not be written to is none of the jets' business."""
    folder = cache_folder(plan)
    arrays: dict[str, Any] = {TRUTH: batch.truth} | {META + name: column for name, column in batch.meta.items()}
    for name, group in batch.values.groups.items():
        arrays |= {f"{name}/values": group.values, f"{name}/offsets": group.offsets}
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        about = folder / "settings.json"
        if not about.exists():
            about.write_text(json.dumps(plan.said(), indent=1), "utf-8")
        with beside(folder / f"{number:06d}.npz") as partial, partial.open("wb") as file:
            np.savez(file, **arrays)
