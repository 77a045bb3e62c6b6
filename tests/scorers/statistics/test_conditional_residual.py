"""ConditionalResidual against the linear regression of one channel on all the others."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from lynkeus.scorers.statistics.conditional_residual import ConditionalResidual

Sources = Callable[..., Any]


@pytest.mark.parametrize("channel", [0, 5, 11])
def test_it_is_the_residual_of_a_regression_on_all_others(
    channel: int, table: Sources, one_batch: Sources, shots: np.ndarray
) -> None:
    evidence = ConditionalResidual().fit(table(shots)).explain(one_batch(table(shots[:1000])))
    others = np.delete(shots, channel, axis=1)
    left = shots[:, channel] - LinearRegression().fit(others, shots[:, channel]).predict(others)
    off = evidence[:, channel] - left[:1000] / left.std()
    assert np.abs(off).max() < 0.2  # our centre is a median, that of a regression the mean
    assert off.std() < 0.05


def test_a_drift_does_not_widen_its_sigmas(table: Sources, shots: np.ndarray) -> None:
    drifting = np.array(shots)
    drifting[:, 3] += np.linspace(0, shots[:, 3].std(), len(shots))
    still, moved = (ConditionalResidual().fit(table(rows)).model_ for rows in (shots, drifting))
    np.testing.assert_allclose(moved.conditional_sigma, still.conditional_sigma, rtol=0.05)
    np.testing.assert_allclose(np.delete(moved.jitter, 3), np.delete(still.jitter, 3), rtol=0.05)


def test_a_channel_that_says_what_the_others_say_is_no_news(
    table: Sources, one_batch: Sources, shots: np.ndarray
) -> None:
    scorer = ConditionalResidual().fit(table(shots))
    gappy = np.array(shots[:300])
    gappy[:, 6] = np.nan
    model = scorer.model_
    deviation = np.nan_to_num(gappy - model.centre)
    predicted = -(deviation @ model.precision[:, 6]) / model.precision[6, 6]
    filled = np.array(gappy)
    filled[:, 6] = model.centre[6] + predicted
    given, guessed = (scorer.explain(one_batch(table(rows))) for rows in (gappy, filled))
    np.testing.assert_allclose(given, guessed, atol=1e-9)
    np.testing.assert_allclose(given[:, 6], 0.0, atol=1e-9)
