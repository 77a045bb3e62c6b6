from dataclasses import replace

import numpy as np
import pytest

from lynkeus.core import SourceError, concatenate
from lynkeus.sources import Finite, InMemory, Ordered


@pytest.mark.parametrize("batch_size", [1, 3, 4, 100])
def test_duplicates_are_dropped_and_the_first_stays(make_table, batch_size: int):
    table = make_table(10)
    doubled = table[np.array([0, 1, 2, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9])]
    source = Ordered(InMemory(doubled, batch_size))
    for _ in range(2):
        read = concatenate(list(source))
        np.testing.assert_array_equal(read.values, table.values)
        assert source.messages == ["3 rows with the time of the row before were dropped"]


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_gaps_are_counted_as_missed_samples(make_table, batch_size: int):
    table = make_table(50)
    rows = np.delete(np.arange(50), [10, 20, 21, 22])
    source = Ordered(InMemory(table[rows], batch_size))
    assert len(concatenate(list(source))) == 46
    assert source.missed == 4
    assert source.messages == ["4 samples were missed in 2 gaps, the longest 0.4 s"]


@pytest.mark.parametrize("batch_size", [1, 5, 100])
def test_time_going_backwards_names_row_and_times(make_table, batch_size: int):
    table = make_table(10)[np.array([0, 1, 2, 3, 4, 5, 2, 3])]
    table = replace(table, meta={})
    with pytest.raises(SourceError, match=r"row 6, from 2022-02-25T00:00:00\.5.* to 2022-02-25T00:00:00\.2.*; sort"):
        list(Ordered(InMemory(table, batch_size)))


def test_untimed_rows_pass(make_table):
    table = replace(make_table(10), time_ns=None)
    assert len(concatenate(list(Ordered(InMemory(table))))) == 10


def test_infinite_values_become_missing_and_are_counted(make_table):
    table = make_table(10)
    table.values[3, 1], table.values[4, 2], table.values[5, 0] = np.inf, -np.inf, np.nan
    source = Ordered(Finite(InMemory(table, 4)))
    for _ in range(2):
        read = concatenate(list(source))
        assert np.isnan(read.values).sum() == 3
        assert read.values.dtype == np.float32
        assert source.messages == [
            "2 infinite values are taken as missing (NaN), first in c1",
            "1 values are missing (NaN), first in c0",
        ]
    assert np.isinf(table.values).sum() == 2
