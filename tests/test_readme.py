"""What the README promises exists: every folder of the package in its tree, every command and option in the CLI."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from lynkeus.cli import app
from lynkeus.core import plugins

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PACKAGE = ROOT / "src" / "lynkeus"
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
CONTRACT = {
    "look": {"--layout"},
    "fit": {"--layout", "-s", "--window", "-o", "--run-per-file"},
    "score": {"-o", "--run-per-file", "--store"},
    "report": {"-o"},
    "commission": {"--budget", "-o"},
    "watch": {"--store", "--replay"},
    "serve": {"--store"},
    "generate": {"-o", "-n"},
    "search": {"-o", "--unblind"},
    "scale-factors": {"--output-class", "-o"},
    "write-check": {"--language", "-o"},
    "logbook": {"-n", "--store", "-o"},
    "run": {"--store"},
    "status": {"--store"},
}


def tree() -> set[str]:
    """Names in the tree of the package, as written: a folder ends in a slash."""
    below = README.split("    src/lynkeus/\n")[1].split("    tests/")[0]
    return {line.split()[0] for line in below.splitlines() if line.strip()}


def shown_commands() -> list[list[str]]:
    """Every `lynkeus ...` that a console block shows, cut at comments and semicolons."""
    blocks = re.findall(r"```console[^\n]*\n(.*?)```", README, re.DOTALL)
    lines = [
        part.strip().removeprefix("$ ") for block in blocks for line in block.splitlines() for part in line.split(";")
    ]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("lynkeus ")]


def test_the_tree_names_every_folder_and_module_of_the_package_and_no_other() -> None:
    folders = {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    modules = {path.name for path in PACKAGE.glob("*.py") if not path.name.startswith("__")}
    assert tree() == folders | modules


def test_the_tree_gives_each_entry_a_line_that_says_what_it_is() -> None:
    below = README.split("    src/lynkeus/\n")[1].split("\n\n")[0]
    assert all(len(line.split()) >= 4 for line in below.splitlines())


def test_the_top_of_the_tree_exists() -> None:
    missing = [name for name in ("src", "tests", "docs", "benchmarks") if not (ROOT / name).is_dir()]
    assert not missing


@pytest.mark.parametrize("name", CONTRACT)
def test_the_contract_of_the_command_line_holds(name: str) -> None:
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert options >= CONTRACT[name]


def test_the_readme_shows_the_whole_contract() -> None:
    assert {arguments[0] for arguments in shown_commands()} == set(CONTRACT)


@pytest.mark.parametrize("arguments", shown_commands(), ids=" ".join)
def test_every_command_of_the_readme_is_known_with_its_options(arguments: list[str]) -> None:
    command = COMMANDS[arguments[0]]
    options = {option for parameter in command.params for option in parameter.opts}
    given = {word for word in arguments[1:] if word.startswith("-")}
    assert given <= options


def test_every_scorer_is_named_on_the_page_on_choosing_one_which_the_readme_links_to() -> None:
    page = "docs/how-to/choose_a_scorer.md"
    text = (ROOT / page).read_text("utf-8")
    assert f"]({page})" in README
    assert not [name for name in plugins.BUILT_IN["scorers"] if f"`{name}`" not in text]


def test_the_readme_recommends_the_recommended_scorers() -> None:
    section = README.split("## Which scorer?\n")[1].split("\n## ")[0]
    recommended = {name for name in plugins.BUILT_IN["scorers"] if plugins.about(name).recommended}
    assert not [name for name in recommended if f"`{name}`" not in section]
