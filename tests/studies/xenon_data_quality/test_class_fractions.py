"""Shares of classes: right on average, with intervals that hold, for rare and absent classes too."""

import numpy as np
import pytest
from scipy.stats import binom

from lynkeus.core import SchemaError
from lynkeus.simulate.pulses.source import CLASSES, draw_pulses
from lynkeus.studies.xenon_data_quality.class_fractions import class_fractions, confusion_counts
from lynkeus.studies.xenon_data_quality.pulse_classes import PulseClassifier

CONFUSION = np.array([[900, 30, 50, 20], [10, 960, 0, 30], [60, 0, 940, 0], [5, 15, 0, 980]]) / 1000
USUAL, RARE, ABSENT = (0.10, 0.20, 0.30, 0.40), (0.002, 0.098, 0.30, 0.60), (0.0, 0.20, 0.30, 0.50)


def toys(share: tuple[float, ...], runs: int = 300, pulses: int = 2000, known: int = 4000) -> tuple:
    """What pulses were called, and a confusion matrix of its own, counted on known pulses of each class."""
    draw = np.random.default_rng(1)
    confusion = np.stack([draw.multinomial(known, row) for row in CONFUSION])
    return draw.multinomial(pulses, np.array(share) @ CONFUSION, size=runs), confusion


@pytest.mark.parametrize("share", [USUAL, RARE, ABSENT])
def test_shares_are_right_and_their_errors_hold(share):
    called, confusion = toys(share)
    found = class_fractions(called, confusion)
    np.testing.assert_allclose(found.value.sum(axis=1), 1, atol=1e-9)
    width = (found.high - found.low).mean(axis=0) / 2
    # A share cannot be negative: what is absent, or nearly so, is a little too large on average.
    assert (np.abs(found.value.mean(axis=0) - share) < np.where(np.array(share) > 0.01, 0.25, 0.75) * width).all()
    covered = ((found.low <= share) & (share <= found.high)).mean(axis=0)
    assert (covered > binom.ppf(0.005, 300, 0.6827) / 300 - 0.02).all()
    assert (covered[np.array(share) > 0.01] < binom.ppf(0.995, 300, 0.6827) / 300 + 0.03).all()
    assert (width < 1.5 * np.sqrt(np.array(share) / 2000) + 0.0035).all()


def test_without_the_correction_they_would_be_wrong():
    called, confusion = toys(RARE)
    naive = (called / 2000).mean(axis=0)
    assert naive[0] > 10 * RARE[0]  # most of what is called so is something else
    assert class_fractions(called, confusion).value[:, 0].mean() == pytest.approx(RARE[0], abs=0.002)


def test_few_and_no_pulses():
    found = class_fractions(np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 3, 0, 0]]), 1000 * CONFUSION)
    assert np.isnan(found.value[0]).all()
    assert np.isnan(found.high[0]).all()
    assert found.value[1].argmax() == 0
    assert found.high[1, 3] > 0.3  # one pulse says little
    assert (found.low[1:] <= found.value[1:]).all()
    assert (found.high[1:] >= found.value[1:]).all()


def test_two_classes_that_are_never_confused_give_the_interval_of_a_binomial_share():
    found = class_fractions(np.array([[400, 1600]]), 10_000_000 * np.eye(2))
    assert found.value[0, 0] == pytest.approx(0.2, abs=1e-4)
    assert (found.high - found.low)[0, 0] / 2 == pytest.approx(np.sqrt(0.2 * 0.8 / 2000), rel=0.02)


@pytest.mark.parametrize(
    ("called", "confusion"),
    [([[1, 2]], [[5, 1], [0, 0]]), ([[1, -2]], [[5, 1], [1, 5]]), ([[1, 2, 3]], [[5, 1], [1, 5]])],
)
def test_what_cannot_be_unfolded_is_refused(called, confusion):
    with pytest.raises(SchemaError, match="known pulses of every class"):
        class_fractions(np.array(called), np.array(confusion))


@pytest.mark.slow(5)
def test_fractions_of_simulated_runs():
    kinds = len(CLASSES)
    train, known = draw_pulses(5000, np.random.default_rng(2)), draw_pulses(8000, np.random.default_rng(3))
    classifier = PulseClassifier.fit(train.quantities, train.truth, kinds)
    confusion = confusion_counts(known.truth, classifier.classify(known.quantities), kinds)
    pulls = []
    for run in range(8):
        pulses = draw_pulses(2000, np.random.default_rng([4, run]))
        called = np.bincount(classifier.classify(pulses.quantities), minlength=kinds)
        found, truth = class_fractions(called[None], confusion), np.bincount(pulses.truth, minlength=kinds) / 2000
        assert (found.value[0] > 0.3 * truth).all()
        pulls.append((found.value[0] - truth) / ((found.high - found.low)[0] / 2))
    assert np.abs(pulls).max() < 2.5  # against the run's own pulses, whose counts have no error
    assert np.abs(np.mean(pulls, axis=0)).max() < 0.75
