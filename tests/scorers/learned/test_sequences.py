"""Sequences of pulses: one for each pulse, of one cavity, the same however a stream is cut."""

import numpy as np
import pytest

from lynkeus.core import Batch, Schema
from lynkeus.scorers.learned.sequences import Recent, sequences_of

SCHEMA = Schema("waveform", ("a", "b"), (), (2, 3))


def pulses(cavity: list[str], pid: list[int]) -> Batch:
    values = np.arange(1.0, len(pid) + 1)[:, None, None] * np.ones((1, 2, 3))
    return Batch(SCHEMA, values, meta={"cavity": np.array(cavity), "pid": np.array(pid)})


def rows(batch: Batch, length: int, *cuts: int) -> list[list[float]]:
    """Number of each pulse in the sequence of each pulse; NaN for none."""
    recent, found = Recent(), []
    for low, high in zip((0, *cuts), (*cuts, len(batch)), strict=True):
        part = batch[low:high]
        flat = part.values.reshape(len(part), 6)
        made = sequences_of(part, flat, length, recent)
        found += made.pool[made.rows][:, :, 0].tolist()
        recent = made.recent
    return found


def test_each_pulse_follows_on_those_of_its_own_cavity() -> None:
    batch = pulses(["A", "B", "A", "B", "A"], [1, 1, 2, 2, 3])
    nan = np.nan
    np.testing.assert_equal(rows(batch, 3), [[nan, nan, 1], [nan, nan, 2], [nan, 1, 3], [nan, 2, 4], [1, 3, 5]])


def test_a_pause_or_a_number_that_goes_back_begins_anew() -> None:
    nan = np.nan
    np.testing.assert_equal(rows(pulses(["A"] * 3, [1, 12, 13]), 2), [[nan, 1], [nan, 2], [2, 3]])
    np.testing.assert_equal(rows(pulses(["A"] * 3, [5, 6, 1]), 2), [[nan, 1], [1, 2], [nan, 3]])


def test_without_meta_all_are_of_one_cavity() -> None:
    batch = Batch(SCHEMA, pulses(["A"] * 3, [1, 2, 3]).values)
    np.testing.assert_equal(rows(batch, 2), [[np.nan, 1], [1, 2], [2, 3]])


@pytest.mark.parametrize("seed", range(5))
def test_cuts_do_not_matter(seed: int) -> None:
    draw = np.random.default_rng(seed)
    cavity = draw.choice(["A", "B", "C"], 60).tolist()
    batch = pulses(cavity, np.cumsum(draw.choice([1, 2, 30], 60, p=[0.6, 0.3, 0.1])).tolist())
    cuts = sorted(draw.choice(np.arange(1, 60), 8, replace=False).tolist())
    np.testing.assert_equal(rows(batch, 4, *cuts), rows(batch, 4))


def test_one_pulse_at_a_time_needs_no_memory() -> None:
    batch = pulses(["A"] * 2, [1, 2])
    made = sequences_of(batch, batch.values, 1, Recent())
    assert made.rows.tolist() == [[0], [1]]
    assert len(made.recent["A"].pid) == 0
