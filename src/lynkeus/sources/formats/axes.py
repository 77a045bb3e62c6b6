"""Which axes the samples of an array have: columns, channels and times (waveforms), or rows and columns of pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError

CHANNELS = (1, 3, 4)  # of images: grey, colour, colour with transparency
SMALLEST_PICTURE = 32  # pixels on a side; smaller arrays of fractions that are not square are windows of channels
SAY = "--axes channel,time, --axes time,channel or --axes row,column (or axes = in a layout) says what they are"


def axes_of(path: Path, values: Array, axes: str, expected: str = "") -> str:
    """Return the axes of a sample: "column", "channel,time", "time,channel" or "row,column".

    `axes`: what the user says; `expected`: the kind of samples that a model reads. Raises SourceError for an array that
    holds no samples of numbers, or other ones than the user says.
    """
    if values.dtype.kind not in "fiub" or values.ndim not in (1, 2, 3, 4):
        mend = "save its size, or both of its parts" if values.dtype.kind == "c" else "save plain numbers"
        raise SourceError(f"{path}: holds {values.dtype} {values.shape}, not rows and columns of numbers; {mend}")
    if axes and values.ndim != 3:
        raise SourceError(
            f"{path}: --axes {axes} is of arrays with three axes, the samples first; this one has {values.shape}"
        )
    if values.ndim != 3:
        return "column" if values.ndim < 3 else "row,column"
    if axes:
        return axes
    windows = "channel,time" if values.shape[1] <= values.shape[2] else "time,channel"
    if expected in ("waveform", "image"):
        return windows if expected == "waveform" else "row,column"
    small = values.shape[1] != values.shape[2] and min(values.shape[1:]) < SMALLEST_PICTURE
    return windows if small and values.dtype.kind == "f" else "row,column"


def samples_of(values: Array, axes: str) -> Array:
    """Return an array with the samples first, then channels (or columns), then time, or rows and columns."""
    if axes == "column":
        return values[:, None] if values.ndim == 1 else values
    if axes in ("channel,time", "time,channel"):
        return values if axes == "channel,time" else values.transpose(0, 2, 1)
    if values.ndim == 3:
        return values[:, None]
    last = values.shape[1] not in CHANNELS and values.shape[3] in CHANNELS
    return np.moveaxis(values, 3, 1) if last else values


def said_of(path: Path, values: Array, axes: str, asked: str) -> list[str]:
    """Return what an array with three axes was taken for, where nobody said it."""
    if values.ndim != 3 or asked:
        return []
    first, second, third = values.shape
    if axes == "row,column":
        return [f"{path}: read as {first} images of {third} x {second} pixels; {SAY}"]
    channels, length = (second, third) if axes == "channel,time" else (third, second)
    return [f"{path}: read as {first} waveforms of {channels} channels and {length} times; {SAY}"]
