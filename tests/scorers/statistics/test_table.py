"""Table against faults that each hide from another method; small, dirty and coarse references, and such with gaps."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lynkeus.core import Batch, Schema, SchemaError, SettingsError
from lynkeus.scorers.statistics.table import Table
from lynkeus.sources import InMemory

RNG = np.random.default_rng


def as_batch(rows: np.ndarray) -> Batch:
    return Batch(Schema("table", tuple(f"column {k}" for k in range(rows.shape[1])), shape=rows.shape[1:]), rows)


def scores(reference: np.ndarray, rows: np.ndarray, **settings: float) -> np.ndarray:
    """(n,) of a scorer fitted on the reference."""
    return Table(**settings).fit(InMemory(as_batch(reference))).score(as_batch(rows))[:, 0]


def auroc(good: np.ndarray, bad: np.ndarray) -> float:
    return float(roc_auc_score(np.repeat([0, 1], [len(good), len(bad)]), np.concatenate([good, bad])))


def tied(seed: int, n: int, columns: int = 5) -> np.ndarray:
    """Columns that follow one common quantity."""
    rng = RNG(seed)
    return rng.normal(size=(n, 1)) + 0.2 * rng.normal(size=(n, columns))


def shells(seed: int, n: int, radius: float = 1.0) -> np.ndarray:
    """Ten dense clusters of different widths in eight columns."""
    centres, width = RNG(99).normal(size=(10, 8)), 0.05 * 1.2 ** np.arange(10)[:, None]
    rng, which = RNG(seed), RNG(seed).integers(10, size=n)
    return centres[which] + radius * width[which] * rng.normal(size=(n, 8))


def test_a_broken_correlation_is_seen_where_every_column_alone_is_usual() -> None:
    """Mahalanobis's distance is the best that can be done here, the farthest column is blind."""
    bad = tied(3, 300)
    bad[:, 2] = RNG(4).permutation(bad[:, 2])
    rows = np.vstack([tied(2, 300), bad])
    inverse = np.linalg.inv(np.cov(tied(1, 2000).T))
    best = auroc(*np.split(np.einsum("ni,ij,nj->n", rows, inverse, rows), 2))
    assert best > 0.8
    assert auroc(*np.split(scores(tied(1, 2000), rows), 2)) > best - 0.02
    assert auroc(*np.split(np.abs(rows).max(axis=1), 2)) < 0.6


def test_what_is_far_in_a_dense_region_is_seen_beside_wide_ones() -> None:
    reference, good, bad = shells(1, 1500), shells(2, 300), shells(3, 300, radius=2.5)
    found = auroc(*np.split(scores(reference, np.vstack([good, bad])), 2))
    plain = [np.sort(np.linalg.norm(row - reference, axis=1))[4] for row in np.vstack([good, bad])]
    assert found > 0.9
    assert found > auroc(*np.split(np.array(plain), 2)) + 0.05


@pytest.mark.parametrize("resting", [0.0, 5.0, -1e6])
@pytest.mark.parametrize("change", [1e-3, 1.0, -1e5])
def test_a_constant_column_that_wakes_up_is_anomalous_and_named(resting: float, change: float) -> None:
    reference, rows = tied(1, 800), tied(2, 200)
    reference[:, 3], rows[:, 3] = resting, resting
    scorer = Table().fit(InMemory(as_batch(reference)))
    asleep = scorer.score(as_batch(rows))[:, 0]
    rows[:, 3] += change
    assert (scorer.score(as_batch(rows))[:, 0] > np.quantile(asleep, 0.99)).all()
    assert (scorer.explain(as_batch(rows)).argmax(axis=1) == 3).mean() > 0.95


@pytest.mark.parametrize("rows", [8, 30])
def test_fewer_rows_than_columns_are_enough(rows: int) -> None:
    rng = RNG(0)
    reference, good = rng.normal(size=(rows, 60)), rng.normal(size=(100, 60))
    bad = good + 1.5 * rng.normal(size=good.shape)
    assert auroc(*np.split(scores(reference, np.vstack([good, bad])), 2)) > 0.95


def test_too_few_rows_and_what_is_no_table_are_refused_in_words() -> None:
    with pytest.raises(SchemaError, match="needs 8 rows"):
        scores(np.zeros((7, 3)), np.zeros((1, 3)))
    windows = Batch(Schema("waveform", ("a",), shape=(1, 4)), np.zeros((20, 1, 4)))
    with pytest.raises(SchemaError, match="not a waveform"):
        Table().fit(InMemory(windows))
    with pytest.raises(SettingsError, match="left_out"):
        Table(left_out=0.9)


@pytest.mark.parametrize("kind", [np.int16, np.uint8, bool, np.float32])
def test_duplicates_integers_and_flags(kind: Callable[..., np.ndarray]) -> None:
    """Five patterns of flags, each hundreds of times; what is none of them is anomalous."""
    patterns = np.eye(6)[:5] + np.eye(6)[1:]
    reference = np.repeat(patterns, 200, axis=0).astype(kind)
    strange = (np.eye(6)[[0, 3]] + np.eye(6)[[4, 0]]).astype(kind)
    seen = scores(reference, np.vstack([patterns.astype(kind), strange]))
    assert np.isfinite(seen).all()
    assert seen[5:].min() > seen[:5].max() + 1


def test_one_row_repeated_is_all_that_is_normal() -> None:
    seen = scores(np.ones((50, 3)), np.array([[1.0, 1.0, 1.0], [1.0, 2.0, 1.0]]))
    assert np.isfinite(seen).all()
    assert seen[1] > seen[0] + 1


def test_leaving_out_helps_a_reference_with_a_cluster_of_faults() -> None:
    rng = RNG(0)
    fault = np.full(6, 2.5) + 0.1 * rng.normal(size=(400, 6))
    reference = np.vstack([rng.normal(size=(1800, 6)), fault[:200]])
    rows = np.vstack([rng.normal(size=(200, 6)), fault[200:]])
    good, bad = np.split(scores(reference, rows, left_out=0.15), [200])
    assert auroc(good, bad) > 0.95
    assert auroc(*np.split(scores(reference, rows), [200])) < 0.9


def test_a_missing_value_is_filled_from_the_others_and_infinity_is_missing(agree: Callable[..., None]) -> None:
    reference, rows = tied(1, 2000), tied(2, 300)
    reference[RNG(5).random(reference.shape) < 0.05] = np.nan
    scorer = Table().fit(InMemory(as_batch(reference)))
    whole = scorer.score(as_batch(rows))[:, 0]
    gaps = rows.copy()
    gaps[:, 1] = np.nan
    filled = scorer.score(as_batch(gaps))[:, 0]
    assert np.median(filled) < np.median(whole) + 0.5
    assert (scorer.explain(as_batch(gaps))[:, 1] == 0).all()
    gaps[:, 1] = np.inf
    agree(scorer.score(as_batch(gaps))[:, 0], filled)
    gaps[0, :3] = np.nan
    assert np.isnan(scorer.score(as_batch(gaps))[0])


def test_a_column_that_was_never_there_speaks_for_nothing(agree: Callable[..., None]) -> None:
    reference, rows = tied(1, 500), tied(2, 100)
    reference[:, 4] = np.nan
    scorer = Table().fit(InMemory(as_batch(reference)))
    low = scorer.score(as_batch(rows))
    rows[:, 4] += 100.0
    agree(scorer.score(as_batch(rows)), low)


def test_evidence_adds_up_to_the_score() -> None:
    scorer = Table().fit(InMemory(as_batch(tied(1, 800))))
    rows = as_batch(3.0 * tied(2, 100))
    np.testing.assert_allclose(scorer.explain(rows).sum(axis=1), scorer.score(rows)[:, 0])


def test_heavy_tails_and_enormous_values_stay_finite_and_in_order() -> None:
    reference = RNG(0).standard_cauchy(size=(1000, 4))
    rows = np.zeros((5, 4))
    rows[:, 0] = [0.0, 1e4, 1e6, 1e12, 1e100]
    seen = scores(reference, rows)
    assert np.isfinite(seen).all()
    assert (np.diff(seen) > 0).all()


def test_rows_of_the_reference_score_like_unseen_ones() -> None:
    reference = tied(1, 1500)
    scorer = Table().fit(InMemory(as_batch(reference)))
    known, unseen = (np.median(scorer.score(as_batch(rows))) for rows in (reference, tied(2, 1500)))
    assert abs(known / unseen - 1) < 0.1


def test_a_long_stream_is_learned_from_a_sample() -> None:
    scorer = Table(sample=300).fit(InMemory(as_batch(tied(1, 5000)), batch_size=700))
    assert scorer.local_.points.shape == (300, 5)
