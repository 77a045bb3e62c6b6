"""Published tables of b-tag scale factors: every number as a reader of the rows finds it, every flaw one line."""

import ast
import gzip
import math
import operator
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lynkeus.core import SourceError
from lynkeus.scale_factors.btag_csv import HEAD as COLUMNS_OF_A_ROW
from lynkeus.scale_factors.btag_csv import Row, Table, read_table
from lynkeus.scale_factors.convert_csv import converted
from lynkeus.scale_factors.correction import checked

correctionlib = pytest.importorskip("correctionlib")

HEAD = f"Mine;{COLUMNS_OF_A_ROW}"
ROWS = (
    '1, comb, central, 0, -2.4, 2.4, 20, 1000, 0, 1, "0.9+0.001*x"',
    '1, comb, up, 0, -2.4, 2.4, 20, 50, 0, 1, "(0.9+0.001*x)+0.05"',
    '1, comb, up, 0, -2.4, 2.4, 50, 1000, 0, 1, "(0.9+0.001*x)+0.1"',
    "1, incl, central, 2, 0, 1.2, 20, 1000, 0, 1, 1.1",
    "1, incl, central, 2, 1.2, 2.4, 20, 1000, 0, 1, 1.2",
    '3, iterativefit, central, 0, 0, 2.4, 20, 60, -15, 0.5, "1+-0.2*x"',
    "3, iterativefit, central, 0, 0, 2.4, 20, 60, 0.5, 1.1, 0.95",
    "3, iterativefit, central, 1, 0, 2.4, 20, 60, -15, 1.1, 1.0",
    '3, iterativefit, up_hf, 0, 0, 2.4, 20, 60, -15, 1.1, "1.1+0.1*x*x"',
)
BIG = Path(os.environ.get("LYNKEUS_DATA", "")) / "hep"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def written(*rows: str, head: str = HEAD) -> Path:
        path = tmp_path / "mine.csv"
        path.write_text("\n".join([head, *rows]) + "\n", "utf-8")
        return path

    return written


def corrections(table: Table) -> Any:
    return correctionlib.CorrectionSet.from_string(checked(converted(table)[0]))


def test_working_points_of_a_small_table_by_hand(write: Callable[..., Path]) -> None:
    found = corrections(read_table(write(*ROWS)))
    assert set(found) == {"Mine_comb_medium", "Mine_incl_medium", "Mine_iterativefit_shape"}
    comb = found["Mine_comb_medium"]
    assert [item.name for item in comb.inputs] == ["systematic", "flavor", "abseta", "pt"]
    cases = [
        ("central", 30.0, 0.93), ("up", 30.0, 0.98), ("up", 49.999, 0.999999), ("up", 50.0, 1.05), ("up", 999.0, 1.999),
        ("central", 20.0, 0.92), ("up", 20.0, 0.97),
        ("central", 10.0, 0.92), ("up", 10.0, 0.92 + 2 * 0.05),  # below: the value at the end, twice its distance
        ("central", 5000.0, 1.9), ("up", 5000.0, 1.9 + 2 * 0.1),
    ]  # fmt: skip
    for systematic, pt, value in cases:
        assert comb.evaluate(systematic, 5, 0.3, pt) == pytest.approx(value, abs=2e-6), (systematic, pt)
    light = found["Mine_incl_medium"]
    assert [light.evaluate("central", 0, eta, 40.0) for eta in (0.0, 1.19, 1.2, 2.39)] == [1.1, 1.1, 1.2, 1.2]
    with pytest.raises(RuntimeError, match="above bounds"):
        light.evaluate("central", 0, 2.4, 40.0)
    with pytest.raises(IndexError):
        light.evaluate("central", 5, 0.3, 40.0)


def test_reshaping_of_a_small_table_by_hand(write: Callable[..., Path]) -> None:
    shape = corrections(read_table(write(*ROWS)))["Mine_iterativefit_shape"]
    inside = [("central", 5, 0.3, 0.94), ("central", 5, 0.5, 0.95), ("up_hf", 5, 0.3, 1.109), ("up_hf", 5, 0.6, 1.136)]
    for systematic, flavour, discriminant, value in inside:
        assert shape.evaluate(systematic, flavour, 1.0, 40.0, discriminant) == pytest.approx(value)
    assert shape.evaluate("up_hf", 5, 1.0, 100.0, 0.3) == pytest.approx(0.94 + 2 * (1.109 - 0.94))
    assert shape.evaluate("up_hf", 5, 1.0, 100.0, 0.6) == pytest.approx(0.95 + 2 * (1.136 - 0.95))
    assert shape.evaluate("central", 5, 1.0, 5.0, 0.6) == 0.95
    assert shape.evaluate("up_hf", 4, 1.0, 40.0, 0.3) == 1.0  # not given for charm: the central value


def test_flavours_of_newer_files_and_gzip_and_points_by_letter(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write("M, comb, central, 5, 0, 2.5, 20, 30, 0, 1, 0.9", "M, comb, central, 0, 0, 2.5, 20, 30, 0, 1, 1.1")
    packed = tmp_path / "newer.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    found = corrections(read_table(packed))["Mine_comb_medium"]
    assert [found.evaluate("central", flavour, 0.0, 25.0) for flavour in (5, 0)] == [0.9, 1.1]


def test_eta_that_is_not_symmetric_stays_signed(write: Callable[..., Path]) -> None:
    path = write("0, comb, central, 0, -2.4, 0, 20, 30, 0, 1, 0.8", "0, comb, central, 0, 0, 2.4, 20, 30, 0, 1, 0.9")
    found = corrections(read_table(path))["Mine_comb_loose"]
    assert [item.name for item in found.inputs][2] == "eta"


GOOD = "1, comb, central, 0, -2.4, 2.4, 20, 1000, 0, 1, 0.9"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("1, comb, central, 0, -2.4, 2.4, 20, 1000, 0, 1", "line 2 has 10 columns, not 11"),
        ("7, comb, central, 0, -2.4, 2.4, 20, 1000, 0, 1, 0.9", "line 2: operating point '7'"),
        ("1, comb, central, b, -2.4, 2.4, 20, 1000, 0, 1, 0.9", "line 2: flavour and ranges must be numbers"),
        ("1, comb, central, 0, -2.4, 2.4, 200, 100, 0, 1, 0.9", "line 2: a range ends before it begins"),
        ('1, comb, central, 0, -2.4, 2.4, 20, 1000, 0, 1, "__import__(1)"', "line 2: the formula '__import__(1)'"),
        ("1, comb, up, 0, -2.4, 2.4, 20, 1000, 0, 1, 0.9", "Mine_comb_medium has no central value for flavour 5"),
    ],
)
def test_a_flaw_is_named_with_its_line(write: Callable[..., Path], row: str, says: str) -> None:
    with pytest.raises(SourceError) as error:
        converted(read_table(write(row)))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_hole_in_pt_is_named(write: Callable[..., Path]) -> None:
    later = GOOD.replace("20, 1000", "2000, 3000")
    with pytest.raises(SourceError, match="no row covers pt 1000 to 2000"):
        converted(read_table(write(GOOD, later)))


def test_rows_that_cover_the_same_are_said(write: Callable[..., Path]) -> None:
    document, notes = converted(read_table(write(GOOD, GOOD.replace("0.9", "0.7"))))
    assert notes == ["Mine_comb_medium, central, flavour 5: line 3 covers what line 2 does, which counts"]
    assert correctionlib.CorrectionSet.from_string(checked(document))["Mine_comb_medium"].evaluate(
        "central", 5, 0.0, 40.0
    ) == pytest.approx(0.9)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n", "utf-8")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\x81")
    for name, says in (("a.csv", "line 1 is not the head"), ("b.csv", "it is no text"), ("c.csv", "No such file")):
        with pytest.raises(SourceError, match=says):
            read_table(tmp_path / name)


BINARY = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
FUNCTIONS = {"log": math.log, "sqrt": math.sqrt, "exp": math.exp}


def value_of(formula: str, x: float) -> float:
    """A formula by Python's own parser: another way than the one under test."""

    def of(node: ast.AST) -> float:
        if isinstance(node, ast.BinOp):
            return float(BINARY[type(node.op)](of(node.left), of(node.right)))
        if isinstance(node, ast.UnaryOp):
            return -of(node.operand) if isinstance(node.op, ast.USub) else of(node.operand)
        if isinstance(node, ast.Call):
            assert isinstance(node.func, ast.Name)
            return FUNCTIONS[node.func.id](of(node.args[0]))
        if isinstance(node, ast.Constant):
            return float(node.value)
        assert isinstance(node, ast.Name)
        assert node.id == "x"
        return x

    return of(ast.parse(formula, mode="eval").body)


def scanned(rows: list[Row], eta: float, pt: float, discriminant: float) -> float:
    """`eval` of BTagCalibrationReader: the first row whose ranges hold the jet."""
    for row in rows:
        inside = row.eta[0] <= eta < row.eta[1] and row.pt[0] < pt <= row.pt[1]
        if inside and (row.point != "shape" or row.discriminant[0] <= discriminant < row.discriminant[1]):
            return value_of(row.formula, discriminant if row.point == "shape" else pt)
    raise AssertionError((eta, pt, discriminant))


def auto_bounds(rows: list[Row], central: list[Row], eta: float, pt: float, discriminant: float) -> float:
    """`eval_auto_bounds` of BTagCalibrationReader."""
    low, high = min(row.pt[0] for row in central), max(row.pt[1] for row in central)
    moved = low + 1e-4 if pt < low else high - 1e-4 if pt > high else pt
    middle, own = (scanned(some, eta, moved, discriminant) for some in (central, rows))
    return own if moved == pt else middle + 2 * (own - middle)


@pytest.mark.slow(8)
@pytest.mark.parametrize("name", ["DeepCSV_102XSF_V1.btag.csv.gz", "testBTagSF.btag.csv"])
def test_a_published_table_says_what_a_reader_of_its_rows_says(name: str) -> None:
    if not (BIG / name).is_file():
        pytest.skip("the published tables are not here: set LYNKEUS_DATA")
    table = read_table(BIG / name)
    found, draw = corrections(table), np.random.default_rng(1)
    compared = 0
    for point, method in table.kinds():
        rows = table.of(point, method)
        of = {(row.systematic, row.flavour): [] for row in rows}  # type: dict[tuple[str, int], list[Row]]
        for row in rows:
            of[row.systematic, row.flavour].append(row)
        correction = found[f"{table.tagger}_{method}_{point}"]
        for (systematic, flavour), own in of.items():
            for pt in (5.0, 20.001, *draw.uniform(20, 1500, 6), 2e4):
                eta, discriminant = draw.uniform(0, 2.39), draw.uniform(0, 0.99)
                more = (discriminant,) if point == "shape" else ()
                says = correction.evaluate(systematic, flavour, eta, float(pt), *more)
                expected = auto_bounds(own, of["central", flavour], eta, float(pt), discriminant)
                assert says == pytest.approx(expected, abs=1e-5), (point, method, systematic, flavour, eta, pt)
                compared += 1
    assert compared > 500
