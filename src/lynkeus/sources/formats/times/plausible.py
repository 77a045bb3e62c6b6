"""Can these numbers be times, and in which unit: by the years that they would be in."""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.times.epochs import CLOCKS

PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
EARLIEST_S, LATEST_S = 631_152_000.0, 4_102_444_800.0  # 1990 and 2100: nobody measures earlier what is read here
BELIEVED_S = 3_029_529_600.0  # 2066: later ones are rather seconds since 1904
YEAR_S = 31_556_952.0


def unit_by_value(raw: Array) -> str:
    """Return the unit in which all of these numbers are times from 1990 to 2066, which only one can be; '' where none
    is."""
    known = raw[np.isfinite(raw)] if raw.dtype.kind == "f" else raw
    if raw.dtype.kind not in "iuf" or not len(known):
        return ""
    low, high = float(known.min()), float(known.max())
    units = (unit for unit, per_s in PER_SECOND.items() if low >= EARLIEST_S * per_s and high <= BELIEVED_S * per_s)
    return next(units, "")


def check_years(raw: Array, unit: str, where: str) -> None:
    """Raise SourceError where times since 1970 in this unit are outside 1970 to 2100, or of the first year though they
    are of today in another unit, and say which one that is."""
    if not len(raw):
        return
    low, high = (CLOCKS[unit].seconds(float(value)) for value in (raw.min(), raw.max()))
    if low >= 0.0 and high <= LATEST_S and (high > YEAR_S or not unit_by_value(raw)):
        return
    year = 1970 + (low if low < 0.0 else high) / YEAR_S
    are = "are of 1970" if low >= 0.0 and high <= YEAR_S else f"reach the year {year:,.0f}, outside 1970 to 2100"
    other = unit_by_value(raw)
    if other:
        day = str(np.datetime64(int(float(raw.min()) / PER_SECOND[other]), "s")).replace("T", " ")
        remedy = (
            f'in {other} they begin at {day}: did you mean {other}? say unit = "{other}" under [times] in the layout'
        )
    else:
        remedy = "they are times in no unit: name the dataset or column of times, and its unit, in the layout"
    raise SourceError(f"{where}: taken as {CLOCKS[unit].words} these times {are}; {remedy}")


def since_when(path: object, start_ns: int | None) -> list[str]:
    """Return what to say of times that begin in the first year: they count from some other moment."""
    if start_ns is None or start_ns > YEAR_S * 1e9:
        return []
    return [f"{path}: its times begin in 1970, so they count from some other moment: rates are right, dates are not"]
