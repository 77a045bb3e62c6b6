"""Weights of samples: what may be one, what they are worth, and a reference that promises no more than it supports."""

import json

import numpy as np
import pytest

from lynkeus.core import Batch, Calibration, CalibrationError, Schema, SchemaError, concatenate
from lynkeus.core.weights import effective_number, weighted_mean, weighted_median, weighted_quantile

TABLE = Schema("table", ("a",), shape=(1,))


def rows(n: int, weight=None) -> Batch:
    return Batch(TABLE, np.zeros((n, 1)), weight=weight)


@pytest.mark.parametrize("wrong", [-0.5, np.nan, np.inf])
def test_a_batch_refuses_what_is_no_weight_in_one_line(wrong: float) -> None:
    with pytest.raises(SchemaError, match="weight of sample 1 is") as refused:
        rows(3, np.array([1.0, wrong, 2.0]))
    assert "\n" not in str(refused.value)
    assert "resample the events to positive weights" in str(refused.value)
    with pytest.raises(SchemaError, match="one number per sample"):
        rows(2, np.ones((2, 2)))


def test_weights_are_cut_and_joined_and_none_counts_as_one() -> None:
    batch = rows(3, np.array([1.0, 2.0, 0.0]))
    np.testing.assert_array_equal(batch[1:].weight, [2.0, 0.0])
    np.testing.assert_array_equal(concatenate([batch, rows(2)]).weight, [1.0, 2.0, 0.0, 1.0, 1.0])
    assert concatenate([rows(2), rows(2)]).weight is None


def test_the_effective_number_is_kishs() -> None:
    assert effective_number(np.full(7, 3e-200)) == pytest.approx(7.0)
    assert effective_number(np.array([1.0, 0.0, 1.0])) == pytest.approx(2.0)
    assert effective_number(np.array([3.0, 1.0])) == pytest.approx(16.0 / 10.0)
    assert effective_number(np.zeros(3)) == 0.0


def test_weighted_statistics_count_a_sample_of_weight_two_twice() -> None:
    noise = np.random.default_rng(0)
    values = noise.normal(size=(101, 3))
    values[::7, 1] = np.nan
    weight = noise.integers(0, 4, 101)
    twice = np.repeat(values, weight, axis=0)
    np.testing.assert_allclose(weighted_median(values, weight), np.nanmedian(twice, axis=0))
    np.testing.assert_allclose(weighted_mean(values, weight), np.nanmean(twice, axis=0))
    alike = np.full(101, 0.3)
    np.testing.assert_allclose(weighted_median(values, alike), np.nanmedian(values, axis=0))
    q = np.linspace(0, 1, 17)
    np.testing.assert_allclose(weighted_quantile(values[:, 0], q, alike), np.quantile(values[:, 0], q))


@pytest.mark.parametrize("hours", [None, 2.0])
def test_equal_weights_calibrate_as_none(hours: float | None) -> None:
    scores = np.random.default_rng(1).exponential(size=3000)
    at = np.linspace(0.0, 20.0, 200)
    plain = Calibration.fit(scores, hours)
    for weight in (np.ones(3000), np.full(3000, 1e-7), np.full(3000, 2)):
        weighted = Calibration.fit(scores, hours, weight=weight)
        np.testing.assert_allclose(weighted.p_value(at), plain.p_value(at), rtol=1e-9)
        assert weighted.hours == plain.hours
    # Weights that differ by a hair go the other way through the arithmetic, where the tail is not below what was seen.
    ratio = Calibration.fit(scores, hours, weight=1.0 + 1e-6 * np.arange(3000) / 3000).p_value(at) / plain.p_value(at)
    np.testing.assert_allclose(ratio[at < plain.tail.threshold], 1.0, rtol=5e-3)
    assert (ratio > 1.0 - 5e-3).all()
    assert (ratio < 4.0).all()


def test_a_weight_of_zero_is_absent() -> None:
    noise = np.random.default_rng(2)
    scores, weight = noise.exponential(size=2000), noise.uniform(0.5, 2.0, 2000)
    weight[::3] = 0.0
    there = weight > 0
    at = np.linspace(0.0, 12.0, 100)
    one = Calibration.fit(scores, 2.0, weight=weight)
    other = Calibration.fit(scores[there], 2.0 * there.mean(), weight=weight[there])
    np.testing.assert_allclose(one.p_value(at), other.p_value(at), rtol=1e-12)


def test_weighted_scores_give_the_p_values_of_what_they_stand_for() -> None:
    # Drawn with mean 2, weighted to mean 1: w = p1 / p2. The tail is known to 1e-4 from 20,000 of them.
    found, effective = [], []
    for seed in range(10):
        scores = np.random.default_rng(seed).exponential(2.0, 20_000)
        calibration = Calibration.fit(scores, None, weight=2.0 * np.exp(-scores / 2.0))
        effective.append(calibration.effective)
        found.append(calibration.p_value(np.array([0.5, 1.0, 3.0, 5.0, 8.0])))
    np.testing.assert_allclose(np.mean(effective), 20_000 * 3 / 4, rtol=0.02)  # 1 / E[w^2] with E[w] = 1
    np.testing.assert_allclose(np.mean(found, axis=0)[:4], np.exp([-0.5, -1.0, -3.0, -5.0]), rtol=0.05)
    assert np.exp(-8.0) * 0.7 < np.mean(found, axis=0)[4] < np.exp(-8.0) * 1.6


def test_no_p_value_is_smaller_than_the_weighted_reference_supports() -> None:
    noise = np.random.default_rng(3)
    for weight in (noise.pareto(1.2, 3000) + 1e-3, np.where(np.arange(3000) == 17, 400.0, 1.0)):
        scores = noise.normal(size=3000)
        scores[np.argmax(weight)] = 3.1  # the heaviest is among the highest
        calibration = Calibration.fit(scores, None, weight=weight)
        assert calibration.effective is not None
        n = calibration.effective
        at = np.sort(scores)
        above = np.array([weight[scores >= score].sum() for score in at[-400:]]) / weight.sum()
        assert (calibration.p_value(at[-400:]) >= 0.99 * n * above / (n + 1)).all()
        assert calibration.p_value(np.array([calibration.maximum]))[0] >= 1.0 / (n + 1)
        rising = calibration.p_value(np.linspace(-4.0, 30.0, 2000))
        assert (np.diff(rising) <= 1e-12).all()


def test_few_effective_events_are_too_few_and_support_no_rare_rate() -> None:
    noise = np.random.default_rng(4)
    scores, weight = noise.normal(size=5000), np.full(5000, 1e-4)
    weight[:10] = 1.0
    with pytest.raises(CalibrationError, match=r"the 5000 weighted reference windows .* worth .* needs 20"):
        Calibration.fit(scores, None, weight=weight)
    uneven = noise.choice([1.0, 9.0], 5000)  # worth 25 / 41 of them
    calibration = Calibration.fit(scores, 10.0, weight=uneven)
    assert calibration.hours == pytest.approx(10.0 * 25 / 41, rel=0.03)
    with pytest.raises(CalibrationError, match="cannot be supported"):
        calibration.threshold(0.8 / 1000 / 10.0 / (25 / 41))


def test_it_is_kept_and_what_earlier_versions_wrote_is_read() -> None:
    noise = np.random.default_rng(5)
    weighted = Calibration.fit(noise.normal(size=500), None, weight=noise.uniform(1, 5, 500))
    again = Calibration.from_dict(json.loads(json.dumps(weighted.to_dict())))
    at = np.linspace(-3, 9, 50)
    np.testing.assert_array_equal(again.p_value(at), weighted.p_value(at))
    assert again.effective == weighted.effective
    plain = Calibration.fit(noise.normal(size=500), None)
    written = {name: value for name, value in plain.to_dict().items() if name != "effective"}
    np.testing.assert_array_equal(Calibration.from_dict(written).p_value(at), plain.p_value(at))
