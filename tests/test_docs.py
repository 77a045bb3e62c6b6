"""What the documentation shows is run: Python blocks, and console blocks of `$ lynkeus ...` commands, page by page.

The blocks of a page run in order in one empty folder and share their names. A TOML block with a title is written to a
file of that name. A command that ends in `# exit code 1` must end with that code. A fence that says `no-run` is not.
"""

import re
import shlex
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<kind>python|console|toml)(?P<options>[^\n]*)\n(?P<text>.*?)^(?P=indent)```",
    re.MULTILINE | re.DOTALL,
)
EXIT_CODE = re.compile(r"# exit code (\d)")


def blocks(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, kind and text of each block that is to be run; the kind of a file is its name."""
    for fence in FENCE.finditer(text):
        title = re.search(r'title="([\w.]+)"', fence["options"])
        if "no-run" not in fence["options"] and (fence["kind"] != "toml" or title):
            indent = len(fence["indent"])
            body = "".join(line[indent:] or "\n" for line in fence["text"].splitlines(keepends=True))
            kind = title[1] if title and fence["kind"] == "toml" else fence["kind"]
            yield text.count("\n", 0, fence.start()) + 2, kind, body


def commands(body: str) -> list[tuple[list[str], int]]:
    """The `$ lynkeus ...` commands of a console block: arguments, exit code; a backslash at the end goes on."""
    lines = [line for line in body.replace("\\\n", " ").splitlines() if line.startswith("$ lynkeus ")]
    codes = [EXIT_CODE.search(line) for line in lines]
    return [
        (shlex.split(line, comments=True)[2:], int(code[1]) if code else 0)
        for line, code in zip(lines, codes, strict=True)
    ]


def runnable(page: Path) -> list[tuple[int, str, str]]:
    return [block for block in blocks(page.read_text("utf-8")) if block[1] != "console" or commands(block[2])]


@pytest.mark.slow(8)
@pytest.mark.parametrize(
    "page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES if runnable(page)]
)
def test_what_a_page_shows_runs(page: Path, lynkeus: Callable[..., Any]) -> None:
    names: dict[str, object] = {"__name__": "__docs__"}
    for line, kind, body in runnable(page):
        if kind == "python":
            exec(compile("\n" * (line - 1) + body, str(page), "exec", dont_inherit=True), names)
        elif kind == "console":
            run_commands(f"{page.name}:{line}", body, lynkeus)
        else:
            Path(kind).write_text(body, "utf-8")


def run_commands(where: str, body: str, lynkeus: Callable[..., Any]) -> None:
    for arguments, code in commands(body):
        with warnings.catch_warnings():
            warnings.simplefilter("default")  # a command that warns goes on
            done = lynkeus(*arguments)
        assert done.code == code, f"{where} lynkeus {shlex.join(arguments)}\n{done.out}{done.err}"


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
    console = "```console\n$ lynkeus list \\\n  scorers # all\n$ lynkeus watch # exit code 1\nwhat it prints\n```\n"
    file, shown = '```toml title="site.toml"\nport = 1\n```\n', "```toml\nport = 2\n```\n"
    code, command, written = blocks(indented + skipped + console + file + shown)
    assert code == (4, "python", "x = 1\n")
    assert commands(command[2]) == [(["list", "scorers"], 0), (["watch"], 1)]
    assert written[1:] == ("site.toml", "port = 1\n")


def test_every_fence_is_a_block_of_code_on_the_site() -> None:
    markdown = pytest.importorskip("markdown", reason="the site needs the extra docs")
    mkdocs = pytest.importorskip("mkdocs.config", reason="the site needs the extra docs")
    config = mkdocs.load_config(str(ROOT / "mkdocs.yml"))
    hook = config.plugins.events["page_markdown"][-1]
    for page in (ROOT / "docs").rglob("*.md"):
        text = hook(page.read_text("utf-8"), page=None, config=config, files=None)
        shown = markdown.markdown(text, extensions=config.markdown_extensions, extension_configs=config.mdx_configs)
        assert "```" not in shown, page
