from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm, poisson
from sklearn.metrics import average_precision_score, roc_auc_score

from lynkeus.core import SchemaError, SettingsError
from lynkeus.metrics.rates import (
    auroc,
    average_precision,
    bootstrap_auroc,
    bootstrap_interval,
    false_alarms_per_hour,
    placements,
    vus_pr,
    wilson_interval,
)

SAMPLES = st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=40)


def _faults(seed: int, rows: int = 600) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.zeros(rows, int)
    for start in rng.integers(0, rows - 30, 5):
        truth[start : start + int(rng.integers(1, 30))] = 1
    return truth, rng.normal(size=rows) + 1.5 * np.roll(truth, 3)


@pytest.mark.slow(3)
@settings(deadline=None)  # scikit-learn checks its input, on a busy machine for longer
@given(SAMPLES)
def test_auroc_and_average_precision_are_those_of_scikit_learn_with_ties(samples):
    truth, scores = (np.array(column) for column in zip(*samples, strict=True))
    if not truth.any() or truth.all():
        assert np.isnan(auroc(truth, scores))
        return
    assert auroc(truth, scores) == pytest.approx(roc_auc_score(truth, scores))
    assert average_precision(truth, scores) == pytest.approx(average_precision_score(truth, scores))
    assert placements(scores[truth], scores[~truth]).mean() == pytest.approx(auroc(truth, scores))


def test_closed_forms_and_what_a_missing_score_means():
    assert auroc([0, 0, 1, 1], [1, 2, 3, 4]) == 1.0
    assert auroc([0, 1], [1.0, 1.0]) == 0.5
    assert auroc([0, 1], [0.0, np.nan]) == 0.0
    assert average_precision([0, 0], [1, 2]) != average_precision([0, 0], [1, 2])
    shifted = np.random.default_rng(0).normal([[0.0], [1.0]], size=(2, 20_000))
    truth = np.repeat([0, 1], 20_000)
    assert auroc(truth, shifted.ravel()) == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=0.005)
    with pytest.raises(SettingsError, match="one length"):
        auroc([0, 1], [1.0])


@pytest.mark.filterwarnings("ignore")
def test_volume_under_the_surface_is_that_of_tsb_ad():
    theirs = pytest.importorskip("TSB_AD.evaluation.basic_metrics", reason="needs pip install TSB-AD")
    for seed, longest in product(range(3), (0, 1, 7, 40)):
        truth, scores = _faults(seed)
        *_, expected = theirs.generate_curve(truth, scores, longest, "opt", 250)
        assert vus_pr(truth, scores, longest) == pytest.approx(expected, rel=1e-9), (seed, longest)


@pytest.mark.parametrize(("longest", "expected"), [(0, 0.106895923838), (40, 0.373058064125)])
def test_volume_under_the_surface_as_tsb_ad_1_5_gave_it(longest, expected):
    assert vus_pr(*_faults(0), longest) == pytest.approx(expected, rel=1e-9)


def test_volume_rewards_near_misses_and_needs_both_classes():
    truth = np.zeros(400)
    truth[200:220] = 1
    late = np.roll(truth, 8)
    assert vus_pr(truth, truth + 0.0, 20) > vus_pr(truth, late, 20) > vus_pr(truth, late, 0)
    assert vus_pr(truth, np.roll(truth, 100), 20) < 0.1
    assert np.isnan(vus_pr(np.zeros(9), np.arange(9.0)))
    with pytest.raises(SettingsError, match="buffer"):
        vus_pr(truth, truth, -1)


def test_wilson_covers_as_often_as_it_says():
    low, high = np.array([wilson_interval(hits, 60) for hits in range(61)]).T
    assert ((low >= 0) & (high <= 1) & (low < high)).all()
    assert wilson_interval(0, 0) == (0.0, 1.0)
    covered = [
        binom.pmf(np.arange(61), 60, share)[(low <= share) & (share <= high)].sum()
        for share in np.linspace(0.05, 0.95, 37)
    ]
    assert np.mean(covered) == pytest.approx(0.9, abs=0.02)
    with pytest.raises(SettingsError):
        wilson_interval(3, 2)


def test_garwood_covers_at_least_as_often_as_it_says():
    rate, low, high = false_alarms_per_hour(0, 2.0)
    assert (rate, low, high) == pytest.approx((0.0, 0.0, -np.log(0.05) / 2.0))
    intervals = np.array([false_alarms_per_hour(count, 1.0) for count in range(60)])
    for mean in (0.3, 1.0, 5.0, 20.0):
        inside = (intervals[:, 1] <= mean) & (mean <= intervals[:, 2])
        assert poisson.pmf(np.arange(60), mean)[inside].sum() >= 0.899
    with pytest.raises(SettingsError, match="livetime"):
        false_alarms_per_hour(1, 0.0)


def test_bootstrap_draws_whole_groups():
    rng = np.random.default_rng(3)
    groups = [np.full(6, value) for value in rng.normal(size=200)]  # six windows that say the same thing
    interval = bootstrap_interval(np.mean, groups, seed=1, copies=1000)
    assert interval == bootstrap_interval(np.mean, groups, seed=1, copies=1000)
    assert interval != bootstrap_interval(np.mean, groups, seed=2, copies=1000)
    assert np.diff(interval)[0] == pytest.approx(2 * 1.645 / np.sqrt(200), rel=0.15)
    assert np.isnan(bootstrap_interval(np.mean, groups[:1])).all()


def test_a_sample_of_weight_two_is_measured_as_if_it_were_there_twice() -> None:
    noise = np.random.default_rng(7)
    truth, weight = noise.random(300) < 0.2, noise.integers(0, 4, 300)
    scores = np.round(noise.normal(size=300) + truth, 1)
    scores[:3] = np.nan
    twice = np.repeat(truth, weight), np.repeat(scores, weight)
    assert auroc(truth, scores, weight) == pytest.approx(auroc(*twice), abs=1e-12)
    assert average_precision(truth, scores, weight) == pytest.approx(average_precision(*twice), abs=1e-12)
    assert np.isnan(auroc(truth, scores, np.where(truth, 0, 1)))
    assert np.isnan(average_precision(truth, scores, np.where(truth, 0, 1)))
    spread = bootstrap_auroc(truth, scores, weight=weight)
    assert np.quantile(spread, 0.05) < auroc(truth, scores, weight) < np.quantile(spread, 0.95)
    with pytest.raises(SchemaError, match="weight of sample 0 is -1"):
        auroc(truth, scores, np.full(300, -1.0))
