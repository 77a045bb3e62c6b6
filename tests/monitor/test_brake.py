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
        for k in range(4000):
            group = int(rng.integers(0, 4))
            error = rng.random() < (changed if k > 2000 and not group else 0.02)
            if trust.allows([str(group)]):
                applied, wrong = applied + 1, wrong + error
            trust.tell([str(group)], bool(error))
        assert wrong / applied < 0.05
        assert applied > 2000


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
