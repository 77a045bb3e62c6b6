"""Packs the plots of a run small: lists of runs never unpack them, a run page unpacks one."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from lynkeus.core import Array, Book, Floats, Plot, PlotRecord, RunRecord, SchemaError

# Of each number as many bits as its drawing needs; counts keep all 24 of a float32.
_BITS = {"counts": 23, "expected": 12, "below": 8, "above": 8, "pulls": 8}
_LEVEL = 1  # of zlib: 9 takes three times as long to save a tenth


def pack_book(plots: tuple[Plot, ...]) -> tuple[str, bytes]:
    """A digest of the plots, and the plots themselves."""
    text = json.dumps(Book(plots).to_list(), default=float, separators=(",", ":")).encode()
    return hashlib.sha256(text).hexdigest(), zlib.compress(text)


def digest_of(record: RunRecord, book_id: int) -> str:
    """Return a digest of what a judgement says, to as many digits as two computations of it agree."""
    sigmas = [float(f"{one.sigma:.4g}") for one in record.plots]
    content = [_to_digits(record.to_dict()), sigmas, book_id]
    return hashlib.sha256(json.dumps(content, default=float).encode()).hexdigest()


def _to_digits(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _to_digits(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_digits(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float | np.floating) else value


def unpack_book(packed: bytes) -> Book:
    """Rebuild it from what `pack_book` returned."""
    return Book.from_list(json.loads(zlib.decompress(packed)))


def pack_plots(records: tuple[PlotRecord, ...]) -> bytes:
    """Every bin of every plot in a row, and which plots are flagged, with their regions.

    Numbers are kept as well as they can be drawn: the band to 1 in 500 of its width, counts to 1 in 10 million.
    Raises SchemaError where a plot has not as many numbers as bins.
    """
    counts, expected, low, high, pulls = (
        _joined(records, name) for name in ("counts", "expected", "low", "high", "pulls")
    )
    numbers = dict(zip(_BITS, (counts, expected, expected - low, high - expected, pulls), strict=True))
    rows = np.stack([_rounded(numbers[name].astype(np.float32), bits) for name, bits in _BITS.items()])
    shuffled = rows.view(np.uint8).reshape(-1, 4).T  # equal bytes beside each other pack well
    regions = {str(k): dict(record.region) for k, record in enumerate(records) if record.region}
    flagged = [k for k, record in enumerate(records) if record.flagged]
    about = json.dumps({"flagged": flagged, "regions": regions}, default=float).encode()
    return zlib.compress(b"".join([len(about).to_bytes(4, "little"), about, shuffled.tobytes()]), _LEVEL)


def unpack_plots(book: Book, packed: bytes, sigmas: Floats) -> tuple[PlotRecord, ...]:
    """Rebuild it from what `pack_plots` returned."""
    content = zlib.decompress(packed)
    start = 4 + int.from_bytes(content[:4], "little")
    about = json.loads(content[4:start])
    shuffled = np.frombuffer(content, np.uint8, offset=start).reshape(4, -1)
    rows = np.ascontiguousarray(shuffled.T).view(np.float32).reshape(len(_BITS), -1).astype(float)
    regions = {int(k): {name: (low, high) for name, (low, high) in v.items()} for k, v in about["regions"].items()}
    flagged, found = set(about["flagged"]), []
    for k, (plot, where) in enumerate(zip(book.plots, book.slices(), strict=True)):
        counts, expected, below, above, pulls = rows[:, where]
        numbers = (counts, expected, expected - below, expected + above, pulls)
        found.append(PlotRecord(plot, *numbers, float(sigmas[k]), k in flagged, regions.get(k, {})))
    return tuple(found)


def pack_sigmas(records: tuple[PlotRecord, ...]) -> bytes:
    """Return how conspicuous each plot is, as little-endian float32."""
    return np.array([record.sigma for record in records], "<f4").tobytes()


def unpack_sigmas(packed: bytes) -> Floats:
    """Rebuild it from what `pack_sigmas` returned."""
    return np.frombuffer(packed, "<f4")


def _joined(records: tuple[PlotRecord, ...], name: str) -> Array:
    parts = [np.ravel(getattr(record, name)) for record in records]
    for record, part in zip(records, parts, strict=True):
        if len(part) != record.plot.bins:
            plot = record.plot
            raise SchemaError(f"plot {plot.name!r}: {len(part)} numbers in {name!r} for {plot.bins} bins")
    return np.concatenate(parts) if parts else np.zeros(0)


def _rounded(values: Array, bits: int) -> Array:
    """float32 to `bits` of its 23 bits after the point; NaN and infinity stay what they are."""
    dropped = 23 - bits
    if not dropped:
        return values
    whole = (values.view(np.uint32) + np.uint32(1 << (dropped - 1))) & np.uint32(0xFFFFFFFF << dropped & 0xFFFFFFFF)
    return np.where(np.isfinite(values), whole.view(np.float32), values)
