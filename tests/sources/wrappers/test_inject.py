import numpy as np
import pytest

from lynkeus.core import SchemaError, concatenate
from lynkeus.sources import Inject, InMemory, Window
from lynkeus.transforms.faults import Fault

FAULTS = (
    Fault("stuck", 5, 20, channel=0),
    Fault("noisy", 30, 25, channel=1, size=3.0),
    Fault("offset", 60, 15, channel=2, size=2.0),
    Fault("frozen", 80, 10),
)


def _injected(table, batch_size):
    return Inject(InMemory(table, batch_size), FAULTS, np.ones(3), np.zeros(3), seed=3)


@pytest.mark.parametrize("batch_size", [1, 7, 10, 33])
def test_faults_do_not_depend_on_how_batches_are_cut(make_table, batch_size):
    table = make_table(100)
    before = table.values.copy()
    whole = concatenate(list(_injected(table, 100)))
    source = _injected(table, batch_size)
    for _ in range(2):
        cut = concatenate(list(source))
        np.testing.assert_array_equal(cut.values, whole.values)
        np.testing.assert_array_equal(cut.truth, whole.truth)
    np.testing.assert_array_equal(table.values, before)
    assert len(source) == 100


def test_each_fault_does_what_it_says_and_nothing_else(make_table):
    table = make_table(100)
    read = concatenate(list(_injected(table, 9)))
    assert (read.values[5:25, 0] == table.values[5, 0]).all()
    assert (read.values[80:90] == table.values[80]).all()
    np.testing.assert_allclose(np.abs(read.values[60:75, 2] - table.values[60:75, 2]), 2.0, rtol=1e-5)
    good = read.truth == 0
    np.testing.assert_array_equal(read.values[good], table.values[good])
    assert [int((read.truth == number).sum()) for number in (1, 2, 3, 4)] == [20, 25, 15, 10]


def test_windows_know_how_much_of_them_is_faulty(make_table):
    read = concatenate(list(Window(_injected(make_table(100), 100), 10)))
    assert read.truth.tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 4, 0]
    assert read.meta["fault_fraction"][:3].tolist() == [0.5, 1.0, 0.5]


def test_only_tables_take_faults(make_table):
    with pytest.raises(SchemaError, match="waveforms"):
        Inject(Window(InMemory(make_table(10)), 5), FAULTS, np.ones(3), np.zeros(3))
