"""Pulse sequence: one score per pulse, faults against the pulses before them, labels, and how streams are cut."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from lynkeus.core import Batch, Schema, SchemaError, SettingsError
from lynkeus.scorers.learned.pulse_sequence import LEAST_CENTRE, PulseSequence

SCHEMA = Schema("waveform", ("i", "q"), (), (2, 12), 1e5)
QUICK = {"epochs": 6, "batch_size": 32}


@dataclass(frozen=True)
class Given:
    batch: Batch

    @property
    def schema(self) -> Schema:
        return self.batch.schema

    def __iter__(self) -> Iterator[Batch]:
        for first in range(0, len(self.batch), 70):
            yield self.batch[first : first + 70]


def pulses(count: int, seed: int, faulty: int = 0) -> Batch:
    """Pulses of two cavities one after the other; every `faulty`-th has a drop in the second half, and is labelled."""
    draw = np.random.default_rng(seed)
    values = np.sin(np.arange(12) / 3) + 0.05 * draw.normal(size=(2 * count, 2, 12))
    truth = np.zeros(2 * count, np.int64)
    if faulty:
        truth[faulty::faulty] = 1
        values[truth == 1, :, 6:] -= 0.3
    meta = {"cavity": np.repeat(["C1", "C2"], count), "pid": np.tile(np.arange(count), 2)}
    return Batch(SCHEMA, values, truth=truth, meta=meta)


def separated(scorer: PulseSequence) -> float:
    """Share of faulty pulses above 95 % of the good ones."""
    batch = pulses(100, 9, faulty=10)
    scores, truth = scorer.score(batch)[:, 0], batch.truth
    return float(np.mean(scores[truth == 1] > np.quantile(scores[truth == 0], 0.95)))


@pytest.mark.parametrize("network", ["lstm", pytest.param("xfel_cavities", marks=pytest.mark.slow)])
def test_labelled_faults_are_told_from_good_pulses(network: str) -> None:
    scorer = PulseSequence(network=network, sequence=4, training=QUICK).fit(Given(pulses(200, 1, faulty=7)))
    assert separated(scorer) > 0.9


def test_without_labels_it_is_deep_svdd() -> None:
    scorer = PulseSequence(sequence=4, known_weight=0.0, training=QUICK).fit(Given(pulses(200, 1, faulty=7)))
    loss = scorer.history_.epochs[-1].losses
    assert loss["push"] == 0.0
    assert np.isfinite(scorer.score(pulses(20, 2))).all()


def test_the_published_sizes() -> None:
    task = PulseSequence(network="xfel_cavities").make_task((6, 182))
    shapes = sorted(tuple(weight.shape) for weight in task.networks.parameters())
    assert shapes == sorted([(1024, 1092), (1024, 256), (1024, 256), (1024, 256), (64, 256)])  # LSTM, LSTM, linear


def test_the_centre_is_fixed_and_no_coordinate_is_near_zero() -> None:
    task = PulseSequence().make_task((2, 12))
    task.start(torch.randn(50, 4, 24))
    centre = task.networks["one_class"].centre.clone()
    assert (centre.abs() >= LEAST_CENTRE - 1e-6).all()
    task.step(torch.randn(8, 4, 24), torch.zeros(8, dtype=torch.int64), lambda name, loss: loss.backward())
    assert torch.equal(task.networks["one_class"].centre, centre)
    assert not task.networks["one_class"].centre.requires_grad


def test_only_the_last_pulse_of_a_faulty_sequence_is_pushed_away() -> None:
    task = PulseSequence(norm_penalty=0.0).make_task((2, 12))
    x = torch.randn(3, 4, 24, requires_grad=True)
    task.start(x.detach())
    task.networks["one_class"].encoder.last.weight.data *= 10
    losses = task.step(x, torch.tensor([0, 1, 1]), lambda name, loss: None)
    distance = task.score(x) ** 2
    assert losses["pull"].item() == pytest.approx(distance[0].item())
    assert losses["push"].item() == pytest.approx((1 / distance[1:]).mean().item(), rel=1e-3)


def test_the_set_point_does_not_count() -> None:
    batch = pulses(20, 1)
    batch = Batch(Schema("waveform", ("probe_i", "probe_q"), (), (2, 12), 1e5), batch.values, meta=batch.meta)
    scorer = PulseSequence(sequence=2, training=QUICK).fit(Given(batch))
    turned = np.stack([-2 * batch.values[:, 1], 2 * batch.values[:, 0]], axis=1)
    np.testing.assert_allclose(scorer.score(batch.with_values(turned)), scorer.score(batch), rtol=1e-3)


def test_one_score_per_pulse_in_order_however_the_stream_is_cut() -> None:
    scorer = PulseSequence(sequence=5, training=QUICK).fit(Given(pulses(100, 1)))
    batch = pulses(40, 2)
    whole = scorer.score(batch)
    parts = []
    for low, high in ((0, 1), (1, 39), (39, 50), (50, 80)):
        parts.append(scorer.score(batch[low:high]))
        scorer.update(batch[low:high])
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-5)
    # The first pulses of a cavity are read with what there is: nothing of the cavity before.
    np.testing.assert_allclose(whole[40:], scorer_alone(scorer, batch[40:]), rtol=1e-5)


def scorer_alone(scorer: PulseSequence, batch: Batch) -> np.ndarray:
    scorer.resume({})
    return scorer.score(batch)


def test_bad_input_is_refused_in_words() -> None:
    with pytest.raises(SchemaError, match="not a table"):
        PulseSequence().fit(Given(Batch(Schema("table", ("a",), (), (1,)), np.zeros((9, 1)))))
    with pytest.raises(SettingsError, match="lstm, xfel_cavities"):
        PulseSequence(network="gru").fit(Given(pulses(20, 1)))
    with pytest.raises(SettingsError, match="sequence"):
        PulseSequence(sequence=0).fit(Given(pulses(20, 1)))
    empty = pulses(20, 1)
    empty.values[:] = np.nan
    with pytest.raises(SchemaError, match="to learn from"):
        PulseSequence(training=QUICK).fit(Given(empty))
    with pytest.raises(SchemaError, match="known to be faulty"):
        PulseSequence(training=QUICK).fit(Given(pulses(20, 1, faulty=1)[1:20]))
