"""What a scorer, source, simulator or study says of itself, of one that is imported or from its file alone.

From the file: whoever has not installed PyTorch may read what the networks are, and nobody waits for it to be imported
for a line of text.
"""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, Self

from lynkeus.core.protocols import About

UNSAID = About(("table", "waveform"), False, "", "")  # of a scorer that does not say


class Declared(NamedTuple):
    """`what` it is in a line, `about` a scorer, and what is `missing` before it can be used, after its name."""

    what: str
    about: About = UNSAID
    missing: str = ""

    @classmethod
    def of(cls, found: Any) -> Self:
        """Read it of a class or function that is imported."""
        module = sys.modules[found.__module__].__doc__ or ""
        return cls(_first_line(isinstance(found, type), module, found.__doc__ or ""), getattr(found, "about", UNSAID))


@cache
def declared_by(module: str, name: str, missing: str) -> Declared:
    """Read it of a class or function `name` that a `module` defines, without importing the module.

    `about` of a scorer has to be written out: About(...) of literals, in the body of its class.
    """
    found = find_spec(module)
    assert found is not None, f"there is no module {module}"
    assert found.origin is not None, f"the module {module} has no file"
    tree = ast.parse(Path(found.origin).read_text("utf-8"))
    named = (ast.ClassDef, ast.FunctionDef)
    node = next(one for one in tree.body if isinstance(one, named) and one.name == name)
    is_class = isinstance(node, ast.ClassDef)
    what = _first_line(is_class, ast.get_docstring(tree) or "", ast.get_docstring(node) or "")
    values = [one.value for one in node.body if isinstance(one, ast.AnnAssign) and ast.unparse(one.target) == "about"]
    return Declared(what, _written_out(values[0]) if values else UNSAID, missing)


def _written_out(call: ast.expr | None) -> About:
    assert isinstance(call, ast.Call)
    named = {one.arg or "": ast.literal_eval(one.value) for one in call.keywords}
    return About(*map(ast.literal_eval, call.args), **named)


def _first_line(is_class: bool, module: str, own: str) -> str:
    """Return the first line of its module, or its own where the module says nothing of it alone."""
    module, own = inspect.cleandoc(module), inspect.cleandoc(own)
    return ((module if is_class else own) or own).partition("\n")[0]
