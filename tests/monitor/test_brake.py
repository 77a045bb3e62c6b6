"""Trust in advice: lost in a group by what people decide, shaken in all by errors everywhere; and what is audited."""

from __future__ import annotations

import numpy as np

from lynkeus.metrics.trust import ASKED, ASKED_FIRST, Trust
from lynkeus.monitor.advice.brake import is_audited


def test_trust_is_lost_by_errors_and_won_again() -> None:
    trust = Trust(0.05, 0.02)
    for k in range(200):
        trust.tell(["a"], k % 50 == 0)  # as often as is expected
    assert trust.allows(["a"])
    assert trust.held == []
    for _ in range(3):
        trust.tell(["b"], True)
    assert trust.held == ["b"]
    assert trust.allows(["a"])  # what changed is b
    assert not trust.allows(["a", "b"])
    trust.tell(["a", "b"], True)  # is b's fault
    assert trust.errors("a", 0.02) < 0.03
    again = Trust(0.05, 0.02)
    again.resume(trust.state(), trust.heard)
    assert (again.held, again.heard, again.errors("a", 0.02)) == (["b"], 204, trust.errors("a", 0.02))
    count = 0
    while not again.allows(["b"]):
        again.tell(["b"], False)
        count += 1
    assert 20 < count < 120


def test_errors_everywhere_shake_the_trust_in_all() -> None:
    trust, rng = Trust(0.05, 0.02), np.random.default_rng(0)
    names = [f"code {k}" for k in range(40)]
    for k, wrong in enumerate(rng.random(400) < 0.15):
        trust.tell([names[k % 40]], bool(wrong))
    assert trust.is_shaken
    assert not trust.allows(["never met"])
    assert Trust(0.05, 0.02).allows(["never met"])
    assert not Trust(0.05, 0.02, probation=10).allows(["never met"])


def test_the_share_of_errors_stays_below_what_was_promised() -> None:
    rng = np.random.default_rng(1)
    for changed in (0.0, 0.2, 0.6, 0.95):  # of one group in four, from the middle on
        trust, wrong, applied = Trust(0.05, 0.02), 0, 0
        for k in range(2500):
            group = int(rng.integers(0, 4))
            error = rng.random() < (changed if k > 1000 and not group else 0.02)
            if trust.allows([str(group)]):
                applied, wrong = applied + 1, wrong + error
            trust.tell([str(group)], bool(error))
        assert wrong / applied < 0.05
        assert applied > 1200


def test_fewer_are_audited_the_more_is_known_whoever_asks() -> None:
    trust = Trust(0.05, 0.02)
    assert trust.asked(["a"]) == ASKED_FIRST
    for _ in range(40):
        trust.tell(["a"], False)
    assert trust.asked(["a"]) == ASKED
    found = [is_audited(str(k), ASKED) for k in range(5000)]
    assert abs(sum(found) / 5000 - ASKED) < 0.02
    assert found == [is_audited(str(k), ASKED) for k in range(5000)]
    assert not any(own and not is_audited(str(k), ASKED_FIRST) for k, own in enumerate(found))


def test_what_is_a_small_part_is_blamed_for_its_own_errors() -> None:
    rng, trust, wrong = np.random.default_rng(2), Trust(0.05, 0.02), {True: [0, 0], False: [0, 0]}
    for k in range(1500):  # from number 500 on people decide otherwise wherever x is, also as a small part
        chief, besides = str(rng.choice(["a", "b", "x"], p=[0.4, 0.4, 0.2])), [f"{name}~" for name in "xyz"]
        groups = [chief, *(one for one in besides if rng.random() < 0.3)]
        changed = k > 500 and (chief == "x" or "x~" in groups)
        error = bool(rng.random() < (0.9 if changed else 0.02))
        if k > 700:
            own = wrong[changed]
            own[0] += trust.allows(groups)
            own[1] += 1
        trust.tell(groups, error)
    assert trust.held == ["x", "x~"]
    assert wrong[True][0] < 0.02 * wrong[True][1]
    assert wrong[False][0] > 0.6 * wrong[False][1]  # a and b are trusted, and what is beside them


def test_what_was_never_met_as_a_small_part_shows_itself_where_its_code_fails() -> None:
    trust = Trust(0.05, 0.02)
    assert trust.allows(["a", "x~"])
    for _ in range(6):
        trust.tell(["x"], True)
    assert not trust.allows(["a", "x~"])
    for _ in range(70):
        trust.tell(["a", "x~"], False)
    assert trust.allows(["a", "x~"])
    assert not trust.allows(["x"])
