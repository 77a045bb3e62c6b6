"""The frame of an alarm as two small pictures: as it is, and with what speaks for the alarm in red over it."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from lynkeus.core import Array, Floats

LONGEST = 640  # pixels of a side that are kept
STRONG = 0.995  # quantile of the evidence from which on the red is full


def pictures_of(frame: Array, speaks: Floats) -> dict[str, Any]:
    """Return of a frame (channel, row, column) and what speaks for the alarm in each of its pixels: `frame` and
    `frame_evidence`, PNG as data addresses, and `frame_size`, columns and rows."""
    pixels = np.clip(np.nan_to_num(frame.astype(np.float64)), 0, 255).astype(np.uint8).transpose(1, 2, 0)
    colour = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[:, :, :3]
    strength = np.nan_to_num(np.abs(speaks)).max(axis=0)
    full = max(float(np.quantile(strength, STRONG)), 1e-30)
    share = np.clip(strength / full, 0, 1)[:, :, None] ** 2
    red = colour * (1 - share) + np.array([230.0, 30.0, 30.0]) * share
    size = [int(pixels.shape[1]), int(pixels.shape[0])]
    return {"frame": _png(colour), "frame_evidence": _png(red.astype(np.uint8)), "frame_size": size}


def _png(pixels: Array) -> str:
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((LONGEST, LONGEST))
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
