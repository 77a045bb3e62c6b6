"""Thinned: an even sample of a stream of unknown length, in bounded memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array


class Thinned:
    """Every sample of a stream until there are `limit`, then every second, every fourth, and so on.

    All columns of one stream are thinned alike; `index` says which samples of the stream are kept.
    """

    def __init__(self, limit: int = 16384) -> None:
        self.limit = limit
        self.every = 1
        self.seen = 0
        self._parts: list[tuple[Array, ...]] = []

    def add(self, *columns: Array) -> None:
        """Add the next samples: arrays of one length."""
        chosen = slice((-self.seen) % self.every, None, self.every)
        index = np.arange(self.seen, self.seen + len(columns[0]))
        self.seen += len(columns[0])
        self._parts.append(tuple(column[chosen] for column in (index, *columns)))
        if sum(len(part[0]) for part in self._parts) > self.limit:
            self._parts = [tuple(column[::2] for column in self._joined())]
            self.every *= 2

    def _joined(self) -> tuple[Array, ...]:
        return tuple(np.concatenate(column) for column in zip(*self._parts, strict=True))

    @property
    def index(self) -> npt.NDArray[np.intp]:
        """Return the indices in the stream of the samples that are kept."""
        return self._joined()[0]

    @property
    def columns(self) -> tuple[Array, ...]:
        """The kept samples, as they were added."""
        return self._joined()[1:]
