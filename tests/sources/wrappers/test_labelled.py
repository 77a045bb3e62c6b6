"""What is known of samples: labels of their own, verdicts, and stretches that are held out."""

from __future__ import annotations

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, SettingsError, SourceError, concatenate
from lynkeus.sources import Blocks, Good, InMemory, Labelled

SECOND = 1_000_000_000


def rows(n: int = 1000, truth: np.ndarray | None = None, timed: bool = True) -> InMemory:
    values = np.arange(n, dtype=float)[:, None]
    time_ns = np.arange(n, dtype=np.int64) * SECOND if timed else None
    return InMemory(Batch(Schema("table", ("x",), (), (1,)), values, time_ns, truth=truth), batch_size=300)


def labels(n: int = 1000) -> np.ndarray:
    truth = np.zeros(n, np.int64)
    truth[100:110] = 1
    return truth


def test_labels_are_hidden_unless_they_are_asked_for() -> None:
    assert concatenate(list(Labelled(rows(truth=labels()), ""))).truth is None
    joined = concatenate(list(Labelled(rows(truth=labels()), "y")))
    np.testing.assert_array_equal(joined.truth, labels())
    known = Labelled(rows(truth=labels()), "y").check("known", "deep_sad", 0)
    assert (known.good, known.anomalies, known.timed) == (990, 10, True)
    assert len(concatenate(list(Good(Labelled(rows(truth=labels()), "y"))))) == 990


def test_verdicts_label_what_they_touch_and_overrule_labels() -> None:
    intervals = ((200 * SECOND, 203 * SECOND, 1), (100 * SECOND, 105 * SECOND, 0))
    truth = concatenate(list(Labelled(rows(truth=labels()), "y", intervals))).truth
    assert set(np.flatnonzero(truth)) == {*range(105, 110), 200, 201, 202}
    with pytest.raises(SourceError, match="no times, so verdicts on alarms cannot be matched"):
        list(Labelled(rows(timed=False), "", intervals))


@pytest.mark.parametrize(
    ("truth", "own", "uses", "says"),
    [
        (None, "y", "", "the data have no labels 'y'"),
        (np.arange(1000) % 3, "y", "known", r"labels must be 0 for good and 1 for anomalous; found 2"),
        (np.arange(1000) % 3 - 1, "y", "", r"labels must be 0 for good and 1 for anomalous; found -1"),
        (np.arange(1000) % 3 - 1, "y", "classes", "found -1"),
        (np.zeros(1000, int), "y", "known", "deep_sad learns from known anomalies, and none is labelled"),
        (labels(), "", "known", "give --labels NAME or --verdicts URL"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(truth, own: str, uses: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Labelled(rows(truth=truth), own).check(uses, "deep_sad", 0)


def test_held_out_stretches_and_the_rest_are_the_whole_and_known_anomalies_stay() -> None:
    held_out = Blocks.held_out(990, 5)
    assert held_out.mean() == pytest.approx(0.2, abs=0.02)
    assert np.count_nonzero(np.diff(held_out.astype(int)) == 1) == 10
    source = Labelled(rows(truth=labels()), "y")
    kept = concatenate(list(Blocks(source, 990, 5)))
    good = concatenate(list(source.good)).values[:, 0]
    np.testing.assert_array_equal(kept.values[kept.truth == 0, 0], good[~held_out])
    assert (kept.truth == 1).sum() == 10
