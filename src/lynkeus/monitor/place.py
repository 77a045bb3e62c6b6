"""The file of an SQLite store: whether it is still there, and still the one that was opened.

A program that holds a file open goes on reading, and writing, after the file was moved or another was put in its place;
what it then writes nobody will ever find.
"""

from __future__ import annotations

import os
from pathlib import Path

import sqlalchemy as sa

from lynkeus.core.errors import StoreError

MAGIC = b"SQLite format 3\0"


class StoreFile:
    """Where the engine's file is; nothing to look at for a store that is no file."""

    def __init__(self, engine: sa.Engine, address: str) -> None:
        self.engine, self.address = engine, address
        name = engine.url.database if engine.dialect.name == "sqlite" else None
        self.path = Path(name).absolute() if name and name != ":memory:" and not name.startswith("file:") else None
        self._opened = self._there()

    def look(self) -> None:
        """Let go of the connections where another file has taken its place. Raises StoreError where there is none."""
        if self.path is None:
            return
        there = self._there()
        if there is None:
            raise StoreError(
                f"the store {self.address} was moved or deleted: put it back, or start again with its new address"
            )
        if there != self._opened:
            self.engine.dispose()
            self._opened = there

    def read(self) -> None:
        """Look into the file itself, not into what connections remember. Raises StoreError where it is no store."""
        self.look()
        if self.path is None:
            return
        try:
            with self.path.open("rb") as file:
                begin = file.read(len(MAGIC))
        except OSError as error:
            raise StoreError(f"the store {self.address} cannot be read ({error.strerror}): check the disk") from error
        if begin != MAGIC:
            raise StoreError(f"the store {self.address} was overwritten: take the last copy of it")

    def _there(self) -> tuple[int, int] | None:
        if self.path is None:
            return None
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino
