from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkeus.commission.jitter import Jitter
from lynkeus.commission.plant.rows import BRIEF, KINDS, PER_CASE, Accompanied, plan_passes
from lynkeus.commission.settings import CommissionSettings
from lynkeus.core import SettingsError, SourceError
from lynkeus.transforms.faults import FAULTS, Fault

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own


CASES = CommissionSettings().cases(KINDS, "rows in time")


def _known(rows: int) -> Jitter:
    return Jitter(np.ones(8), np.zeros(8), np.eye(8)[:6], rows)


def _case(fault: Fault) -> str:
    return fault.case if isinstance(fault, Accompanied) else fault.kind


@given(st.integers(600, 100_000), st.integers(1, 30), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_every_case_is_planted_equally_often_and_no_faults_overlap(rows, per_case, seed):
    chosen = CommissionSettings(per_case=per_case, seed=seed)
    passes = plan_passes(chosen, _known(rows), range(2, 7))
    counts = Counter((_case(fault), fault.size) for faults in passes for fault in faults)
    assert counts == dict.fromkeys(CASES, per_case)
    for faults in passes:
        assert faults[0].start >= 0
        assert faults[-1].stop <= rows
        assert all(before.stop <= after.start for before, after in pairwise(faults))
        single = [fault for fault in faults if fault.concerns == "channel"]
        assert all(2 <= fault.channel < 7 for fault in single)
        assert all(len(fault.pattern) == 8 for fault in faults if fault.kind in ("kick", "step"))


def test_the_plan_is_that_of_its_seed_and_mixes_the_kinds():
    chosen = CommissionSettings(per_case=5)
    first, again = (plan_passes(chosen, _known(24_000), range(8)) for _ in range(2))
    assert first == again
    assert first != plan_passes(CommissionSettings(per_case=5, seed=1), _known(24_000), range(8))
    assert len({fault.kind for fault in first[0]}) > 6


def test_long_data_are_passed_once_and_planted_thinly():
    passes = plan_passes(CommissionSettings(per_case=2), _known(10_000_000), range(8))
    assert len(passes) == 2  # those that come alone, and those that do not
    assert sum(map(len, passes)) == 2 * len(CASES)
    assert all(faults[-1].start > 8_000_000 for faults in passes)


@given(st.integers(60, 2000), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_a_companion_is_there_before_and_longer_and_in_its_own_stretch(every, seed):
    chosen = CommissionSettings(faults={"second noisy": (3.0,), "offset after a step": (1.0,)}, every=every, seed=seed)
    for faults in plan_passes(chosen, _known(20 * every), range(8)):
        for fault in faults:
            companion = fault.companion
            assert companion.start <= fault.start
            assert companion.stop >= fault.stop
            assert companion.channel != fault.channel
            assert (companion.kind == "step") == bool(companion.pattern)
        assert all(one.companion.stop <= other.companion.start for one, other in pairwise(faults))


def test_every_kind_of_fault_is_planted_by_default_and_quick_means_fewer():
    assert set(FAULTS) < set(KINDS)
    quick = CommissionSettings.quick().at(3.0)
    assert quick.count(PER_CASE, BRIEF) < CommissionSettings().count(PER_CASE, BRIEF)
    assert quick.budget_per_hour == 3.0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"faults": {"noisy": ()}}, "at least one size"),
        ({"faults": {"noisy": (float("nan"),)}}, "finite"),
        ({"faults": {}}, "at least one kind"),
        ({"per_case": -1}, "at least once"),
        ({"budget_per_hour": 0.0}, "budget must be positive"),
        ({"length": 700}, "does not fit"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, says):
    with pytest.raises(SettingsError, match=says):
        CommissionSettings(**wrong)


def test_a_kind_that_is_none_is_refused():
    with pytest.raises(SettingsError, match="no fault of rows in time called 'melted'"):
        plan_passes(CommissionSettings(faults={"melted": (1.0,)}), _known(6000), range(8))


def test_data_shorter_than_one_stretch_are_refused():
    with pytest.raises(SourceError, match="give more data"):
        plan_passes(CommissionSettings(every=2000), _known(1999), range(8))
