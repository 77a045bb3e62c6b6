import time
from dataclasses import replace

import numpy as np
import pytest

from lynkeus.core import SettingsError, SourceError, concatenate
from lynkeus.sources import InMemory, Replay


def test_no_row_comes_before_its_time_and_none_is_lost(make_table):
    table = make_table(100)  # 10 s of data
    begun, seen = time.monotonic(), []
    for batch in Replay(InMemory(table, 30), speed=40, chunk=7):
        elapsed_ns = (time.monotonic() - begun) * 1e9 * 40
        assert len(batch) <= 7
        assert batch.time_ns[-1] - table.time_ns[0] <= elapsed_ns
        seen.append(batch)
    assert time.monotonic() - begun >= 9.9 / 40
    np.testing.assert_array_equal(concatenate(seen).values, table.values)
    assert len(Replay(InMemory(table))) == 100


@pytest.mark.parametrize("speed", [0, np.inf])
def test_as_fast_as_possible_does_not_wait(make_table, speed):
    begun = time.monotonic()
    batches = list(Replay(InMemory(make_table(10_000)), speed, chunk=100))
    assert [len(batch) for batch in batches] == [100] * 100
    assert time.monotonic() - begun < 5


def test_a_slow_reader_gets_everything(make_table):
    sizes = []
    for batch in Replay(InMemory(make_table(50)), speed=1000, chunk=20):
        sizes.append(len(batch))
        time.sleep(0.01)
    assert sum(sizes) == 50


def test_what_makes_no_sense_is_refused(make_table):
    table = make_table(3)
    for speed in (-1, np.nan):
        with pytest.raises(SettingsError, match="speed"):
            Replay(InMemory(table), speed)
    with pytest.raises(SettingsError, match="chunk"):
        Replay(InMemory(table), 1, 0)
    with pytest.raises(SourceError, match="no times"):
        list(Replay(InMemory(replace(table, time_ns=None)), 10))
