"""A table written in parts beside its name, each with the state of the scorer after it: it goes on after a kill.

A part is there wholly or not at all, and its state before it: what a kill leaves behind is a table of fewer rows. Parts
are files of Arrow: they are read back soon, and written five times as fast as Parquet.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from safetensors.numpy import load_file, save

from lynkeus.core import Array
from lynkeus.files.whole import WholeParquet, disk_errors, replace_file

SUFFIX = ".parts"
HEAD = "head.json"
ROWS_PER_PART = 50_000
SAYS, MEND = "cannot write the scores", "mend that and start again: it goes on"


@dataclass
class Parts:
    """Parts of the table `output` in a folder beside it; `rows` are in whole parts, `state` is that after the last."""

    output: Path
    folder: Path
    head: str
    count: int = 0
    rows: int = 0
    state: dict[str, Array] = field(default_factory=dict)
    _held: list[pa.Table] = field(default_factory=list)

    @classmethod
    def open(cls, output: Path, head: Mapping[str, Any]) -> Self:
        """Find what an earlier run has left, or begin afresh where it was of another `head`: model, data, settings.

        Raises SourceError where nothing can be written there, before anything is scored.
        """
        parts = cls(output, output.with_name(output.name + SUFFIX), json.dumps(head, sort_keys=True))
        with disk_errors(output, SAYS, MEND):
            at = parts.folder / HEAD
            if not at.is_file() or at.read_text(encoding="utf-8") != parts.head:
                shutil.rmtree(parts.folder, ignore_errors=True)
            output.parent.mkdir(parents=True, exist_ok=True)
            tried = output.with_name(output.name + ".partial")
            tried.touch()
            tried.unlink()
            while parts._part().is_file():
                parts.rows += parts._read(parts.count).num_rows
                parts.count += 1
            if parts.count:
                parts.state = load_file(str(parts._state(parts.count - 1)))
        return parts

    @property
    def added(self) -> int:
        """Rows in all, those that wait for the next part among them."""
        return self.rows + sum(table.num_rows for table in self._held)

    def add(self, columns: Mapping[str, object], state: Mapping[str, Array]) -> None:
        """Add rows; `state`, of a scorer that follows its instrument, is kept with them when they are enough for a
        part."""
        self._held.append(pa.table(dict(columns)))
        if self.added - self.rows >= ROWS_PER_PART:
            self._write(state)

    def finish(
        self, more: Mapping[str, Sequence[str]] | None = None, about: Mapping[bytes, bytes] | None = None
    ) -> int:
        """Write the table as a whole, with `more` columns of all its rows and metadata `about`, and remove the parts.
        Returns the number of rows."""
        held, self._held = self._held, []
        with WholeParquet(self.output, SAYS, MEND) as table:
            for part in (*map(self._read, range(self.count)), *held):
                for name, words in (more or {}).items():
                    own = words[table.rows : table.rows + part.num_rows]
                    part = part.append_column(name, pa.array(own, pa.string()))
                table.add(part.replace_schema_metadata(about) if about else part)
        shutil.rmtree(self.folder, ignore_errors=True)
        return table.rows

    def _write(self, state: Mapping[str, Array]) -> None:
        held, self._held = pa.concat_tables(self._held), []
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, held.schema) as file:
            file.write_table(held)
        arrays = {name: np.ascontiguousarray(array) for name, array in state.items()}
        with disk_errors(self.output, SAYS, MEND):
            if not self.count:
                replace_file(self.folder / HEAD, self.head.encode())
            replace_file(self._state(self.count), save(arrays))
            replace_file(self._part(), sink.getvalue())
        self.count, self.rows = self.count + 1, self.rows + held.num_rows

    def _part(self, number: int | None = None) -> Path:
        return self.folder / f"{self.count if number is None else number:06d}.arrow"

    def _read(self, number: int) -> pa.Table:
        with pa.memory_map(str(self._part(number))) as file:
            return pa.ipc.open_file(file).read_all()

    def _state(self, number: int) -> Path:
        return self.folder / f"{number:06d}.safetensors"
