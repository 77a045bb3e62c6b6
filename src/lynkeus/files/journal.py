"""What a long judging has done, beside the table that it will become: killed and started again, it goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from lynkeus.files.whole import disk_errors, replace_file

SUFFIX = ".journal"
GOES_ON = "mend that and start again: it goes on"
Row = dict[str, Any]
Stamp = Sequence[int]


@dataclass
class Journal:
    """Lines of JSON in a file that grows: first `head`, what all rows depend on, then an entry of rows for each sample.

    `names` are the samples of this judging, in the order in which their rows are wanted.
    """

    path: Path
    head: dict[str, Any]
    names: tuple[str, ...]
    _rows: dict[str, list[Row]] = field(default_factory=dict)
    _waiting: list[str] = field(default_factory=list)  # lines that `commit` writes
    _size: int = 0  # bytes of the file that are whole lines

    @classmethod
    def open(
        cls, output: Path, head: Mapping[str, Any], samples: Iterable[tuple[str, Stamp]], suffix: str = SUFFIX
    ) -> Self:
        """Find or begin the journal of a table, for samples given by name and stamp (`stamp_of` their files).

        It begins afresh where the head differs from the one that is found. Entries of samples that are no longer there,
        or whose stamp has changed, are forgotten, and so is a last line that a kill has cut. Raises SourceError where
        it cannot be written.
        """
        stamps = {name: list(stamp) for name, stamp in samples}
        journal = cls(output.with_name(output.name + suffix), json.loads(json.dumps(head)), tuple(stamps))
        with disk_errors(journal.path, mend=GOES_ON):
            written = journal.path.read_bytes() if journal.path.is_file() else b""
            first, *entries = _whole_lines(written) or [None]
            if first == journal.head:
                known = {entry["name"]: entry for entry in entries if stamps.get(entry["name"]) == entry["stamp"]}
                journal._rows = {name: entry["rows"] for name, entry in known.items()}
            else:
                known = {}
            kept = "".join(_line(line) for line in (journal.head, *known.values())).encode()
            journal._size = len(kept)
            if kept != written:
                replace_file(journal.path, kept)
        return journal

    @property
    def rows(self) -> list[Row]:
        """All rows, sample by sample in the order of `names`, those of a sample in the order in which they came."""
        return [row for name in self.names for row in self._rows.get(name, ())]

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def __getitem__(self, name: str) -> list[Row]:
        return self._rows[name]

    def __len__(self) -> int:
        return len(self._rows)

    def left(self, names: Iterable[str] | None = None) -> list[str]:
        """The samples that are still to be judged, of `names` or of all."""
        return [name for name in (self.names if names is None else names) if name not in self._rows]

    def add(self, name: str, stamp: Stamp, rows: Iterable[Mapping[str, Any]]) -> None:
        """Note all rows of one sample (of a run, those of its sections too); `commit` writes them.

        `stamp` is the one that the file had when it was read: where that has changed since, the sample is judged again
        next time.
        """
        own = [dict(row) for row in rows]
        self._waiting.append(_line({"name": name, "stamp": list(stamp), "rows": own}))
        self._rows[name] = own

    def commit(self) -> None:
        """Write what was added, once all else that is kept of it is safe. Raises SourceError where it cannot be."""
        content = "".join(self._waiting).encode()
        with disk_errors(self.path, mend=GOES_ON), self.path.open("r+b") as file:
            file.truncate(self._size)  # half a line of a commit that failed
            file.seek(self._size)
            file.write(content)
            file.flush()
        self._size += len(content)
        self._waiting = []

    def remove(self) -> None:
        """Remove the file: the table is written, and nothing is left to go on with."""
        self.path.unlink(missing_ok=True)


def stamp_of(path: Path | None) -> list[int]:
    """Size and time of the last change of a file, by which a change is seen; empty for what has no file."""
    if path is None:
        return []
    about = path.stat()
    return [about.st_size, about.st_mtime_ns]


def _whole_lines(content: bytes) -> list[Any]:
    """All lines up to the first one that is cut, or that is no entry."""
    found: list[Any] = []
    for line in content.split(b"\n")[:-1]:
        try:
            read = json.loads(line)
        except ValueError:
            break
        if found and not (isinstance(read, dict) and {"name", "stamp", "rows"} <= read.keys()):
            break
        found.append(read)
    return found


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content) + "\n"
