"""Wrapper: what every Source around another Source shares, so that nothing the inner one says is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lynkeus.core.batch import Schema
from lynkeus.core.protocols import Source


class Wrapper:
    """A Source around `source`; each kind adds its own `__iter__`.

    `messages`: lines for the user (what was dropped, turned into NaN, missed), counted anew in each pass.
    `missed`: samples that the instrument should have sent and did not.
    """

    def __init__(self, source: Source, schema: Schema | None = None) -> None:
        self.source = source
        self.schema = schema or source.schema
        self.own_messages: list[str] = []
        self.own_missed = 0

    @property
    def messages(self) -> list[str]:
        """Return what this source and all those inside it have to say."""
        return [*getattr(self.source, "messages", ()), *self.own_messages]

    @property
    def missed(self) -> int:
        """Missed samples, counted so far in this pass."""
        return self.own_missed + int(getattr(self.source, "missed", 0))


def files_of(source: object) -> tuple[Path, ...]:
    """The files that a source reads, however deeply it is wrapped; empty for a stream or a simulator."""
    return tuple(getattr(innermost(source), "files", ()))


def origin_of(source: object) -> dict[str, Any]:
    """Return what a source says of its files as a whole, where there are too many to name; else empty."""
    return dict(getattr(innermost(source), "origin", {}))


def learned_layout(source: object) -> dict[str, Any] | None:
    """Return the layout of clouds as a dictionary, with what was learned of the data when they were opened; None where
    a source has none."""
    found = getattr(innermost(source), "layout", None)
    return found if isinstance(found, dict) else None


def innermost(source: object) -> object:
    """Return the source inside all wrappers."""
    while hasattr(source, "source"):
        source = source.source
    return source
