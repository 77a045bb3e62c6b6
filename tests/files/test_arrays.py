"""Parts of scorers as arrays and back, by the names of their fields; through a model folder too."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Optional

import numpy as np
import pytest

from lynkeus.core import Array, Floats, ModelError, Schema
from lynkeus.files.arrays import arrays_of, part_of, read_folder, write_folder

SCHEMA = Schema("table", ("x",), ("mm",), (1,))


class Trees(NamedTuple):
    root: Array
    share: Floats


@dataclass(frozen=True)
class Line:
    level: Floats
    slope: float = 1.5


@dataclass(frozen=True)
class Part:
    """Everything that a part may hold."""

    values: Floats
    line: Line
    trees: Trees
    lines: tuple[Line, ...] = ()
    log: tuple[bool, ...] = ()
    count: int = 3
    wide: bool = True
    alpha: complex = 1 + 2j
    name: str = "Ünicode"
    how: Literal["raw", "z"] = "raw"
    gains: Line | None = None
    whitening: Optional[Floats] = None  # noqa: UP045
    group: str = field(default="not kept")


def part(**other: object) -> Part:
    given = {
        "values": np.arange(6.0).reshape(2, 3),
        "line": Line(np.zeros(2)),
        "trees": Trees(np.arange(2), np.ones(2)),
    }
    return Part(**given | other)  # type: ignore[arg-type]


FULL = part(
    lines=(Line(np.ones(1), 2.0), Line(np.full(1, 2.0), -1.0)),
    log=(True, False),
    count=-7,
    wide=False,
    name="",
    how="z",
    gains=Line(np.arange(3.0), 0.25),
    whitening=np.eye(2, dtype=np.float32),
)


def test_names_are_those_of_the_fields() -> None:
    assert set(arrays_of(part(), "own_", leave=("group",))) == {
        "own_values", "own_line.level", "own_line.slope", "own_trees.root", "own_trees.share", "own_log", "own_count",
        "own_wide", "own_alpha", "own_name", "own_how",
    }  # fmt: skip
    more = set(arrays_of(FULL)) - set(arrays_of(part()))
    assert more == {
        "lines.0.level", "lines.0.slope", "lines.1.level", "lines.1.slope", "gains.level", "gains.slope", "whitening",
    }  # fmt: skip
    assert all(array.ndim for array in arrays_of(FULL).values())


@pytest.mark.parametrize("one", [part(), FULL])
@pytest.mark.parametrize("prefix", ["", "view3."])
def test_a_part_comes_back_as_it_was(one: Part, prefix: str) -> None:
    arrays = arrays_of(one, prefix, leave=("group",)) | {"another": np.zeros(3), "view30.values": np.ones(1)}
    back = part_of(Part, arrays, prefix, group="given")
    assert back.group == "given"
    assert repr(back) == repr(part_of(Part, arrays_of(back, leave=("group",)), group="given"))
    for name in ("lines", "log", "count", "wide", "alpha", "name", "how", "gains", "line", "trees"):
        assert repr(getattr(back, name)) == repr(getattr(one, name)), name
        assert type(getattr(back, name)) is type(getattr(one, name)), name
    np.testing.assert_array_equal(back.values, one.values)
    assert (back.whitening is None) == (one.whitening is None)
    assert back.whitening is None or back.whitening.dtype == np.float32


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    arrays = arrays_of(Line(np.ones(2)))
    del arrays["slope"]
    with pytest.raises(KeyError, match="slope"):
        part_of(Line, arrays)
    write_folder(tmp_path / "m", SCHEMA, {}, arrays)
    found = read_folder(tmp_path / "m")[2]
    np.testing.assert_array_equal(found["level"], np.ones(2))
    with pytest.raises(ModelError, match=r"m does not hold 'slope': .*fit it again"):
        part_of(Line, found)


def test_what_is_no_array_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Line\.slope is neither numbers nor a part"):
        arrays_of(Line(np.ones(1), {"a": 1}))  # type: ignore[arg-type]
