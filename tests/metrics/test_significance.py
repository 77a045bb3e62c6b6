"""Significances: published values, limits, full precision where the formula cancels, and what is refused."""

from __future__ import annotations

from decimal import Decimal, getcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, poisson

from lynkeus.metrics.significance import asimov_significance, log1p_minus


def exactly(s: float, b: float, sigma: float) -> float:
    """The formula as it is published, with sixty digits."""
    getcontext().prec = 60
    s_, b_, v = Decimal(s), Decimal(b), Decimal(sigma) ** 2
    if not v:
        return float((2 * ((s_ + b_) * (1 + s_ / b_).ln() - s_)).sqrt())
    one = (s_ + b_) * ((s_ + b_) * (b_ + v) / (b_ * b_ + (s_ + b_) * v)).ln()
    return float((2 * (one - b_ * b_ / v * (1 + v * s_ / (b_ * (b_ + v))).ln())).sqrt())


@given(st.floats(-5, 5), st.floats(-4, 8), st.floats(-4, 1) | st.none())
def test_all_digits_are_right_where_the_formula_cancels(s: float, b: float, relative: float | None) -> None:
    signal, background = 10.0**s, 10.0**b
    sigma = 0.0 if relative is None else background * 10.0**relative
    assert asimov_significance(signal, background, sigma) == pytest.approx(exactly(signal, background, sigma), rel=1e-9)


def test_the_limits_are_those_of_the_paper() -> None:
    assert asimov_significance(1e-3, 1e4) == pytest.approx(1e-3 / 1e2, rel=1e-6)  # s / sqrt(b)
    assert asimov_significance(1e-3, 1e4, 500.0) == pytest.approx(1e-3 / np.sqrt(1e4 + 500.0**2), rel=1e-6)
    assert asimov_significance(10.0, 100.0, 50.0) < asimov_significance(10.0, 100.0, 5.0) < asimov_significance(10, 100)
    assert asimov_significance(10.0, 100.0, 1e-9) == pytest.approx(float(asimov_significance(10.0, 100.0)))
    # The median of what is seen: s + b events on b, by counting.
    exact = norm.isf(poisson.sf(30 + 100 - 1, 100))
    assert asimov_significance(30.0, 100.0) == pytest.approx(exact, rel=0.03)


def test_nothing_is_nothing_and_no_background_is_infinite() -> None:
    assert asimov_significance(0.0, 5.0, 2.0) == 0
    assert np.isinf(asimov_significance(3.0, 0.0))
    assert np.isnan(asimov_significance(-1.0, 5.0))
    assert asimov_significance([1.0, 2.0], 5.0).shape == (2,)


def test_the_series_joins_the_logarithm() -> None:
    at = np.array([0.0499999, 0.0500001])
    assert np.diff(log1p_minus(at))[0] == pytest.approx(-0.0500 / 1.05 * 2e-7, rel=1e-3)
