"""The demonstration, from nothing to a page: three faults, three alarms in the right places."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lynkeus.demo import FAULTS, LATER_NS
from lynkeus.monitor.store import Store
from lynkeus.scorers.orbit.scorer import Orbit
from lynkeus.simulate.beam.orbit import machine


@pytest.mark.slow(26)
def test_each_planted_fault_has_its_alarm(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "lynkeus", "demo", "--no-wait", "-o", "d", "--port", "0"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=240.0)
    assert done.returncode == 0, done.stderr
    assert "The page:   http://127.0.0.1:" in done.stderr
    assert (tmp_path / "d" / "report.html").stat().st_size > 10_000
    store = Store(f"sqlite:///{tmp_path / 'd' / 'watch.db'}")
    stored = store.alarms()
    alarms = [one.alarm for one in stored]
    store.close()
    for fault in FAULTS:
        began, ended = (LATER_NS + row * 10**8 for row in (fault.start, fault.stop))
        own = [
            a for a in alarms if a.output == Orbit.about.answers[fault.concerns] and began - 10**9 <= a.start_ns < ended
        ]
        assert len(own) == 1, f"{fault.kind}: {own}"  # one cause is one alarm
        assert own[0].start_ns <= began + 5 * 10**9
        if fault.concerns == "channel":
            assert own[0].where == machine().names[fault.channel]
    (stuck,) = [one for one in stored if "silent" in one.also]
    assert stuck.alarm.where == machine().names[150]
    assert stuck.alarm.end_ns is not None
    assert abs(stuck.alarm.end_ns - (LATER_NS + FAULTS[1].stop * 10**8)) <= 12 * 10**9
    assert len(alarms) <= 5
    assert done.stderr.count("the planted fault 'stuck'") == 1


@pytest.mark.slow(4)
def test_ctrl_c_ends_the_demo_and_its_pages(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "lynkeus", "demo", "-o", "d", "--port", "0"]
    with subprocess.Popen(
        words,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as demo:
        until = time.monotonic() + 60.0
        while not (tmp_path / "d" / "good.h5").exists() and time.monotonic() < until:  # the pages are served by then
            time.sleep(0.05)
        demo.send_signal(signal.SIGINT)
        try:
            _, said = demo.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            demo.kill()  # leaving the block would wait for it
            raise
    assert demo.returncode == 0
    assert said == "stopped; everything that was committed is kept\n"
    running = subprocess.run(["pgrep", "-f", "serve --store sqlite:///d/watch.db"], capture_output=True, text=True)
    mine = [pid for pid in running.stdout.split() if Path(f"/proc/{pid}/cwd").resolve() == tmp_path]
    assert not mine
