"""What the reference says is what the program does: help texts, tables of the store, addresses, constants of `orbit`.

The page of the command line is written by `python tests/test_reference.py`.
"""

import importlib.util
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

import lynkeus
from lynkeus.cli import app

DOCS = Path(__file__).parents[1] / "docs"
CLI_PAGE = DOCS / "reference" / "cli.md"
WIDTH = 100
HEAD = """# The command line

What each command says of itself with `--help`. This page is written by `python tests/test_reference.py`, and a test
compares it with the program. Exit codes: 0 fine, 1 an alarm (`watch`) or a failed check (`study run`), 2 bad input.
"""


def help_texts() -> dict[str, str]:
    """Every command by its full name, with its help as plain text of a fixed width."""
    found: dict[str, str] = {}

    def walk(command: Any, name: str) -> None:
        command.rich_markup_mode = None  # plain text: boxes depend on the terminal
        found[name] = command.get_help(typer.Context(command, info_name=name, terminal_width=WIDTH)).strip()
        for own, below in getattr(command, "commands", {}).items():
            walk(below, f"{name} {own}")

    walk(typer.main.get_command(app), "lynkeus")
    return found


def cli_page() -> str:
    parts = [f"## {name}\n\n```text\n{text}\n```\n" for name, text in help_texts().items()]
    return "\n".join([HEAD, *parts])


def test_the_page_of_the_command_line_is_what_help_says() -> None:
    assert CLI_PAGE.read_text("utf-8") == cli_page(), "write it anew: python tests/test_reference.py"


def test_every_package_has_a_page() -> None:
    package = Path(__file__).parents[1] / "src" / "lynkeus"
    folders = {path.parent.name for path in package.glob("*/__init__.py")} - {"cli", "web", "studies"}
    assert not [
        name for name in folders if f"::: lynkeus.{name}" not in (DOCS / "reference" / f"{name}.md").read_text()
    ]


def test_the_page_of_the_store_names_every_table_and_column() -> None:
    from lynkeus.monitor.database import tables

    metadata = tables.metadata

    rows = dict(
        re.findall(r"^\| `(\w+)` \|(.*)\|$", (DOCS / "reference" / "store.md").read_text("utf-8"), re.MULTILINE)
    )
    assert rows.keys() == metadata.tables.keys()
    missing = [
        f"{name}.{c.name}" for name, t in metadata.tables.items() for c in t.columns if f"`{c.name}`" not in rows[name]
    ]
    assert not missing


def test_the_page_of_http_names_every_address() -> None:
    from lynkeus.web import api, front
    from lynkeus.web.alarms import one, pages

    text = (DOCS / "reference" / "http_api.md").read_text("utf-8")
    routers = (api.router, front.router, pages.router, one.router)
    missing = [route.path for router in routers for route in router.routes if f"`{route.path}`" not in text]
    forms = {f"/alarms/{{alarm_id}}/{name}" for name in ("verdicts", "acknowledge")}  # of the page of an alarm
    assert set(missing) <= forms


def test_the_page_of_dependencies_has_a_line_for_each_and_no_other() -> None:
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    asked = {re.match(r"[\w-]+", item)[0] for part in (project["dependencies"], *extras) for item in part} - {"lynkeus"}  # type: ignore[index]
    text = (DOCS / "explanations" / "dependencies.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE)) == asked


def drawn() -> Any:
    """The script that draws the figure of the layers; it is no part of the package."""
    spec = importlib.util.spec_from_file_location("layers", DOCS / "layers.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_the_figure_of_the_layers_is_what_the_code_says() -> None:
    assert drawn().FIGURE.read_text("utf-8") == drawn().figure(), "draw it anew: python docs/layers.py"


def test_every_package_of_the_figure_says_more_than_its_name() -> None:
    said = {name: drawn().says(name) for row in drawn().layers() for name in row}
    package = Path(lynkeus.__file__).parent
    assert said.keys() >= {path.parent.name for path in package.glob("*/__init__.py")}
    assert not {name: text for name, text in said.items() if len(text.split()) < 3}


def test_every_decision_is_listed_on_the_first_page() -> None:
    listed = re.findall(r"decisions/(\S+\.md)", (DOCS / "index.md").read_text("utf-8"))
    assert listed == sorted(path.name for path in (DOCS / "explanations" / "decisions").glob("*.md"))


def test_entries_of_the_log_have_a_date_and_a_question_newest_first() -> None:
    heads = re.findall(r"^## (.*)$", (DOCS.parent / "LOG.md").read_text("utf-8"), re.MULTILINE)
    dates = [re.match(r"(\d{4}-\d\d-\d\d) .*\?$", head) for head in heads]
    assert all(dates), heads
    assert [date[1] for date in dates if date] == sorted((date[1] for date in dates if date), reverse=True)


def constants() -> list[tuple[str, str]]:
    text = (DOCS / "explanations" / "how_orbit_works.md").read_text("utf-8")
    return re.findall(r"^\| `([\w.]+)` \| ([\d., ]+) \|", text, re.MULTILINE)


def held_constants() -> dict[str, Any]:
    """Constants of all files of `orbit` by name, and the defaults of its Pace."""
    package = Path(lynkeus.__file__).parent
    learned = [package / "transforms" / name for name in ("conditional.py", "modes.py")]
    files = [*learned, *sorted((package / "scorers" / "orbit").glob("*.py"))]
    held: dict[str, Any] = {}
    for path in files:
        module = importlib.import_module(".".join(("lynkeus", *path.relative_to(package).with_suffix("").parts)))
        held |= {name: value for name, value in vars(module).items() if name.isupper()}
        held |= {f"Pace.{field.name}": field.default for field in fields(module.Pace)} if "Pace" in vars(module) else {}
    return held


@pytest.mark.parametrize(("name", "value"), constants())
def test_the_constants_of_orbit_are_those_that_the_page_explains(name: str, value: str) -> None:
    held = held_constants()[name]
    said = tuple(float(number) for number in value.split(","))
    assert said == tuple(float(number) for number in (held if isinstance(held, tuple) else (held,)))


def test_there_are_constants_to_compare() -> None:
    assert len(constants()) >= 15


if __name__ == "__main__":
    CLI_PAGE.write_text(cli_page(), "utf-8")
