"""What is done to files: bytes, whole numbers in them, and parts of what JSON and TOML say."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from tests.mutations import mutated

LARGE = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1)


def nested(depth: int, kind: str = "list") -> Any:
    """Return a list in a list in a list, or an object in an object."""
    made: Any = 1
    for _ in range(depth):
        made = [made] if kind == "list" else {"a": made}
    return made


def strange(random: np.random.Generator) -> Any:
    """Return a value that nobody expects there."""
    values: tuple[Any, ...] = (
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        2**31,
        2**63,
        -(2**63) - 1,
        10**30,
        10**400,
        1e308,
        -1e308,
        5e-324,
        1.5,
        -0.0,
        float("nan"),
        float("inf"),
        "",
        " ",
        "\x00",
        "a\x00b",
        "\ud800",
        "x" * 5000,
        "../../etc/passwd",
        "(a+)+$",
        "nan",
        "1e999",
        "2023-13-45",
        "\u0663",
        "a\nb",
        "\u202e",
        "<script>",
        "0",
        "1",
        "-1",
        [],
        {},
        [[]],
        [{}],
        [None],
        {"": 1},
        [1] * 500,
        ["a", 1, None],
        nested(60),
        nested(60, "object"),
        nested(200),
        {"a": [1, {"b": 2}]},
    )
    return values[int(random.integers(len(values)))]


def changed(content: Any, random: np.random.Generator) -> Any:
    """Return what JSON or TOML says, with one to three of its parts replaced, left out, renamed or doubled."""
    made = copy.deepcopy(content)
    for _ in range(int(random.integers(1, 4))):
        places = list(_places(made))
        if not places:
            return strange(random)
        holder, key = places[int(random.integers(len(places)))]
        what = int(random.integers(6))
        if what <= 2:
            holder[key] = strange(random)
        elif what == 3:
            del holder[key]
        elif isinstance(holder, dict):
            name = strange(random)
            other = name if what == 4 and isinstance(name, str) else str(key) + "_"
            holder[other] = holder[key] if random.random() < 0.5 else holder.pop(key)
        else:
            holder.insert(key, copy.deepcopy(holder[int(random.integers(len(holder)))]))
    return made


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(content, dict):
        for key, own in content.items():
            yield content, key
            yield from _places(own)
    elif isinstance(content, list):
        for number, own in enumerate(content[:40]):
            yield content, number
            yield from _places(own)


def as_json(content: Any, random: np.random.Generator) -> bytes:
    """Return JSON; now and then with a byte changed, or cut."""
    text = json.dumps(content).encode("utf-8", "surrogatepass")
    return mutated(text, random) if random.random() < 0.1 else text


def as_toml(content: dict[str, Any], random: np.random.Generator) -> bytes:
    """Return TOML of some tables; what it cannot say is written all the same."""
    lines: list[str] = []

    def table(own: dict[str, Any], name: str) -> None:
        for key, value in own.items():
            if not isinstance(value, dict) and not _tables(value):
                lines.append(f"{_key(key)} = {_value(value)}")
        for key, value in own.items():
            inner = f"{name}.{_key(key)}" if name else _key(key)
            if isinstance(value, dict):
                lines.append(f"[{inner}]")
                table(value, inner)
            elif _tables(value):
                for one in value:
                    lines.append(f"[[{inner}]]")
                    table(one, inner)

    if not isinstance(content, dict):
        return str(content).encode("utf-8", "surrogatepass")
    table(content, "")
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    return mutated(text, random) if random.random() < 0.15 else text


def _tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _key(key: str) -> str:
    return key if key.isidentifier() and key.isascii() else json.dumps(str(key))


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(str(key))} = {_value(own)}" for key, own in value.items()) + "}"
    if isinstance(value, float):
        return repr(value)
    return "null" if value is None else json.dumps(value)


def patched(data: bytes, random: np.random.Generator, ends: float = 0.5) -> bytes:
    """Return bytes with whole numbers in them replaced by such as lengths and offsets should not be, of either order of
    bytes, more often at the beginning or the end; or as `mutated` does it."""
    if random.random() < 0.35:
        return mutated(data, random)
    made = bytearray(data)
    for _ in range(int(random.integers(1, 4))):
        if len(made) < 16:
            break
        size = int(random.choice([1, 2, 4, 8]))
        near = random.random()
        first, last = (0, min(400, len(made))) if near < ends / 2 else (max(0, len(made) - 600), len(made))
        first, last = (0, len(made)) if near > ends else (first, last)
        at = int(random.integers(first, max(last - size, first + 1)))
        order = "big" if random.random() < 0.5 else "little"
        if random.random() < 0.5:
            value = LARGE[int(random.integers(len(LARGE)))]
        else:
            step = int(random.choice([-256, -8, -1, 1, 2, 8, 256, 65536]))
            value = int.from_bytes(made[at : at + size], order) + step
        made[at : at + size] = (value % (1 << (8 * size))).to_bytes(size, order)
    return bytes(made)
