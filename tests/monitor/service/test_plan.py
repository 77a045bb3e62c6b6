"""A site file with monitors: what is read, and one line with the nearest key for what cannot be."""

from pathlib import Path
from typing import Any

import pytest

from lynkeus.cli.run import run
from lynkeus.core import SettingsError
from lynkeus.fitting.fitted import Fitted
from lynkeus.monitor.service.plan import MonitorPlan, SitePlan
from lynkeus.monitor.site import SiteSettings

ONE = '[[monitors]]\nname = "a"\nsource = "x.h5"\nmodel = "model"\n'


@pytest.fixture
def folder(tmp_path: Path, orbits: Any) -> Path:
    (tmp_path / "model").symlink_to(orbits.model)
    return tmp_path


def read(folder: Path, text: str) -> SitePlan:
    (folder / "site.toml").write_text(text)
    return SitePlan.read(folder / "site.toml")


def test_what_a_site_file_says(folder: Path) -> None:
    (folder / "list.toml").write_text('pvs = ["A"]')
    (folder / "book.csv").touch()
    plan = read(
        folder,
        'store = "sqlite:///s.db"\nbudget = "1/day"\nlogbook = "log.jsonl"\n[service]\ngive_up_after = 3\n'
        + ONE
        + 'budget = "3/day"\nmemory = "1.5 GB"\nwindow = 10\nsinks = ["nats://localhost/x", "http://h/p"]\n'
        + ONE.replace('"a"', '"b"').replace("x.h5", "epics+pva://list.toml?queue=7")
        + 'store = "sqlite:///other.db"\nmeta = "about.csv"\nlogbook = "book.csv"\n',
    )
    first, second = plan.monitors
    assert (first.name, first.facts.budget, first.memory, second.facts.budget) == ("a", "3/day", 1_500_000_000, "1/day")
    assert first.publish == ("nats://localhost/x", "http://h/p")
    assert first.facts.logbook == str(folder / "log.jsonl")  # of the site
    assert first.source == str(folder / "x.h5")
    assert second.source == f"epics+pva://{folder}/list.toml?queue=7"
    assert (second.meta, second.facts.logbook) == (str(folder / "about.csv"), str(folder / "book.csv"))
    assert plan.stores == ("sqlite:///s.db", "sqlite:///other.db")
    assert plan.service.give_up_after == 3
    assert MonitorPlan.of_text(first.text()) == first
    # the other commands read the same file
    assert SiteSettings.read(folder / "site.toml").budget == "1/day"
    named = read(folder, '[monitors.c]\nsource = "sim://orbit"\nmodel = "model"\n')
    assert named.monitors[0].name == "c"
    assert named.monitors[0].facts.title == "c"  # what pages call it, or all of one kind would look alike


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ONE.replace("source", "sorce"), "monitor a: sorce: no such setting; did you mean source?"),
        ("stoer = 'x'\n" + ONE, "stoer: no such setting; did you mean store?"),
        ("[service]\nbackof_s = 1\n" + ONE, "service.backof_s: no such setting; did you mean backoff_s?"),
        ("[[monitor_s]]\nname = 'a'\n", "no monitor is there"),
        (ONE + ONE, "two are called 'a'"),
        (ONE.replace('"model"', '"nothing"'), "nothing is not a model folder"),
        (ONE + "window = 7\n", "the model was fitted with windows of 10 rows, not 7"),
        (ONE + 'memory = "much"\n', "memory: must be such as '2 GB'"),
        (ONE + "publish = 3\n", "publish: must be an address"),
        (ONE.replace('name = "a"\n', ""), "monitor number 1: name is missing"),
        (ONE + 'budget = "often"\n', "monitor a: budget: 'often' is not like 1/h"),
        (ONE + "shadow_windows = -1\n", "shadow_windows: must be a number of at least 0"),
        ("[[monitors]\n", "site.toml"),
    ],
)
def test_what_makes_no_sense_is_one_line_that_names_it(folder: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=r"site\.toml") as error:
        read(folder, text)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_check_says_of_each_monitor_what_it_lacks(
    orbits: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files, lists, addresses and budgets are looked at; a server that is not there may come."""
    listed = tmp_path / "list.toml"
    names = Fitted.load(orbits.model).view.schema.names
    listed.write_text(f'server = "127.0.0.1:9"\npvs = {list(names)}\n')
    site, head = tmp_path / "site.toml", f'store = "sqlite:///{tmp_path}/w.db"\n'
    monitors = {
        "file": ('"nothing*.h5"', ""), "list": ('"epics+pva://none.toml"', ""), "good": ('"epics+pva://list.toml"', ""),
        "sink": ('"epics+pva://list.toml"', 'sinks = ["ftp://x"]'),
        "rare": ('"epics+pva://list.toml"', 'budget = "1/year"'),
        "book": ('"epics+pva://list.toml"', 'logbook = "ops.csv"'),
    }  # fmt: skip
    tables = [f'[[monitors]]\nname = "{name}"\nsource = {source}\nmodel = "{orbits.model}"\n{more}\n'
              for name, (source, more) in monitors.items()]  # fmt: skip
    site.write_text(head + "".join(tables))
    with pytest.raises(SettingsError, match="5 of 6 cannot watch as it is: file, list, sink, rare, book"):
        run(site, check=True)
    said = capsys.readouterr().out
    for what in ("file: nothing*.h5", "no file matches this pattern", "list: none.toml: the list of channels cannot",
                 "good: epics+pva://", "sink: --publish ftp://x", "rare: a budget of",
                 "book: logbook: ops.csv: there is no such file"):  # fmt: skip
        assert what in said.replace(str(tmp_path) + "/", "")
    assert not (tmp_path / "w.db").exists()
