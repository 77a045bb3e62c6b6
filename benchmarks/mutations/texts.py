"""Texts as nobody writes them: CSV, JSON, TOML, logbooks and messages of streams."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
from benchmarks.mutations.strange import as_json, changed, strange
from tests.mutations import mutated

SEPARATORS = (",", ",", ",", ";", "\t", "|", " ", ",,")
HEADERS = (
    "time_ns",
    "timestamp",
    "time",
    "Date",
    "Time",
    "secs",
    "nanos",
    "a",
    "b",
    "a",
    "",
    "Unnamed: 0",
    "severity",
    "x [mm]",
    "\u00e4",
    "truth",
    "weight",
    "label",
    "part_px",
    "#a",
    '"q',
    "1",
    "nan",
    "event_id",
    "train",
    "x" * 3000,
)
ENTRIES = (
    "",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "#N/A",
    "null",
    "Disconnected",
    "1e999",
    "9" * 400,
    "-",
    "+",
    ".",
    "1,5",
    "1.234,5",
    "0x10",
    "1_000",
    "\u0663",
    "true",
    "NO_ALARM",
    "2023-11-14T22:13:20Z",
    "14.11.2023 22:13:20",
    "2023-13-45",
    "11/12/2023",
    "12:00",
    "00:00:60",
    "9999-12-31",
    "0001-01-01",
    "1700000000",
    "1700000000000",
    "1700000000000000000",
    "-1",
    '"',
    '""',
    '"a,b"',
    '"a\nb"',
    "\u202e",
    "1 000",
    "1e-400",
    "1e308",
    "99999999999999999999",
    "x" * 2000,
)


def csv(random: np.random.Generator) -> bytes:
    """Return a CSV file of many ways of writing, each of which may go wrong."""
    separator = str(random.choice(SEPARATORS))
    columns, rows = int(random.choice([0, 1, 2, *[3, 4, 6] * 4])), int(random.choice([0, 1, 2, *[30] * 9]))
    usual = HEADERS[:9] if random.random() < 0.6 else HEADERS
    names = [str(name) for name in random.choice(usual, columns, replace=random.random() < 0.2)]
    kinds = [int(random.integers(4 if random.random() < 0.3 else 3, 6)) for _ in names]
    kinds = [int(random.integers(3)) if random.random() < 0.2 else kind for kind in kinds]
    odd = float(random.choice([0.0, 0.005, 0.05]))
    lines = [f"# {strange(random)!r}" for _ in range(int(random.integers(0, 3)))] if random.random() < 0.2 else []
    lines += [separator.join(names)] if random.random() < 0.9 else []
    lines += [separator.join(random.choice(["mm", "V", "", "s", "1"]) for _ in names)] if random.random() < 0.1 else []
    for row in range(rows):
        lines.append(separator.join(_entry(kind, row, odd, random) for kind in kinds))
    if random.random() < 0.15 and lines:
        at = int(random.integers(len(lines)))
        lines[at] = str(
            random.choice([lines[at] * 3, lines[at][: len(lines[at]) // 2], "", separator * 5, '"' + lines[at]])
        )
    text = str(random.choice([*["\n"] * 10, "\r\n", "\r\n", "\r", "\n\n"])).join(lines)
    text += str(random.choice([*["\n"] * 10, "", "\n\n", "\x1a", "\x00"]))
    coding = str(random.choice([*["utf-8"] * 9, "utf-8-sig", "latin-1", "utf-16", "utf-32", "utf-16-le"]))
    made = text.encode(coding, "replace")
    return mutated(made, random) if random.random() < 0.15 else made


def _entry(kind: int, row: int, odd: float, random: np.random.Generator) -> str:
    if random.random() < odd:
        return str(random.choice(ENTRIES))
    if kind == 0:
        return str(1_700_000_000_000_000_000 + row * 10**8)
    if kind == 1:
        return f"2023-11-14 22:13:{row % 60:02}.{row:03}"
    if kind == 2:
        return str(row)
    return f"{random.normal():.4f}" if kind < 5 else str(random.choice(["ON", "OFF", "FAULT"]))


def packed(text: bytes, random: np.random.Generator) -> bytes:
    """Return text in gzip, which may be cut or damaged."""
    made = gzip.compress(text, 1)
    what = int(random.integers(5))
    if what == 0:
        return made[: int(random.integers(len(made)))]
    if what == 1:
        return mutated(made, random)
    return made + (made if what == 2 else b"garbage" if what == 3 else b"")


def histograms(random: np.random.Generator) -> bytes:
    """Return JSON of histograms after the UHI standard, parts of which are strange."""
    axis = {
        "type": "regular",
        "lower": 0.0,
        "upper": 1.0,
        "bins": 3,
        "underflow": True,
        "overflow": True,
        "circular": False,
    }
    edges = {"type": "variable", "edges": [0.0, 1.0, 3.0], "underflow": True, "overflow": True, "circular": False}
    words = {"type": "category_str", "categories": ["a", "b"], "flow": True, "metadata": {"name": "n", "label": "l"}}
    whole = [1.0, 2.0, 3.0, 4.0, 5.0]
    content: dict[str, Any] = {
        "a": {"uhi_schema": 1, "axes": [axis], "storage": {"type": "double", "values": whole}},
        "f": {
            "b": {
                "uhi_schema": 1,
                "axes": [edges],
                "storage": {"type": "weighted", "values": [0, 1, 2, 0], "variances": [1, 1, 2, 1]},
            },
            "c": {"uhi_schema": 1, "axes": [words], "storage": {"type": "int", "values": [1, 2, 3]}},
        },
        "m": {
            "uhi_schema": 1,
            "axes": [axis],
            "storage": {"type": "mean", "counts": whole, "values": whole, "variances": whole},
        },
        "s": {"uhi_schema": 1, "axes": [axis], "storage": {"type": "int", "index": [[1, 3]], "values": [2, 5]}},
        "t": {"uhi_schema": 1, "axes": [axis, edges], "storage": {"type": "double", "values": [[1.0] * 4] * 5}},
    }
    key = str(random.choice(list(content)))
    made = changed(content if random.random() < 0.5 else content[key], random)
    return as_json(made, random)


def tasks(random: np.random.Generator) -> bytes:
    """Return failed tasks, parts of which are strange."""
    one = {
        "parameters": {"memory": 2000, "a": "b"},
        "errors": {"good_sites": {"8021": {"T2_DE": 3}}, "bad_sites": {}},
        "name": "t",
    }
    content: Any = {f"t{k}": one for k in range(3)}
    content = [one, dict(one, name="u")] if random.random() < 0.4 else content
    return as_json(changed(content, random), random)


def records(random: np.random.Generator) -> tuple[str, bytes]:
    """Return the ending and the content of a file of texts."""
    rows = [
        {"text": f"vacuum leak {k}", "time": "2024-01-02T03:04:05", "author": "a", "label": "leak"} for k in range(4)
    ]
    ending = str(random.choice([".json", ".jsonl", ".csv", ".txt", ".csv.gz"]))
    if ending == ".json":
        return ending, as_json(changed(rows, random), random)
    if ending == ".jsonl":
        return ending, b"\n".join(as_json(changed(row, random), random) for row in rows)
    if ending == ".txt":
        entry = (
            "$@MID@$: {}\nDate: Tue, 02 Jan 2024 03:04:05 +0100\nAuthor: me\nEncoding: HTML\n"
            + "=" * 40
            + "\n<p>leak</p>\n"
        )
        return ending, mutated("".join(entry.format(k) for k in range(3)).encode(), random)
    if ending == ".csv":
        text = "text,time,label\n" + "".join(f'"leak, {k}",2024-01-0{k + 1} 03:04:05,a\n' for k in range(4))
        return ending, mutated(text.encode(), random) if random.random() < 0.6 else csv(random)
    return ending, packed(csv(random), random)


MESSAGES: tuple[Any, ...] = (
    {"time": 1.7e9, "channel": "a", "value": 1.2, "severity": 0},
    {"time": "2026-11-29T18:00:00Z", "values": {"a": 1, "b": [1, 2, None]}},
    {"time_ns": 17 * 10**17, "a": 1.5, "b": None, "pulse_id": 7},
    [{"t": 1.7e12, "a": 1}, {"t": 1.7e15, "b": 2}],
    3.5,
    [1, 2, 3],
)


def message(random: np.random.Generator) -> bytes:
    """Return a message of a stream."""
    return as_json(changed([MESSAGES[int(random.integers(len(MESSAGES)))]], random), random)[1:-1]


def train(random: np.random.Generator) -> list[bytes]:
    """Return the parts of a message of a Karabo bridge."""
    import msgpack

    def packed_up(thing: Any) -> bytes:
        try:
            made: bytes = msgpack.packb(thing, use_bin_type=True)
        except (ValueError, OverflowError, TypeError, UnicodeEncodeError):
            made = msgpack.packb(json.dumps(thing))
        return mutated(made, random) if random.random() < 0.2 else made

    about = {"timestamp.tid": 7, "timestamp.sec": 17 * 10**8, "timestamp.frac": 1, "timestamp": 1.7e9}
    if random.random() < 0.4:
        return [packed_up(changed({"S": {"a.value": 1.0, "b": [1, 2], "metadata": about}}, random))]
    head = {"source": "S", "content": "msgpack", "metadata": about}
    array = {"source": "S", "content": "array", "path": "p", "dtype": "float32", "shape": [4]}
    return [
        packed_up(changed(head, random)),
        packed_up(changed({"a.value": 1}, random)),
        packed_up(changed(array, random)),
        b"\0" * 16,
    ]
