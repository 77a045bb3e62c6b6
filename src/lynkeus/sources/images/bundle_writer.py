"""write_images: a folder of images into an ImageBundle, by several processes, going on where one was stopped."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import lynkeus
from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.files.whole import sync
from lynkeus.files.workers import Backend, Work, in_order
from lynkeus.sources.bundles.disk import begin, finish, on_disk, write_header
from lynkeus.sources.images.bundle import CROPS, IMAGES, STORED, TRUTH, ImageBundle, pixels_name
from lynkeus.sources.images.crops import Crops
from lynkeus.sources.images.folder import ImageSource, skipped_lines
from lynkeus.sources.images.metadata import FILE
from lynkeus.sources.images.shard import RECORD, ShardTask, read_records, records_name, stored_bytes, write_shard

IMAGES_A_PROCESS = 100  # with fewer it is not worth to start one
MOST_PROCESSES = 16
WHOLE = Crops()


def write_images(
    source: ImageSource,
    folder: str | Path,
    crops: Crops = WHOLE,
    progress: Callable[[int], None] | None = None,
    processes: int | None = None,
    backend: Backend | None = None,
) -> ImageBundle:
    """Write each image to `folder` once, and the index of its crops; `progress` is told the images done so far.

    Images that cannot be read, or are smaller than a crop, are left out; `messages` of the bundle count them and
    `provenance["skipped"]` says why. `processes`: None for one per core (one for few images); a run that goes on has as
    many as the first one. A `backend` (a cluster) has MOST_PROCESSES. Raises SourceError where the folder exists, an
    unfinished bundle is of other images or crops, another run is writing it, or the disk is full: what was written is
    kept, and the same call goes on after it.
    """
    folder = Path(folder)
    side = crops.side or None
    schema = replace(source.schema, shape=(len(source.schema.names), side, side))
    plan = {"schema": schema.to_dict(), "crops": asdict(crops), "origin": source.origin}
    unfinished, plan = begin(folder, plan | {"pixels": source.rule.to_dict()})
    processes = MOST_PROCESSES if backend else processes or _default_processes(len(source.images))
    task = ShardTask(source, crops, unfinished, _shards(unfinished, processes))
    if task.shards == 1:
        write_shard(task, 0, progress)
    else:
        _in_processes(task, progress, backend)
    with on_disk(unfinished):
        finish(unfinished, folder, plan | _complete(task) | {"lynkeus": lynkeus.__version__})
    return ImageBundle(folder)


def _default_processes(images: int) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_PROCESSES, 1 + images // IMAGES_A_PROCESS)


def _shards(unfinished: Path, processes: int) -> int:
    """Return how many files of pixels there are, as many as an earlier run made, each written by one process."""
    with on_disk(unfinished):
        shards = len(list(unfinished.glob(pixels_name("*")))) or processes
        for shard in range(shards):
            (unfinished / pixels_name(shard)).touch()
            (unfinished / records_name(shard)).touch()
    return shards


def _in_processes(task: ShardTask, progress: Callable[[int], None] | None, backend: Backend | None) -> None:
    """Write each shard in a process of its own, one of them in this, which asks the files how far the others are; with
    a `backend` elsewhere."""
    records = [task.partial / records_name(shard) for shard in range(task.shards)]

    def report(_: int = 0) -> None:
        if progress:
            progress(sum(path.stat().st_size for path in records) // RECORD.itemsize)

    here = partial(write_shard, task, report=report)
    in_order(Work(partial, (write_shard, task), here, report), range(task.shards), task.shards, backend)
    if progress:
        progress(len(task.source.images))


def _complete(task: ShardTask) -> dict[str, Any]:
    """The number of bytes into the headers, images.parquet, crops.npy; what schema.json says of them."""
    source = task.source
    records, shard, at = _join(task)
    kept = np.flatnonzero(records["rows"])
    left_out = np.flatnonzero(records["rows"] == 0)
    skipped = {source.images[k]: records["reason"][k].decode(errors="ignore") for k in left_out}
    messages = [
        *source.left_out,
        *skipped_lines(skipped, len(records)),
        *source.rule.words(),
        *source.metadata.messages,
    ]
    if not len(kept):
        raise SourceError(f"{source.path}: {messages[0]}; nothing is left to be bundled")
    records = records[kept]
    places = [shard[kept], at[kept], *(records[name] for name in ("rows", "columns", "x", "y", "scale"))]
    columns = {FILE: np.array(source.images)[kept], **dict(zip(STORED, map(np.ascontiguousarray, places), strict=True))}
    if source.metadata.truth is not None:
        columns[TRUTH] = source.metadata.truth[kept]
    columns |= {name: column[kept] for name, column in source.metadata.columns.items()}
    with (task.partial / IMAGES).open("wb") as file:
        pq.write_table(pa.table(columns), file)
        sync(file)
    count = stored_bytes(records, 1).sum()
    total, squares = records["sums"].sum(axis=0)[:, : task.channels]
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    rows = _write_crops(task, records)
    made = {"rows": rows, "images": len(kept), "shards": task.shards, "mean": mean.tolist(), "std": std.tolist()}
    return made | {"skipped": skipped, "messages": messages}


def _join(task: ShardTask) -> tuple[Array, Array, Array]:
    """Return for each image its record (n,), the number of the file that it is in (n,), and where it begins there
    (n,)."""
    records = np.empty(len(task.source.images), RECORD)
    shards, at = np.empty(len(records), np.int32), np.empty(len(records), np.int64)
    for shard in range(task.shards):
        mine = read_records(task.partial, shard)
        sizes = stored_bytes(mine, task.channels)
        chosen = slice(shard, None, task.shards)
        records[chosen], shards[chosen], at[chosen] = mine, shard, np.cumsum(sizes) - sizes
        with (task.partial / pixels_name(shard)).open("r+b", buffering=0) as file:
            write_header(file, np.dtype(np.uint8), (int(sizes.sum()),))
            sync(file)
    return records, shards, at


def _write_crops(task: ShardTask, records: Array) -> int:
    corners: dict[tuple[int, int], Array] = {}
    rows = []
    for number, size in enumerate(zip(records["rows"].tolist(), records["columns"].tolist(), strict=True)):
        if size not in corners:
            corners[size] = task.crops.corners(*size)
        rows.append(np.insert(corners[size], 0, number, axis=1))
    with (task.partial / CROPS).open("wb") as file:
        np.save(file, np.concatenate(rows))
        sync(file)
    return sum(map(len, rows))
