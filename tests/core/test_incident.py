"""Alarms as incidents: what is one problem is counted once."""

from __future__ import annotations

from lynkeus.core import Alarm
from lynkeus.core.incident import incidents

SECOND = 10**9


def alarm(output: str, start_s: float, length_s: float = 5.0, where: str = "a", score: float = 20.0) -> Alarm:
    start = round(start_s * SECOND)
    return Alarm(output, start, start, score, 0.1, where, start + round(length_s * SECOND))


def test_a_channel_that_jumps_again_is_one_incident_and_another_one_is_not() -> None:
    jumps = [alarm("monitor", at) for at in (0, 300, 800, 2000)]
    found = incidents([*jumps, alarm("monitor", 310, where="b")])
    assert [(one.where, len(one.alarms)) for one in found] == [("a", 3), ("b", 1), ("a", 1)]
    assert found[0].end_ns == 805 * SECOND


def test_a_procedure_is_one_incident_with_what_the_monitors_say_of_it() -> None:
    moves = [alarm("beam", at, 20, where=f"c{at}", score=float(at)) for at in (0, 100, 200, 1000)]
    found = incidents([*moves, alarm("monitor", 225), alarm("monitor", 400)])
    assert [(one.output, one.where, len(one.alarms)) for one in found] == [
        ("beam", "", 4),
        ("monitor", "a", 1),
        ("beam", "", 1),
    ]
    assert found[0].peak.peak_score == 200.0


def test_other_outputs_can_speak_of_the_whole() -> None:
    both = [alarm("anomaly", at, where=f"c{at}") for at in (0, 50)]
    assert len(incidents(both)) == 2
    assert len(incidents(both, whole=("anomaly",))) == 1
    assert not incidents([])
