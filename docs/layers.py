"""The figure of the layers: from the contract of the imports in pyproject.toml, and what each package says of itself.

`python docs/layers.py` writes docs/explanations/layers.svg; tests/test_reference.py compares the two.
"""

import ast
import textwrap
import tomllib
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIGURE = ROOT / "docs" / "explanations" / "layers.svg"
PACKAGE = ROOT / "src" / "lynkeus"
WIDTH, LEFT, GAP, LINE = 900, 40, 8, 16  # in pixels
LETTER = 6.3  # mean width of one, in pixels
STYLE = (
    "<style>text { font: 12px sans-serif; fill: #37474f } .name { font: bold 13px monospace; fill: #102027 } "
    "rect { fill: #eceff1; stroke: #90a4ae } .paper { fill: white; stroke: none } "
    "path { stroke: #546e7a; stroke-width: 2; fill: none }</style>"
)


def layers() -> list[list[str]]:
    """Names of packages, layer by layer from the top; those of one layer do not import one another."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    rows = next(contract["layers"] for contract in contracts if contract["id"] == "layers")
    return [[name.strip() for name in row.split("|")] for row in rows if not row.startswith("(")]


def says(name: str) -> str:
    """The first line of the docstring of a package, or of a module."""
    folder = PACKAGE / name
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n")[0]


def figure() -> str:
    """The layers as SVG: a row for each, the highest first."""
    body: list[str] = []
    top = GAP
    for names in layers():
        wide = (WIDTH - LEFT - GAP * len(names)) / len(names)
        texts = [textwrap.wrap(says(name), int((wide - 2 * GAP) / LETTER)) for name in names]
        high = LINE * (1 + max(map(len, texts))) + GAP
        for number, (name, lines) in enumerate(zip(names, texts, strict=True)):
            body += box(name, lines, (LEFT + number * (wide + GAP), top, wide, high))
        top += high + GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}">'
    title = "<title>The layers of Lynkeus: imports point down</title>"
    paper = f'<rect class="paper" width="{WIDTH}" height="{top}"/>'
    arrow = f'<path d="M 28 {GAP} V {top - GAP} m -6 -10 l 6 10 l 6 -10"/>'
    word = f'<text transform="translate(18 {top / 2:g}) rotate(-90)" text-anchor="middle">imports</text>'
    return "\n".join([head, title, STYLE, paper, arrow, word, *body, "</svg>", ""])


def box(name: str, lines: list[str], place: tuple[float, float, float, float]) -> Iterator[str]:
    """One package: its name and what it says, at x, y with width and height."""
    x, y, wide, high = place
    yield f'<rect x="{x:g}" y="{y:g}" width="{wide:g}" height="{high:g}" rx="3"/>'
    yield f'<text class="name" x="{x + GAP:g}" y="{y + LINE:g}">{escape(name)}</text>'
    for number, line in enumerate(lines):
        yield f'<text x="{x + GAP:g}" y="{y + LINE * (number + 2):g}">{escape(line)}</text>'


if __name__ == "__main__":
    FIGURE.write_text(figure(), "utf-8")
