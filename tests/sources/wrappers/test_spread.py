"""Rows that share a stamp of a second keep their order, none is lost, and batches do not matter."""

from dataclasses import replace

import numpy as np
import pytest

from lynkeus.core import Batch, concatenate
from lynkeus.sources import InMemory, Ordered
from lynkeus.sources.wrappers.spread import Spread

BEGIN_NS = 1_700_000_037 * 10**9  # 23 s before a whole minute


class _Timed(InMemory):
    """As a reader of a file: it knows when it begins."""

    start_ns = BEGIN_NS


def _stamps(make_table, rows: int, first: int, rate: int = 10) -> Batch:
    """Rows at a rate, of which the first comes `first` tenths after the second, with stamps in whole seconds."""
    table = make_table(rows)
    exact = BEGIN_NS + (first + np.arange(rows)) * (10**9 // rate)
    schema = replace(table.schema, sample_rate_hz=None)
    return replace(table, schema=schema, time_ns=exact // 10**9 * 10**9)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 10, 1000])
@pytest.mark.parametrize("first", [0, 4])
def test_rows_of_a_second_are_spread_and_none_is_lost(make_table, batch_size: int, first: int):
    table = _stamps(make_table, 605, first)
    source = Ordered(Spread(_Timed(table, batch_size)))
    for _ in range(2):
        read = concatenate(list(source))
        np.testing.assert_array_equal(read.values, table.values)
        np.testing.assert_array_equal(read.time_ns, BEGIN_NS + (first + np.arange(605)) * 10**8)
    assert source.schema.sample_rate_hz == pytest.approx(10.0)
    assert read.schema.sample_rate_hz == pytest.approx(10.0)
    (said,) = source.messages
    assert said.startswith(f"{605 - len(np.unique(table.time_ns))} rows had the time of the row before")


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_two_rows_in_one_second_of_slow_data_are_both_kept(make_table, batch_size: int):
    table = make_table(50)
    schema = replace(table.schema, sample_rate_hz=1.0)
    seconds = np.array([*range(20), 19, *range(20, 49)])
    table = replace(table, schema=schema, time_ns=BEGIN_NS + seconds * 10**9)
    read = concatenate(list(Ordered(Spread(InMemory(table, batch_size)))))
    assert len(read) == 50
    assert read.time_ns is not None
    assert read.time_ns[20] - BEGIN_NS == 19 * 10**9 + 10**9 // 2


def test_exact_times_are_left_as_they_are(make_table):
    table = make_table(100)
    table = replace(table, time_ns=table.time_ns + 12_345)
    source = Spread(InMemory(table, 30))
    np.testing.assert_array_equal(concatenate(list(source)).time_ns, table.time_ns)
    assert source.messages == []
