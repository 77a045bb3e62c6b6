"""Classifier: two classes or many, with their names; labels it cannot use are refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, SettingsError, plugins
from lynkeus.metrics.rates import auroc
from lynkeus.scorers.learned.classifier import Classifier
from lynkeus.sources import InMemory

PLANE = Schema("table", ("x", "y"), (), (2,))
QUICK = {"epochs": 15}
PLACES = ((0.0, 0.0), (4.0, 0.0), (0.0, 4.0))


def plane(seed: int, counts: tuple[int, ...], first: int = 0) -> Batch:
    """A cloud for each class, of which the first is good."""
    rng = np.random.default_rng(seed)
    values = [rng.normal(size=(count, 2)) + place for count, place in zip(counts, PLACES, strict=False)]
    return Batch(PLANE, np.concatenate(values), truth=first + np.repeat(np.arange(len(counts)), counts))


def test_more_labels_help() -> None:
    test = plane(9, (500, 100, 100))
    few, many = (
        Classifier(classes=("right", "above"), training=QUICK).fit(InMemory(plane(1, (500, n, n)))) for n in (1, 25)
    )
    names = np.array(["", "right", "above"])[test.truth]
    faulty = test.truth != 0
    shares = [np.mean(scorer.classify(test)[faulty] == names[faulty]) for scorer in (few, many)]
    assert shares[1] > shares[0]
    assert shares[1] > 0.85
    assert auroc(faulty, many.score(test)[:, 0]) > 0.98


def test_two_labels_have_one_output() -> None:
    test = plane(2, (300, 100))
    scorer = Classifier(training=QUICK).fit(InMemory(plane(1, (500, 40))))
    assert scorer.outputs == ("anomaly",)
    assert scorer.score(test).shape == (400, 1)
    assert set(scorer.classify(test)) == {"", "anomalous"}
    assert auroc(test.truth, scorer.score(test)[:, 0]) > 0.98


def test_classes_are_named_on_the_command_line_or_by_number(tmp_path: Path, agree: Callable[..., None]) -> None:
    train = InMemory(plane(1, (300, 30, 30)))
    named = plugins.make_scorer("classifier", {"classes": "right,above", "training": QUICK}).fit(train)
    assert named.outputs == ("anomaly", "right", "above")
    numbered = Classifier(training=QUICK).fit(train)
    assert numbered.outputs == ("anomaly", "class_1", "class_2")
    test = plane(2, (50, 50, 50))
    assert named.score(test).shape == (150, 3)
    expected = numbered.score(test)  # training multiplies what was rounded, see tests/training/test_loop
    np.testing.assert_allclose(named.score(test), expected, rtol=0, atol=1e-3 * np.abs(expected).max())
    named.save(tmp_path / "model")
    loaded = Classifier.load(tmp_path / "model")
    assert loaded.outputs == named.outputs
    agree(loaded.score(test), named.score(test), single=True)
    assert (loaded.classify(test) == named.classify(test)).mean() > 0.99  # one on the border may fall to either side
    assert named.explain(test[:3], "above").shape == (3, 2)


def test_labels_that_it_cannot_use_are_refused() -> None:
    with pytest.raises(SettingsError, match="label 2 has no name, only 1 have"):
        Classifier(classes=("right",)).fit(InMemory(plane(1, (30, 30, 30))))
    with pytest.raises(SettingsError, match="all labels are 0"):
        Classifier().fit(InMemory(plane(1, (30,))))
    with pytest.raises(SettingsError, match="all labels are 1"):
        Classifier().fit(InMemory(plane(1, (30,), first=1)))
    with pytest.raises(SettingsError, match="negative"):
        Classifier().fit(InMemory(plane(1, (30, 30), first=-1)))
