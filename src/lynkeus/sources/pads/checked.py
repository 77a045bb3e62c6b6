"""Columns of pads made a Batch, with every reason why they are no spectra of pads said in one line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lynkeus.core.batch import Array, Batch, Floats
from lynkeus.core.errors import SourceError
from lynkeus.transforms.pads.spectra import IDENTITY, pad_schema

SHOWN = 3
SHORT = 60  # counts that a verdict takes


def pad_batch(path: Path, counts: Array, edges: Array, columns: Mapping[str, Array], unit: str) -> Batch:
    """Return the spectra of pads (n, bins) with `columns` of length n, among them sector, row and pad.

    Raises SourceError naming the array and the first pad for what cannot be.
    """
    edges = one_binning(path, edges, columns)
    n = len(counts)
    if counts.ndim != 2 or counts.shape[1] != len(edges) - 1:
        raise SourceError(
            f"{path}: counts have shape {counts.shape} and there are {len(edges)} edges: counts must be (pads, "
            f"{len(edges) - 1}); write them again"
        )
    missing = [name for name in IDENTITY if name not in columns]
    if missing:
        raise SourceError(f"{path}: has no array {missing[0]!r} that says which pad is which; write it, or name it in "
                          "the table [pads] of a layout")  # fmt: skip
    for name, column in columns.items():
        if column.shape != (n,):
            raise SourceError(
                f"{path}: {name} has shape {column.shape} for {n} pads: there are {name}s of pads that do not exist or "
                "pads without; write one for each pad"
            )
    if not n:
        raise SourceError(f"{path}: holds no pads; nothing to read")
    meta = {name: _whole(path, name, column) if name in IDENTITY else column for name, column in columns.items()}
    _check_counts(path, counts, meta)
    _check_pads(path, meta)
    values = np.zeros((n, len(edges) + 1), np.float32)
    values[:, 1:-1] = counts
    return Batch(pad_schema(edges, unit), values, meta=meta)


def one_binning(path: Path, edges: Array, columns: Mapping[str, Array]) -> Floats:
    """Return the edges that all pads share. Raises SourceError for several binnings, or edges that do not rise."""
    edges = np.asarray(edges)
    if edges.ndim == 2:
        other = (edges != edges[0]).any(axis=1)
        if other.any():
            at = int(other.argmax())
            sector = columns.get("sector")
            whose = f"sector {sector[at]}" if sector is not None and len(sector) == len(edges) else f"row {at} of edges"
            raise SourceError(f"{path}: {whose} has other bin edges than the first: rebin it, or judge it by itself")
        edges = edges[0]
    if edges.dtype.kind not in "iuf" or edges.ndim != 1 or len(edges) < 9 or not np.isfinite(edges).all():
        raise SourceError(f"{path}: edges must be at least nine rising numbers, got shape {edges.shape}")
    if not (np.diff(edges) > 0).all() or edges[-1] <= 0:
        raise SourceError(
            f"{path}: edges must rise to above 0 (first fall at number {int((np.diff(edges) <= 0).argmax())})"
        )
    return edges.astype(float)


def called(meta: Mapping[str, Array], at: int) -> str:
    """Return a pad in words."""
    return ", ".join(f"{name} {meta[name][at]}" for name in IDENTITY)


def _whole(path: Path, name: str, column: Array) -> Array:
    if column.dtype.kind in "iu":
        return column.astype(np.int64)
    if column.dtype.kind == "f" and np.isfinite(column).all() and (column == np.rint(column)).all():
        return column.astype(np.int64)
    raise SourceError(f"{path}: {name} must be whole numbers, got {column.dtype}; number the {name}s")


def _check_counts(path: Path, counts: Array, meta: Mapping[str, Array]) -> None:
    if counts.dtype.kind not in "biuf":
        raise SourceError(f"{path}: counts hold {counts.dtype}, not numbers; write them again")
    for start in range(0, len(counts), 8192):
        part = counts[start : start + 8192]
        for wrong, what in ((~np.isfinite(part), "NaN or infinite"), (part < 0, "negative")):
            if wrong.any():
                at, bin_ = np.argwhere(wrong)[0]
                raise SourceError(f"{path}: counts of {called(meta, start + at)} are {what} in bin {bin_}: a spectrum "
                                  "counts clusters; take them without a background subtracted")  # fmt: skip


def _check_pads(path: Path, meta: Mapping[str, Array]) -> None:
    key = np.stack([meta[name] for name in IDENTITY])
    _, first, many = np.unique(key, axis=1, return_index=True, return_counts=True)
    if (many > 1).any():
        twice = first[many > 1]
        first_one = called(meta, int(twice.min()))
        raise SourceError(
            f"{path}: {int((many > 1).sum())} pads are there twice or more, the first {first_one}: keep one of each or "
            "add them up"
        )
    for name in ("x", "y"):
        if name in meta:
            lost = ~np.isfinite(meta[name].astype(float))
            if lost.any():
                raise SourceError(
                    f"{path}: {int(lost.sum())} pads are missing from the geometry (no {name}), the first "
                    f"{called(meta, int(lost.argmax()))}: complete the table of pads"
                )


def remarks(path: Path, batch: Batch) -> list[str]:
    """Return in a line each what is odd of spectra that can be read: empty sectors, a run that is short."""
    total = batch.values.sum(axis=1)
    sector = batch.meta["sector"]
    empty = [int(one) for one in np.unique(sector) if not total[sector == one].any()]
    said = ", ".join(map(str, empty[:SHOWN])) + (", ..." if len(empty) > SHOWN else "")
    pads = int(np.isin(sector, empty).sum())
    lines = [f"{path}: all {pads} pads of sector {said} are empty: dead, or not in this file"] if empty else []
    usual = float(np.median(total[total > 0])) if (total > 0).any() else 0.0
    if 0 < usual < SHORT:
        lines.append(f"{path}: half of the pads have fewer than {usual + 1:.0f} counts: is the run cut short?")
    return lines
