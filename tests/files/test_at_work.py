"""What is at work is noted, seen by others, and said to be killed where it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from rich.console import Console

from lynkeus.files import at_work
from lynkeus.files.at_work import AtWork, all_at_work, shared_by, span
from lynkeus.monitor.store import Store
from lynkeus.progress import passes_bar
from lynkeus.web.app import create_app

LINE = ["lynkeus", "score", "m", "runs/", "--store", "postgresql://me:secret@host/db"]
DEAD = "import os, sys; print(os.getpid())"


@pytest.fixture(autouse=True)
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LYNKEUS_WORK", str(tmp_path / "work"))
    monkeypatch.setattr(at_work, "AFTER_S", 0.02)
    monkeypatch.setattr(at_work, "EVERY_S", 0.02)
    monkeypatch.setattr(sys, "argv", LINE)
    return tmp_path / "work"


def seen(state: str) -> AtWork:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        found = [one for one in all_at_work() if one.state == state and one.share]
        if found:
            return found[0]
        time.sleep(0.01)
    raise AssertionError(all_at_work())


def fail() -> None:
    with passes_bar(Console(stderr=True), "score") as bar:
        bar.step("1 of 10 runs", 0.1)
        seen("running")
        raise ValueError("no")


def test_a_command_says_how_far_it_is_by_how_many_and_how_it_ended(
    lynkeus: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with passes_bar(Console(stderr=True), "score") as bar:
        bar.step("2 of 10 runs", 0.2)
        shared_by(3, "tcp://head:8786", lambda: 4)
        assert seen("running").share == 0.2
        time.sleep(0.05)
        bar.step("6 of 10 runs", 0.6)
        until = time.monotonic() + 10
        while (one := seen("running")).share != 0.6 and time.monotonic() < until:
            pass
        assert one.workers == 4
        assert one.left_s is not None
        assert 0 < one.left_s < 10
        assert "score: running 60 %, 6 of 10 runs, since 20" in one.words()
        assert "by 4 processes at tcp://head:8786" in one.words()
        assert one.line.endswith("runs/ --store postgresql://...@host/db")
        said = lynkeus("status")
        assert said.code == 0
        assert "score: running 60 %" in said.out
    assert seen("finished").left_s is None
    monkeypatch.setattr(sys, "argv", LINE)  # the command `status` had another one
    with pytest.raises(ValueError, match="no"):
        fail()
    assert [one.state for one in all_at_work()] == ["failed"]  # the same command: what it left before is gone


def test_what_was_killed_is_said_and_a_page_shows_it(notes: Path, tmp_path: Path) -> None:
    pid = int(subprocess.run([sys.executable, "-c", DEAD], capture_output=True, text=True).stdout)
    now_s, host = time.time(), os.uname().nodename
    for number, (name, at_s) in enumerate(((host, now_s), ("elsewhere", now_s - 3600), ("far", now_s - 1e8))):
        one = AtWork("commission", f"lynkeus commission {number}", "/x", name, pid, at_s - 300, at_s, "part", 0.5)
        notes.mkdir(exist_ok=True)
        (notes / f"{number}.json").write_text(json.dumps(vars(one)))
    (notes / "damaged.json").write_text("{")
    assert [(one.host, one.state) for one in all_at_work()] == [(host, "killed"), ("elsewhere", "killed")]
    assert "killed 50 %, part" in all_at_work()[0].words()
    assert "the same command goes on where it was: lynkeus commission 0 (in /x)" in all_at_work()[0].words()
    url = f"sqlite:///{tmp_path / 's.db'}"
    Store(url).close()
    page = TestClient(create_app(url), base_url="http://localhost").get("/work").text
    assert "lynkeus commission 0" in page
    assert "killed: part" in page


def test_a_number_given_again_and_one_that_is_only_remembered_are_killed(notes: Path, lynkeus: Any) -> None:
    now_s, host = time.time(), os.uname().nodename
    notes.mkdir(exist_ok=True)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        began = at_work.began(other.pid)
        for number, started in enumerate((began, str(int(began) - 1), "")):
            at_s = now_s - number
            one = AtWork("fit", f"lynkeus fit {number}", "/x", host, other.pid, at_s, at_s, started=started)
            (notes / f"{number}.json").write_text(json.dumps(vars(one)))
        assert [one.state for one in all_at_work()] == ["running", "running", "killed"]
        other.kill()
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has asked how
        assert [one.state for one in all_at_work()] == ["killed"] * 3
    for number in range(3, 12):
        one = AtWork("fit", f"lynkeus fit {number}", "/x", host, other.pid, now_s - number, now_s - number)
        (notes / f"{number}.json").write_text(json.dumps(vars(one)))
    said = lynkeus("status").out
    assert said.count("fit: killed") == 5
    assert "... and 7 more that ended" in said


def test_what_takes_no_time_or_has_no_home_leaves_nothing(notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_work, "AFTER_S", 60.0)
    with passes_bar(Console(stderr=True), "score") as bar:
        bar.step("all", 1.0)
    assert not notes.exists()
    monkeypatch.setattr(at_work, "AFTER_S", 0.0)
    notes.write_text("a file")
    with passes_bar(Console(stderr=True), "score") as bar:
        bar.step("all", 1.0)
        time.sleep(0.05)
    assert all_at_work() == []
    assert [span(seconds) for seconds in (40, 720, 12_600, 181_440)] == ["40 s", "12 min", "3.5 h", "2.1 days"]
