"""Arrays and tables as nobody writes them: npy, npz and Parquet of other types, shapes, names and filters."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.mutations.strange import patched, strange

DTYPES: tuple[Any, ...] = (
    "<f4",
    ">f8",
    "<f2",
    "<c8",
    "<c16",
    "|b1",
    "|i1",
    "<u8",
    ">i4",
    "<M8[ns]",
    "<m8[s]",
    "|S5",
    "<U7",
    "|V3",
    "<f16",
    [("a", "<f4"), ("b", "<i2")],
    [("a", "<f4", (3,))],
    [("time_ns", "<i8"), ("x", "<f8"), ("name", "S4")],
)
CLAIMED: tuple[Any, ...] = (
    "O",
    "|S0",
    "<U0",
    "<f3",
    "<i16",
    "<M8",
    "garbage",
    "",
    ("<f4",),
    [("", "<f4")],
    None,
    "|S999999999",
)
SHAPES: tuple[tuple[Any, ...], ...] = (
    (),
    (0,),
    (1,),
    (30,),
    (30, 3),
    (3, 30),
    (0, 3),
    (30, 0),
    (5, 6, 7),
    (4, 32, 32),
    (2, 32, 32, 3),
    (1, 1, 1, 1, 1),
    (30, 1),
    (1, 30),
    (3, 17, 200),
    (2,) * 12,
)
BAD_SHAPES: tuple[Any, ...] = (
    (-1,),
    (10**9, 10**9),
    (2**62,),
    (10**12,),
    (1.5,),
    ("a",),
    [3],
    (True,),
    None,
    (30, -3),
    ((),),
    (10**30,),
    (2,) * 40,
)
NAMES = (
    "values",
    "time_ns",
    "truth",
    "names",
    "weight",
    "meta/a",
    "schema",
    "data",
    "time",
    "x",
    "",
    "../x",
    "a b",
    "\u00e4",
    "part_px",
)
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
        "descr": descr,
        "fortran_order": strange(random) if random.random() < 0.2 else bool(random.integers(2)),
        "shape": shapes[int(random.integers(len(shapes)))],
    }
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
            file.writestr(f"{name}{ending}" or "a", content)
    return patched(held.getvalue(), random) if random.random() < 0.4 else held.getvalue()


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
        lambda: pa.array(number),
        lambda: pa.array(number.astype(np.float16)),
        lambda: pa.nulls(rows),
        lambda: pa.array((number * 1000).astype(int), pa.int64()).cast(pa.decimal128(25, 3)),
        lambda: pa.array((abs(number) * 1000).astype("i4"), pa.time32("s")),
        lambda: pa.array((abs(number) * 1000).astype("i8"), pa.duration("us")),
        lambda: pa.array((number * 1e18).astype("i8"), pa.timestamp("ns", tz="UTC")),
        lambda: pa.array((number * 1e15).astype("i8"), pa.timestamp("s")),
        lambda: pa.array((number * 1e4).astype("i4"), pa.date32()),
        lambda: pa.array([str(strange(random)).encode("utf-8", "replace").decode() for _ in range(rows)]),
        lambda: pa.array([b"\xff\x00"] * rows, pa.binary()),
        lambda: pa.array(["a", "b"] * (rows // 2) + ["a"] * (rows % 2)).dictionary_encode(),
        lambda: pa.array(
            [{"x": 1.0, "y": [{"z": 2}]}] * rows,
            pa.struct([("x", pa.float64()), ("y", pa.list_(pa.struct([("z", pa.int8())])))]),
        ),
        lambda: pa.array([[("k", 1)]] * rows, pa.map_(pa.string(), pa.int32())),
        lambda: pa.array([[1.0, None]] * rows, pa.list_(pa.float64())),
        lambda: pa.array([None] * rows, pa.list_(pa.float64())),
        lambda: pa.array([[1, 2, 3]] * rows, pa.list_(pa.int32(), 3)),
        lambda: pa.array([True, None] * (rows // 2) + [None] * (rows % 2)),
        lambda: pa.array(np.full(rows, strange_number(random))),
        lambda: pa.array(np.arange(rows, dtype="u8") + np.uint64(2**63)),
        lambda: _deep(rows),
    )
    return kinds[int(random.integers(len(kinds)))]()


def _deep(rows: int) -> pa.Array:
    kind, value = pa.float64(), 1.0
    for _ in range(40):
        kind, value = pa.struct([("a", kind)]), {"a": value}
    return pa.array([value] * rows, kind)
