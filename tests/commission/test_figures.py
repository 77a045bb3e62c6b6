import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lynkeus.commission.curves import draw_turn_on, turn_on_figure
from lynkeus.commission.figures import (
    incident_figure,
    inline_svg,
    orbit_figure,
)
from lynkeus.commission.turn_on import CHANCE, NAN, TurnOn, read_table
from lynkeus.core import Alarm, SettingsError, SourceError

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own

HOUR_NS = 3_600_000_000_000


def _row(fault: str, size: float, output: str, scorer: str, efficiency: float) -> TurnOn:
    low, high = max(efficiency - 0.1, 0.0), min(efficiency + 0.1, 1.0)
    unit = "" if fault == "stuck" else "jitters"
    return TurnOn(
        fault, size, unit, NAN, output, scorer, efficiency, low, high, NAN, 1.0, 1.0, 0.9, 0.8, 1.0, 1.0, 2.0, 60, 1.0,
        "per hour", False, True, False,
    )  # fmt: skip


ROWS = [
    *(_row("noisy", size, "monitor", name, size / 5) for size in (1.0, 3.0) for name in ("orbit", "pca $x$", CHANCE)),
    *(_row("kick", size, "beam", "orbit", size / 9) for size in (1.0, 5.0)),
    _row("stuck", 1.0, "monitor", "orbit", 0.9),
    _row("stuck", 1.0, "monitor", CHANCE, 0.0),
]
ALARMS = [
    Alarm("monitor", HOUR_NS, HOUR_NS, 20.0, 0.01, "BPME.2369.SA1/x", HOUR_NS + 10**10),
    Alarm("beam", 2 * HOUR_NS, 2 * HOUR_NS, 30.0, 0.001, "BPME.2241.SA1/y"),
]


def _evidence(position: float | None) -> dict:
    return {
        "unit": "mm",
        "plane": ["x"] * 6 + ["y"] * 6,
        "line": ["SA1", "SA2"] * 6,
        "position_m": [None if position is None else position + k % 6 for k in range(12)],
        "sample": np.arange(12.0),
        "reference": np.arange(12.0) + 0.5,
        "evidence": np.ones(12),
        "evidence_label": "deviation (sigma)",
    }


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_every_figure_is_written_and_the_same_again(tmp_path, ending):
    draw = {
        "turn_on": lambda path: turn_on_figure(ROWS, path),
        "orbit": lambda path: orbit_figure(_evidence(2200.0), path),
        "incidents": lambda path: incident_figure(ALARMS, (0, 3 * HOUR_NS), path),
    }
    for name, write in draw.items():
        first, again = tmp_path / f"{name}.{ending}", tmp_path / f"{name}_again.{ending}"
        write(first)
        write(again)
        assert first.stat().st_size > 2000
        assert first.read_bytes() == again.read_bytes()


def test_axes_say_what_they_are_and_in_which_unit(tmp_path):
    turn_on_figure(ROWS, tmp_path / "a.svg")
    assert {"size (jitters)", "efficiency", "noisy (monitor)", "pca $x$"} <= _texts(tmp_path / "a.svg")
    orbit_figure(_evidence(2200.0), tmp_path / "b.svg")
    assert {"position along the beam line (m)", "deviation (sigma)"} <= _texts(tmp_path / "b.svg")
    orbit_figure(_evidence(None), tmp_path / "b.svg")
    assert "channel" in _texts(tmp_path / "b.svg")
    incident_figure(ALARMS, (0, 3 * HOUR_NS), tmp_path / "c.svg")
    assert {"time since 1970-01-01 00:00 UTC (h)", "BPME.2369.SA1/x"} <= _texts(tmp_path / "c.svg")
    incident_figure([], (0, HOUR_NS), tmp_path / "d.svg")
    assert "no alarm" in _texts(tmp_path / "d.svg")


def _texts(path) -> set[str]:
    """What the figure says: text is kept as text."""
    import xml.etree.ElementTree as Tree

    return {"".join(node.itertext()).strip() for node in Tree.parse(path).iter() if node.tag.endswith("text")}


def test_a_figure_in_a_page_takes_the_colours_of_the_page():
    text = inline_svg(draw_turn_on(ROWS))
    assert text.startswith("<svg")
    assert "var(--series-0)" in text
    assert "#ffffff" not in text


def test_refusals(tmp_path):
    with pytest.raises(SettingsError, match=r"\.svg or \.png"):
        turn_on_figure(ROWS, tmp_path / "a.pdf")
    with pytest.raises(SettingsError, match="no turn-on points"):
        turn_on_figure([], tmp_path / "a.svg")


def test_tables_of_before_are_read(tmp_path):
    """Of rows in time with a budget per hour, and of runs with a share of false alarms."""
    shared = {
        "fault": "noisy",
        "size": 2.0,
        "scorer": "a",
        "efficiency": 0.5,
        "low": 0.3,
        "high": 0.7,
        "right_place": 1.0,
    }
    auroc = {"auroc": 0.9, "auroc_low": 0.8, "auroc_high": 1.0}
    timed = {"output": "monitor", "right_window": 1.0, "detect_median_s": 1.0, "detect_p90_s": 2.0, "faults": 60}
    timed |= {"budget_per_hour": 1.0, "extrapolated": False, "meant": True}
    runs = {"events": 200.0, "right_kind": 1.0, "runs": 20, "harmless": False, "false_alarms": 0.01}
    for name, own in (("timed", timed), ("runs", runs)):
        pq.write_table(pa.Table.from_pylist([shared | auroc | own]), tmp_path / f"{name}.parquet")
    (old,), (of_runs,) = (read_table(tmp_path / f"{name}.parquet") for name in ("timed", "runs"))
    assert (old.budget, old.budget_unit, old.unit, old.faults) == (1.0, "per hour", "jitters", 60)
    assert np.isnan([old.events, old.right_kind]).all()
    assert (of_runs.budget, of_runs.budget_unit, of_runs.faults, of_runs.events) == (0.01, "of good samples", 20, 200.0)
    assert np.isnan([of_runs.right_window, of_runs.detect_median_s]).all()
    pq.write_table(pa.table({"fault": ["noisy"]}), tmp_path / "other.parquet")
    with pytest.raises(SourceError, match="no table of turn-on curves"):
        read_table(tmp_path / "other.parquet")
