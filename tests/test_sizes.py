"""The maxima of the house: lines of a file, lines of a function, arguments of a function."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILE_LINES, FUNCTION_LINES, ARGUMENTS = 300, 50, 7


def too_large(text: str, place: str) -> Iterator[str]:
    """Each excess of one source file as "place:line what"."""
    lines = text.count("\n") + (not text.endswith("\n"))
    if lines > FILE_LINES:
        yield f"{place}: {lines} lines, at most {FILE_LINES}: split the file"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{place}:{node.lineno} {node.name} has {length} lines, at most {FUNCTION_LINES}"
            given = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
            named = [argument for argument in given if argument.arg not in ("self", "cls")]
            count = len(named) + bool(node.args.vararg) + bool(node.args.kwarg)
            if count > ARGUMENTS:
                yield f"{place}:{node.lineno} {node.name} takes {count} arguments, at most {ARGUMENTS}: use a dataclass"


def test_nothing_in_the_package_is_larger_than_the_house_allows() -> None:
    files = sorted((ROOT / "src").rglob("*.py"))
    excesses = [line for file in files for line in too_large(file.read_text("utf-8"), str(file.relative_to(ROOT)))]
    assert files
    assert not excesses, "\n".join(["larger than the house allows:", *excesses])


def families(names: list[str]) -> list[str]:
    """First words that three or more files of a folder share: they want to be a folder."""
    first = Counter(name.split("_")[0] for name in names)
    return [word for word, times in first.items() if word and times > 2]


def test_three_siblings_with_one_prefix_are_a_folder() -> None:
    folders = sorted({path.parent for path in (ROOT / "src").rglob("*.py")})
    found = {
        str(folder.relative_to(ROOT)): families([path.stem for path in folder.glob("*.py") if path.stem[0] != "_"])
        for folder in folders
    }
    assert folders
    assert not {folder: words for folder, words in found.items() if words}


def test_a_third_sibling_is_refused() -> None:
    assert families(["orbit", "orbit_judge", "table"]) == []
    assert families(["orbit", "orbit_judge", "orbit_tails"]) == ["orbit"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\n" * 301, "here.py: 301 lines"),
        ("def long():\n" + "    x = 1\n" * 50, "here.py:1 long has 51 lines"),
        ("def wide(self, a, b, c, d, *e, f, g, h): ...\n", "here.py:1 wide takes 8 arguments"),
    ],
)
def test_each_excess_is_named_with_its_place(text: str, says: str) -> None:
    (line,) = too_large(text, "here.py")
    assert line.startswith(says)


def test_the_maxima_themselves_are_allowed() -> None:
    assert not list(too_large("def f(self, a, b, c, d, e, g, h):\n" + "    x = 1\n" * 49 + "\n" * 250, "here.py"))
