"""PadSource: all pads of a file as one batch, so that each has its neighbours; and which files hold pads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core.batch import Array, Batch, Schema
from lynkeus.core.errors import SchemaError, SourceError
from lynkeus.files.damaged import one_line
from lynkeus.sources.formats.layout import Layout
from lynkeus.sources.formats.tables import existing_file
from lynkeus.sources.pads.checked import pad_batch, remarks
from lynkeus.sources.pads.described import PadLayout, pad_layout
from lynkeus.sources.pads.files import holds_pads, read_pads
from lynkeus.transforms.pads.spectra import edges_of, is_of_pads


class PadSource:
    """Spectra of pads of one file, read once, by the table [pads] of a layout.

    Raises SourceError as `pad_batch`, SchemaError where a model `expected` other bin edges.
    """

    def __init__(self, path: Path, layout: Layout, expected: Schema | None = None) -> None:
        self.path = existing_file(path)
        self.files = (self.path,)
        own = pad_layout(layout.pads, layout.name or "layout") if layout.pads is not None else PadLayout()
        labels = "" if expected is not None else layout.truth
        with one_line(path):
            counts, edges, columns = read_pads(self.path, own, labels)
            self.batch = pad_batch(self.path, counts, edges, columns, own.unit)
        self.messages = remarks(self.path, self.batch)
        if expected is not None:
            self.batch = replace(self.batch, schema=_same(self.path, self.batch.schema, expected))
        self.schema = self.batch.schema

    def __len__(self) -> int:
        return len(self.batch)

    def __iter__(self) -> Iterator[Batch]:
        yield self.batch


def open_pads(path: Path, layout: Layout, expected: Schema | None) -> PadSource | None:
    """Return the pads of a file; None where it holds none, or another kind is expected."""
    wanted = layout.pads is not None or (expected is not None and is_of_pads(expected))
    if not wanted and (expected is not None or not path.is_file() or layout.blocks or not holds_pads(path)):
        return None
    if path.is_dir():
        raise SourceError(f"{path}: is a folder; spectra of pads are one file a run: name it")
    return PadSource(path, layout, expected)


def _same(path: Path, own: Schema, expected: Schema) -> Schema:
    """Return the schema of the model. Raises SchemaError in a line where the bins are others."""
    if not is_of_pads(expected):
        return own
    mine, theirs = edges_of(own), edges_of(expected)
    if len(mine) == len(theirs) and np.allclose(mine, theirs, rtol=1e-6, atol=1e-9):
        return expected
    own_bins, its_bins = (f"{len(one) - 1} bins from {one[0]:g} to {one[-1]:g}" for one in (mine, theirs))
    said = f"{own_bins}, those of the model {its_bins}"
    ratio = mine[-1] / theirs[-1]
    if len(mine) == len(theirs) and np.allclose(mine, theirs * ratio, rtol=1e-4):
        raise SchemaError(f"{path}: the edges are {ratio:g} times those of the model ({said}): spectra in other units; "
                          "write them in the same")  # fmt: skip
    raise SchemaError(f"{path}: another binning: {said}; rebin them, or fit a model to these")


def text_of(column: Array) -> Any:
    """Return a column of labels as words: those of unknown pads as ''."""
    if column.dtype.kind in "iu":
        return np.where(column < 0, "", column.astype(str))
    if column.dtype.kind == "f":
        known = np.isfinite(column) & (column >= 0)
        return np.where(known, np.char.mod("%g", np.where(known, column, 0)), "")
    return np.char.strip(column.astype(str))
