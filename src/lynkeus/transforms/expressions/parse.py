"""parse: from text to a tree of allowed nodes, or one line that says what is not allowed in it."""

from __future__ import annotations

import ast
import difflib
from dataclasses import dataclass, field

from lynkeus.core.errors import SettingsError
from lynkeus.transforms.expressions.functions import (
    CONSTANTS,
    KEYWORDS,
    MODULES,
    RANDOM,
    known_function,
    names_of,
)

MOST_LETTERS, MOST_NODES, MOST_DEPTH = 5000, 2000, 50
MOST_POWER = 64  # what a number may be raised to, and how many bits it may be shifted
MOST_WHOLE = 2**63
MOST_LENGTH = 10_000  # that lists are padded to
DTYPES = frozenset(
    {
        "bool",
        "int",
        "float",
        "float16",
        "float32",
        "float64",
        *(f"{sign}int{8 << k}" for sign in ("", "u") for k in range(4)),
    }
)
PARTS = frozenset(
    {"px", "py", "pz", "pt", "eta", "phi", "energy", "E", "e", "mass", "m", "rapidity", "p"}
)  # of a four-momentum
OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift,
    ast.RShift,
)  # fmt: skip
COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
REFUSED = {
    ast.BoolOp: "'and' and 'or' are of single values: write & and |, each side in brackets",
    ast.Lambda: "lambda makes a function: write its formula",
    ast.IfExp: "'if ... else' is of single values: write np.where(condition, one, other)",
    ast.ListComp: "loops are not read: functions act on whole columns",
    ast.GeneratorExp: "loops are not read: functions act on whole columns",
    ast.SetComp: "loops are not read: functions act on whole columns",
    ast.DictComp: "loops are not read: functions act on whole columns",
    ast.NamedExpr: "':=' sets a name: define a new variable",
    ast.Starred: "'*' before an argument is not read: write the arguments out",
    ast.JoinedStr: "text with values in it is not read",
}


@dataclass(frozen=True)
class Expression:
    """An expression as `text`, its allowed `tree`, and the `names` of the columns in it, in order."""

    text: str
    tree: ast.expr = field(compare=False, repr=False)
    names: tuple[str, ...] = ()


def parse(text: str, where: str = "") -> Expression:
    """Return the expression that a text is. Raises SettingsError, for `where` it is written, in one line that shows the
    text and says what of it is not allowed."""
    check = _Check(str(text), where)
    if not isinstance(text, str):
        raise check.refused("must be text")
    if len(text) > MOST_LETTERS:
        raise check.refused(f"has {len(text)} letters, at most {MOST_LETTERS}: split it into new variables")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        said = getattr(error, "msg", "") or type(error).__name__
        raise check.refused(f"cannot be read ({said})") from error
    check.node(tree, 0)
    return Expression(text, tree, tuple(dict.fromkeys(check.names)))


class _Check:
    """Walks a tree and refuses what is not on the list."""

    def __init__(self, text: str, where: str) -> None:
        self.text, self.where, self.count = text, where, 0
        self.names: list[str] = []

    def refused(self, why: str) -> SettingsError:
        """Return the error that shows the expression, cut where it is long."""
        shown = self.text if len(self.text) <= 120 else f"{self.text[:117]}..."
        return SettingsError(f"{self.where}: {shown!r}: {why}" if self.where else f"{shown!r}: {why}")

    def node(self, node: ast.expr, depth: int) -> None:
        """Check a node and all below it. Raises SettingsError."""
        self.count += 1
        if depth > MOST_DEPTH or self.count > MOST_NODES:
            raise self.refused("is nested too deeply or too long: split it into new variables")
        if isinstance(node, ast.Constant):
            self._constant(node)
        elif isinstance(node, ast.Name):
            self._name(node.id)
        elif isinstance(node, ast.BinOp):
            self._operation(node, depth)
        elif isinstance(node, ast.UnaryOp):
            if isinstance(node.op, ast.Not):
                raise self.refused("'not' is of single values: write ~ with brackets")
            self.node(node.operand, depth + 1)
        elif isinstance(node, ast.Compare):
            self._comparison(node, depth)
        elif isinstance(node, ast.Call):
            self._call(node, depth)
        elif isinstance(node, ast.Attribute):
            self._attribute(node, depth)
        elif isinstance(node, ast.Subscript):
            self.node(node.value, depth + 1)
            self._index(node.slice, depth + 1)
        else:
            raise self.refused(REFUSED.get(type(node), f"{type(node).__name__} is not read here"))

    def _constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool) or (node.value is None):
            return
        if not isinstance(node.value, int | float):
            raise self.refused(f"{node.value!r} is neither a number nor the name of a column")
        if isinstance(node.value, int) and abs(node.value) >= MOST_WHOLE:
            raise self.refused("a whole number has more than 63 bits")

    def _name(self, name: str) -> None:
        if name in MODULES:
            raise self.refused(
                f"{name} is a module: call one of its functions, such as {name}.{names_of(name)[0]}(...)"
            )
        if name.startswith("_"):
            raise self.refused(f"the name {name} begins with '_', as no column does")
        self.names.append(name)

    def _operation(self, node: ast.BinOp, depth: int) -> None:
        if not isinstance(node.op, OPERATORS):
            raise self.refused("'@' is not read: write the sum of products")
        if isinstance(node.op, ast.Pow | ast.LShift | ast.RShift):
            power = _number(node.right)
            if power is not None and abs(power) > MOST_POWER:
                raise self.refused(f"{power:g} is too large a power or shift: at most {MOST_POWER}")
        self.node(node.left, depth + 1)
        self.node(node.right, depth + 1)

    def _comparison(self, node: ast.Compare, depth: int) -> None:
        if len(node.ops) > 1:
            raise self.refused("a chain of comparisons is of single values: write (a < x) & (x < b)")
        if not isinstance(node.ops[0], COMPARISONS):
            raise self.refused("'in' and 'is' are of single values: write np.isin(column, [...]) or ==")
        for side in (node.left, node.comparators[0]):
            if not (isinstance(side, ast.Constant) and isinstance(side.value, str)):  # words of a column of text
                self.node(side, depth + 1)

    def _call(self, node: ast.Call, depth: int) -> None:
        module, name = called(node.func)
        if not name:
            raise self.refused("only functions by name are called, such as np.log(x); methods are not")
        if name in RANDOM:
            raise self.refused(f"{name} draws by chance, so that nothing could be read twice: leave it out")
        if not known_function(module, name):
            near = difflib.get_close_matches(name, names_of(module), 1)
            full, hint = f"{module}.{name}" if module else name, f"; nearest is {near[0]}" if near else ""
            raise self.refused(f"{full} is no function that may be called{hint}")
        for keyword in node.keywords:
            if keyword.arg not in KEYWORDS:
                raise self.refused(f"the argument {keyword.arg or '**'} is not read")
        for given in (*node.args, *(keyword.value for keyword in node.keywords)):
            self._argument(given, depth + 1, name)

    def _argument(self, node: ast.expr, depth: int, function: str) -> None:
        number = _number(node)
        if number is not None and "pad" in function and abs(number) > MOST_LENGTH:
            raise self.refused(f"{number:g} is too long to pad to: at most {MOST_LENGTH}")
        if isinstance(node, ast.List | ast.Tuple):
            for item in node.elts:
                self._argument(item, depth + 1, function)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value not in DTYPES and function != "isin":
                raise self.refused(f"{node.value!r} is no type of numbers, such as 'float32'")
        else:
            self.node(node, depth)

    def _attribute(self, node: ast.Attribute, depth: int) -> None:
        module = node.value.id if isinstance(node.value, ast.Name) else ""
        if module in MODULES:
            if node.attr not in CONSTANTS:
                raise self.refused(f"{module}.{node.attr} is neither a constant nor called")
            return
        if node.attr not in PARTS:
            raise self.refused(f"the attribute .{node.attr} is not read")
        self.node(node.value, depth + 1)

    def _index(self, node: ast.expr, depth: int) -> None:
        if isinstance(node, ast.Tuple):
            for item in node.elts:
                self._index(item, depth + 1)
        elif isinstance(node, ast.Slice):
            for part in (node.lower, node.upper, node.step):
                if part is not None:
                    self.node(part, depth + 1)
        elif isinstance(node, ast.Constant) and node.value is Ellipsis:
            self.count += 1
        else:
            self.node(node, depth)


def called(node: ast.expr) -> tuple[str, str]:
    """Return module and name of a function that is called; ("", "") for anything else."""
    if isinstance(node, ast.Name):
        return "", node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in MODULES:
        return node.value.id, node.attr
    return "", ""


def _number(node: ast.expr) -> float | None:
    """Return the number that a node is, with its sign, else None."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return _number(node.operand)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value) if abs(node.value) < 1e300 else float("inf")
    return None
