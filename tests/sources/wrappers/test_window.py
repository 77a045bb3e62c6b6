from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lynkeus.core import Batch, Schema, SchemaError, SettingsError, concatenate
from lynkeus.sources import Accumulate, InMemory, Ordered, Window

STEP_NS = 10**8


def _rows(steps: list[int], seed: int = 0) -> Batch:
    """A table whose row k comes steps[k] periods after the row before, with truth and NaN."""
    rng = np.random.default_rng(seed)
    n = len(steps)
    values = rng.normal(size=(n, 2))
    values[rng.random((n, 2)) < 0.1] = np.nan
    truth = np.repeat(rng.integers(0, 3, n), 3)[:n]
    schema = Schema("table", ("a", "b"), ("mm",), (2,), 10.0)
    return Batch(schema, values, STEP_NS * np.cumsum(steps, dtype=np.int64), truth=truth)


def _plain_starts(batch: Batch, length: int, stride: int, max_gap_s: float = 5.0) -> list[int]:
    """First rows of the windows, by a plain loop."""
    starts, row = [], 0
    while row + length <= len(batch):
        gaps = [k for k in range(row + 1, row + length) if batch.time_ns[k] - batch.time_ns[k - 1] > max_gap_s * 1e9]
        later = [k for k in range(row + 1, row + stride + 1) if k < len(batch)]
        broken = [k for k in later if batch.time_ns[k] - batch.time_ns[k - 1] > max_gap_s * 1e9]
        if gaps:
            row = gaps[0]
        else:
            starts.append(row)
            row = broken[0] if broken else row + stride
    return starts


cuts = st.tuples(
    st.lists(st.sampled_from([1, 1, 1, 1, 1, 1, 1, 2, 60]), min_size=1, max_size=60),
    st.integers(1, 7),
    st.integers(1, 25),
)


@given(cuts, st.data())
def test_windows_are_those_of_the_plain_loop_however_batches_are_cut(cut, data):
    steps, length, batch_size = cut
    stride = data.draw(st.integers(1, length))
    batch = _rows(steps)
    expected = _plain_starts(batch, length, stride)
    made = list(Window(InMemory(batch, batch_size), length, stride))
    assert sum(map(len, made)) == len(expected) <= len(Window(InMemory(batch), length, stride))
    if not expected:
        return
    read = concatenate(made)
    assert read.meta["position"].tolist() == expected
    for window, start in enumerate(expected):
        rows = slice(start, start + length)
        np.testing.assert_array_equal(read.values[window], batch.values[rows].T)
        assert read.time_ns[window] == batch.time_ns[start]
        assert read.meta["end_ns"][window] == batch.time_ns[start + length - 1] + STEP_NS
        labels = batch.truth[rows]
        counts = [(labels == label).sum() for label in (1, 2)]
        winner = 1 + int(np.argmax(counts)) if 2 * max(counts) >= length else 0
        assert read.truth[window] == winner
        assert read.meta["fault_fraction"][window] == (labels > 0).mean()


@given(st.integers(0, 50), st.integers(1, 9), st.integers(1, 60))
def test_rows_without_gaps_give_floor_of_n_over_length_windows(rows, length, batch_size):
    source = Window(InMemory(_rows([1] * rows), batch_size), length)
    assert sum(len(batch) for batch in source) == len(source) == rows // length


@given(cuts)
def test_accumulated_samples_are_the_means_of_the_windows(cut):
    steps, n, batch_size = cut
    batch = _rows(steps)
    starts = _plain_starts(batch, n, n)
    made = list(Accumulate(InMemory(batch, batch_size), n))
    assert sum(map(len, made)) == len(starts)
    if not starts:
        return
    read = concatenate(made)
    for sample, start in enumerate(starts):
        rows = batch.values[start : start + n]
        valid = ~np.isnan(rows)
        expected = np.where(valid.any(0), np.where(valid, rows, 0).sum(0) / np.maximum(valid.sum(0), 1), np.nan)
        np.testing.assert_allclose(read.values[sample], expected)
    assert read.schema.sample_rate_hz == pytest.approx(10.0 / n)


def test_windows_of_one_batch_are_views(make_table):
    table = make_table(100)
    (made,) = Window(InMemory(table), 10)
    assert np.shares_memory(made.values, table.values)
    assert made.schema.kind == "waveform"
    assert made.schema.shape == (3, 10)
    assert made.schema.names == table.schema.names


def test_images_can_be_accumulated():
    values = np.arange(2 * 6 * 4, dtype=np.float32).reshape(6, 1, 2, 4)
    batch = Batch(Schema("image", shape=(1, 2, 4)), values, np.arange(6) * 10**9)
    (made,) = Accumulate(InMemory(batch), 3)
    np.testing.assert_allclose(made.values, values.reshape(2, 3, 1, 2, 4).mean(axis=1))
    assert made.meta["end_ns"].tolist() == [3 * 10**9, 6 * 10**9]


def test_accumulated_rows_can_be_windowed_and_know_their_end(make_table):
    source = Window(Accumulate(InMemory(make_table(100)), 5), 4)
    read = concatenate(list(source))
    assert len(read) == len(source) == 5
    assert (read.meta["end_ns"] - read.time_ns == 2 * 10**9).all()


def test_rows_without_times_or_rate_are_windowed_too(make_table):
    table = make_table(20)
    untimed = replace(table, time_ns=None, meta={})
    read = concatenate(list(Window(InMemory(untimed, 7), 5)))
    assert read.time_ns is None
    assert read.meta["position"].tolist() == [0, 5, 10, 15]
    irregular = replace(table, schema=replace(table.schema, sample_rate_hz=None))
    read = concatenate(list(Window(InMemory(irregular), 5)))
    assert (read.meta["end_ns"] - read.time_ns == 5 * STEP_NS).all()


def test_messages_of_the_inner_source_are_kept(make_table):
    rows = np.delete(np.arange(50), [10, 20])
    source = Window(Ordered(InMemory(make_table(50)[rows])), 4)
    assert sum(map(len, source)) == 12
    assert source.missed == 2
    assert len(source.messages) == 1


@pytest.mark.parametrize(("length", "stride"), [(0, None), (-1, None), (5, 6), (5, -1)])
def test_lengths_that_make_no_sense_are_refused(make_table, length, stride):
    with pytest.raises(SettingsError):
        Window(InMemory(make_table(10)), length, stride)
    with pytest.raises(SettingsError, match="at least one row"):
        Accumulate(InMemory(make_table(10)), 0)


def test_only_tables_are_windowed(make_table):
    with pytest.raises(SchemaError, match="waveforms"):
        Window(Window(InMemory(make_table(10)), 5), 2)


def test_rows_every_five_minutes_are_windows_too() -> None:
    values = np.arange(60.0)[:, None]
    time_ns = np.arange(60, dtype=np.int64) * 300 * 10**9
    schema = Schema("table", ("cpu",), (), (1,), sample_rate_hz=1 / 300)
    (batch,) = Window(InMemory(Batch(schema, values, time_ns)), 12)
    assert len(batch) == 5
