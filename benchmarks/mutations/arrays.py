"""Arrays and tables as nobody writes them: npy, npz, HDF5 and Parquet of other types, shapes, names and filters."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.mutations.strange import patched, strange

DTYPES: tuple[Any, ...] = (
    "<f4", ">f8", "<f2", "<c8", "<c16", "|b1", "|i1", "<u8", ">i4", "<M8[ns]", "<m8[s]", "|S5", "<U7", "|V3", "<f16",
    [("a", "<f4"), ("b", "<i2")], [("a", "<f4", (3,))], [("time_ns", "<i8"), ("x", "<f8"), ("name", "S4")],
)  # fmt: skip
CLAIMED: tuple[Any, ...] = ("O", "|S0", "<U0", "<f3", "<i16", "<M8", "garbage", "", ("<f4",), [("", "<f4")], None, "|S999999999")
SHAPES: tuple[tuple[Any, ...], ...] = (
    (), (0,), (1,), (30,), (30, 3), (3, 30), (0, 3), (30, 0), (5, 6, 7), (4, 32, 32), (2, 32, 32, 3), (1, 1, 1, 1, 1),
    (30, 1), (1, 30), (3, 17, 200), (2,) * 12,
)  # fmt: skip
BAD_SHAPES: tuple[Any, ...] = (
    (-1,), (10**9, 10**9), (2**62,), (10**12,), (1.5,), ("a",), [3], (True,), None, (30, -3), ((),), (10**30,), (2,) * 40,
)  # fmt: skip
NAMES = ("values", "time_ns", "truth", "names", "weight", "meta/a", "schema", "data", "time", "x", "", "../x", "a b", "\u00e4", "part_px")
NAMES += ("jet_pt", "label", "timestamp", "index", "mask", "event_id", "energy", "counts", "offsets")


def some(random: np.random.Generator, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Return an array of any type and shape."""
    kind = np.dtype(DTYPES[int(random.integers(len(DTYPES)))])
    shape = SHAPES[int(random.integers(len(SHAPES)))] if shape is None else shape
    size = int(np.prod(shape))
    if random.random() < 0.5 and kind.kind in "fiu" and not kind.names:
        with np.errstate(all="ignore"):
            return (random.normal(size=shape) * 10).astype(kind)
    if kind.kind in "f":
        return np.full(shape, strange_number(random), kind)
    raw = random.integers(0, 2 if kind.kind == "b" else 255, size * kind.itemsize, dtype=np.uint8).tobytes()
    return np.frombuffer(raw or b"", kind, count=size).reshape(shape) if size else np.empty(shape, kind)


def strange_number(random: np.random.Generator) -> float:
    """Return a float at the edge."""
    return float(random.choice([np.nan, np.inf, -np.inf, 1e308, 5e-324, 0.0, -0.0, 1.7e18, 2**63]))


def npy(random: np.random.Generator) -> bytes:
    """Return a .npy file with a header of its own, true or not."""
    if random.random() < 0.3:
        held = io.BytesIO()
        np.save(held, some(random), allow_pickle=True)
        return patched(held.getvalue(), random) if random.random() < 0.7 else held.getvalue()
    pool = DTYPES if random.random() < 0.6 else CLAIMED
    descr = pool[int(random.integers(len(pool)))]
    shapes = SHAPES if random.random() < 0.5 else BAD_SHAPES
    fields: dict[str, Any] = {
        "descr": descr, "fortran_order": strange(random) if random.random() < 0.2 else bool(random.integers(2)),
        "shape": shapes[int(random.integers(len(shapes)))],
    }  # fmt: skip
    if random.random() < 0.2:
        fields.pop(str(random.choice(list(fields))))
    if random.random() < 0.1:
        fields[str(strange(random))] = strange(random)
    text = repr(fields).encode("utf-8", "surrogatepass") + b" " * int(random.integers(64)) + b"\n"
    if random.random() < 0.1:
        text = b"[" * 3000 + text
    version = int(random.choice([0, 1, 1, 1, 2, 2, 3, 4, 255]))
    claimed = len(text) if random.random() < 0.8 else int(random.choice([0, 1, len(text) - 1, len(text) + 9, 65535]))
    length = claimed.to_bytes(2 if version == 1 else 4, "little")
    body = random.bytes(int(random.choice([0, 1, 120, 360, 720, 5000])))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + body


def npz(random: np.random.Generator) -> bytes:
    """Return an .npz file of arrays of usual names and unusual content."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED if random.random() < 0.5 else zipfile.ZIP_STORED) as file:
        for _ in range(int(random.integers(0, 6))):
            name = str(random.choice(NAMES))
            ending = ".npy" if random.random() < 0.9 else str(random.choice(["", ".NPY", ".txt", ".npz"]))
            content = npy(random)
            if random.random() < 0.6:
                one = io.BytesIO()
                rows = (30,) if name != "values" else ((30, 3) if random.random() < 0.8 else None)
                np.save(one, some(random, rows if random.random() < 0.8 else None), allow_pickle=True)
                content = one.getvalue()
            file.writestr(f"{name}{ending}", content)
    return patched(held.getvalue(), random) if random.random() < 0.4 else held.getvalue()


def hdf5(path: Path, random: np.random.Generator) -> None:
    """Write an HDF5 file of groups, types, links, filters and attributes that readers seldom see."""
    with h5py.File(path, "w", libver="latest" if random.random() < 0.3 else None) as file:
        rows = int(random.choice([0, 1, 5, 30]))
        for _ in range(int(random.integers(1, 7))):
            name = "/".join(random.choice(("a", "b", "values", "time_ns", "time", "index", "data", "INDEX/trainId", "truth",
                                           "CONTROL/x/value", "BPM1", "names", "weight", "entry/data", "storage/values"),
                                          int(random.integers(1, 3))))  # fmt: skip
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
        file.create_dataset(name, data=[str(strange(random)).replace("\x00", "")] * max(rows, 1), dtype=h5py.string_dtype())
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
    given = {"type": "regular", "lower": 0.0, "upper": 1.0, "bins": 3, "underflow": True, "overflow": True, "circular": False}
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


def parquet(path: Path, random: np.random.Generator) -> None:
    """Write a Parquet file of any types; its footer or its pages may be damaged."""
    rows = int(random.choice([0, 1, 30]))
    names, columns = [], []
    for _ in range(int(random.integers(0, 7))):
        names.append(str(random.choice(NAMES)))
        columns.append(_column(rows, random))
    table = pa.Table.from_arrays(columns, names=names) if columns else pa.table({})
    try:
        pq.write_table(table, path, compression=str(random.choice(["snappy", "zstd", "gzip", "none", "lz4"])))
    except (pa.ArrowException, ValueError):
        pq.write_table(pa.table({"a": np.arange(30.0)}), path)
    if random.random() < 0.6:
        path.write_bytes(patched(path.read_bytes(), random, ends=0.8))


def _column(rows: int, random: np.random.Generator) -> pa.Array:
    number = random.normal(size=rows)
    kinds = (
        lambda: pa.array(number), lambda: pa.array(number.astype(np.float16)), lambda: pa.nulls(rows),
        lambda: pa.array((number * 1000).astype(int), pa.int64()).cast(pa.decimal128(25, 3)),
        lambda: pa.array((abs(number) * 1000).astype("i4"), pa.time32("s")),
        lambda: pa.array((abs(number) * 1000).astype("i8"), pa.duration("us")),
        lambda: pa.array((number * 1e18).astype("i8"), pa.timestamp("ns", tz="UTC")),
        lambda: pa.array((number * 1e15).astype("i8"), pa.timestamp("s")),
        lambda: pa.array((number * 1e4).astype("i4"), pa.date32()),
        lambda: pa.array([str(strange(random)).encode("utf-8", "replace").decode() for _ in range(rows)]),
        lambda: pa.array([b"\xff\x00"] * rows, pa.binary()), lambda: pa.array(["a", "b"] * (rows // 2) + ["a"] * (rows % 2)).dictionary_encode(),
        lambda: pa.array([{"x": 1.0, "y": [{"z": 2}]}] * rows, pa.struct([("x", pa.float64()), ("y", pa.list_(pa.struct([("z", pa.int8())])))])),
        lambda: pa.array([[("k", 1)]] * rows, pa.map_(pa.string(), pa.int32())),
        lambda: pa.array([[1.0, None]] * rows, pa.list_(pa.float64())), lambda: pa.array([None] * rows, pa.list_(pa.float64())),
        lambda: pa.array([[1, 2, 3]] * rows, pa.list_(pa.int32(), 3)), lambda: pa.array([True, None] * (rows // 2) + [None] * (rows % 2)),
        lambda: pa.array(np.full(rows, strange_number(random))), lambda: pa.array(np.arange(rows, dtype="u8") + np.uint64(2**63)),
        lambda: _deep(rows),
    )  # fmt: skip
    return kinds[int(random.integers(len(kinds)))]()


def _deep(rows: int) -> pa.Array:
    kind, value = pa.float64(), 1.0
    for _ in range(40):
        kind, value = pa.struct([("a", kind)]), {"a": value}
    return pa.array([value] * rows, kind)
