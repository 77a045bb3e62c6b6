"""Energy distance, two-sample classifier, mixture and single events against independent formulae and planted faults."""

from functools import cache

import numpy as np
import pytest
from scipy.stats import energy_distance, kstest

from lynkeus.core import Batch, Schema, SchemaError, SettingsError
from lynkeus.scorers.combine.run_events import RunEvents
from lynkeus.scorers.events.energy_distance import EnergyDistance
from lynkeus.scorers.events.mixture import EventMixture
from lynkeus.scorers.events.two_sample_classifier import TwoSampleClassifier
from lynkeus.sources import InMemory
from lynkeus.transforms.standard_events import StandardEvents

SCHEMA = Schema("cloud", ("area", "ratio"), ("phd", ""), (None, 2))


def run(rng, count, *, moved=1.0, gone=False, new=0):
    """Two populations in a column of wide range, and a column that goes with it."""
    first = rng.random(count) < (0.0 if gone else 0.3)
    area = np.exp(np.where(first, rng.normal(3, 0.1, count), rng.normal(6, 1.2, count))) * moved
    ratio = np.log(area / moved) + rng.normal(0, 0.3, count)
    ratio[:new] += 2.0
    return np.stack([area, ratio], axis=1)


def batch(seed, runs=24, count=400, **fault):
    rng = np.random.default_rng(seed)
    return Batch(SCHEMA, np.stack([run(rng, count, **fault) for _ in range(runs)]), mask=np.ones((runs, count), bool))


@cache
def fitted(kind):
    return kind().fit(InMemory(batch(0, 30, 300)))


@pytest.mark.slow(2)
@pytest.mark.parametrize("kind", [EnergyDistance, TwoSampleClassifier, EventMixture])
@pytest.mark.parametrize("fault", [{"moved": 1.35}, {"gone": True}])
def test_a_shift_and_a_population_that_is_gone_are_seen(kind, fault):
    assert np.median(fitted(kind).score(batch(1, **fault))) > fitted(kind).score(batch(2)).max()


def test_a_few_new_events_are_seen_by_the_mixture_and_explained():
    scorer, bad = fitted(EventMixture), batch(1, new=12)
    assert np.median(scorer.score(bad)) > scorer.score(batch(2)).max()
    evidence = scorer.explain(bad).sum(axis=2)
    assert evidence[:, :12].mean() > 5 * evidence[:, 12:].mean()


def test_the_energy_distance_is_that_of_scipy():
    rng, scorer = np.random.default_rng(3), EnergyDistance(most=200)
    scorer.reference_ = rng.normal(size=(200, 1))
    scorer.within_ = float(scorer._kernel(scorer.reference_, scorer.reference_).mean())
    sample = rng.normal(0.5, 1, (150, 1))
    expected = energy_distance(sample[:, 0], scorer.reference_[:, 0]) ** 2
    assert scorer._statistic(sample) ** 3 == pytest.approx(expected * 150 * 200 / 350, rel=1e-6)


def test_a_gaussian_kernel_can_be_had_and_no_other():
    scorer = EnergyDistance(kernel="rbf").fit(InMemory(batch(0, 8, 150)))
    assert np.median(scorer.score(batch(1, gone=True))) > np.median(scorer.score(batch(2)))
    with pytest.raises(SettingsError, match="kernel"):
        EnergyDistance(kernel="cubic").fit(InMemory(batch(0, 2)))
    with pytest.raises(SettingsError, match="model"):
        TwoSampleClassifier(model="oracle").fit(InMemory(batch(0, 2)))


@pytest.mark.slow(3)
def test_trees_can_tell_runs_apart_too():
    scorer = TwoSampleClassifier(model="boosting").fit(InMemory(batch(0, 2, 200)))
    assert np.median(scorer.score(batch(1, 1, 200, gone=True))) > scorer.score(batch(2, 2, 200)).max()


def test_a_good_run_is_as_rare_as_the_mixture_says():
    p_value = 10 ** -fitted(EventMixture).score(batch(5, 200))[:, 0]
    assert (p_value < 0.05).mean() < 0.15
    assert kstest(p_value, "uniform").statistic < 0.35


@pytest.mark.parametrize("inner", ["one_class_svm", "sequence_to_sequence"])
def test_scorers_of_single_events_see_new_ones(inner):
    options = {"landmarks": 100} if inner == "one_class_svm" else {"training": {"epochs": 2}, "width": 8}
    scorer = RunEvents(scorer=inner, options=options, sample=1500).fit(InMemory(batch(0, 24)))
    assert scorer.explain(batch(1, 2)).shape == (2, 400, 2)
    assert np.median(scorer.score(batch(1, new=60))) > np.median(scorer.score(batch(2)))


def test_masked_and_missing_events_do_not_count(agree):
    scorer, some = fitted(EventMixture), batch(7, 3)
    longer = np.concatenate([some.values, np.full((3, 50, 2), 1e9)], axis=1)
    mask = np.arange(450) < 400
    padded = Batch(SCHEMA, longer, mask=np.tile(mask, (3, 1)))
    agree(scorer.score(padded), scorer.score(some))
    longer[:, 400:] = np.nan
    agree(scorer.score(Batch(SCHEMA, longer)), scorer.score(some))
    assert not scorer.explain(padded)[:, 400:].any()


def test_wide_columns_are_logarithmic_and_missing_values_at_the_centre():
    events, pool = StandardEvents.fit(InMemory(batch(0, 20)), "it", 5000, 0)
    assert events.scale.log == (True, False)
    assert np.quantile(pool, [0.16, 0.84], axis=0) == pytest.approx(np.array([[-1, -1], [1, 1]]), abs=0.6)
    assert events.of(np.array([[np.nan, np.inf], [-1.0, 1e300]])).tolist() == [[0, 0], [0, 10]]


def test_too_few_events_to_learn_from_are_said():
    with pytest.raises(SchemaError, match="too few"):
        EventMixture().fit(InMemory(batch(0, 1, 10)))
    with pytest.raises(SchemaError, match="not a table"):
        EventMixture().fit(InMemory(Batch(Schema("table", ("a",), (), (1,)), np.zeros((3, 1)))))
