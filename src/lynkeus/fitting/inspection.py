"""The scores of images as a Parquet table, a row per image, and their maps; killed and started again, it goes on."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.core import Array, Batch, SettingsError, SourceError
from lynkeus.core.protocols import Inspected
from lynkeus.fitting.fitted import Fitted
from lynkeus.sources.images.files import map_names, read_pixels
from lynkeus.sources.images.folder import ImageSource

SPOTS = 3
SHARE = 4  # images that a process is given at a time
ABOUT = b"lynkeus"
Row = dict[str, Any]


@dataclass(frozen=True)
class InspectionSettings:
    """Where scores and maps go (`maps` None: none are kept), by how many `processes`, and which metadata columns are
    position and time, for those who read the scores; `load`: how the model is read."""

    output: Path
    maps: Path | None = None
    processes: int = 1
    position: str = ""
    time: str = ""
    load: Callable[[Path], Fitted] = Fitted.load

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise SettingsError(f"processes must be at least 1, got {self.processes}")
        for path in (self.output.parent, self.maps):
            if path is not None and path.exists() and not path.is_dir():
                raise SettingsError(f"{path} is a file: give a folder")
        if self.output.is_dir():
            raise SettingsError(f"{self.output} is a folder: give a file name with -o")


def inspect_images(
    model: Path, source: ImageSource, settings: InspectionSettings, tell: Callable[[int, int], None] | None = None
) -> int:
    """Score all images of a source by a model; the number of rows written.

    What is done is kept beside the output until all is done, by model and images: a run that was killed goes on.
    Raises SourceError where nothing can be read or written.
    """
    fitted = settings.load(model)
    fitted.schema.require(source.schema, f"the model ({fitted.name})")
    names = dict(zip(source.images, map_names(source.images), strict=True)) if settings.maps else {}
    settings.output.parent.mkdir(parents=True, exist_ok=True)
    journal = settings.output.with_name(settings.output.name + ".partial.jsonl")
    key = {"model": _identity(model), "images": source.origin, "maps": str(settings.maps)}
    done = _done(journal, key)
    left = [number for number, file in enumerate(source.images) if file not in done and file not in source.skipped]
    try:
        with journal.open("a", encoding="utf-8") as file:
            if not done:
                file.truncate(0)
                file.write(json.dumps(key) + "\n")
            for rows, skipped in _shares(model, fitted, source, settings, names, left):
                source.skipped.update(skipped)
                file.writelines(json.dumps(row) + "\n" for row in rows)
                file.flush()
                done |= {row["file"]: row for row in rows}
                if tell is not None:
                    tell(len(done), len(source.images))
        found = [done[name] for name in source.images if name in done]
        if not found:
            raise SourceError(f"{source.path}: not a single image can be read; {source.messages[0]}")
        _write(found, _about(model, fitted, source, settings), settings.output)
    except OSError as error:
        raise _cannot_write(settings.output, error) from error
    journal.unlink(missing_ok=True)
    return len(found)


def _shares(
    model: Path, fitted: Fitted, source: ImageSource, settings: InspectionSettings, names: dict[str, str],
    left: Sequence[int],
) -> Iterator[tuple[list[Row], dict[str, str]]]:  # fmt: skip
    """Rows and skipped files, some images at a time; this process is one of those that work."""
    numbers = iter(left)
    shares = list(iter(lambda: list(islice(numbers, SHARE)), []))
    worker = _Worker(fitted, source, settings.maps, names)
    others = min(settings.processes, len(shares)) - 1
    if others < 1:
        yield from map(worker.inspect, shares)
        return
    given = (settings.load, model, source.path, source.meta, source.colour, settings.maps, names)
    with ProcessPoolExecutor(others, multiprocessing.get_context("spawn"), _begin, given) as pool:
        waiting = {pool.submit(_inspect, share): share for share in shares}
        for future, share in reversed(list(waiting.items())):  # they begin at the other end
            if future.cancel():
                waiting.pop(future)
                yield worker.inspect(share)
            for done in [future for future in waiting if future.done()]:
                waiting.pop(done)
                yield done.result()
        yield from (future.result() for future in waiting)


@dataclass
class _Worker:
    """What a process needs to score images by their numbers."""

    fitted: Fitted
    source: ImageSource
    maps: Path | None
    names: dict[str, str]

    def inspect(self, numbers: Sequence[int]) -> tuple[list[Row], dict[str, str]]:
        """Rows of images, and those that cannot be read with the reason."""
        rows, skipped = [], {}
        for number in numbers:
            file = self.source.images[number]
            try:
                pixels = read_pixels(self.source.folder / file, self.source.colour)
            except SourceError as reason:
                skipped[file] = str(reason)
                continue
            batch = self.source.batch([pixels], [number])
            scorer: Any = self.fitted.scorer
            rows.append(self._row(batch, scorer.inspect(batch)[0]))
        return rows, skipped

    def _row(self, batch: Batch, found: Inspected) -> Row:
        file, output = str(batch.meta["file"][0]), self.fitted.scorer.outputs[0]
        row: Row = {name: column[0].item() for name, column in batch.meta.items() if column.ndim == 1}
        row |= {
            output: found.score,
            "p_value": float(self.fitted.calibrations[output].p_value(np.array([found.score]))[0]),
        }
        for number in range(SPOTS):
            spot = found.spots[number] if number < len(found.spots) else (np.nan,) * 4
            names = (f"spot{number + 1}_{name}" for name in ("x", "y", "sigma", "area"))
            row |= dict(zip(names, map(float, spot), strict=True))
            alike = found.alike[number] if number < len(found.alike) else ()
            row[f"spot{number + 1}_good"] = json.dumps([one._asdict() for one in alike]) if alike else ""
        if batch.truth is not None:
            row["truth"] = int(batch.truth[0])
        row["map"] = self.names.get(file, "")
        if self.maps is not None:
            _save(self.maps / row["map"], found.map)
        return row


def _save(path: Path, values: Array) -> None:
    """As .npy; by way of memory, because of a full disk NumPy does not say that it is full."""
    held = io.BytesIO()
    np.save(held, values)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(held.getbuffer())
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> SourceError:
    reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
    return SourceError(f"{error.filename or path}: cannot write ({reason}); mend that and start again: it goes on")


_worker: _Worker


def _begin(
    load: Callable[[Path], Fitted], model: Path, path: Path, meta: Path | None, colour: bool, maps: Path | None,
    names: dict[str, str],
) -> None:  # fmt: skip
    """Once in every process."""
    global _worker
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = _Worker(load(model), ImageSource(path, meta, colour), maps, names)


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _inspect(numbers: Sequence[int]) -> tuple[list[Row], dict[str, str]]:
    return _worker.inspect(numbers)


def _identity(model: Path) -> str:
    if model.is_dir():
        return (model / "SHA256SUMS").read_text(encoding="utf-8")
    with model.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _done(journal: Path, key: dict[str, Any]) -> dict[str, Row]:
    """Rows by file that an earlier run with the same model and images has left; a last line that was cut is removed."""
    if not journal.is_file():
        return {}
    written = journal.read_bytes()
    whole = written[: written.rfind(b"\n") + 1]
    os.truncate(journal, len(whole))
    rows = [json.loads(line) for line in whole.split(b"\n")[:-1]]
    if not rows or rows[0] != json.loads(json.dumps(key)):
        return {}
    return {row["file"]: row for row in rows[1:]}


def _about(model: Path, fitted: Fitted, source: ImageSource, settings: InspectionSettings) -> dict[str, str]:
    """What those who read the scores must know; `normals`: folder of the good images, as it was when fitting."""
    learned_from = fitted.lineage.get("data")
    return {
        "images": str(source.folder.absolute()),
        "maps": str(settings.maps.absolute()) if settings.maps else "",
        "normals": learned_from.get("folder", "") if isinstance(learned_from, dict) else "",
        "model": str(model.absolute()),
        "position": settings.position,
        "time": settings.time,
    }


def _write(rows: Sequence[Row], about: dict[str, str], output: Path) -> None:
    """The table as a whole, or what was there before."""
    table = pa.table({name: [row.get(name) for row in rows] for name in rows[0]})
    table = table.replace_schema_metadata({ABOUT: json.dumps(about).encode()})
    partial = output.with_name(output.name + ".partial")
    pq.write_table(table, partial)
    partial.replace(output)
