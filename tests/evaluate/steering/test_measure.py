"""A steered simulated machine: moves are put in, incidents are few, and faults are found around them."""

from __future__ import annotations

import numpy as np
import pytest

from lynkeus.commission.jitter import measure_jitter
from lynkeus.core import SettingsError, concatenate
from lynkeus.evaluate.steering.measure import measure_steered
from lynkeus.evaluate.steering.moves import BLOCK, KINDS, Steered, plan_moves
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.views.channels import channels_of
from lynkeus.simulate.beam.orbit import OrbitSource
from lynkeus.sources import InMemory, Select
from lynkeus.transforms.faults import Fault

FIT, REST = 20 * BLOCK, 30 * BLOCK
pytestmark = pytest.mark.slow(3)


@pytest.fixture(scope="module")
def rows() -> InMemory:
    return InMemory(concatenate(list(OrbitSource(hours=(FIT + REST) / 36000, seed=5))), 6000)


@pytest.fixture(scope="module")
def fitted(rows: InMemory) -> Fitted:
    return fit(Select(rows, rows=(0, FIT)), FitSettings("orbit", window=10))


@pytest.fixture(scope="module")
def later(rows: InMemory) -> Select:
    return Select(rows, rows=(FIT, FIT + REST))


def test_moves_do_what_they_say(fitted: Fitted, later: Select) -> None:
    known = measure_jitter(later, channels_of(fitted).live)
    moves = plan_moves(later.schema.names, REST, known, 3)
    assert {move.kind for move in moves} <= set(KINDS)
    plain, moved = (concatenate(list(source)).values for source in (later, Steered(later, moves)))
    first = min(move.start for move in moves)
    np.testing.assert_array_equal(moved[:first], plain[:first].astype(np.float16))
    added = sum(move.share(np.arange(REST))[:, None] * move.pattern for move in moves)
    np.testing.assert_allclose(moved - plain, added, atol=1e-3)
    with pytest.raises(SettingsError, match="too few to steer in"):
        plan_moves(later.schema.names, 3 * BLOCK, known, 3)


def test_faults_are_found_around_moves_and_alarms_are_few(fitted: Fitted, later: Select) -> None:
    found = measure_steered(fitted, later, 3, (("noisy", 3.0), ("stuck", 1.0)))
    for case in found.cases.values():
        assert case.auroc > 0.9
        assert case.right > 0.85
        assert case.after > 5
        assert case.auroc_after > 0.9
    assert max(found.in_alarm.values()) < 0.25  # seven events in half an hour
    assert found.recover_s["beam"] < 120.0
    assert len(found.incidents) <= 20
    assert len(found.lines()) == 5


def test_a_second_faulty_monitor_is_found_beside_one_that_stands(fitted: Fitted, later: Select) -> None:
    stands = [Fault("noisy", 1200, REST, 50, 2.0), Fault("offset", 1200, REST, 120, 3.0)]
    found = measure_steered(fitted, later, 3, (("noisy", 3.0),), stands)
    (case,) = found.cases.values()
    assert case.auroc > 0.85
    assert case.right > 0.8
