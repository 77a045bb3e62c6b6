"""The command line as it is promised: commands, columns, exit codes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from lynkeus import __version__
from lynkeus.core import plugins
from lynkeus.fitting.fitted import Fitted
from lynkeus.monitor.store import Store

COLUMNS = [
    "start_ns", "end_ns",
    "monitor", "monitor_p_value", "monitor_alarms_per_hour",
    "beam", "beam_p_value", "beam_alarms_per_hour",
    "where",
]  # fmt: skip
Run = Callable[..., Any]


@pytest.mark.slow(6)
def test_the_whole_way_in_processes_of_its_own(orbits: Any, tmp_path: Path) -> None:
    def command(*words: object) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "lynkeus", *map(str, words)]
        return subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    fit = command("fit", orbits.good, "--layout", "xfel_orbits", "-s", "orbit", "--window", 10, "-o", "MODEL")
    assert (fit.returncode, fit.stdout) == (0, "")
    assert "MODEL: orbit, 206 channels" in fit.stderr
    assert "0.20 h of reference" in fit.stderr
    assert command("score", "MODEL", orbits.later, "-o", "scores.parquet").returncode == 0
    assert pq.read_table(tmp_path / "scores.parquet").num_rows == 360
    (tmp_path / "log.csv").write_text("time,text\n2022-02-25 00:15:00,access to the tunnel\n")
    watch = command(
        "watch", "MODEL", orbits.later, "--store", "sqlite:///watch.db", "--replay", 10_000, "--logbook", "log.csv"
    )
    assert watch.returncode == 1  # alarms
    assert "alarm 1: 2022-02-25 00:15 access to the tunnel" in watch.stderr
    assert "sqlite:///watch.db: 360 windows" in watch.stderr
    again = command("watch", "MODEL", orbits.later, "--store", "sqlite:///watch.db")
    assert again.returncode == 0
    assert "nothing new: this monitor has seen all until 2022-02-25 00:18:00 UTC" in again.stderr
    assert "Traceback" not in fit.stderr + watch.stderr + again.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"MODEL", "scores.parquet", "watch.db", "log.csv"}


def test_scores_have_the_promised_columns(lynkeus: Run, orbits: Any, tmp_path: Path) -> None:
    done = lynkeus("score", orbits.model, orbits.later, "-o", "deep/scores.parquet", "--workers", 2)
    assert (done.code, done.out) == (0, "")
    assert "by this process alone" in done.err  # a window needs what was before it
    table = pq.read_table(tmp_path / "deep" / "scores.parquet")
    assert [name for name in table.column_names if name != "truth"] == COLUMNS
    rows = {name: table[name].to_numpy() for name in COLUMNS}
    assert (rows["end_ns"] - rows["start_ns"] == 10**9).all()
    for output in ("monitor", "beam"):
        assert ((rows[f"{output}_p_value"] > 0) & (rows[f"{output}_p_value"] <= 1)).all()
        assert (np.diff(rows[f"{output}_alarms_per_hour"][np.argsort(rows[output])]) <= 1e-9).all()
    names = Fitted.load(orbits.model).view.schema.names
    assert set(rows["where"]) <= set(names)
    assert set(rows["where"][61:70]) == {names[40]}
    assert rows["beam"][180:190].min() > np.quantile(rows["beam"], 0.9)


@pytest.mark.parametrize("scorer", ["three_sigma", "orbit"])
@pytest.mark.parametrize("window", [0, 10])
def test_single_rows_and_other_scorers(lynkeus: Run, orbits: Any, tmp_path: Path, scorer: str, window: int) -> None:
    fit = lynkeus("fit", orbits.later, "--layout", "xfel_orbits", "-s", scorer, "--window", window, "-o", "m")
    assert fit.code == 0, fit.err
    assert lynkeus("score", "m", orbits.later, "-o", "s.parquet").code == 0
    table = pq.read_table(tmp_path / "s.parquet")
    assert table.num_rows == (360 if window else 3600)
    first = "monitor" if scorer == "orbit" else "anomaly"
    assert table.column_names[:5] == ["start_ns", "end_ns", first, f"{first}_p_value", f"{first}_alarms_per_hour"]


def test_watch_keeps_alarms_and_says_so_by_its_exit_code(lynkeus: Run, orbits: Any) -> None:
    done = lynkeus(
        "watch", orbits.model, orbits.later, "--store", "sqlite:///w.db", "--name", "line", "--budget", "2/day"
    )
    assert (done.code, done.out) == (1, "")
    store = Store("sqlite:///w.db")
    (pulse,) = store.monitors()
    assert (pulse.monitor.name, pulse.monitor.budget_per_hour, pulse.finished) == ("line", 2 / 24, True)
    assert {alarm.alarm.output for alarm in store.alarms()} == {"monitor", "beam"}
    store.close()


def test_site_file_stands_in_for_options(lynkeus: Run, orbits: Any, tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text('store = "sqlite:///mine.db"\nname = "mine"\nbudget = "1/h"\n')
    assert lynkeus("watch", orbits.model, orbits.good, "--site", "site.toml").code in (0, 1)
    store = Store("sqlite:///mine.db")
    assert store.monitors()[0].monitor.name == "mine"
    store.close()


def test_a_new_fit_replaces_an_old_model(lynkeus: Run, orbits: Any, tmp_path: Path) -> None:
    for scorer in ("orbit", "three_sigma"):
        words = ("fit", orbits.later, "--layout", "xfel_orbits", "-s", scorer, "--window", 10, "-o", "m")
        assert lynkeus(*words).code == 0
        assert Fitted.load(tmp_path / "m").name == scorer
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_channel_that_comes_alive_is_told(lynkeus: Run, orbits: Any, later: Run, tmp_path: Path) -> None:
    def freeze(orbit: Any) -> None:
        orbit["x"][:, 3] = 0.25

    frozen = later(freeze)
    fit = lynkeus("fit", frozen, "--layout", "xfel_orbits", "-s", "three_sigma", "--window", 10, "-o", "m")
    assert "set aside BPME.2259.SA1/x: constant at 0.25\n" in fit.err
    assert "m: three_sigma, 205 channels" in fit.err
    quiet = lynkeus("watch", "m", frozen, "--store", "sqlite:///a.db")
    assert "come alive" not in quiet.err
    for command in (
        ("score", "m", orbits.later, "-o", "s.parquet"),
        ("watch", "m", orbits.later, "--store", "sqlite:///b.db"),
    ):
        said = "BPME.2259.SA1/x was set aside (constant at 0.25) and has come alive; fit again to watch it\n"
        assert lynkeus(*command).err.count(said) == 1


def test_list_names_everything(lynkeus: Run) -> None:
    everything = lynkeus("list")
    assert everything.code == 0
    for group, names in plugins.BUILT_IN.items():
        assert all(name in everything.out for name in names)
        assert lynkeus("list", group).code == 0
    assert "no group 'cheese'; groups are scorers" in lynkeus("list", "cheese").line


def test_version_and_usage(lynkeus: Run) -> None:
    assert lynkeus("version").out.strip() == __version__
    missing = lynkeus("fit", "data.h5")
    assert missing.code == 2
    assert "Missing option" in missing.err
