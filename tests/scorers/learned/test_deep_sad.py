"""Deep SAD: five labels help on their own kind of fault, and it does not go blind for the others."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lynkeus.core import Batch, Schema, SchemaError
from lynkeus.metrics.rates import auroc
from lynkeus.scorers.learned.deep_sad import DeepSad
from lynkeus.scorers.learned.deep_svdd import DeepSvdd
from lynkeus.sources import Good, InMemory
from lynkeus.training.soften import softened

PLANE = Schema("table", ("x", "y"), (), (2,))
QUICK = {"epochs": 12}


def plane(seed: int, known: int, unseen: int = 0) -> Batch:
    """A long cloud; class 1 at its far end, where good points are rare but usual; class 2 beside it."""
    rng = np.random.default_rng(seed)
    good = rng.normal(size=(800, 2)) * (3.0, 0.5)
    end = (5.0, 0.0) + 0.4 * rng.normal(size=(known, 2))
    beside = (0.0, -2.2) + 0.2 * rng.normal(size=(unseen, 2))
    truth = np.repeat([0, 1, 2], [800, known, unseen])
    return Batch(PLANE, np.concatenate([good, end, beside]), truth=truth)


def areas(scorer: DeepSad | DeepSvdd, test: Batch) -> tuple[float, float]:
    """AUROC of each class."""
    scores = scorer.score(test)[:, 0]
    kept = [test.truth != other for other in (2, 1)]
    return auroc(test.truth[kept[0]], scores[kept[0]]), auroc(test.truth[kept[1]], scores[kept[1]])


def test_five_labels_help_and_the_other_faults_are_still_seen() -> None:
    """The far end is nothing new without labels; what is beside the cloud is seen with and without."""
    train, test = InMemory(plane(1, 5)), plane(2, 150, 150)
    without = areas(DeepSvdd(training=QUICK).fit(Good(train)), test)
    few = areas(DeepSad(training=QUICK).fit(train), test)
    assert without[0] < 0.8 < 0.85 < few[0]
    assert few[1] > 0.97


def test_without_labels_it_is_a_one_class_scorer() -> None:
    test = plane(2, 150, 150)
    assert areas(DeepSad(training=QUICK).fit(Good(InMemory(plane(1, 5)))), test)[1] > 0.97


def test_good_samples_score_from_zero_to_one() -> None:
    scores = DeepSad(training=QUICK).fit(InMemory(plane(1, 5))).score(plane(3, 0))[:, 0]
    assert -0.5 < np.median(scores) < 0.7
    assert 0.6 < np.quantile(scores, 0.95) < 1.8


def test_it_is_the_same_after_a_round_trip(tmp_path: Path, agree: Callable[..., None]) -> None:
    scorer, test = DeepSad(training={"epochs": 2}).fit(InMemory(plane(1, 5))), plane(2, 5)
    scorer.save(tmp_path / "model")
    agree(DeepSad.load(tmp_path / "model").score(test), scorer.score(test), single=True)


def test_softer_copies_lie_between_a_fault_and_a_good_sample() -> None:
    x = torch.tensor([[0.0], [1.0], [10.0], [10.0]])
    y = torch.tensor([0, 0, 1, 2])
    soft = torch.cat([softened(x, y, 0.5) for _ in range(200)], dim=1)
    assert torch.equal(soft[:2], x[:2].expand(2, 200))
    assert soft[2:].min() >= 5.0
    assert soft[2:].max() <= 10.0
    assert soft[2:].std() > 1.0
    assert softened(x, y, 1.0) is x
    assert torch.equal(softened(x[2:], y[2:], 0.5), x[2:])


def test_nothing_to_learn_from_is_refused() -> None:
    with pytest.raises(SchemaError, match="nothing to learn"):
        DeepSad().fit(InMemory(Batch(PLANE, np.full((30, 2), np.nan), truth=np.zeros(30, int))))
