import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from lynkeus.core import SettingsError, plugins

PLUGIN = """
class Loudest:
    outputs = ("anomaly",)
"""
ENTRY_POINTS = """[lynkeus.scorers]
loudest = outside_plugin:Loudest
mahalanobis = outside_plugin:Loudest
broken = outside_plugin:Missing
needs_more = outside_plugin_of_nobody:Loudest
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An outside package as pip leaves it: the module, and a dist-info folder with its entry points."""
    (tmp_path / "outside_plugin.py").write_text(PLUGIN)
    info = tmp_path / "outside_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return tmp_path


def test_an_outside_plugin_is_found_by_its_name(installed: Path) -> None:
    assert plugins.load("scorers", "loudest").outputs == ("anomaly",)
    assert "loudest" not in plugins.entries("sources")


def test_an_outside_plugin_cannot_take_a_built_in_name(installed: Path) -> None:
    assert plugins.entries("scorers")["mahalanobis"].value == plugins.BUILT_IN["scorers"]["mahalanobis"]


@pytest.mark.parametrize("name", ["broken", "needs_more"])
def test_a_plugin_that_cannot_be_imported_is_said_in_one_line(installed: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=rf"the scorer '{name}' \(outside_plugin.*\) cannot be loaded: ") as caught:
        plugins.load("scorers", name)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_what_exists() -> None:
    with pytest.raises(SettingsError, match=r"no scorer called 'mahalanobi'; there are: .*mahalanobis.*orbit"):
        plugins.load("scorers", "mahalanobi")
    with pytest.raises(SettingsError, match="no group 'networks'; groups are scorers, sources, simulators, studies"):
        plugins.entries("networks")


def test_asking_for_names_imports_nothing() -> None:
    code = "import sys; from lynkeus.core import plugins; plugins.entries('scorers'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "lynkeus.core.plugins" in done.stdout
    assert "lynkeus.scorers" not in done.stdout


def test_an_option_that_a_scorer_does_not_have_is_named_with_those_it_has() -> None:
    with pytest.raises(SettingsError, match=r"isolation_forest: got an unexpected keyword argument 'tree'; its"):
        plugins.make_scorer("isolation_forest", {"tree": 3})
    assert plugins.make_scorer("isolation_forest", {"trees": 3}).trees == 3
