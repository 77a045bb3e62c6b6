"""Y = A X: injected factors come back, intervals are promises, and backgrounds that look alike are named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lynkeus.core import SettingsError
from lynkeus.searches.normalise import Regions, normalise, pseudo_experiments, require_distinct

SHARES = np.array([[0.80, 0.12, 0.08], [0.15, 0.70, 0.15], [0.05, 0.10, 0.85]])
TRUE = np.array([1.05, 0.9, 0.72])


def regions(events: float = 900.0, weight: float = 0.2, more: bool = False) -> Regions:
    shares = np.vstack([SHARES, [[0.3, 0.3, 0.1]]]) if more else SHARES
    expected = shares * events * np.array([1.0, 0.6, 1.4])
    names = ("one lepton", "two leptons", "W+jets", "loose")[: len(shares)]
    return Regions(names, ("tt 1l", "tt 2l", "W+jets"), expected, expected * weight, expected @ TRUE)


@pytest.mark.parametrize("more", [False, True])
def test_injected_factors_come_back(more: bool) -> None:
    found = normalise(regions(more=more))
    np.testing.assert_allclose(found.factors, TRUE, rtol=1e-9)
    assert found.freedom == int(more)
    assert found.condition < 3
    np.testing.assert_allclose(found.covariance, found.data + found.simulation)
    np.testing.assert_allclose(np.diag(found.correlation), 1)


@pytest.mark.parametrize("more", [False, True])
def test_the_true_factor_lies_in_the_interval_as_often_as_promised(more: bool) -> None:
    pulls = np.array(
        [
            (found.factors - TRUE) / found.errors
            for _, found in pseudo_experiments(regions(more=more), TRUE, 600, seed=3)
        ]
    )
    inside = (np.abs(pulls) < 1).mean(axis=0)
    assert (np.abs(inside - 0.683) < 0.06).all()
    assert (np.abs(pulls.std(axis=0) - 1) < 0.1).all()
    assert (np.abs(pulls.mean(axis=0)) < 0.2).all()


def test_too_little_simulation_makes_the_intervals_wider() -> None:
    many, few = normalise(regions(weight=0.01)), normalise(regions(weight=5.0))
    assert (few.errors > 1.5 * many.errors).all()
    np.testing.assert_allclose(few.data, many.data, rtol=1e-6)


def test_a_signal_that_is_taken_out_changes_nothing() -> None:
    own = regions()
    signal = np.array([3.0, 5.0, 1.0])
    found = normalise(replace(own, observed=own.observed + signal, other=signal, other_variance=0.1 * signal))
    np.testing.assert_allclose(found.factors, TRUE, rtol=1e-9)


def test_what_cannot_be_solved_is_said() -> None:
    own = regions()
    alike = own.expected.copy()
    alike[:, 1] = 2 * alike[:, 2]
    with pytest.raises(SettingsError, match=r"tt 2l and W\+jets have the same shares"):
        normalise(replace(own, expected=alike))
    with pytest.raises(SettingsError, match=r"region two leptons: the weights of tt 2l add up to -3"):
        replace(own, expected=np.where(np.eye(3) * [0, 1, 0] > 0, -3.0, own.expected))
    with pytest.raises(SettingsError, match="region W\\+jets is empty"):
        replace(own, expected=own.expected * np.array([[1], [1], [0]]))
    with pytest.raises(SettingsError, match=r"background tt 1l has no events"):
        replace(own, expected=own.expected * np.array([0, 1, 1]))
    with pytest.raises(SettingsError, match="2 regions for 3"):
        Regions(own.names[:2], own.backgrounds, own.expected[:2], own.variance[:2], own.observed[:2])


def test_backgrounds_that_look_alike_within_simulation_are_named() -> None:
    own = regions()
    require_distinct(own)
    alike = own.expected.copy()
    alike[:, 1] = 2 * alike[:, 2] * np.array([1.01, 0.99, 1.0])
    with pytest.raises(SettingsError, match=r"tt 2l and W\+jets have the same shares in all regions, within"):
        require_distinct(replace(own, expected=alike))
