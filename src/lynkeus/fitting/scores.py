"""Scores as a Parquet table: outputs by name, how improbable and how rare each is, what the row is, and where."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.core import SourceError
from lynkeus.fitting.fitted import Fitted, Scored

ROWS_PER_GROUP = 50_000
BOOKKEEPING = ("end_ns", "done_ns", "position", "fault_fraction")  # in meta, but nothing that names the sample


def columns(fitted: Fitted, scored: Scored, first_row: int) -> dict[str, object]:
    """One batch as columns: `start_ns`, `end_ns` (without times: `row`), what the source calls the sample (`cavity`,
    `pid`), then for each output its name, `<output>_p_value`, and `<output>_alarms_per_hour` where the reference has a
    duration; `fault`: its kind, of scorers that name one; `where` of the first output."""
    batch = scored.batch
    found: dict[str, object] = {}
    if batch.time_ns is not None:
        found["start_ns"] = batch.time_ns
        rate = batch.schema.sample_rate_hz
        found["end_ns"] = batch.meta.get("end_ns", batch.time_ns + (round(1e9 / rate) if rate else 0))
    else:
        found["row"] = range(first_row, first_row + len(batch))
    found |= {name: column for name, column in batch.meta.items() if name not in BOOKKEEPING and column.ndim == 1}
    for k, output in enumerate(fitted.scorer.outputs):
        found[output] = scored.scores[:, k]
        found[f"{output}_p_value"] = scored.p_values[:, k]
        if scored.rates is not None:
            found[f"{output}_alarms_per_hour"] = scored.rates[:, k]
    if scored.kinds is not None:
        found["fault"] = scored.kinds.tolist()
    found["where"] = scored.where[:, 0].tolist()
    if batch.truth is not None:
        found["truth"] = batch.truth
    return found


def write_scores(
    fitted: Fitted, scored: Iterable[Scored], path: Path, progress: Callable[[int], None] | None = None
) -> int:
    """Write all scores; the file is complete, or what was there before stays. Returns the number of rows.

    Raises SourceError where it cannot be written, before anything is scored if that is seen by then.
    """
    if path.is_dir():
        raise SourceError(f"{path} is a folder: give a file name with -o")
    partial = path.with_name(path.name + ".partial")
    rows, held = 0, []
    writer: pq.ParquetWriter | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
        for part in scored:
            held.append(pa.table(columns(fitted, part, rows)))
            rows += len(part.batch)
            if progress is not None:
                progress(len(part.batch))
            if sum(table.num_rows for table in held) >= ROWS_PER_GROUP:
                writer = _flush(writer, held, partial)
                held = []
        if held:
            writer = _flush(writer, held, partial)
        if writer is None:
            raise SourceError("the data give not a single sample to score: check that they are longer than one window")
        writer.close()
        os.replace(partial, path)
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise SourceError(f"{path}: cannot write the scores ({reason}); free space or choose another -o") from error
    finally:
        with suppress(OSError):
            if writer is not None:
                writer.close()
            partial.unlink(missing_ok=True)
    return rows


def _flush(writer: pq.ParquetWriter | None, held: list[pa.Table], path: Path) -> pq.ParquetWriter:
    table = pa.concat_tables(held)
    if writer is None:
        writer = pq.ParquetWriter(path, table.schema)
    writer.write_table(table)
    return writer
