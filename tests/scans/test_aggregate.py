"""Aggregated scores of groups: their values by hand, their p-values by brute force and on good groups."""

from itertools import combinations

import numpy as np
import pytest

from lynkeus.core import CalibrationError, SourceError
from lynkeus.scans.aggregate import AGGREGATIONS, GroupScore, aggregate
from lynkeus.scans.image_scores import ImageScores

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own


def images(sizes: list[int], seed: int = 0, **columns: np.ndarray) -> ImageScores:
    """Good images of cavities c00, c01 ... with as many images as told."""
    rng, count = np.random.default_rng(seed), sum(sizes)
    sigma = -np.sort(-rng.normal(3.2, 1.0, (count, 3)), axis=1)
    spots = {f"spot{k + 1}_sigma": sigma[:, k] for k in range(3)}
    spots |= {f"spot{k + 1}_area": rng.integers(5, 50, count).astype(float) for k in range(3)}
    cavity = np.repeat([f"c{k:02d}" for k in range(len(sizes))], sizes)
    return ImageScores({"cavity": cavity, "anomaly": rng.exponential(size=count), **spots, **columns})


def by_name(groups: tuple[GroupScore, ...], cavity: str) -> dict[str, GroupScore]:
    return {one.aggregation: one for one in groups if one.group == (cavity,)}


def test_values_are_those_by_hand() -> None:
    scores = images([4, 30, 30])
    scores.columns["anomaly"][:4] = [1.0, 9.0, 5.0, 4.0]
    scores.columns["spot1_sigma"][:4] = [4.0, 9.0, 6.0, np.nan]
    scores.columns["spot2_sigma"][:4] = [4.0, 7.0, 5.0, np.nan]
    scores.columns["spot3_sigma"][:4] = np.nan
    scores.columns["spot1_area"][:4] = [100.0, 30.0, 20.0, np.nan]
    scores.columns["spot2_area"][:4] = [100.0, 7.0, 100.0, np.nan]
    found = by_name(aggregate(scores, ("cavity",)), "c00")
    assert {name: one.value for name, one in found.items()} == {
        "max": 9.0, "top_3_mean": 6.0, "mean": 4.75, "area": 57.0, "spots": 3.0,
    }  # fmt: skip
    assert found["max"].images == 4
    assert found["mean"].excess == found["mean"].value - found["mean"].expected


def test_the_p_value_of_the_worst_image_is_that_of_all_choices_counted_one_by_one() -> None:
    scores = images([3, 20, 20])
    values = scores.anomaly
    worst = values[:3].max()
    counted = np.mean([max(values[list(chosen)]) >= worst for chosen in combinations(range(43), 3)])
    found = by_name(aggregate(scores, ("cavity",)), "c00")["max"]
    assert found.p_value == pytest.approx(counted, rel=1e-9)


def test_few_good_images_cannot_make_a_group_rare() -> None:
    """Of 20 good ones and a group of 20 the worst image is in the group every second time."""
    scores = images([20, 20])
    scores.columns["anomaly"][:20] += 1000.0
    assert by_name(aggregate(scores, ("cavity",)), "c00")["max"].p_value == pytest.approx(0.5)


def test_what_is_expected_does_not_know_the_defect_of_the_group_itself() -> None:
    """Where the group is half of all images its own worst one is in half of the draws."""
    scores = images([25, 25])
    scores.columns["anomaly"][3] = 50.0
    found = by_name(aggregate(scores, ("cavity",)), "c00")["max"]
    assert found.expected <= scores.anomaly[25:].max()
    assert found.excess > 40.0


def test_good_groups_of_every_size_have_uniform_p_values() -> None:
    rare: dict[tuple[int, str], list[bool]] = {}
    for seed in range(3):
        for one in aggregate(images([3] * 25 + [20] * 20 + [120, 400], seed), ("cavity",), seed=seed):
            rare.setdefault((min(one.images, 20), one.aggregation), []).append(one.p_value <= 0.1)
    for (size, name), own in rare.items():
        spread = np.sqrt(0.1 * 0.9 / len(own))
        assert np.mean(own) < 0.1 + 3 * spread, (size, name)
        if name not in ("spots", "area"):  # counts have steps, their p-values are never too small
            assert np.mean(own) > 0.1 - 3 * spread, (size, name)


def test_a_large_group_is_not_bad_for_being_large_but_one_with_a_defect_is() -> None:
    scores = images([400, 20, 400])
    scores.columns["anomaly"][405] = 30.0
    found = aggregate(scores, ("cavity",))
    large, small = by_name(found, "c00"), by_name(found, "c01")
    assert large["max"].value > 5 * scores.anomaly.mean()
    assert large["max"].p_value > 0.05
    assert large["max"].expected > small["max"].expected
    assert small["max"].p_value < 0.05


def test_the_good_images_are_those_labelled_so() -> None:
    label = np.array(["defect"] * 30 + ["good"] * 60)
    scores = images([30, 30, 30], label=label)
    scores.columns["anomaly"][:30] += 5.0
    p_value = by_name(aggregate(scores, ("cavity",)), "c01")["mean"].p_value
    unlabelled = ImageScores({name: column for name, column in scores.columns.items() if name != "label"})
    assert by_name(aggregate(unlabelled, ("cavity",)), "c01")["mean"].p_value > p_value


def test_vendors_that_score_higher_are_compared_with_their_like() -> None:
    vendor = np.repeat(["a", "b"], 200)
    scores = images([20] * 20, vendor=vendor)
    scores.columns["anomaly"][vendor == "b"] += 2.0
    rare = {}
    for alike in ((), ("vendor",)):
        means = [one for one in aggregate(scores, ("cavity",), alike) if one.aggregation == "mean"]
        rare[alike] = np.mean([one.p_value <= 0.05 for one in means if one.group >= ("c10",)])
    assert rare[()] == 1.0
    assert rare["vendor",] < 0.35


def test_nothing_to_compare_with_and_no_such_column_are_said() -> None:
    with pytest.raises(CalibrationError, match="c00: only 0 good images elsewhere"):
        aggregate(images([30]), ("cavity",))
    with pytest.raises(SourceError, match=r"no column 'cell'.*--meta"):
        aggregate(images([30, 30]), ("cavity", "cell"))
    assert set(AGGREGATIONS) == {"max", "top_3_mean", "mean", "area", "spots"}
