"""What it is to plant a fault into a good sample, of whatever kind it is, and what is then true of it.

A planter has kinds of faults, with what they say and sizes worth trying, and changes one sample at a time; the truth
that it gives knows whether a finding names the place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Finding

NAN = float("nan")
HARMLESS = "none"  # the kind of change that is none: what should not be flagged
NEAR = 8.0  # pixels between a spot and what is called the same place


class Kind(NamedTuple):
    """What a fault does, in words; `sizes` worth trying, in `unit` ("": it has no size); `change`: what a scorer is to
    call it ("": it has no name that all scorers know, "none": it is harmless); `concerns` a "channel" or "all channels"
    or "" where there are none."""

    says: str
    sizes: tuple[float, ...] = (1.0,)
    unit: str = ""
    change: str = ""
    concerns: str = ""


class Truth(Protocol):
    """What is true of one sample: `change` as in Kind; `luck`: how often a place drawn at random is right."""

    @property
    def change(self) -> str: ...

    @property
    def luck(self) -> float: ...

    def holds(self, found: Finding) -> bool | None:
        """Whether a finding names the place; None where there is none to name."""
        ...


class Planter(Protocol):
    """Plants faults of its `kinds` into one sample: its values, without the axis of samples."""

    @property
    def kinds(self) -> Mapping[str, Kind]: ...

    def plant(self, values: Array, kind: str, size: float, rng: np.random.Generator) -> tuple[Array, Any]:
        """Return the values with a fault in them, and the Truth."""
        ...


@dataclass(frozen=True)
class Anywhere:
    """A fault that has no place to name, or nothing that is known of it."""

    change: str = ""
    luck: float = NAN

    def holds(self, found: Finding) -> bool | None:
        """Return None."""
        return None


@dataclass(frozen=True)
class InChannels:
    """A fault of one of some `names`, of all channels together `of` so many; `span`: from, to along a waveform, in its
    samples, where it has one."""

    names: tuple[str, ...]
    of: int
    span: tuple[float, float] | None = None
    change: str = ""

    @property
    def luck(self) -> float:
        """Return the share of the channels that are right."""
        return len(self.names) / self.of

    def holds(self, found: Finding) -> bool | None:
        """Return whether it names one of the channels, and where it names a time, whether they overlap."""
        if found.where not in self.names:
            return False
        if self.span is None or "time" not in found.region:
            return True
        low, high = found.region["time"]
        return low <= self.span[1] and high >= self.span[0]


@dataclass(frozen=True)
class InPixels:
    """A fault of an image, True in its `mask` (row, column)."""

    mask: npt.NDArray[np.bool_]
    change: str = ""

    @property
    def luck(self) -> float:
        """Return the share of the image that is right."""
        return float(self._distances().mean())

    def holds(self, found: Finding) -> bool | None:
        """Return whether the spot that is named lies in the fault, or within NEAR pixels of it; None where nothing is
        known to be wrong."""
        if not self.mask.any():
            return None
        place = _pixel(found)
        if place is None:
            return False
        rows, columns = np.nonzero(self.mask)
        return bool(np.hypot(columns - place[0], rows - place[1]).min() <= NEAR)

    def _distances(self) -> npt.NDArray[np.bool_]:
        from scipy.ndimage import distance_transform_edt

        return np.asarray(distance_transform_edt(~self.mask) <= NEAR) if self.mask.any() else self.mask


def _pixel(found: Finding) -> tuple[float, float] | None:
    """The middle of the region in x and y, else what `where` says: "x 12, y 40"."""
    if {"x", "y"} <= set(found.region):
        x, y = (0.5 * sum(found.region[axis]) for axis in ("x", "y"))
        return x, y
    words = found.where.replace(",", " ").split()
    if len(words) == 4 and words[::2] == ["x", "y"]:
        try:
            return float(words[1]), float(words[3])
        except ValueError:
            return None
    return None
