"""Ranked spots, and the place of the quench among them."""

import numpy as np
import pytest

from lynkeus.scans.image_scores import ImageScores
from lynkeus.scans.quench import (
    REGIONS,
    QuenchRank,
    near_quench,
    quench_ranks,
    ranked_spots,
    scores_near_quench,
    worst_sigma,
)


def two_cavities() -> ImageScores:
    """Four images each at 0, 90, 180, 355 degrees; the worst spot of `a` is at 355."""
    sigma = np.array([[4.0, 3.0], [6.0, np.nan], [np.nan, np.nan], [9.0, 5.0]] * 2)
    sigma[4:] *= 0.5
    return ImageScores(
        {
            "file": np.array([f"{c}/{k}.png" for c in "ab" for k in range(4)]),
            "anomaly": np.ones(8),
            "cavity": np.repeat(["a", "b"], 4),
            "cell": np.ones(8, int),
            "angle_deg": np.tile([0.0, 90.0, 180.0, 355.0], 2),
            "spot1_sigma": sigma[:, 0], "spot2_sigma": sigma[:, 1],
            "spot1_x": np.arange(8.0), "spot1_y": np.arange(8.0), "spot2_x": np.arange(8.0), "spot2_y": np.arange(8.0),
        }
    )  # fmt: skip


def test_every_spot_of_a_cavity_has_its_rank() -> None:
    spots = ranked_spots(two_cavities())
    assert spots.column_names == ["cavity", "cell", "angle_deg", "file", "x", "y", "sigma", "area", "rank"]
    assert spots["rank"].to_pylist() == [1, 2, 3, 4, 5] * 2
    assert spots["sigma"].to_pylist() == [9.0, 6.0, 5.0, 4.0, 3.0, 4.5, 3.0, 2.5, 2.0, 1.5]
    assert spots["file"].to_pylist()[:3] == ["a/3.png", "a/1.png", "a/3.png"]


def test_the_quench_is_found_across_zero_degrees_and_chance_is_counted() -> None:
    """Within 10 degrees of 2: images at 0 and 355, four of five spots, the first of them at rank 1."""
    first, second = quench_ranks(two_cavities(), {"a": (1.0, 2.0), "b": (1.0, 90.0), "c": (1.0, 0.0)})
    assert (first.images_at_place, first.listed, first.at_place, first.rank) == (2, 5, 4, 1.0)
    assert first.expected == pytest.approx(6 / 5)
    assert first.p_value == pytest.approx(4 / 5)
    assert (second.cavity, second.at_place, second.rank, second.expected) == ("b", 1, 2.0, 3.0)
    assert second.p_value == pytest.approx(2 / 5)


def test_a_quench_without_a_spot_is_not_in_the_list_and_one_not_located_is_not_asked() -> None:
    (found,) = quench_ranks(two_cavities(), {"a": (1.0, 180.0), "b": (np.nan, np.nan)})
    assert (found.images_at_place, found.at_place) == (1, 0)
    assert np.isnan([found.rank, found.expected, found.p_value]).all()


def test_regions_become_smaller_and_the_worst_spot_with_them() -> None:
    scores, quenches = two_cavities(), {"b": (1.0, 90.0), "a": (2.0, 90.0)}
    worst = {region: scores_near_quench(scores, worst_sigma(scores), quenches, region) for region in REGIONS}
    np.testing.assert_array_equal(worst["cavity"], [4.5, 9.0])
    np.testing.assert_array_equal(worst["quench cell"], [4.5, np.nan])
    np.testing.assert_array_equal(worst["quench place"], [3.0, np.nan])
    assert near_quench(np.array([1]), np.array([359.0]), (1.0, 8.0), "quench place").all()
    assert not near_quench(np.array([1]), np.array([359.0]), (np.nan, 8.0), "quench cell").any()


def test_a_mean_over_a_region_takes_every_image_in_it() -> None:
    scores, values = two_cavities(), np.array([1.0, 2.0, 3.0, 6.0, 0.0, 0.0, 0.0, 0.0])
    quenches = {"a": (1.0, 2.0)}
    found = [float(scores_near_quench(scores, values, quenches, region, np.mean)[0]) for region in REGIONS]
    assert found == [3.0, 3.0, 3.5]  # the images at 0 and 355 degrees are within 10 degrees of 2


def test_the_chance_to_be_among_the_first_is_that_of_drawing_from_the_list() -> None:
    assert QuenchRank("a", 1, 10, 2, 4.0, 11 / 3, 0.5).by_chance(3) == pytest.approx(1 - 8 / 10 * 7 / 9 * 6 / 8)
    assert QuenchRank("a", 1, 10, 0, np.nan, np.nan, np.nan).by_chance(3) == 0.0
    assert QuenchRank("a", 1, 2, 1, 1.0, 1.5, 0.5).by_chance(3) == pytest.approx(1.0)
