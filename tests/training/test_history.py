"""The training report: one word, and a line that says what to do."""

from __future__ import annotations

import json

import pytest

from lynkeus.training.history import Epoch, History


def history(held_out: list[float], losses: list[float] | None = None, spread: float = 0.5, most: int = 100) -> History:
    found = History("net", 100, 10, most)
    for number, value in enumerate(held_out):
        found.add(Epoch({"loss": (losses or held_out)[number]}, value, 0.5, spread, 0.1))
    return found


FALLING = [1.0 * 0.7**k for k in range(12)]
FLAT = [1.0, 0.5, 0.4, *[0.35] * 12]
RISING = [1.0, 0.5, 0.3, 0.2, *(0.2 + 0.05 * k for k in range(1, 12))]


@pytest.mark.parametrize(
    ("found", "verdict", "advice"),
    [
        (history(FALLING, most=12), "still learning", "more training.epochs may help"),
        (history([1.0, 0.5, 0.3, 0.2, 0.1, 0.1], most=6), "converged", "kept epoch 5 of 6"),
        (history(FLAT), "converged", "kept epoch 4 of 15"),
        (history(RISING, losses=FALLING[:1] + [0.5 * 0.8**k for k in range(14)]), "over-fitted", "kept epoch 4 of 15"),
        (history(FLAT, spread=0.001), "collapsed", "do not use this model"),
    ],
)
def test_the_verdict(found: History, verdict: str, advice: str) -> None:
    assert found.verdict == verdict
    assert found.says().startswith(f"net: {verdict}")
    assert advice in found.says()


def test_more_faults_found_beats_a_smaller_loss_and_an_equal_number_does_not() -> None:
    base = Epoch({"loss": 1.0}, 1.0, 0.5, 1.0, 0.1)
    assert Epoch({"loss": 1.0}, 2.0, 0.6, 1.0, 0.1).better_than(base)
    assert not Epoch({"loss": 1.0}, 2.0, 0.51, 1.0, 0.1).better_than(base)
    assert Epoch({"loss": 1.0}, 0.5, 0.49, 1.0, 0.1).better_than(base)
    assert not Epoch({"loss": 1.0}, 0.5, 0.4, 1.0, 0.1).better_than(base)


def test_it_comes_back_from_json() -> None:
    found = history(FLAT)
    assert History.from_dict(json.loads(json.dumps(found.to_dict()))) == found
