"""HDF5 files as nobody writes them: types, links, filters, attributes, and histograms of the UHI standard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from benchmarks.mutations.arrays import some
from benchmarks.mutations.strange import patched, strange


def hdf5(path: Path, random: np.random.Generator) -> None:
    """Write an HDF5 file of groups, types, links, filters and attributes that readers seldom see."""
    with h5py.File(path, "w", libver="latest" if random.random() < 0.3 else None) as file:
        rows = int(random.choice([0, 1, 5, 30]))
        for _ in range(int(random.integers(1, 7))):
            name = "/".join(
                random.choice(
                    (
                        "a",
                        "b",
                        "values",
                        "time_ns",
                        "time",
                        "index",
                        "data",
                        "INDEX/trainId",
                        "truth",
                        "CONTROL/x/value",
                        "BPM1",
                        "names",
                        "weight",
                        "entry/data",
                        "storage/values",
                    ),
                    int(random.integers(1, 3)),
                )
            )
            try:
                _thing(file, name, rows, random)
            except (ValueError, TypeError, OSError, RuntimeError, KeyError, OverflowError):
                continue
        for name in list(file):
            if random.random() < 0.3:
                hard = isinstance(file.get(name, getlink=True), h5py.HardLink)
                _about(file[name] if hard else file, random)
    if random.random() < 0.35:
        path.write_bytes(patched(path.read_bytes(), random))


def plots(path: Path, random: np.random.Generator) -> None:
    """Write an HDF5 file of histograms of the UHI standard."""
    with h5py.File(path, "w") as file:
        for name in ("a", "b/c", "d"):
            _uhi(file.create_group(name), random)
        if random.random() < 0.2:
            del file[str(random.choice(["a/axes", "a/storage", "a/ref_axes", "a/storage/values", "b"]))]
        if random.random() < 0.2:
            file.attrs["uhi_schema"] = 1
    if random.random() < 0.5:
        path.write_bytes(patched(path.read_bytes(), random))


def _thing(file: h5py.File, name: str, rows: int, random: np.random.Generator) -> None:
    what = int(random.integers(16))
    if what < 6:
        shape = (rows,) if random.random() < 0.5 else (rows, int(random.integers(0, 4)))
        options: dict[str, Any] = {}
        if random.random() < 0.4 and all(shape):
            options = {"chunks": True, "compression": str(random.choice(["gzip", "lzf"])), "shuffle": True}
        file.create_dataset(name, data=some(random, shape if random.random() < 0.8 else None), **options)
    elif what == 6:
        file.create_dataset(
            name, data=[str(strange(random)).replace("\x00", "")] * max(rows, 1), dtype=h5py.string_dtype()
        )
    elif what == 7:
        file.create_dataset(name, (rows,), h5py.enum_dtype({"ON": 1, "OFF": 0}, basetype="i1"))
    elif what == 8:
        file.create_dataset(name, (rows,), h5py.vlen_dtype(np.int32))
    elif what == 9:
        made = file.create_dataset(name, (max(rows, 1),), h5py.ref_dtype)
        made[0] = file.ref
    elif what == 10:
        file[name] = h5py.Empty("f4")
    elif what == 11:
        file[name] = h5py.SoftLink(str(random.choice(["/a", "/nowhere", f"/{name}", "/"])))
    elif what == 12:
        file[name] = h5py.ExternalLink(str(random.choice(["nowhere.h5", file.filename, "/etc/passwd"])), "/a")
    elif what == 13:
        layout = h5py.VirtualLayout((max(rows, 1), 2), "f8")
        layout[:] = h5py.VirtualSource("nowhere.h5", "a", (max(rows, 1), 2))
        file.create_virtual_dataset(name, layout)
    elif what == 14:
        group = file.require_group(name)
        group["again"] = file["/"]  # a cycle
    else:
        _uhi(file.require_group(f"{name}_plot"), random)


def _uhi(group: h5py.Group, random: np.random.Generator) -> None:
    """A histogram of the UHI standard, parts of which are strange."""
    group.attrs["uhi_schema"] = 1
    axis = group.create_group("ref_axes/axis_0")
    given = {
        "type": "regular",
        "lower": 0.0,
        "upper": 1.0,
        "bins": 3,
        "underflow": True,
        "overflow": True,
        "circular": False,
    }
    for key, value in given.items():
        axis.attrs[key] = value if random.random() < 0.9 else random.choice([0, -1, 10**9, 3, 2**62])
    axes = group.create_dataset("axes", 1, dtype=h5py.ref_dtype)
    if random.random() < 0.9:
        axes[0] = axis.ref
    storage = group.create_group("storage")
    storage.attrs["type"] = str(random.choice(["int", "double", "weighted", "mean", "nonsense"]))
    for name in ("values", "variances", "counts"):
        held = some(random, None if random.random() < 0.3 else (5,))
        storage[name] = np.zeros(held.shape, "i2") if held.dtype.kind in "UMmV" else held


def _about(thing: Any, random: np.random.Generator) -> None:
    for name in ("unit", "units", "start", "uhi_schema", "NX_class"):
        value = strange(random)
        if random.random() < 0.4 and isinstance(value, str | int | float | bool):
            try:
                thing.attrs[name] = value.replace("\x00", "") if isinstance(value, str) else value
            except (OverflowError, ValueError, TypeError, UnicodeEncodeError):
                continue
