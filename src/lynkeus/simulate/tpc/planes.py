"""Pad planes: where each pad is, and which electronics card and channel reads it.

NA61/SHINE has 181,926 pads (Abgrall et al. 2014, arXiv:1401.4699): VTPC-1 26,886, VTPC-2 27,648, MTPC-L and MTPC-R
63,360 each, GAP 672. Rows, pads a row and their sizes are those of the paper where it has them; how the sectors lie to
each other is close to it. VTPC-1 is told by its total alone: the first row of each sector is shorter here.
The ALICE-like plane has 36 sectors of 14,560 pads (524,160), whose rows grow with the radius.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.core.errors import SettingsError

CHANNELS = 32  # of a front-end card of NA61
ALICE_CHANNELS = 160
# chamber: sectors as (x, y) of their corner in mm, rows, pads a row, pad width and length in mm, first row's pads
VTPC_PITCH, VTPC_LENGTH = 3.5, 28.0
ALICE_ROWS = ((63, 5280, 848.5, 7.5), (34, 2880, 1347.0, 10.0), (30, 3200, 1708.0, 12.0), (25, 3200, 2068.5, 15.0))
ALICE_SECTORS = 18


@dataclass(frozen=True)
class PadPlane:
    """All pads of a detector, (n,) each: `chamber` by name, `sector`, `row`, `pad`, centre `x` and `y` and size `width`
    and `length` in mm, the `card` that reads it and its `channel` there."""

    chamber: Array
    sector: Array
    row: Array
    pad: Array
    x: Floats
    y: Floats
    width: Floats
    length: Floats
    card: Array
    channel: Array

    def __len__(self) -> int:
        return len(self.sector)

    def __getitem__(self, index: slice | Array) -> Self:
        """Return some of the pads."""
        return type(self)(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    def columns(self) -> dict[str, Array]:
        """Return the pads as columns by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def join(cls, parts: list[PadPlane]) -> PadPlane:
        """Return the pads of several planes, one after the other."""
        return PadPlane(**{f.name: np.concatenate([getattr(one, f.name) for one in parts]) for f in fields(PadPlane)})


def pad_plane(name: str) -> PadPlane:
    """Return the plane "na61" (181,926 pads), one of its chambers by name, or "alice" (524,160).

    Raises SettingsError for another name.
    """
    if name.lower() == "alice":
        return _alice()
    chambers = _na61()
    if name.lower() == "na61":
        return PadPlane.join(list(chambers.values()))
    found = {one.lower().replace("-", ""): plane for one, plane in chambers.items()}.get(name.lower().replace("-", ""))
    if found is None:
        raise SettingsError(f"plane {name!r}: there are na61, {', '.join(chambers)}, alice")
    return found


def _na61() -> dict[str, PadPlane]:
    side = 192 * VTPC_PITCH
    vtpc = [(x, 690.0 * step) for x in (-side - 120.0, 120.0) for step in range(3)]
    chambers = {
        "VTPC-1": (vtpc, -3800.0, 24, 192, VTPC_PITCH, VTPC_LENGTH, 65),
        "VTPC-2": (vtpc, -300.0, 24, 192, VTPC_PITCH, VTPC_LENGTH, 192),
        "GAP": ([(-48 * 4.0, 0.0)], -950.0, 7, 96, 4.0, 28.0, 96),
    }
    planes, first, cards = dict[str, PadPlane](), 0, 0
    for name in ("VTPC-1", "VTPC-2", "MTPC-L", "MTPC-R", "GAP"):
        parts = []
        if name in chambers:
            corners, along, rows, pads, pitch, length, short = chambers[name]
            parts = [
                _sector(name, first + k, (x, along + y), rows, pads, (pitch, length), short)
                for k, (x, y) in enumerate(corners)
            ]
        else:
            # towards the beam the pads are narrower: five sectors of 192 pads a row, 20 of 128
            sign = 1.0 if name == "MTPC-L" else -1.0
            for k in range(25):
                column, step = divmod(k, 5)
                many, pitch = (192, 3.6) if column == 0 else (128, 5.5)
                left = 250.0 + 740.0 * column
                corner = (left if sign > 0 else -left - many * pitch, 3600.0 + 760.0 * step)
                parts.append(_sector(name, first + k, corner, 18, many, (pitch, 40.0), many))
        first += len(parts)
        plane = PadPlane.join(parts)
        card, channel = _cards(plane, CHANNELS)
        planes[name] = PadPlane(**{**plane.columns(), "card": card + cards, "channel": channel})
        cards += int(card.max()) + 1
    return planes


def _sector(
    chamber: str, sector: int, corner: tuple[float, float], rows: int, pads: int, size: tuple[float, float], first: int
) -> PadPlane:  # fmt: skip
    (pitch, length), (row, pad) = size, np.divmod(np.arange(rows * pads), pads)
    kept = (row > 0) | (pad < first)
    row, pad = row[kept], pad[kept]
    n = len(row)
    nothing = np.zeros(n, np.int64)
    return PadPlane(
        np.full(n, chamber), np.full(n, sector), row, pad, corner[0] + (pad + 0.5) * pitch,
        corner[1] + (row + 0.5) * length, np.full(n, pitch), np.full(n, length), nothing, nothing,
    )  # fmt: skip


def _cards(plane: PadPlane, channels: int) -> tuple[Array, Array]:
    """Return card and channel: neighbouring pads of a row share a card."""
    key = (plane.sector * 1000 + plane.row) * 1000 + plane.pad // channels
    return np.unique(key, return_inverse=True)[1], plane.pad % channels


def _alice() -> PadPlane:
    parts, cards = [], 0
    for sector in range(2 * ALICE_SECTORS):
        row_of, pad_of, radius_of, across, length_of = [], [], [], [], []
        first = 0
        for rows, total, inner, length in ALICE_ROWS:
            many = _growing(rows, total)
            for k, count in enumerate(many):
                row_of.append(np.full(count, first + k))
                pad_of.append(np.arange(count))
                radius_of.append(np.full(count, inner + (k + 0.5) * length))
                across.append((np.arange(count) + 0.5 - count / 2) * (4.0 if rows == 63 else 6.0))
                length_of.append(np.full(count, length))
            first += rows
        row, pad, radius = np.concatenate(row_of), np.concatenate(pad_of), np.concatenate(radius_of)
        aside, lengths = np.concatenate(across), np.concatenate(length_of)
        angle = (sector % ALICE_SECTORS + 0.5) * 2 * np.pi / ALICE_SECTORS
        side = 6000.0 if sector >= ALICE_SECTORS else 0.0  # the two ends of the barrel beside each other
        x = radius * np.cos(angle) - aside * np.sin(angle) + side
        y = radius * np.sin(angle) + aside * np.cos(angle)
        n = len(row)
        card = cards + np.arange(n) // ALICE_CHANNELS
        cards = int(card.max()) + 1
        width = np.where(row < ALICE_ROWS[0][0], 4.0, 6.0)
        end = "A" if sector < ALICE_SECTORS else "C"
        parts.append(PadPlane(np.full(n, end), np.full(n, sector), row, pad, x, y, width, lengths, card,
                              np.arange(n) % ALICE_CHANNELS))  # fmt: skip
    return PadPlane.join(parts)


def _growing(rows: int, total: int) -> Array:
    """Return the pads of each row, which grow evenly and are so many together."""
    share = np.linspace(0.78, 1.22, rows) * total / rows
    ends = np.rint(np.cumsum(share)).astype(int)
    ends[-1] = total
    return np.diff(ends, prepend=0)
