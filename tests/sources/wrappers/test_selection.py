import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lynkeus.core import Batch, Schema, SettingsError, SourceError, concatenate
from lynkeus.sources import Exclude, InMemory, Select, Window


def _numbered(rows: int) -> Batch:
    return Batch(Schema("table", ("a",), (), (1,), 1e9), np.arange(rows)[:, None] * 1.0, np.arange(rows) * 10)


def _kept(source) -> list[int]:
    return [int(value) for batch in source for value in batch.values[:, 0]]


bounds = st.none() | st.integers(0, 50)


@given(st.integers(0, 40), st.integers(1, 50), bounds, bounds)
def test_rows_are_those_of_a_slice(rows, batch_size, start, stop):
    source = Select(InMemory(_numbered(rows), batch_size), rows=(start, stop))
    assert _kept(source) == list(range(rows))[start:stop]
    assert len(source) == len(_kept(source))


@given(st.integers(0, 40), st.integers(1, 50), st.none() | st.integers(-50, 500), st.none() | st.integers(-50, 500))
def test_times_are_those_in_the_span(rows, batch_size, start, end):
    source = Select(InMemory(_numbered(rows), batch_size), times_ns=(start, end))
    low, high = (-1 if start is None else start), (10**9 if end is None else end)
    assert _kept(source) == [row for row in range(rows) if low <= row * 10 < high]


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 50), bounds)
def test_the_mask_is_of_all_rows(mask, batch_size, start):
    chosen = np.array(mask, bool)
    source = Select(InMemory(_numbered(len(mask)), batch_size), rows=(start, None), mask=chosen)
    assert _kept(source) == [row for row in np.flatnonzero(chosen) if row >= (start or 0)]
    assert len(source) == len(_kept(source))


@pytest.mark.parametrize("length", [9, 11])
def test_a_mask_of_another_length_is_refused(length):
    with pytest.raises(SourceError, match=f"mask has {length} entries"):
        list(Select(InMemory(_numbered(10), 4), mask=np.ones(length, bool)))


@given(
    st.lists(st.tuples(st.integers(-20, 420), st.integers(0, 60)), max_size=5),
    st.integers(1, 50),
    st.integers(1, 5),
)
def test_excluded_windows_are_those_that_touch_an_interval(spans, batch_size, length):
    intervals = [(start, start + width) for start, width in spans]
    windows = Window(InMemory(_numbered(40), batch_size), length)
    every = [(int(t), int(e)) for batch in windows for t, e in zip(batch.time_ns, batch.meta["end_ns"], strict=True)]
    kept = [int(t) for batch in Exclude(windows, intervals) for t in batch.time_ns]
    touched = {t for t, e in every for start, end in intervals if start < end and t < end and start < e}
    assert kept == [t for t, _ in every if t not in touched]


def test_rows_without_end_are_points():
    assert _kept(Exclude(InMemory(_numbered(6)), [(10, 30), (45, 50)])) == [0, 3, 4, 5]


def test_what_makes_no_sense_is_refused(make_table):
    untimed = Batch(Schema("table", ("a",), (), (1,)), np.zeros((3, 1)))
    with pytest.raises(SourceError, match="no times"):
        list(Select(InMemory(untimed), times_ns=(0, 1)))
    with pytest.raises(SourceError, match="no times"):
        list(Exclude(InMemory(untimed), [(0, 1)]))
    with pytest.raises(SettingsError, match="before it starts"):
        Exclude(InMemory(untimed), [(2, 1)])
    with pytest.raises(SettingsError, match="from 0"):
        Select(InMemory(untimed), rows=(-1, None))
    with pytest.raises(SettingsError, match="batch_size"):
        InMemory(untimed, 0)
    with pytest.raises(TypeError, match="not known"):
        len(Select(InMemory(make_table(3)), times_ns=(0, 1)))


def test_batches_in_memory_have_the_size_asked_for(make_table):
    table = make_table(10)
    source = InMemory(table, 4)
    assert [len(batch) for batch in source] == [4, 4, 2]
    np.testing.assert_array_equal(concatenate(list(source)).values, table.values)
