"""What stands: deviations that `orbit` has taken for the new normal, since when, and how far off they are.

A fault that lasts is one incident, not an alarm for the rest of the shift: after some time its place becomes the
reference, and it is remembered here until it is over or somebody accepts it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Floats

NOT_YET = 1  # ns: of a mask that was set before anything was read, it is since the first window
USED = 0
ODD, MAINTENANCE, ABSENT = 1, 2, 3  # why a channel is masked: its spread is wrong; people, or who gives it, said so


@dataclass
class Adopted:
    """Of each channel (c,): `offset` in conditional sigmas that its reference was moved by, since `offset_ns` (0:
    never); the `other` place, relative to the present one, at which it is known too; `creep`: for how many windows,
    with the sign of the side, it is beyond what the reference follows at once; `run` windows in which its spread was
    wrong, since `run_ns`; whether it is `masked`, since `masked_ns`; windows in a row in which it was `absent`, since
    `absent_ns`.

    Of the whole orbit: where it stood (c,) before it began to move, `anchor`; since when it moves, `moving_ns` (1,), 0
    where it does not, and for how many windows it is `quiet` (1,) again; the last move (c,) in jitters, `moved`, which
    began and ended at `moved_ns` (2,).
    """

    offset: Floats
    offset_ns: npt.NDArray[np.int64]
    other: Floats
    creep: Floats
    run: Floats
    run_ns: npt.NDArray[np.int64]
    masked: npt.NDArray[np.uint8]
    masked_ns: npt.NDArray[np.int64]
    anchor: Floats
    moving_ns: npt.NDArray[np.int64]
    quiet: npt.NDArray[np.int64]
    moved: Floats
    moved_ns: npt.NDArray[np.int64]
    absent: Floats
    absent_ns: npt.NDArray[np.int64]

    @classmethod
    def none(cls, channels: int) -> Self:
        """Return the state in which nothing stands."""
        floats, times = np.zeros(channels, np.float32), np.zeros(channels, np.int64)
        masked, one, two = np.zeros(channels, np.uint8), np.zeros(1, np.int64), np.zeros(2, np.int64)
        return cls(
            floats, times, floats.copy(), floats.copy(), floats.copy(), times.copy(), masked, times.copy(),
            floats.copy(), one, one.copy(), floats.copy(), two,
            floats.copy(), times.copy(),
        )  # fmt: skip

    def copy(self) -> Adopted:
        """Return an independent copy."""
        return type(self)(*(array.copy() for array in vars(self).values()))

    def to_arrays(self) -> dict[str, Array]:
        """Return all of it as arrays, for a store."""
        return {f"standing.{entry.name}": getattr(self, entry.name) for entry in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array], channels: int) -> Adopted:
        """Return what `to_arrays` was called on; nothing stands where an earlier version wrote the arrays."""
        given = cls.none(channels)
        for entry in fields(cls):
            name = f"standing.{entry.name}"
            setattr(given, entry.name, arrays.get(name, getattr(given, entry.name)).copy())
        return given

    def adopt(self, channels: Array, own: Floats, since_ns: npt.NDArray[np.int64]) -> None:
        """Note that the references of some channels were moved by `own` sigmas, as they are off since then."""
        first = self.offset[channels] == 0
        self.offset[channels] += own
        self.offset_ns[channels] = np.where(first, since_ns, self.offset_ns[channels])
        self.other[channels] = -own

    def come_back(self, channels: Array) -> None:
        """Note that some channels are at their other place now."""
        self.offset[channels] += self.other[channels]
        self.offset[channels[np.abs(self.offset[channels]) < 1e-3]] = 0.0
        self.other[channels] *= -1.0
