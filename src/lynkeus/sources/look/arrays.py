"""What HDF5 files and NumPy's files hold: their datasets and arrays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.hdf.index import IDS
from lynkeus.sources.formats.hdf.index import TIMES as TIMES_BESIDE
from lynkeus.sources.formats.hdf.uhi import described, histograms_in
from lynkeus.sources.formats.hdf.views import datasets_of, kind_of
from lynkeus.sources.formats.hdf5 import opened
from lynkeus.sources.formats.hdf5_texts import try_texts
from lynkeus.sources.formats.numpy import mapped_rows
from lynkeus.sources.look.entries import CHANNEL, LABELS, PICTURES, PLOT, TIMES, UNREAD, WEIGHTS, Entry


def of_hdf5(path: Path, reader: Any) -> Iterator[Entry]:
    """Yield the datasets of an HDF5 file, fields of compound tables by their own, and its histograms."""
    try_texts(path)
    roles = _hdf5_roles(reader)
    with opened(path) as file:
        for name, data in datasets_of(file).items():
            unit = data.attrs.get("unit", data.attrs.get("units", ""))
            unit = unit.decode() if isinstance(unit, bytes) else str(unit)
            if data.dtype.names:
                for field in data.dtype.names:
                    full = f"{name}/{field}"
                    yield Entry(full, str(data.dtype[field]), str(data.shape), role=_of(full, roles, reader))
                continue
            yield Entry(name, kind_of(data), str(data.shape), unit, _of(name, roles, reader))
        for name, group in histograms_in(file).items():
            kind, bins, axes = described(group)
            yield Entry(name, kind, bins, role=PLOT if axes in (1, 2) else UNREAD)


def of_numpy(path: Path, reader: Any) -> Iterator[Entry]:
    """Yield the array of a .npy file, or those of an .npz file."""
    if path.suffix.lower() == ".npy":
        values = mapped_rows(path)
        for field in values.dtype.names or ():
            role = _npz_role(field, reader)
            yield Entry(field, str(values.dtype[field]), str(values.shape), role=role)
        if values.dtype.names:
            return
        yield Entry(path.stem, str(values.dtype), str(values.shape), role="samples" if reader is not None else "")
        return
    try:
        with np.load(path, allow_pickle=False) as file:
            for name in file.files:
                held = file[name]
                yield Entry(name, str(held.dtype), str(held.shape), role=_npz_role(name, reader))
    except (ValueError, OSError, EOFError) as error:
        raise SourceError(f"{path}: is not a complete .npz file, or holds objects ({error})") from error


def _hdf5_roles(reader: Any) -> dict[str, str]:
    if reader is not None and hasattr(reader, "images"):
        return {reader.array: PICTURES}
    if reader is None or not hasattr(reader, "blocks"):
        return {}
    roles = {block.dataset.strip("/"): CHANNEL for block in reader.blocks}
    if reader.clock is not None:
        roles |= {name.strip("/"): TIMES for name in reader.clock.times.columns}
    roles |= {name.strip("/"): role for role, name in ((LABELS, reader.truth), (WEIGHTS, reader.weight)) if name}
    return roles | ({reader.layout.names.strip("/"): "names"} if reader.layout.names else {})


def _of(name: str, roles: dict[str, str], reader: Any) -> str:
    last = name.rpartition("/")[2].lower()
    if (
        roles
        and getattr(reader, "index", None) is not None
        and last in (*IDS, *TIMES_BESIDE)
        and name.strip("/") not in roles
    ):
        return "by which rows are joined"
    return roles.get(name.strip("/"), UNREAD if roles and reader is not None else "")


def _npz_role(name: str, reader: Any) -> str:
    if reader is None:
        return ""
    if hasattr(reader, "images"):
        return PICTURES if name == reader.array else UNREAD
    own = {reader.table: "samples", reader.labels: LABELS, "names": "names", reader.layout.weight: WEIGHTS}
    own |= {reader.times.dataset: TIMES} if reader.times.dataset in reader.arrays else {}
    own |= dict.fromkeys(reader.joined, CHANNEL)
    return own.get(name, UNREAD) if not reader.described else "as its own schema says"
