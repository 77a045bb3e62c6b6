"""Frames: what an NTNDArray holds, as pixels (channel, row, column)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lynkeus.core.batch import Array

MONO, RGB1, RGB2, RGB3 = 0, 2, 3, 4  # of areaDetector's attribute ColorMode
TURNED = {
    RGB1: (2, 0, 1),
    RGB2: (1, 0, 2),
    RGB3: (0, 1, 2),
}  # axes of the array, slowest first, to (channel, row, column)


class Frame(NamedTuple):
    """The `pixels` of a frame, (channel, row, column)."""

    pixels: Array

    def __len__(self) -> int:
        return int(self.pixels.size)


def is_frame(value: Any) -> bool:
    """Return whether an update of PVAccess is an NTNDArray."""
    return str(value.getID()).startswith("epics:nt/NTNDArray")


def frame_of(value: Any) -> Frame | str:
    """Return the frame of an NTNDArray, or why it is none."""
    codec = value["codec.name"] if value.has("codec.name") else ""
    if codec:
        return f"sends frames that are compressed ({codec}); take them before the codec"
    sides = [int(one["size"]) for one in value["dimension"]][::-1]  # the first one of EPICS runs fastest
    numbers = value["value"]
    if not isinstance(numbers, np.ndarray) or numbers.dtype.kind not in "uif" or numbers.size != np.prod(sides):
        return "sends a frame without pixels"
    pixels = numbers.reshape(sides)
    if pixels.ndim == 2:
        return Frame(pixels[None])
    colour = TURNED.get(_colour(value))
    if pixels.ndim != 3 or colour is None:
        return f"sends arrays of {' x '.join(map(str, sides))}, which are no grey or RGB images"
    pixels = np.transpose(pixels, colour)
    return Frame(pixels) if pixels.shape[0] == 3 else f"sends {pixels.shape[0]} colours, expected red, green, blue"


def _colour(value: Any) -> int:
    found = [one["value"] for one in value["attribute"] if one["name"] == "ColorMode"]
    return int(found[0]) if found else RGB1


def about(value: Any) -> tuple[int, int, int]:
    """Return when the frame was taken (ns since 1970, 0: not said), its number (0: none), the severity of its alarm."""
    stamp = 0
    for name in ("dataTimeStamp", "timeStamp"):
        if not stamp and value.has(f"{name}.secondsPastEpoch") and value[f"{name}.secondsPastEpoch"] > 0:
            stamp = int(value[f"{name}.secondsPastEpoch"]) * 1_000_000_000 + int(value[f"{name}.nanoseconds"])
    severity = int(value["alarm.severity"]) if value.has("alarm.severity") else 0
    return stamp, int(value["uniqueId"]), severity
