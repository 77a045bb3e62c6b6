"""Spectra of pads as batches: kind "histogram", one plot of one axis, underflow and overflow bins at its ends.

`meta` has the identity of each pad: `sector`, `row`, `pad`; where known `x`, `y` in mm, `chamber`, `card`, `channel`.
"""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Floats, Schema

CHARGE = "cluster charge"
IDENTITY = ("sector", "row", "pad")


def pad_schema(edges: Floats, unit: str = "") -> Schema:
    """Return the schema of spectra of these bin edges (bins + 1,): bins + 2 numbers a pad."""
    axis = tuple(float(edge) for edge in edges)
    return Schema("histogram", (CHARGE,), (unit,) if unit else (), (len(axis) + 1,), edges=((axis,),), instrument="tpc")


def is_of_pads(schema: Schema) -> bool:
    """Return whether samples are spectra of pads."""
    return schema.kind == "histogram" and schema.names == (CHARGE,)


def edges_of(schema: Schema) -> Floats:
    """Return the bin edges (bins + 1,)."""
    return np.array(schema.edges[0][0])
