"""Distinct: images of which each counts once, however many copies of it there are."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import numpy as np

from lynkeus.core.batch import Batch
from lynkeus.core.protocols import Source
from lynkeus.sources.wrappers.wrapper import Wrapper

NAMED = 3


class Distinct(Wrapper):
    """The images of a source without those whose pixels are the same as of one before; by their names in `meta`.

    `copies` (name: of which it is one) fills up during the first pass. A p-value counts how many good images score so
    high, and copies of one image are one.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.copies: dict[str, str] = {}
        self._first: dict[bytes, str] = {}

    def __len__(self) -> int:
        return len(self.source) - len(self.copies)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.source:
            names = [str(name) for name in batch.meta["file"]]
            first = [self._is_first(pixels, name) for pixels, name in zip(batch.values, names, strict=True)]
            if all(first):
                yield batch
            elif any(first):
                yield batch[np.array(first)]
        self.own_messages = [self.line()] if self.copies else []

    def line(self) -> str:
        """Return in words how many copies there are, and of what."""
        some = [f"{copy} is {original}" for copy, original in list(self.copies.items())[:NAMED]]
        more = ", ..." if len(self.copies) > NAMED else ""
        return f"{len(self.copies)} images have the same pixels as others and do not count: {', '.join(some)}{more}"

    def _is_first(self, pixels: np.ndarray, name: str) -> bool:
        digest = blake2b(np.ascontiguousarray(pixels).tobytes(), digest_size=16)
        digest.update(str(pixels.shape).encode())
        original = self._first.setdefault(digest.digest(), name)
        if original != name:
            self.copies[name] = original
        return original == name
