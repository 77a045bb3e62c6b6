"""evaluate: the value of an expression on a table of columns."""

from __future__ import annotations

import ast
import difflib
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lynkeus.core.errors import LynkeusError, SettingsError
from lynkeus.transforms.expressions.functions import CONSTANTS, MODULES, function
from lynkeus.transforms.expressions.momentum import Momentum
from lynkeus.transforms.expressions.parse import MOST_POWER, Expression, called

Table = Mapping[str, Any]  # name -> NumPy or awkward array


def evaluate(expression: Expression, table: Table, where: str = "") -> Any:
    """Return what an expression gives on the columns of a table: an array, a list of numbers of each row, or a number.

    Divisions by zero and logarithms of what is not positive give inf and NaN, as in NumPy. Raises SettingsError, for
    `where` it is written, in one line: a column that is not there, or what NumPy and awkward refuse.
    """
    shown = expression.text if len(expression.text) <= 120 else f"{expression.text[:117]}..."
    before = f"{where}: {shown!r}" if where else repr(shown)
    try:
        with np.errstate(all="ignore"):
            return _value(expression.tree, table)
    except LynkeusError as error:
        raise SettingsError(f"{before}: {error}") from error
    except Exception as error:  # of NumPy or awkward, whatever they do not like
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise SettingsError(f"{before}: cannot be computed ({said.rstrip('.')[:150]}); mend the expression") from error


def _value(node: ast.expr, table: Table) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return _column(node.id, table)
    if isinstance(node, ast.BinOp):
        return _operation(type(node.op), _value(node.left, table), _value(node.right, table))
    if isinstance(node, ast.UnaryOp):
        return SIGNS[type(node.op)](_value(node.operand, table))
    if isinstance(node, ast.Compare):
        return COMPARISONS[type(node.ops[0])](_value(node.left, table), _value(node.comparators[0], table))
    if isinstance(node, ast.List):
        return [_value(item, table) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(item, table) for item in node.elts)
    if isinstance(node, ast.Call):
        keywords = {str(keyword.arg): _value(keyword.value, table) for keyword in node.keywords}
        return function(*called(node.func))(*(_value(given, table) for given in node.args), **keywords)
    if isinstance(node, ast.Attribute):
        return _attribute(node, table)
    assert isinstance(node, ast.Subscript), node
    return _value(node.value, table)[_index(node.slice, table)]


def _column(name: str, table: Table) -> Any:
    if name not in table:
        near = difflib.get_close_matches(name, list(table), 1)
        raise SettingsError(f"there is no column {name}{f'; nearest is {near[0]}' if near else ''}")
    return table[name]


def _attribute(node: ast.Attribute, table: Table) -> Any:
    if isinstance(node.value, ast.Name) and node.value.id in MODULES:
        return CONSTANTS[node.attr]
    held = _value(node.value, table)
    if not isinstance(held, Momentum):
        raise SettingsError(f".{node.attr} is of four-momenta (_p4_from_pxpypze(...)), and this is none")
    return held.part(node.attr)


def _index(node: ast.expr, table: Table) -> Any:
    if isinstance(node, ast.Tuple):
        return tuple(_index(item, table) for item in node.elts)
    if isinstance(node, ast.Slice):
        return slice(*(None if part is None else _value(part, table) for part in (node.lower, node.upper, node.step)))
    return _value(node, table)


def _operation(kind: type[ast.operator], left: Any, right: Any) -> Any:
    """Numbers without an array are taken as fractions where they grow: whole ones of Python grow without end."""
    if kind is ast.Pow:
        for number in (right,) if isinstance(right, int | float) else ():
            if abs(number) > MOST_POWER:
                raise SettingsError(f"{number:g} is too large a power: at most {MOST_POWER}")
        return operator.pow(float(left) if isinstance(left, int) else left, right)
    if kind in (ast.LShift, ast.RShift) and isinstance(right, int) and not 0 <= right <= MOST_POWER:
        raise SettingsError(f"cannot shift by {right} bits: 0 to {MOST_POWER}")
    if isinstance(left, int) and isinstance(right, int) and kind in (ast.Mult, ast.LShift):
        left = np.int64(left)
    return OPERATIONS[kind](left, right)


OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.BitAnd: operator.and_, ast.BitOr: operator.or_,
    ast.BitXor: operator.xor, ast.LShift: operator.lshift, ast.RShift: operator.rshift,
}  # fmt: skip
SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: operator.invert,
}  # fmt: skip
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}  # fmt: skip
