"""Columns of the particles and vertices of jets by their JetClass names."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lynkeus.core import Batch, Floats, SchemaError

NEEDED = ("px", "py", "pz", "energy", "pt", "deta", "dphi")


def named_columns(
    batch: Batch, group: str, wanted: tuple[str, ...], who: str
) -> tuple[dict[str, Floats], npt.NDArray[Any]]:
    """Return columns (rows,) of a group by name, float64, and the number of the jet of each row.

    Rows of which a momentum (px, py, pz, energy, pt) or a direction (deta, dphi) is missing are left out; what else is
    missing is 0. A missing group "vertices" has no rows. Raises SchemaError naming the columns that `who` reads and
    that are not there.
    """
    groups = batch.packed.groups
    if group not in groups and group == "vertices":
        return {name: np.zeros(0) for name in wanted}, np.zeros(0, np.int64)
    names = [one.partition("/")[2] for one in batch.schema.names if one.startswith(f"{group}/")]
    lacking = [name for name in wanted if name not in names]
    if group not in groups:
        have = ", ".join(groups)
        raise SchemaError(f"{who} reads the group {group!r}, named as in JetClass, and the jets have {have}")
    if lacking:
        raise SchemaError(f"{who} reads columns that the {group} lack: {', '.join(lacking)}; add them, as in JetClass")
    values = groups[group].values[:, [names.index(name) for name in wanted]].astype(np.float64)
    needed = [k for k, name in enumerate(wanted) if name.rpartition("_")[2] in NEEDED]
    whole = np.isfinite(values[:, needed]).all(axis=1)
    values = np.nan_to_num(values[whole], nan=0.0, posinf=0.0, neginf=0.0)
    return {name: values[:, k] for k, name in enumerate(wanted)}, groups[group].sample[whole]
