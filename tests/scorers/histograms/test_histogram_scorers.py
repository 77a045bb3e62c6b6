"""Scorers of histograms against independent formulae and planted faults."""

import numpy as np
import pytest
from scipy import stats

from lynkeus.core import Batch, Book, Plot, SchemaError, SettingsError
from lynkeus.scorers.combine.run_histograms import RunHistograms, stabilised
from lynkeus.scorers.histograms.beta_binomial import BetaBinomial, _log_p
from lynkeus.scorers.histograms.binned_chi2 import BinnedChi2
from lynkeus.scorers.histograms.histogram_pca import HistogramPca
from lynkeus.scorers.histograms.kolmogorov import Kolmogorov
from lynkeus.sources import InMemory

EDGES = tuple(np.linspace(-3, 3, 31).tolist())
BOOK = Book((Plot("x", ("x",), (EDGES,)), Plot("y", ("y",), (EDGES,))))
INSIDE = np.concatenate([[-np.inf], EDGES, [np.inf]])


def run(rng, count, *, shift=0.0, drift=0.0, new=0):
    x = np.concatenate([rng.normal(drift + shift, 1, count - new), rng.normal(2.8, 0.1, new)])
    return np.concatenate([np.histogram(values, INSIDE)[0] for values in (x, rng.normal(0, 1, count))])


def batch(seed, runs=40, count=1000, wander=0.0, **fault):
    rng = np.random.default_rng(seed)
    rows = [run(rng, count, drift=wander * rng.normal(), **fault) for _ in range(runs)]
    return Batch(BOOK.schema, np.array(rows, float))


SCORERS = (BinnedChi2, Kolmogorov, BetaBinomial, HistogramPca)


@pytest.mark.parametrize("kind", SCORERS)
def test_the_plot_that_changed_is_the_one_that_is_conspicuous(kind):
    scorer = kind().fit(InMemory(batch(0, 80)))
    sigma = scorer.plot_sigma(batch(1, shift=0.25))
    assert np.median(sigma[:, 0]) > 3
    assert np.median(np.abs(sigma[:, 1])) < 1.5
    assert scorer.score(batch(2, 200)).max() < 5


@pytest.mark.parametrize("kind", [BinnedChi2, BetaBinomial, HistogramPca])
def test_a_few_new_events_in_an_empty_region_are_seen(kind):
    scorer = kind().fit(InMemory(batch(0, 80)))
    assert np.median(scorer.score(batch(1, new=15))) > np.quantile(scorer.score(batch(2)), 0.95)


def test_kolmogorov_is_that_of_scipy():
    reference = batch(0, 300, 2000)
    scorer = Kolmogorov().fit(InMemory(reference))
    counts = batch(1, 1, 500, shift=0.15).values[0, :32]
    pooled = reference.values[:, :32].sum(axis=0)
    events = [np.repeat(np.arange(32), one.astype(int)) for one in (counts, pooled)]
    expected = stats.norm.isf(stats.ks_2samp(*events, method="asymp").pvalue)
    found = scorer._deviates(batch(1, 1, 500, shift=0.15).values)[0, 0]
    assert found == pytest.approx(expected, abs=0.25)  # with the correction for few events


def test_the_beta_binomial_is_that_of_scipy():
    counts, a, b = np.array([0.0, 3.0, 40.0]), np.array([0.5, 7.0, 80.0]), np.array([900.0, 993.0, 920.0])
    np.testing.assert_allclose(_log_p(counts, 500.0, a, b), stats.betabinom.logpmf(counts, 500, a, b), rtol=1e-9)


def test_more_reference_runs_see_more():
    source, bad = InMemory(batch(0, 100)), batch(1, shift=0.1)
    one, many = (np.median(BetaBinomial(references=count).fit(source).score(bad)) for count in (1, 16))
    assert many > one


def test_a_tolerance_hides_what_is_smaller():
    source, bad = InMemory(batch(0, 100, 20_000)), batch(1, 20, 20_000, shift=0.03)
    strict, loose = (np.median(BetaBinomial(tolerance=share).fit(source).explain(bad) ** 2) for share in (0.0, 0.2))
    assert loose < 0.5 * strict


def test_pca_bears_what_good_runs_do_and_nothing_else():
    scorer = HistogramPca().fit(InMemory(batch(0, 100, 5000, wander=0.1)))
    assert np.median(scorer.score(batch(1, 40, 5000, shift=0.1))) < 1.0
    assert np.median(scorer.score(batch(2, 40, 5000, new=60))) > 3.0
    assert (scorer.directions_[0, 0] != 0).any()
    assert not scorer.directions_[1].any()


def test_pulls_point_at_the_bins_that_changed():
    for kind in SCORERS:
        pulls = kind().fit(InMemory(batch(0, 40))).explain(batch(1, 10, new=30))
        assert set(pulls.argmax(axis=1)) <= {29, 30}  # 2.6 to 3


def test_a_plot_with_negative_bins_is_not_judged():
    scorer, some = BinnedChi2().fit(InMemory(batch(0))), batch(1, 2)
    some.values[0, 3] = -1.0
    assert np.isnan(scorer.plot_sigma(some)).tolist() == [[True, False], [False, False]]
    assert np.isfinite(scorer.score(some)).all()


def test_what_cannot_be_done_is_said():
    flat = Book((Plot("x : y", ("x", "y"), (EDGES, EDGES)),))
    with pytest.raises(SchemaError, match="one variable"):
        Kolmogorov().fit(InMemory(Batch(flat.schema, np.ones((3, 1024)))))
    with pytest.raises(SettingsError, match="references"):
        BetaBinomial(references=0).fit(InMemory(batch(0)))
    with pytest.raises(SettingsError, match="cannot score runs from within"):
        RunHistograms(scorer="binned_chi2").fit(InMemory(batch(0)))
    with pytest.raises(SettingsError, match="letant"):
        RunHistograms(options={"letant": 3}).fit(InMemory(batch(0)))


def test_counts_are_brought_to_variance_one_at_any_rate():
    rng = np.random.default_rng(0)
    for rate in (0.3, 2.0, 30.0, 3000.0):
        found = stabilised(rng.poisson(rate, 20_000).astype(float), np.full(20_000, rate))
        assert found.mean() == pytest.approx(0.0, abs=0.03)
        assert found.std() == pytest.approx(1.0, abs=0.03)
    assert stabilised(np.array([3.0]), np.array([0.0])) == 0


@pytest.mark.parametrize("inner", ["one_class_svm", "sequence_to_sequence"])
def test_scorers_of_tables_and_of_waveforms_read_runs(inner):
    options = {} if inner == "one_class_svm" else {"training": {"epochs": 2}, "width": 8}
    scorer = RunHistograms(scorer=inner, options=options).fit(InMemory(batch(0, 40)))
    good, bad = scorer.score(batch(1)), scorer.score(batch(2, shift=0.6))
    assert np.median(bad) > good.max()
