"""The neighbourhood of hits: a line of hits is seen as one, whatever its units; hits alone, and bursts, are not."""

from __future__ import annotations

import numpy as np
import pytest

from lynkeus.transforms.hits.neighbours import NEAR, Scales, find_scales, neighbourhood

SCALES = Scales(0.3, 0.3, 12.0, 12.0)


def near(row: list[float], u: list[float], v: list[float], group: list[int] | None = None) -> dict[str, np.ndarray]:
    places = [np.asarray(own, float) for own in (row, u, v)]
    found = neighbourhood(np.asarray(group or [0] * len(row)), *places, SCALES)
    return {name.removeprefix("near/"): found[:, k] for k, name in enumerate(NEAR)}


def test_hits_on_a_line_are_aligned_and_others_are_not() -> None:
    row = [*range(8), 4.0]
    found = near(row, [10 + 1.5 * k for k in range(8)] + [60.0], [5 + 0.5 * k for k in range(8)] + [60.0])
    assert found["aligned"][3:5].tolist() == [6.0, 6.0]
    assert found["aligned"][8] == 0
    assert found["between"][3] == pytest.approx(0.0, abs=1e-5)
    assert found["beyond"][0] == pytest.approx(0.0, abs=1e-5)
    assert found["between"][8] == found["between"].max() > 10
    assert found["rows"][[0, 4, 8]].tolist() == [3.0, 6.0, 0.0]


def test_hits_off_the_line_are_as_far_as_they_are() -> None:
    found = near([0, 1, 2], [10, 10.6, 10], [5, 5, 5])
    assert found["between"][1] == pytest.approx(0.6 / 0.3, rel=1e-3)


def test_events_do_not_see_each_other() -> None:
    row, u, v = [0, 1, 2, 0, 1, 2], [10, 10, 10, 10, 10, 10], [5] * 6
    found = near(row, u, v, [0, 0, 0, 1, 1, 1])
    assert found["hits"].tolist() == [2.0] * 6
    mixed = near([row[k] for k in (0, 3, 1, 4, 2, 5)], u, v, [0, 1, 0, 1, 0, 1])
    assert mixed["hits"].tolist() == [2.0] * 6


def test_bursts_and_hot_pads_are_counted() -> None:
    pads = [10.0 + 2 * k for k in range(6)]
    found = near([3.0] * 6 + [9.0], [*pads, 50.0], [5.0] * 6 + [90.0])
    assert found["same_row"][2] > found["same_row"][6] == 0
    assert found["same_time"][2] > 0
    hot = near([3.0] * 5, [10.1] * 5, [10.0, 60.0, 110.0, 160.0, 190.0])
    assert hot["same_place"].tolist() == [5.0] * 5


def test_no_hits_one_hit_and_unknown_places() -> None:
    assert near([], [], [])["hits"].shape == (0,)
    assert near([1], [1], [1])["hits"].tolist() == [0.0]
    found = near([0, 1, 2], [1, np.nan, 1], [1, 1, 1])
    assert np.isnan(found["between"]).tolist() == [False, True, False]


@pytest.mark.parametrize("unit", [1.0, 40.0])
def test_scales_follow_the_units(unit: float) -> None:
    random = np.random.default_rng(0)
    group, row, u, v = [], [], [], []
    for event in range(20):
        for _ in range(8):
            start, slope = random.uniform(20, 80, 2), random.normal(0, 0.7, 2)
            for k in range(20):
                group.append(event)
                row.append(k)
                place = start + slope * k + random.normal(0, 0.2, 2)
                u.append(place[0] * unit)
                v.append(place[1])
    found = find_scales(np.array(group), np.array(row, float), np.array(u), np.array(v))
    assert 0.1 * unit < found.u < 1.0 * unit
    assert 0.1 < found.v < 1.0
    assert found.reach_u / unit == pytest.approx(found.reach_v, rel=0.7)
    assert found.reach_u > 4 * found.u


def test_few_hits_have_usual_scales() -> None:
    assert find_scales(np.zeros(3), np.arange(3.0), np.zeros(3), np.zeros(3)) == Scales()
