"""With which good images an image is compared place by place: those of its position that were taken before it.

NumPy only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from lynkeus.core import Array, Batch, SchemaError


class Acquisition(NamedTuple):
    """The acquisition of an image: its `position` ("": not known) and when it was taken, `time_s` (NaN: not known)."""

    position: str
    time_s: float

    @classmethod
    def of(cls, batch: Batch, index: int, position: str, time: str) -> Self:
        """Read the acquisition of one image from two metadata columns ("": no column). Raises SchemaError for what is
        no time."""
        where, when = (batch.meta.get(name) if name else None for name in (position, time))
        return cls("" if where is None else str(where[index]), np.nan if when is None else _seconds(when[index], time))


@dataclass(frozen=True)
class References:
    """Good images that others are compared with, known by their `acquisitions` (r,)."""

    acquisitions: Sequence[Acquisition]

    def allowed(self, acquisition: Acquisition) -> Array:
        """Return a mask (r,) of the references to compare with: those of the same position (all, where none has it),
        and of these the ones taken earlier (all of these, where none was)."""
        here = np.array([one.position == acquisition.position for one in self.acquisitions])
        if not acquisition.position or not here.any():
            here[:] = True
        earlier = here & np.array([one.time_s < acquisition.time_s for one in self.acquisitions])
        return earlier if earlier.any() else here

    def to_list(self) -> list[list[Any]]:
        """Return [position, time in s] of each acquisition as plain JSON types, None for a time that is not known."""
        return [[one.position, None if np.isnan(one.time_s) else one.time_s] for one in self.acquisitions]

    @classmethod
    def from_list(cls, acquisitions: Sequence[Sequence[Any]]) -> Self:
        """Rebuild the references from the lists of `to_list`."""
        return cls([Acquisition(position, np.nan if time_s is None else time_s) for position, time_s in acquisitions])

    def to_arrays(self) -> dict[str, Array]:
        """Return the acquisitions as JSON in one array of bytes, for a model folder."""
        return {"visits": np.frombuffer(json.dumps(self.to_list()).encode(), np.uint8)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array]) -> Self:
        """Rebuild the references from the array of `to_arrays`."""
        return cls.from_list(json.loads(arrays["visits"].tobytes()))


def _seconds(value: Any, column: str) -> float:
    """Return a time in seconds: a number as it is, an ISO 8601 date since 1970, NaN for an empty field."""
    text = str(value).strip()
    if text in ("", "NaT"):
        return np.nan
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(np.datetime64(text.removesuffix("Z"), "us").astype(np.int64)) / 1e6
    except ValueError as error:
        raise SchemaError(
            f"metadata column {column}: {text!r} is no time; write 2026-11-22T08:00:00, or a number"
        ) from error
