"""Types of the arguments of compiled loops: arrays in order, in single precision unless they count or measure."""

from __future__ import annotations

from typing import Any

from numba import types

FAST = {"reassoc", "contract", "nsz"}  # NaN stays NaN
FASTEST = FAST | {"nnan"}  # where none can come in


def read(kind: Any, axes: int) -> Any:
    """Return the type of an array that is read."""
    return types.Array(kind, axes, "C", readonly=True)


def write(kind: Any, axes: int) -> Any:
    """Return the type of an array that is written."""
    return types.Array(kind, axes, "C")


NOTHING, COUNT, F = types.void, types.int64, types.float32
R1, R2, W1, W2, W3 = read(F, 1), read(F, 2), write(F, 1), write(F, 2), write(F, 3)
BOOLS1, BOOLS2 = read(types.boolean, 1), read(types.boolean, 2)
COUNTS, DOUBLES = write(COUNT, 1), write(types.float64, 1)
