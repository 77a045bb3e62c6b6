"""A learned scorer that is worse than the largest deviation in sigmas says so when it is fitted."""

import numpy as np

from lynkeus.core import Batch, Schema
from lynkeus.fitting.self_check import SelfCheck, self_check
from lynkeus.sources import InMemory


class _ByLargest:
    """Scores a sample by its largest deviation, or by nothing at all."""

    outputs = ("anomaly",)

    def __init__(self, blind: bool) -> None:
        self.blind = blind

    def score(self, batch: Batch) -> np.ndarray:
        if self.blind:
            return batch.values.reshape(len(batch), -1)[:, :1].astype(float)
        return np.abs(batch.values).reshape(len(batch), -1).max(axis=1, keepdims=True)


def _source(*shape: int) -> InMemory:
    kind = "table" if len(shape) == 2 else "waveform"
    names = tuple(f"c{k}" for k in range(shape[1]))
    values = np.random.default_rng(0).normal(size=shape)
    return InMemory(Batch(Schema(kind, names, shape=shape[1:]), values))


def test_a_blind_scorer_is_told_from_one_that_sees() -> None:
    for shape in ((300, 4), (300, 3, 40)):
        good = _source(*shape)
        seeing, blind = self_check(_ByLargest(False), good), self_check(_ByLargest(True), good)
        assert seeing is not None
        assert blind is not None
        assert abs(seeing.scorer - seeing.largest) < 0.02
        assert not seeing.lines("seeing")
        assert blind.scorer < blind.largest - 0.2
        assert "blind finds small deviations" in blind.lines("blind")[0]


def test_what_cannot_be_checked_is_not() -> None:
    assert self_check(_ByLargest(False), _source(10, 4)) is None  # too few
    constant = InMemory(Batch(Schema("table", ("a",), shape=(1,)), np.ones((100, 1))))
    assert self_check(_ByLargest(False), constant) is None
    assert SelfCheck(0.9, 0.91).lines("x") == []
