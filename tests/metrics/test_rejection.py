"""Background efficiencies at a signal efficiency, against distributions of which they are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from lynkeus.core import SettingsError
from lynkeus.metrics.rejection import background_copies, background_efficiency, over_trainings

RNG = np.random.default_rng(4)
SIGNAL, BACKGROUND = RNG.normal(2.0, 1, 6000), RNG.normal(0, 1, 6000)


@pytest.mark.parametrize("efficiency", [0.3, 0.5, 0.7, 0.8])
def test_gaussians_are_separated_as_they_are(efficiency: float) -> None:
    known = norm.sf(2.0 + norm.isf(efficiency))
    found = background_efficiency(SIGNAL, BACKGROUND, efficiency)
    copies = background_copies(SIGNAL, BACKGROUND, [efficiency])[:, 0]
    assert abs(found - known) < 4 * copies.std()
    assert np.quantile(copies, 0.05) < found < np.quantile(copies, 0.95)
    # Binomial of the background and the uncertain threshold, and not much more.
    assert np.sqrt(known / 6000) * 0.7 < copies.std() < np.sqrt(known / 6000) * 4


def test_no_jet_that_passes_is_one_in_so_many_and_not_none() -> None:
    assert background_efficiency(np.full(50, 3.0) + RNG.normal(size=50) * 0.1, np.zeros(199), 0.5) == 1 / 200


def test_where_no_jet_passes_the_interval_is_that_of_poisson() -> None:
    signal, background = np.full(50, 3.0) + RNG.normal(size=50) * 0.1, np.zeros(999)
    one, other = (background_copies(signal, background, [0.5], 4000, tagger)[:, 0] * 1000 for tagger in (0, 1))
    assert np.quantile(one, 0.95) == pytest.approx(3.0, rel=0.08)  # of no count: 95 % below -ln 0.05
    assert np.quantile(one / other, 0.05) < 0.1  # nothing is known of which of two is better


def test_ties_pass_together_and_a_missing_score_passes_nothing() -> None:
    assert background_efficiency(np.ones(10), np.r_[np.ones(5), np.zeros(14)], 0.5) == pytest.approx(6 / 20)
    assert background_efficiency(np.ones(10), np.r_[np.full(5, np.nan), np.zeros(14)], 0.5) == pytest.approx(1 / 20)
    # Where so much of the signal has no score, the threshold lets everything pass.
    assert background_efficiency(np.r_[np.ones(2), np.full(8, np.nan)], np.zeros(19), 0.5) == 1.0


def test_copies_of_two_taggers_of_the_same_jets_move_together() -> None:
    better = SIGNAL + 0.1 * RNG.normal(size=6000)
    one, two = (np.log(background_copies(s, BACKGROUND, [0.5])[:, 0]) for s in (SIGNAL, better))
    assert (one - two).std() < 0.6 * one.std()


def test_few_trainings_widen_the_interval() -> None:
    values = np.array([[0.1], [0.2], [0.3]])
    copies = np.broadcast_to(values[:, None], (3, 4000, 1)) + RNG.normal(0, 1e-3, (3, 4000, 1))
    spread = over_trainings(values, copies)
    low, high = np.quantile(spread, [0.05, 0.95])
    assert low == pytest.approx(0.2 - 2.92 * 0.1 / np.sqrt(3), abs=0.02)  # t of two degrees of freedom
    assert high == pytest.approx(0.2 + 2.92 * 0.1 / np.sqrt(3), abs=0.02)
    assert over_trainings(values[:1], copies[:1]).std() < 0.01


def test_an_efficiency_must_be_one() -> None:
    with pytest.raises(SettingsError, match="between 0 and 1"):
        background_efficiency(SIGNAL, BACKGROUND, 1.0)
    with pytest.raises(SettingsError, match="0 jets of the signal"):
        background_efficiency([], BACKGROUND, 0.5)
