"""Metrics of maps against direct computations on all pixels: scikit-learn, and overlap threshold by threshold."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label
from sklearn.metrics import average_precision_score, roc_auc_score

from lynkeus.core import SettingsError, Spot
from lynkeus.metrics.images import BINS, LocatedImages, bins

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own


def made(count: int = 12, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Maps of several sizes that see their defects (one or two regions) in part; every third image is good."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        shape = (24 + number, 40 - number)
        mask = np.zeros(shape, bool)
        if number % 3:
            mask[3:7, 4:9] = True
            mask[12:22, 14:20] = number % 2 == 0
        shown = gaussian_filter(rng.normal(size=shape), 1.0) * 4 + mask * rng.uniform(0.0, 2.5)
        found.append((np.round(shown, 1), mask))
    return found


def located(images: list[tuple[np.ndarray, np.ndarray]]) -> LocatedImages:
    found = LocatedImages()
    for shown, mask in images:
        found.add(float(shown.max()), shown, (), mask, int(mask.any()))
    return found


def direct_pro(images: list[tuple[np.ndarray, np.ndarray]], limit: float) -> float:
    good = np.concatenate([shown[~mask] for shown, mask in images])
    regions = []
    for shown, mask in images:
        numbers, count = label(mask, np.ones((3, 3)))
        regions += [shown[numbers == number] for number in range(1, count + 1)]
    curve = [(0.0, 0.0)]
    for threshold in np.unique(np.concatenate([shown.ravel() for shown, _ in images]))[::-1]:
        curve.append(((good >= threshold).mean(), np.mean([(region >= threshold).mean() for region in regions])))
    false, overlap = np.array(curve).T
    fine = np.linspace(0, limit, 20_001)
    return float(np.trapezoid(np.interp(fine, false, overlap), fine) / limit)


def test_pixel_and_image_numbers_are_those_of_a_direct_computation() -> None:
    images = made()
    found = located(images).measure()
    truth, shown = (np.concatenate([pair[k].ravel() for pair in images]) for k in (1, 0))
    # Rounded to tenths, so that every value has a bin of its own and nothing is lost by counting.
    assert len(np.unique(bins(np.unique(shown)))) == len(np.unique(shown))
    assert found["pixel_ap"] == pytest.approx(average_precision_score(truth, shown), abs=1e-12)
    peaks, wrong = [shown.max() for shown, _ in images], [mask.any() for _, mask in images]
    assert found["image_auroc"] == pytest.approx(roc_auc_score(wrong, peaks), abs=1e-12)
    assert found["image_ap"] == pytest.approx(average_precision_score(wrong, peaks), abs=1e-12)
    for limit in (0.05, 0.3):
        assert found[f"pro_{limit:g}"] == pytest.approx(direct_pro(images, limit), abs=2e-4)
    assert 0.15 < found["pro_0.05"] < found["pro_0.3"] < 0.98


def test_counting_in_bins_costs_next_to_nothing_for_values_of_any_kind() -> None:
    rng = np.random.default_rng(1)
    images = [(shown + rng.normal(0, 0.05, shown.shape), mask) for shown, mask in made(seed=1)]
    truth, shown = (np.concatenate([pair[k].ravel() for pair in images]) for k in (1, 0))
    found = located(images).measure()
    assert found["pixel_ap"] == pytest.approx(average_precision_score(truth, shown), abs=2e-3)
    assert found["pro_0.3"] == pytest.approx(direct_pro(images, 0.3), abs=2e-3)


def test_bins_rise_with_the_values_and_are_a_few_parts_in_a_thousand_wide() -> None:
    values = np.array([-np.inf, -7e4, -3.0, -2.98, -1e-3, 0.0, 1e-3, 4.0, 4.02, 5e4, np.inf])
    number = bins(values)
    assert (np.diff(number) >= 0).all()
    assert number[2] < number[3]
    assert number[7] < number[8]
    assert bins(np.array([np.nan]))[0] == number[0] == number[1]
    assert number[-1] < BINS
    dense = np.geomspace(0.1, 100, 100_000)
    edges = dense[np.flatnonzero(np.diff(bins(dense)))]
    assert (edges[1:] / edges[:-1] - 1).max() < 0.005


def test_a_peak_points_and_a_spot_is_near_or_not() -> None:
    mask = np.zeros((30, 40), bool)
    mask[10:12, 20:22] = True
    right, wrong = np.zeros((30, 40)), np.zeros((30, 40))
    right[11, 21], wrong[11, 19] = 9.0, 9.0
    found = LocatedImages(near_pixels=8)
    found.add(9.0, right, (Spot(0, 0, 9, 1), Spot(29, 11, 5, 1)), mask, 1)  # 8 to the right of the mask
    found.add(9.0, wrong, (Spot(29.1, 11, 9, 1),), mask, 2)
    found.add(9.0, wrong, (), mask, 1)
    found.add(9.0, right, (), None, 1)  # nobody knows where
    found.add(0.0, 0 * right, (), None, 0)
    np.testing.assert_array_equal(found.pointed, [1, 0, 0, np.nan, np.nan])
    np.testing.assert_array_equal(found.near, [1, 0, 0, np.nan, np.nan])
    numbers = found.measure()
    assert (numbers["pointing"], numbers["near"], numbers["image_auroc"]) == (1 / 3, 1 / 3, 1.0)
    # The one without a mask has no pixels that count as good: one pixel of each of the other maps is false or found.
    assert found.measure(np.array([0, 4]))["pixel_ap"] == pytest.approx(0.25 + 0.75 * 4 / 2400)


def test_numbers_of_some_images_are_those_of_these_images_alone() -> None:
    images = made()
    every, some = located(images), located([images[k] for k in (1, 3, 3, 8)])
    assert every.measure(np.array([1, 3, 3, 8])) == pytest.approx(some.measure())


def test_intervals_hold_the_number_and_shrink_with_more_images() -> None:
    few, many = located(made(30)), located(made(30) * 8)
    for name, value in few.measure().items():
        if name in ("near",):
            continue  # no spots at all: 0 everywhere
        narrow, wide = many.intervals(copies=60)[name], few.intervals(copies=60)[name]
        assert wide[0] <= value <= wide[1], name
        assert narrow[1] - narrow[0] < 0.7 * (wide[1] - wide[0]), name


def test_what_is_not_there_is_nan_and_a_mask_of_another_size_is_refused() -> None:
    found = LocatedImages()
    found.add(1.0, np.ones((4, 4)), (), None, 0)
    assert all(np.isnan(value) for value in found.measure().values())
    assert all(np.isnan(found.intervals(copies=3)["pro_0.3"]))
    with pytest.raises(SettingsError, match=r"\(4, 5\) pixels and the map \(4, 4\)"):
        found.add(1.0, np.ones((4, 4)), (), np.ones((4, 5), bool), 1)
