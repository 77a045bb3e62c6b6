"""ROC curves and rejections: recorded numbers of a published tagger, counting by hand, intervals that cover."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from lynkeus.core import SettingsError
from lynkeus.metrics.reliability import calibration_error, reliability
from lynkeus.metrics.tagging import (
    accuracy,
    against,
    background_copies,
    background_efficiency,
    confusion,
    over_trainings,
    roc,
    separation,
    signal_copies,
    signal_efficiency,
)

HEP = Path(os.environ.get("LYNKEUS_DATA", "/nowhere")) / "hep"
RNG = np.random.default_rng(4)
SIGNAL, BACKGROUND = RNG.normal(2.0, 1, 6000), RNG.normal(0, 1, 6000)


def test_the_recorded_numbers_of_lorentz_net_come_out_to_the_last_digit() -> None:
    if not (HEP / "score.npy").is_file():
        pytest.skip("the recorded scores are not here: LYNKEUS_DATA")
    recorded = json.loads((HEP / "qg_test-result.json").read_text())
    scores = np.load(HEP / "score.npy")
    truth, probability = scores[:, 0].astype(int), scores[:, 1:]
    curve = roc(truth, scores[:, 2])
    assert accuracy(probability, truth) == recorded["test_acc"] == 0.84424
    assert curve.auc == pytest.approx(recorded["test_auc"], rel=1e-12)
    assert curve.rejection(0.3) == pytest.approx(recorded["test_1/eB_0.3"], rel=1e-12)
    assert curve.rejection(0.5) == pytest.approx(recorded["test_1/eB_0.5"], rel=1e-12)


def test_a_curve_is_counted() -> None:
    curve = roc([1, 0, 1, 0, 0], [0.9, 0.8, 0.8, 0.2, np.nan])
    np.testing.assert_allclose(curve.signal, [0, 0.5, 1, 1, 1])
    np.testing.assert_allclose(curve.background, [0, 0, 1 / 3, 2 / 3, 1])
    assert curve.auc == pytest.approx(5.5 / 6)
    assert curve.rejection(1.0) == pytest.approx(3.0)
    assert curve.rejection(0.5) == np.inf
    with pytest.raises(SettingsError, match="needs signal and background"):
        roc([1, 1], [0.1, 0.2])


def test_a_jet_counts_like_as_many_as_it_weighs() -> None:
    rng = np.random.default_rng(0)
    truth, weight = rng.integers(0, 2, 500), rng.integers(0, 4, 500)
    score = rng.normal(truth, 1.0)
    weighted, copied = roc(truth, score, weight), roc(np.repeat(truth, weight), np.repeat(score, weight))
    assert weighted.auc == pytest.approx(copied.auc)
    assert weighted.rejection(0.5) == pytest.approx(copied.rejection(0.5))


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Scores of two normal distributions one sigma apart: at eS = 0.5 the threshold is 1, above the background's 0."""
    rejection = 1 / 0.158655
    held = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        truth = np.arange(1000) % 2
        found = separation(truth, rng.normal(truth, 1.0), efficiencies=(0.5,), seed=seed, copies=100)
        held += found.rejection_low[0] <= rejection <= found.rejection_high[0]
    assert 45 <= held <= 60


def test_few_background_jets_that_pass_have_an_interval_of_their_number() -> None:
    truth, score = np.arange(2000) % 2, np.zeros(2000)
    score[truth == 1] = np.linspace(0.1, 1.0, 1000)
    found = separation(truth, score, efficiencies=(0.5,))
    assert found.rejection[0] == np.inf
    assert found.rejection_high[0] == np.inf
    assert found.rejection_low[0] == pytest.approx(1000 / 2.9957, rel=1e-3)


def test_confusion_and_pairs_of_classes() -> None:
    probability = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2], [np.nan] * 3])
    truth = np.array([0, 1, 1, 2])
    found = confusion(probability, truth)
    np.testing.assert_allclose(found[:2], [[1, 0, 0], [0.5, 0.5, 0]])
    np.testing.assert_allclose(found[2], 0)
    assert accuracy(probability, truth) == pytest.approx(0.5)
    np.testing.assert_allclose(against(probability[:2], 0, 1), [0.7 / 0.9, 0.1 / 0.9])


def test_reliability_sees_what_is_overconfident() -> None:
    rng = np.random.default_rng(1)
    right = rng.uniform(0, 1, 20_000)
    hit = rng.uniform(size=20_000) < right
    assert reliability(right, hit).error < 0.015
    bold = right**3 / (right**3 + (1 - right) ** 3)
    assert reliability(bold, hit).error > 0.08
    both = np.stack([1 - bold, bold], axis=1)
    assert calibration_error(both, hit.astype(int)) == pytest.approx(reliability(bold, hit).error, abs=0.01)
    assert reliability(np.array([np.nan, 0.2]), np.array([1, 0])).samples.sum() == 1


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


def test_both_ways_of_counting_are_of_the_same_curve() -> None:
    own, others = SIGNAL[:200], BACKGROUND[:200]
    curve = roc(np.arange(400) < 200, np.r_[own, others])
    passed = 200 / curve.rejection(0.5)
    assert passed > 1
    assert background_efficiency(own, others, 0.5) == pytest.approx((passed + 1) / 201)


@pytest.mark.parametrize("passing", [0.1, 0.01])
def test_working_points_are_those_of_the_background(passing: float) -> None:
    known = norm.sf(norm.isf(passing) - 2.0)
    copies = signal_copies(SIGNAL, BACKGROUND, [passing], 100)[:, 0]
    found = signal_efficiency(SIGNAL, BACKGROUND, passing)
    assert abs(found - known) < 4 * copies.std()
    assert np.quantile(copies, 0.02) < found < np.quantile(copies, 0.98)
    assert signal_efficiency([1.0, 2.0, 3.0, np.nan], np.zeros(50), passing) == 0.75
    assert signal_efficiency(np.ones(9), np.ones(9), passing) == 0.0  # all or none of what is alike
