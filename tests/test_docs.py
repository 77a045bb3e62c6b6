"""What the documentation shows is run: Python blocks, and console blocks of `$ lynkeus ...` commands, page by page.

The blocks of a page run in order in one empty folder and share their names. A fence that says `no-run` is not run.
"""

import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<kind>python|console)(?P<options>[^\n]*)\n(?P<text>.*?)^(?P=indent)```",
    re.MULTILINE | re.DOTALL,
)
LYNKEUS = [sys.executable, "-c", "from lynkeus.cli import main; main()"]


def blocks(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, kind and text of each block that is to be run."""
    for fence in FENCE.finditer(text):
        if "no-run" not in fence["options"]:
            indent = len(fence["indent"])
            body = "".join(line[indent:] or "\n" for line in fence["text"].splitlines(keepends=True))
            yield text.count("\n", 0, fence.start()) + 2, fence["kind"], body


def commands(body: str) -> list[list[str]]:
    """The `$ lynkeus ...` commands of a console block, as arguments; a line that ends in a backslash goes on."""
    lines = body.replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[2:] for line in lines if line.startswith("$ lynkeus ")]


def runnable(page: Path) -> list[tuple[int, str, str]]:
    return [block for block in blocks(page.read_text("utf-8")) if block[1] == "python" or commands(block[2])]


@pytest.mark.parametrize("page", list(filter(runnable, PAGES)), ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_shows_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__docs__"}
    for line, kind, body in runnable(page):
        if kind == "python":
            exec(compile("\n" * (line - 1) + body, str(page), "exec"), names)
            continue
        if importlib.util.find_spec("lynkeus.cli") is None:
            pytest.skip("there is no command line yet")
        for arguments in commands(body):
            done = subprocess.run([*LYNKEUS, *arguments], capture_output=True, text=True, timeout=120)
            said = f"{page.name}:{line} lynkeus {shlex.join(arguments)}\n{done.stdout}{done.stderr}"
            assert done.returncode == 0, said


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not broken


def test_blocks_are_found_with_their_line_and_without_their_indent() -> None:
    indented, skipped = "a\n\n  ```python\n  x = 1\n  ```\n", "```python no-run\ny\n```\n"
    console = "```console\n$ lynkeus list \\\n  scorers # all\nwhat it prints\n```\n"
    code, command = blocks(indented + skipped + console)
    assert code == (4, "python", "x = 1\n")
    assert commands(command[2]) == [["list", "scorers"]]
