"""Summaries of several steered stretches: means and their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from lynkeus.core import Alarm, SettingsError
from lynkeus.core.incident import incidents
from lynkeus.evaluate.steering.measure import Sensitivity, SteeredReport
from lynkeus.evaluate.steering.summary import measure_stretches, summarise

CASE = ("noisy", 3.0)


def report(auroc: float, alarms: int = 2) -> SteeredReport:
    hour = 3_600_000_000_000
    found = [Alarm("monitor", k * hour, k * hour, 9.0, 0.1, f"M{k}", k * hour + 1) for k in range(alarms)]
    sensitive = Sensitivity(auroc, auroc, auroc, auroc, 3)
    share = {"monitor": 0.02, "beam": 0.04}
    return SteeredReport({CASE: sensitive}, incidents(found), 2.0, share, {"monitor": 0.0, "beam": 10.0})


def test_a_summary_is_the_mean_and_its_interval_holds_it() -> None:
    rng = np.random.default_rng(1)
    values = 0.9 + 0.05 * rng.random((4, 3))
    found = summarise([[report(value) for value in own] for own in values])
    interval = found.auroc[CASE]
    assert interval.value == pytest.approx(values.mean())
    assert values.min() <= interval.low < interval.value < interval.high <= values.max()
    assert found.per_hour["monitor"].value == pytest.approx(1.0)
    assert found.per_hour["beam"].value == 0.0
    assert found.runs == 12
    assert len(found.lines()) == 4


def test_stretches_that_differ_make_the_interval_wide_however_many_seeds_they_have() -> None:
    far, near = ([[report(level)] * 20 for level in levels] for levels in ((0.8, 1.0), (0.89, 0.91)))
    wide, narrow = (summarise(own).auroc[CASE] for own in (far, near))
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


def test_no_stretch_is_no_summary() -> None:
    with pytest.raises(SettingsError, match="at least one stretch"):
        measure_stretches([], [1])
