"""A logbook: times as people write them, what is said of an alarm, the command, and what is unusual."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from lynkeus.cli import app
from lynkeus.core import Alarm, LynkeusError
from lynkeus.monitor.logbook import Logbook, LogbookNow
from lynkeus.sources.texts.times import time_of

NOON = 1_704_110_400_000_000_000  # 2024-01-01 12:00 UTC
HOUR = 3_600_000_000_000
ELOG = """\
$@MID@$: 1
Date: Sun, 31 Dec 2023 10:00:00 +0100
Author: me
Encoding: plain
========================================
BPME.2221.SA2 reads nonsense
$@MID@$: 2
Date: Sun, 31 Dec 2023 11:30:00 +0100
Encoding: HTML
========================================
<p>BPME 2221: cable was loose, <b>fixed</b></p>
$@MID@$: 3
Date: Mon, 01 Jan 2024 12:50:00 +0100
Encoding: plain
========================================
somebody is in the tunnel
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "log.elog").write_text(ELOG)
    return tmp_path / "log.elog"


@pytest.mark.parametrize("words", [
    "2024-01-01T12:00:00Z", "2024-01-01 13:00:00+01:00", "Mon, 01 Jan 2024 13:00:00 +0100", "01.01.2024 12:00",
    "1704110400", "1704110400000", str(NOON),
])  # fmt: skip
def test_times_as_they_are_written(words: str) -> None:
    assert time_of(words) == NOON


def test_what_was_written_beside_an_alarm(file: Path) -> None:
    assert time_of("yesterday") is None
    book = Logbook.read(file)
    alarm = Alarm("monitor", NOON, NOON, 9.0, 0.1, "BPME.2221.SA2/x")
    near, alike = book.of_alarm(alarm)
    assert [one.text for one in near] == ["somebody is in the tunnel"]
    assert [(one.text, one.called) for one in alike] == [("BPME.2221.SA2 reads nonsense", "1")]
    assert "cable was loose" in alike[0].ended
    assert 0.2 < alike[0].alike <= 1
    earlier = Alarm("monitor", NOON - 27 * HOUR, NOON - 27 * HOUR, 9.0, 0.1, "BPME.2221.SA2/x")
    assert "nonsense" in book.of_alarms([earlier])[earlier.start_ns].text
    now = LogbookNow(file)
    file.write_text(ELOG.replace("nonsense", "nothing"))
    assert any("reads nothing" in text for text in now.now().entries.texts)
    file.write_text("")
    assert len(now.now().entries) == 3  # being written: as it was


def test_the_command(file: Path) -> None:
    out = file.parent / "entries.parquet"
    said = CliRunner().invoke(app, ["logbook", str(file), "BPME.2221 is off", "-o", str(out)], catch_exceptions=False)
    assert said.exit_code == 0
    assert "2023-12-31 09:00  BPME.2221.SA2 reads nonsense" in said.output
    assert "in the end: BPME 2221: cable was loose" in " ".join(said.output.split())
    rows = pq.read_table(out).to_pylist()
    assert [row["first_report"] for row in rows] == [True, False, True]
    assert rows[1]["goes_on_from"] == "1"
    for given in ([], ["x", "--store", "sqlite:///none.db"], ["--alarm", "3", "--store", "sqlite:///none.db"]):
        with pytest.raises(LynkeusError):
            CliRunner().invoke(app, ["logbook", str(file), *given], catch_exceptions=False)


def test_unusual_entries_and_their_map(tmp_path: Path) -> None:
    run = CliRunner()
    for given in (
        ["generate", "sim://logbook?n=500&seed=1", "-o", "log.jsonl"],
        ["fit", "log.jsonl", "-s", "unusual_text", "-o", "M"],
    ):
        said = run.invoke(app, [str(tmp_path / one) if one in ("log.jsonl", "M") else one for one in given])
        assert said.exit_code == 0, said.output
    texts = ["smell of smoke in the hall, fire brigade called", "KLY.09 again, reset did not help", ""]
    (tmp_path / "new.csv").write_text("text\n" + "\n".join(f'"{text}"' for text in texts) + "\n")
    out = str(tmp_path / "u.parquet")
    said = run.invoke(app, ["score", str(tmp_path / "M"), str(tmp_path / "new.csv"), "-o", out], catch_exceptions=False)
    assert said.exit_code == 0, said.output
    found = pq.read_table(out).to_pydict()
    assert found["anomaly_p_value"][0] < 0.01 < 0.1 < found["anomaly_p_value"][1]
    assert found["nearest"][1].endswith("again, reset did not help")
    assert np.isnan(found["anomaly"][2])
