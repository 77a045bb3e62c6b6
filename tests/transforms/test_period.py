"""Periods of series that were made with one, and the way from windows back to rows."""

import numpy as np
import pytest

from lynkeus.core import SettingsError
from lynkeus.transforms.period import autocorrelation_period, window_length
from lynkeus.transforms.row_scores import row_scores


def sine(period: float, rows: int = 3000, noise: float = 0.2) -> np.ndarray:
    return np.sin(2 * np.pi * np.arange(rows) / period) + noise * np.random.default_rng(0).normal(size=rows)


@pytest.mark.parametrize("period", [12, 50, 183, 288])
def test_the_period_of_a_sine_is_found(period: int) -> None:
    found = autocorrelation_period(sine(period))
    assert found is not None
    assert min(found % period, -found % period) <= 2


def test_it_is_the_highest_peak_of_the_autocorrelation_computed_lag_by_lag() -> None:
    series = sine(40) + 0.5 * sine(100)
    centred = series - series.mean()
    heights = [np.dot(centred[lag:], centred[: len(centred) - lag]) for lag in range(401)]
    peaks = [lag for lag in range(4, 400) if heights[lag - 1] < heights[lag] > heights[lag + 1]]
    assert autocorrelation_period(series) == max(peaks, key=heights.__getitem__)


def test_gaps_a_scale_an_offset_and_a_dead_channel_do_not_matter() -> None:
    series = sine(50)
    gappy = 1e6 * series + 5.0
    gappy[100:130] = np.nan
    columns = np.stack([series, np.full(len(series), 7.0)], axis=1)
    assert autocorrelation_period(gappy) == autocorrelation_period(columns) == autocorrelation_period(series)


@pytest.mark.parametrize("series", [np.arange(2000.0), np.ones(2000), np.full(500, np.nan), np.zeros(3), np.zeros(0)])
def test_a_drift_a_constant_and_nothing_have_no_period(series: np.ndarray) -> None:
    assert autocorrelation_period(series) is None
    assert window_length(series) == 125


def test_a_period_out_of_range_is_none() -> None:
    assert autocorrelation_period(sine(350, rows=6000, noise=0.0)) is None


def test_a_window_is_whole_periods_of_at_least_64_samples() -> None:
    noisy = sine(200, noise=0.3)
    assert window_length(noisy) == autocorrelation_period(noisy)
    short = np.tile([0.0, 1.0, 2.0, 1.0, 0.0, -1.0, -2.0, -1.0], 200)
    assert autocorrelation_period(short) == 8
    assert window_length(short) == 64
    assert window_length(np.tile(np.arange(7.0), 200)) == 70


def test_a_series_has_one_or_two_axes() -> None:
    with pytest.raises(SettingsError, match=r"\(2, 3, 4\)"):
        autocorrelation_period(np.zeros((2, 3, 4)))


def test_a_row_gets_the_mean_of_the_windows_that_hold_it() -> None:
    scores, first = np.array([1.0, 4.0, np.nan, 2.0]), np.array([0, 1, 2, 6])
    expected = [1.0, 2.5, 2.5, 4.0, np.nan, np.nan, 2.0, 2.0, 2.0, np.nan]
    np.testing.assert_allclose(row_scores(scores, first, 3, 10), expected)
