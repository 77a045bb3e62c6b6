"""Store: jets as a network reads them, gathered batch by batch: in memory while they are few, else in files on disk."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core import Array, Group, Packed

MOST_BYTES = 1_500_000_000  # of jets in memory; what is more is kept on disk, and the system keeps of it what fits


class Store:
    """Groups of jets one after the other. `folder`: where files may lie (None: the temporary folder of the system)."""

    def __init__(self, most_bytes: int = MOST_BYTES, folder: Path | None = None) -> None:
        self.parts: list[Packed] = []
        self.lengths: dict[str, list[Array]] = {}
        self.columns: dict[str, int] = {}
        self.bytes, self.most, self.given = 0, most_bytes, folder
        self.folder: tempfile.TemporaryDirectory[str] | None = None

    def add(self, jets: Packed) -> None:
        """Append some jets, which have the same groups as those before them."""
        for name, group in jets.groups.items():
            self.lengths.setdefault(name, []).append(group.lengths)
            self.columns[name] = group.values.shape[1]
            self.bytes += group.values.size * 4
        self.parts.append(jets)
        if self.folder is not None or self.bytes > self.most:
            self._write()

    @property
    def on_disk(self) -> bool:
        """Return whether jets lie in files, which are gone when the store is."""
        return self.folder is not None

    def packed(self) -> Packed:
        """Return all jets; those on disk as memory-mapped arrays."""
        if self.folder is None:
            return Packed.join(self.parts)
        groups = {}
        for name, lengths in self.lengths.items():
            shape = (int(np.concatenate(lengths).sum()), self.columns[name])
            values: Any = np.memmap(self._file(name), np.float32, "r", shape=shape) if shape[0] else np.empty(shape)
            groups[name] = Group.of_lengths(values, np.concatenate(lengths))
        return Packed(groups)

    def _write(self) -> None:
        if self.folder is None:
            self.folder = tempfile.TemporaryDirectory(prefix="lynkeus-jets-", dir=self.given)
        for part in self.parts:
            for name, group in part.groups.items():
                with self._file(name).open("ab") as file:
                    file.write(np.ascontiguousarray(group.values, np.float32).tobytes())
        self.parts = []

    def _file(self, name: str) -> Path:
        assert self.folder is not None
        return Path(self.folder.name) / name
