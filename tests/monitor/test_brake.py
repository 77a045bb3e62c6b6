"""The brake: pulled by what people decide, released group by group, and a tenth is audited."""

from __future__ import annotations

from lynkeus.monitor.advice.brake import AUDITED, Brake, is_audited


def test_it_is_pulled_beyond_chance_and_released_by_groups() -> None:
    brake = Brake(0.05)
    for k in range(200):
        brake.tell("a", k % 30 == 0)
    assert not brake.pulled  # as often as was promised
    for _ in range(12):
        brake.tell("b", True)
    assert brake.pulled
    assert not brake.allows("a")
    for _ in range(44):
        brake.tell("a", False)
    assert not brake.allows("a")  # 44 without an error still leave five in a hundred possible
    brake.tell("a", False)
    assert brake.allows("a")
    assert not brake.allows("b")
    for _ in range(3):
        brake.tell("a", True)
    assert not brake.allows("a")


def test_about_a_tenth_is_audited_whoever_asks() -> None:
    found = [is_audited(str(k)) for k in range(5000)]
    assert abs(sum(found) / 5000 - AUDITED) < 0.02
    assert found == [is_audited(str(k)) for k in range(5000)]
