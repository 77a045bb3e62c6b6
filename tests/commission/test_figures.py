import numpy as np
import pytest

from lynkeus.commission.curves import draw_turn_on, turn_on_figure
from lynkeus.commission.figures import (
    incident_figure,
    inline_svg,
    orbit_figure,
)
from lynkeus.commission.turn_on import CHANCE, NAN, TurnOn
from lynkeus.core import Alarm, SettingsError

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
